"""PAV: the policy's own advantage plus the progress that a turn means to a better prover."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trees import Average, TurnTree, tree_credit


def pav(
    tree: TurnTree,
    *,
    alpha: float,
    best_of: int = 4,
    prover_value: ArrayLike | None = None,
    average: Average = "children",
) -> Credit:
    """`A + alpha * A_prover`: both are changes of value over a turn, the second one as another policy sees it.

    The prover is the best of `best_of` rollouts of the policy, whose value follows from the policy's own:
    `1 - (1 - V) ** best_of`.

    Args:
        tree: Rollouts that share turns; outcomes in [0, 1].
        alpha: Weight of the prover's part. The paper's value is not settled here (about 3 to 5), so it has no default.
        best_of: Rollouts of the best-of prover.
        prover_value: (K,) value of each node under another prover, in place of the best-of one.
        average: How node values are averaged, see `TurnTree.value`.

    Returns:
        Credit over the K nodes: `alpha * A_prover` as reward (the outcome comes on top), the sum as advantage.

    Raises:
        ValueError: An outcome lies outside [0, 1], or `best_of` or the shape of `prover_value` does not fit.

    Source: Rewarding Progress (arXiv 2410.08146). Provenance: unverified (from memory; the best-of-4 advantage also
    stands in the code of SPO).

    >>> tree = TurnTree.of([-1, 0, 0], [np.nan, 1.0, 0.0])
    >>> pav(tree, alpha=1.0, best_of=2).advantage.tolist()
    [0.0, 0.75, -1.25]
    """
    value = tree.value(average)
    prover = best_of_value(value, best_of) if prover_value is None else np.asarray(prover_value, dtype=np.float64)
    if prover.shape != (len(tree),):
        raise ValueError(f"prover_value must have shape ({len(tree)},), one number a node, got {prover.shape}")
    progress = alpha * tree.change(prover)
    return tree_credit(tree, tree.change(value) + progress, progress)


def best_of_value(value: ArrayLike, best_of: int = 4) -> FloatArray:
    """(...) chance that one of `best_of` independent rollouts succeeds if each does with (...) probability `value`.

    >>> best_of_value([0.5, 1.0], 2).tolist()
    [0.75, 1.0]
    """
    values = np.asarray(value, dtype=np.float64)
    if best_of < 1:
        raise ValueError(f"best_of must be at least 1, got {best_of!r}")
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError(f"outcomes must lie in [0, 1] for a best-of prover, got {values.min():g} to {values.max():g}")
    chance: FloatArray = 1.0 - (1.0 - values) ** best_of
    return chance


RECORD = MethodRecord(
    name="pav",
    function=pav,
    paper="Rewarding Progress: Scaling Automated Process Verifiers for LLM Reasoning",
    arxiv="2410.08146",
    provenance="unverified",
    scope="group",
    needs=frozenset({"tree"}),
    min_group=1,
    summary="A turn's advantage plus its progress as a better prover sees it.",
)
