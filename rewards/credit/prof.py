"""PROF: keep the correct rollouts with the best processes and the wrong ones with the worst, in balance; then GRPO."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, IntArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of, successes
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, normalise

DropWrong: TypeAlias = Literal["score", "random"]


def prof(
    batch: TurnBatch,
    score: str | ArrayLike = "process_score",
    *,
    kept: int,
    success: ArrayLike | None = None,
    drop_wrong: DropWrong = "score",
    rng: np.random.Generator | None = None,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Drop rollouts whose process contradicts their outcome, and give GRPO's advantage to the others.

    A rollout's score is the mean process score of its turns (0 without turns). Of a group's n rollouts, `kept`
    remain: the correct ones with the lowest scores and the wrong ones with the highest go, as many of each as leaves
    the two balanced (see `dropped_counts`). Process scores only choose; the advantage is the outcome's.

    Args:
        batch: N trajectories, M turns.
        score: (M,) process score of each turn, or the channel that holds it.
        kept: Rollouts to keep in each group (m); a group with no more keeps all.
        success: (N,) positive for a success; default `batch.outcome`.
        drop_wrong: Drop wrong rollouts by `score`, highest first, or at `random` (the filter-correct variant).
        rng: For `random`.
        norm_by_std: Divide by the sample deviation of the outcomes that were kept.
        eps: Added to the deviation.
        singleton: What the only kept rollout of a group gets.

    Returns:
        Credit with the (M,) process scores as reward, the (M,) advantage, and `keep` false and weight 0 for dropped
        trajectories. Equal scores are dropped in the order of the batch.

    Raises:
        ValueError: `kept` is not positive, a score is not finite, or `rng` is missing.

    Source: PROF (arXiv 2509.03403). Provenance: unverified (our formula for the counts, which gives those of the
    authors' figure).

    >>> batch = TurnBatch.pack(lengths=[1] * 4, group=[0] * 4, reward=[0] * 4, outcome=[1, 1, 1, 0])
    >>> prof(batch, [0.9, 0.2, 0.8, 0.1], kept=2).keep.tolist()
    [True, False, False, True]
    """
    one_of("drop_wrong", drop_wrong, get_args(DropWrong))
    if kept < 1:
        raise ValueError(f"kept must be at least 1, got {kept!r}")
    if drop_wrong == "random" and rng is None:
        raise ValueError("rng must be given where wrong rollouts are dropped at random")
    scores = finite_per_turn(batch, score, "score")
    quality = np.bincount(batch.row, weights=scores, minlength=len(batch)) / np.maximum(batch.lengths, 1)
    right = successes(batch, success)
    order = np.where(right, quality, -quality if rng is None or drop_wrong == "score" else rng.random(len(batch)))
    groups = Segments.of(batch.group)
    keep = _kept(groups, right, order, kept)
    advantage = np.zeros(len(batch))
    survivors = Segments(groups.code[keep], groups.size)
    advantage[keep] = normalise(batch.outcome[keep], survivors, scale=norm_by_std, eps=eps, singleton=singleton)
    if singleton == "drop":
        keep = keep & (survivors.count[groups.code] > 1)
    return Credit(scores, advantage[batch.row], keep[batch.row].astype(np.float64), keep)


def dropped_counts(correct: ArrayLike, wrong: ArrayLike, kept: int) -> tuple[IntArray, IntArray]:
    """How many correct and how many wrong rollouts of each group to drop so that `kept` remain, balanced if possible.

    `k+ = clip(round((n+ - n- + n - m) / 2), 0, n - m)` and `k- = n - m - k+`, for arrays of counts.

    >>> [int(k) for k in dropped_counts(5, 3, 4)]
    [3, 1]
    """
    right, false = np.asarray(correct, dtype=np.int64), np.asarray(wrong, dtype=np.int64)
    surplus = np.maximum(right + false - kept, 0)
    from_right = np.clip(np.round((right - false + surplus) / 2), 0, np.minimum(surplus, right)).astype(np.int64)
    from_right = np.maximum(from_right, surplus - false)
    return from_right, surplus - from_right


def _kept(groups: Segments, right: BoolArray, order: FloatArray, kept: int) -> BoolArray:
    wins = groups.sum(right.astype(np.float64)).astype(np.int64)
    from_right, from_wrong = dropped_counts(wins, groups.count - wins, kept)
    ranked = np.lexsort((order, right, groups.code))
    cells = Segments.of(groups.code[ranked] * 2 + right[ranked])
    rank = np.arange(len(order)) - (np.cumsum(cells.count) - cells.count)[cells.code]
    keep = np.empty(len(order), dtype=np.bool_)
    keep[ranked] = rank >= np.where(right, from_right[groups.code], from_wrong[groups.code])[ranked]
    return keep


RECORD = MethodRecord(
    name="prof",
    function=prof,
    paper="PROF: Process Consistency Filter",
    arxiv="2509.03403",
    provenance="unverified",
    scope="group",
    needs=frozenset({"group", "process_score"}),
    min_group=2,
    summary="Drops rollouts whose process contradicts their outcome, in balance, then GRPO.",
)
