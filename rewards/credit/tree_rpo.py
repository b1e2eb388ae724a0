"""TreeRPO: a turn against its siblings, in units of the deviation that a success rate as theirs has."""

from __future__ import annotations

import numpy as np

from turnwise.rewards.batch import Credit
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trees import TurnTree, tree_credit


def tree_rpo(tree: TurnTree) -> Credit:
    """`(V - mu) / sqrt(mu * (1 - mu))` among siblings, with mu the mean of their values.

    A node's value is the mean of its children's. Siblings that all succeed or all fail say nothing and leave the loss.

    Args:
        tree: Rollouts that share turns; outcomes in [0, 1].

    Returns:
        Credit over the K nodes (see `turnwise.rewards.trees.tree_credit`): values as reward, weight 0 where the
        siblings' variance is 0.

    Raises:
        ValueError: An outcome lies outside [0, 1].

    Source: TreeRPO (arXiv 2506.05183). Provenance: unverified (from memory of the paper).

    >>> tree = TurnTree.of([-1, 0, 0, 1, 1, 2, 2], [np.nan] * 3 + [1.0, 0.0, 1.0, 1.0])
    >>> credit = tree_rpo(tree)
    >>> credit.advantage.round(3).tolist(), credit.weight.tolist()
    ([0.0, -0.577, 0.577, 1.0, -1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    """
    value = tree.value()
    if not ((value >= 0.0) & (value <= 1.0)).all():
        raise ValueError(f"outcomes must lie in [0, 1], got {value.min():g} to {value.max():g}")
    mean = np.where(tree.is_root, 0.0, value[tree.parent])  # the parent's value is the siblings' mean
    variance = mean * (1.0 - mean)
    spread = variance > 1e-12  # a mean of ones may be a hair below 1
    advantage = np.where(spread, (value - mean) / np.sqrt(np.where(spread, variance, 1.0)), 0.0)
    return tree_credit(tree, advantage, value, spread.astype(np.float64))


RECORD = MethodRecord(
    name="tree_rpo",
    function=tree_rpo,
    paper="TreeRPO: Tree Relative Policy Optimization",
    arxiv="2506.05183",
    provenance="unverified",
    scope="group",
    needs=frozenset({"tree"}),
    min_group=2,
    summary="A turn against its siblings, over the deviation of their success rate.",
)
