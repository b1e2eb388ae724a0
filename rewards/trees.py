"""`TurnTree`: rollouts that share their first turns, as flat arrays, and the Monte-Carlo value of every node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, IntArray

Average: TypeAlias = Literal["children", "leaves"]
"""What a node's value is the mean of: the values of its children, or the outcomes of all leaves below it."""


@dataclass(frozen=True)
class TurnTree:
    """A forest of K nodes. A node is a moment of an episode; the turn that led to it goes by the node's number.

    Roots are moments before the first turn, leaves are ends of rollouts. Rollouts are the paths to the leaves.

    Attributes:
        parent: (K,) the node before each node, -1 for a root. Parents come before their children.
        outcome: (K,) the sum of outcome rewards of the rollout that ended in each leaf; NaN elsewhere.

    >>> tree = TurnTree.of([-1, 0, 0, 1, 1], [np.nan, np.nan, 1.0, 1.0, 0.0])
    >>> tree.value().tolist()
    [0.75, 0.5, 1.0, 1.0, 0.0]
    >>> [path.tolist() for path in tree.paths()]
    [[2], [1, 3], [1, 4]]
    """

    parent: IntArray
    outcome: FloatArray

    @classmethod
    def of(cls, parent: ArrayLike, outcome: ArrayLike) -> TurnTree:
        """Check the arrays and make a tree of them.

        Raises:
            ValueError: The shapes differ, a parent does not come before its child, or an outcome is missing at a leaf
                or given elsewhere.
        """
        parents, outcomes = np.asarray(parent, dtype=np.int64), np.asarray(outcome, dtype=np.float64)
        if parents.ndim != 1 or parents.shape != outcomes.shape:
            raise ValueError(f"parent and outcome must both be (K,), got {parents.shape} and {outcomes.shape}")
        wrong = np.flatnonzero((parents < -1) | (parents >= np.arange(len(parents))))
        if len(wrong):
            raise ValueError(f"parent[{wrong[0]}] must be -1 or lie in [0, {wrong[0]}), got {parents[wrong[0]]}")
        tree = cls(parents, outcomes)
        wrong = np.flatnonzero(tree.is_leaf != np.isfinite(outcomes))
        if len(wrong):
            kind = (
                "a leaf and needs a finite outcome" if tree.is_leaf[wrong[0]] else "no leaf and its outcome must be NaN"
            )
            raise ValueError(f"node {wrong[0]} is {kind}, got {outcomes[wrong[0]]}")
        return tree

    def __len__(self) -> int:
        return len(self.parent)

    @cached_property
    def is_root(self) -> BoolArray:
        """(K,) whether no turn led to a node."""
        root: BoolArray = self.parent < 0
        return root

    @cached_property
    def children(self) -> IntArray:
        """(K,) number of children of each node."""
        children: IntArray = np.bincount(self.parent[~self.is_root], minlength=len(self))
        return children

    @cached_property
    def is_leaf(self) -> BoolArray:
        """(K,) whether a rollout ended in a node."""
        leaf: BoolArray = self.children == 0
        return leaf

    @cached_property
    def leaves(self) -> IntArray:
        """(L,) the leaves, in ascending order: one for each rollout."""
        return np.flatnonzero(self.is_leaf)

    @cached_property
    def depth(self) -> IntArray:
        """(K,) turns before each node."""
        depth = np.zeros(len(self), dtype=np.int64)
        above = self.parent.copy()
        while (above >= 0).any():
            depth += above >= 0
            above = np.where(above >= 0, self.parent[above], -1)
        return depth

    @cached_property
    def visits(self) -> IntArray:
        """(K,) rollouts that passed through each node or ended in it."""
        visits = self.is_leaf.astype(np.int64)
        for nodes in self._upwards():
            np.add.at(visits, self.parent[nodes], visits[nodes])
        return visits

    def rows(self) -> IntArray:
        """(M,) the nodes of all rollouts' turns, laid end to end in the order of the leaves."""
        lengths = self.depth[self.leaves]
        starts = np.cumsum(lengths) - lengths
        rows = np.empty(int(lengths.sum()), dtype=np.int64)
        nodes = self.leaves
        while len(nodes):
            turns = self.parent[nodes] >= 0
            nodes, starts = nodes[turns], starts[turns]
            rows[starts + self.depth[nodes] - 1] = nodes
            nodes = self.parent[nodes]
        return rows

    def paths(self) -> list[IntArray]:
        """For each leaf the nodes from the one after the root to it: node numbers of the rollout's turns."""
        return list(np.split(self.rows(), np.cumsum(self.depth[self.leaves])[:-1])) if len(self) else []

    def value(self, average: Average = "children") -> FloatArray:
        """(K,) Monte-Carlo value of each node: expected outcome of a rollout that has come there.

        Where nodes were forked unequally often, the mean over `children` is the unbiased one: every child is one
        sample of the policy. The mean over `leaves` favours the branches that were forked most.
        """
        return self.backup(np.where(self.is_leaf, self.outcome, 0.0), average)

    def standard_error(self, average: Average = "children") -> FloatArray:
        """(K,) standard error of `value`; NaN where nothing was sampled twice.

        With `children`: sample deviation of the children's values over the root of their number; a node with one
        child has the error of that child, which says nothing about the turn that was taken only once. With `leaves`:
        the same over the leaves below, as if they were independent.
        """
        value = self.value(average)
        if average == "leaves":
            squares = self.backup(np.where(self.is_leaf, self.outcome, 0.0) ** 2, average)
            return _error(np.maximum(squares - value**2, 0.0) * self.visits, self.visits)
        inner = np.flatnonzero(~self.is_root)
        spread = np.zeros(len(self))
        np.add.at(spread, self.parent[inner], (value[inner] - value[self.parent[inner]]) ** 2)
        error = _error(spread, self.children)
        for nodes in self._upwards():
            only = nodes[self.children[self.parent[nodes]] == 1]
            error[self.parent[only]] = error[only]
        return error

    def backup(self, leaf: ArrayLike, average: Average = "children", discount: float = 1.0) -> FloatArray:
        """(K,) the (K,) numbers at leaves, averaged upwards and multiplied by `discount` at each turn."""
        if average not in get_args(Average):
            raise ValueError(f"average must be one of {get_args(Average)}, got {average!r}")
        values = np.where(self.is_leaf, np.asarray(leaf, dtype=np.float64), 0.0)
        weight = self.visits if average == "leaves" else np.ones(len(self), dtype=np.int64)
        total = np.where(self.is_leaf, 1, self.visits if average == "leaves" else self.children)
        for nodes in self._upwards():
            values[nodes] /= np.where(self.is_leaf[nodes], 1, total[nodes])
            np.add.at(values, self.parent[nodes], discount * weight[nodes] * values[nodes])
        inner_roots = self.is_root & ~self.is_leaf
        values[inner_roots] /= total[inner_roots]
        return values

    def change(self, node_values: ArrayLike) -> FloatArray:
        """(K,) what each turn changed of (K,) node values: the node's minus its parent's; 0 for roots."""
        values = np.asarray(node_values, dtype=np.float64)
        difference: FloatArray = np.where(self.is_root, 0.0, values - values[self.parent])
        return difference

    def _upwards(self) -> list[IntArray]:
        """The nodes that have parents, level by level, deepest first."""
        order = np.argsort(-self.depth, kind="stable")
        bounds = np.flatnonzero(np.diff(self.depth[order])) + 1
        return [nodes for nodes in np.split(order, bounds) if len(nodes) and self.depth[nodes[0]] > 0]


def tree_credit(tree: TurnTree, advantage: FloatArray, reward: FloatArray, weight: FloatArray | None = None) -> Credit:
    """Credit whose rows are the K nodes (the turn that led to each) and whose trajectories are the L leaves.

    Roots have no turn: reward, advantage and weight 0.
    """
    turns = ~tree.is_root
    return Credit(
        reward=np.where(turns, reward, 0.0),
        advantage=np.where(turns, advantage, 0.0),
        weight=turns * (np.ones(len(tree)) if weight is None else weight),
        keep=np.ones(len(tree.leaves), dtype=np.bool_),
    )


def on_trajectories(tree: TurnTree, credit: Credit, *, once: bool = True) -> Credit:
    """Credit of nodes as credit of the rollouts, laid end to end in the order of the leaves.

    Args:
        tree: The tree.
        credit: What a tree method returned: rows are nodes.
        once: Divide the weight of a turn that several rollouts share by their number, so that it counts once.

    Returns:
        Credit that fits `TurnBatch.from_trajectories` of the leaves' trajectories.

    >>> tree = TurnTree.of([-1, 0, 1, 1], [np.nan, np.nan, 1.0, 0.0])
    >>> on_trajectories(tree, tree_credit(tree, tree.value(), tree.value())).weight.tolist()
    [0.5, 1.0, 0.5, 1.0]
    """
    rows = tree.rows()
    weight = credit.weight / np.maximum(tree.visits, 1) if once else credit.weight
    return Credit(credit.reward[rows], credit.advantage[rows], weight[rows], credit.keep)


def _error(squares: FloatArray, count: IntArray) -> FloatArray:
    """Standard error from sums of squared deviations of `count` samples; NaN for fewer than two."""
    error: FloatArray = np.sqrt(squares / np.maximum(count * (count - 1), 1))
    return np.where(count > 1, error, np.nan)
