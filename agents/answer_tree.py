"""Texts to be scored as continuations of contexts, merged so that no token goes through the model twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Branch(NamedTuple):
    """One continuation of one context.

    Attributes:
        at: Tokens of the trunk that come before it, at least 1.
        ids: Its tokens.
        scored: Positions in `ids` whose log-probability is wanted, ascending.
        number: Which continuation it is; the caller's own count.
    """

    at: int
    ids: Sequence[int]
    scored: Sequence[int]
    number: int


@dataclass
class Trunk:
    """A sequence of tokens, and the continuations that hang on places of it."""

    ids: Sequence[int]
    branches: list[Branch] = field(default_factory=list)
    keep: bool = False
    """Whether the conversation is likely to go on from the end of the trunk."""

    @property
    def needed(self) -> int:
        """Tokens to be read first, at least 1. Each branch begins by reading the last token before it again."""
        return max(1, max(branch.at for branch in self.branches) - 1)


def merge(
    contexts: Sequence[Sequence[int]], continuations: Sequence[tuple[Sequence[int], Sequence[int]]], first: int = 0
) -> list[Trunk]:
    """Hang continuations on as few trunks as there can be: a context that begins another one shares its trunk.

    Args:
        contexts: B token sequences, none empty.
        continuations: B pairs of token ids and the positions in them that are scored.
        first: Number of the first branch.

    Returns:
        Trunks whose branches have the numbers `first` to `first + B - 1`.

    >>> trunks = merge([[1, 2], [1, 2, 3], [1, 4]], [([9], [0])] * 3)
    >>> [(trunk.ids, [branch.at for branch in trunk.branches]) for trunk in trunks]
    [([1, 2, 3], [3, 2]), ([1, 4], [2])]
    """
    trunks: list[Trunk] = []
    arrays: list[NDArray[np.int64]] = []
    order = sorted(range(len(contexts)), key=lambda i: (-len(contexts[i]), i))
    for number in order:
        ids = np.asarray(contexts[number], dtype=np.int64)
        home = next((i for i, trunk in enumerate(arrays) if np.array_equal(trunk[: len(ids)], ids)), None)
        if home is None:
            home = len(trunks)
            trunks.append(Trunk(contexts[number]))
            arrays.append(ids)
        trunks[home].branches.append(Branch(len(ids), *continuations[number], first + number))
    for trunk in trunks:
        trunk.keep = all(branch.at == len(trunk.ids) for branch in trunk.branches)
    return trunks


class Tree(NamedTuple):
    """The branches of a trunk as one sequence of tokens in which each sees its own ancestors only.

    Attributes:
        ids: (Q,) tokens; the last token before a branch comes first, as its root.
        positions: (Q,) where they stand in their own sequence.
        visible: (Q,) tokens of the trunk that each may look at.
        ancestors: (Q, Q) which tokens of the tree each may look at, itself included.
        sources: Where the scored tokens' logits come from: for each branch, the node before each scored token.
        targets: The scored tokens themselves, likewise.
    """

    ids: list[int]
    positions: list[int]
    visible: list[int]
    ancestors: NDArray[np.bool_]
    sources: list[list[int]]
    targets: list[list[int]]


def grow(trunk: Trunk, branches: Sequence[Branch]) -> Tree:
    """Merge branches into a tree: what two of them at one place begin with alike is one path.

    >>> tree = grow(Trunk([5, 6, 7]), [Branch(2, [8, 1], [1], 0), Branch(2, [8, 2, 3], [1, 2], 1)])
    >>> tree.ids, tree.positions, tree.sources
    ([6, 8, 2], [1, 2, 3], [[1], [1, 2]])
    """
    ids: list[int] = []
    positions: list[int] = []
    visible: list[int] = []
    parents: list[int] = []
    nodes: dict[tuple[int, int, int], int] = {}
    sources: list[list[int]] = []
    targets: list[list[int]] = []

    def node(at: int, parent: int, token: int, position: int) -> int:
        found = nodes.setdefault((at, parent, token), len(ids))
        if found == len(ids):
            ids.append(token)
            positions.append(position)
            visible.append(at - 1)
            parents.append(parent)
        return found

    for branch in branches:
        path = [node(branch.at, -1, int(trunk.ids[branch.at - 1]), branch.at - 1)]
        # Nothing is asked of the last token that is scored: it need not be read.
        for offset, token in enumerate(branch.ids[: branch.scored[-1] if branch.scored else 0]):
            path.append(node(branch.at, path[-1], int(token), branch.at + offset))
        sources.append([path[position] for position in branch.scored])
        targets.append([int(branch.ids[position]) for position in branch.scored])
    ancestors = np.eye(len(ids), dtype=np.bool_)
    for child, parent in enumerate(parents):
        if parent >= 0:
            ancestors[child] |= ancestors[parent]
    return Tree(ids, positions, visible, ancestors, sources, targets)
