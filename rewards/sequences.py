"""Longest common subsequences: how long, and which entries they align."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np


def lcs_length(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence. Works on the bits of one integer, so that long texts are cheap.

    >>> lcs_length("chocolate", "cola")
    4
    """
    places: dict[Hashable, int] = {}
    for place, item in enumerate(left):
        places[item] = places.get(item, 0) | (1 << place)
    everything = (1 << len(left)) - 1
    free = everything  # bit i is 0 where entry i adds to the best subsequence so far
    for item in right:
        taken = free & places.get(item, 0)
        free = ((free + taken) | (free - taken)) & everything
    return len(left) - free.bit_count()


def lcs_pairs(
    left: Sequence[Any], right: Sequence[Any], same: Callable[[Any, Any], bool] = operator.eq
) -> list[tuple[int, int]]:
    """Index pairs (i, j) that one longest common subsequence aligns, in order.

    Args:
        left: n entries.
        right: m entries.
        same: Whether two entries count as equal.

    >>> lcs_pairs("abc", "xaxbb")
    [(0, 1), (1, 3)]
    """
    equal = np.array([[same(a, b) for b in right] for a in left], dtype=np.bool_).reshape(len(left), len(right))
    best = np.zeros((len(left) + 1, len(right) + 1), dtype=np.int64)
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            best[i, j] = best[i + 1, j + 1] + 1 if equal[i, j] else max(best[i + 1, j], best[i, j + 1])
    pairs, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if equal[i, j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1, j] >= best[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs
