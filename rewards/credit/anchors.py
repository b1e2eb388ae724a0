"""Anchor states: which turns of a task met the same state, exactly or nearly."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from turnwise.rewards.batch import IntArray


def similar_anchors(texts: Sequence[str], groups: IntArray, threshold: float) -> IntArray:
    """Cluster turns whose observation texts are alike: greedy first fit inside each group.

    A turn joins the first cluster whose first member it resembles with `difflib` ratio >= `threshold`, else it starts
    a cluster. The result depends on the order of the turns, as published: it is not invariant under a permutation of
    the rollouts. The cost grows with turns times clusters; exact grouping has no such cost.

    Args:
        texts: (M,) observations without history.
        groups: (M,) the group of each turn.
        threshold: In (0, 1).

    Returns:
        (M,) cluster codes: the row of each cluster's first turn.

    Raises:
        ValueError: `threshold` lies outside (0, 1), or the lengths of `texts` and `groups` differ.

    >>> similar_anchors(["page 1 of 9", "page 2 of 9", "cart"], np.array([0, 0, 0]), 0.9).tolist()
    [0, 0, 2]
    """
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"similarity must lie in (0, 1), got {threshold!r}")
    if len(texts) != len(groups):
        raise ValueError(f"texts must have {len(groups)} entries, one a turn, got {len(texts)}")
    clusters: dict[int, list[tuple[int, SequenceMatcher[str]]]] = {}
    seen: dict[tuple[int, str], int] = {}
    codes = np.empty(len(texts), dtype=np.int64)
    for turn, (group, text) in enumerate(zip(groups.tolist(), texts, strict=True)):
        # Clusters are only ever appended, so equal text always finds the same first fit.
        if (group, text) not in seen:
            seen[group, text] = _first_fit(clusters.setdefault(group, []), text, threshold, turn)
        codes[turn] = seen[group, text]
    return codes


def _first_fit(clusters: list[tuple[int, SequenceMatcher[str]]], text: str, threshold: float, new: int) -> int:
    """The code of the first cluster that `text` fits; otherwise a new cluster with the code `new`."""
    for code, matcher in clusters:
        matcher.set_seq1(text)
        # The quick ratios are upper bounds and spare most of the full comparisons.
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= threshold and matcher.ratio() >= threshold:
            return code
    # The matcher keeps what it learnt about its second text, so that goes in first and stays.
    matcher = SequenceMatcher(None, "", text)
    clusters.append((new, matcher))
    return new
