"""PORTool: a turn against the turns tried beside it, mixed with its rollouts against all rollouts of the tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, IntArray
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, normalise
from turnwise.rewards.trees import TurnTree, tree_credit


def portool(
    tree: TurnTree,
    call_success: ArrayLike,
    *,
    decay: float,
    call_weight: float,
    fork_weight: float,
    norm_by_std: bool,
    eps: float = 1e-6,
) -> Credit:
    """`A = A_trajectory + fork_weight * A_fork`.

    The step reward of a turn is the mean over the rollouts through it of `decay ** (turns to the end) * outcome`, plus
    `call_weight` if its tool call succeeded. `A_fork` compares it with the turns from the same node, `A_trajectory`
    each rollout's outcome with those of all rollouts of the tree; a shared turn gets the mean of its rollouts'.

    Args:
        tree: Rollouts that share turns; each root begins a tree of its own.
        call_success: (K,) 1 where the tool call of the turn that led to a node succeeded, else 0. Not read at roots.
        decay: Factor a turn, in [0, 1].
        call_weight: Weight of a call that succeeded.
        fork_weight: Weight of the fork-relative part.
        norm_by_std: Divide both parts by their sample deviation.
        eps: Added to the deviations.

    Returns:
        Credit over the K nodes (see `turnwise.rewards.trees.tree_credit`): step rewards and their advantages.

    Raises:
        ValueError: `decay` lies outside [0, 1], or `call_success` has the wrong shape.

    Source: PORTool (arXiv 2510.26020). Provenance: unverified (structure from the abstract; decay, weights and the
    divisor are not known, so they have no defaults).

    >>> tree = TurnTree.of([-1, 0, 0], [np.nan, 1.0, 0.0])
    >>> weights = {"decay": 0.5, "call_weight": 0.5, "fork_weight": 1.0, "norm_by_std": False}
    >>> portool(tree, [0, 1, 1], **weights).advantage.tolist()
    [0.0, 1.0, -1.0]
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"decay must lie in [0, 1], got {decay!r}")
    success = np.asarray(call_success, dtype=np.float64)
    if success.shape != (len(tree),):
        raise ValueError(f"call_success must have shape ({len(tree)},), one number a node, got {success.shape}")
    outcome = np.where(tree.is_leaf, tree.outcome, 0.0)
    reward = tree.backup(outcome, "leaves", decay) + call_weight * success
    turns = np.flatnonzero(~tree.is_root)
    fork = np.zeros(len(tree))
    fork[turns] = normalise(reward[turns], Segments.of(tree.parent[turns]), scale=norm_by_std, eps=eps)
    rollouts = np.zeros(len(tree))
    leaves = tree.leaves
    whole = Segments.of(_roots(tree)[leaves])
    rollouts[leaves] = normalise(tree.outcome[leaves], whole, scale=norm_by_std, eps=eps)
    advantage: FloatArray = tree.backup(rollouts, "leaves") + fork_weight * fork
    return tree_credit(tree, advantage, reward)


def _roots(tree: TurnTree) -> IntArray:
    """(K,) the root above each node."""
    root = np.arange(len(tree))
    while (tree.parent[root] >= 0).any():
        root = np.where(tree.parent[root] >= 0, tree.parent[root], root)
    return root


RECORD = MethodRecord(
    name="portool",
    function=portool,
    paper="PORTool: Tool-Use LLM Training with Rewarded Tree",
    arxiv="2510.26020",
    provenance="unverified",
    scope="group",
    needs=frozenset({"tree"}),
    min_group=2,
    summary="A turn against those tried beside it, mixed with its rollouts against all.",
)
