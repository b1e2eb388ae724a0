"""G-RA: lower-priority rewards count only where every higher-priority one has reached its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import one_of, per_turn
from turnwise.rewards.credit.grpo import trajectory_credit
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, normalise

Comparison: TypeAlias = Literal["inclusive", "strict"]


def open_gates(totals: ArrayLike, thresholds: Sequence[float], comparison: Comparison = "inclusive") -> BoolArray:
    """Which levels of reward count.

    Args:
        totals: (..., K) total of each level, from the highest priority (the outcome) to the lowest.
        thresholds: K - 1 numbers: what each level but the lowest must reach for the levels below it to count.
        comparison: `inclusive` opens a gate at the threshold (>=), `strict` only above it (>).

    Returns:
        (..., K) true where a level counts; always true for the highest.

    >>> open_gates([[1.0, 0.3], [-1.0, 0.3]], [0.0]).tolist()
    [[True, True], [True, False]]
    """
    one_of("comparison", comparison, get_args(Comparison))
    values = np.asarray(totals, dtype=np.float64)
    levels = values.shape[-1]
    if len(thresholds) != levels - 1:
        raise ValueError(f"thresholds must hold {levels - 1} numbers for {levels} levels, got {len(thresholds)}")
    limits = np.asarray(thresholds, dtype=np.float64)
    passed = values[..., :-1] >= limits if comparison == "inclusive" else values[..., :-1] > limits
    gates = np.ones(values.shape, dtype=np.bool_)
    gates[..., 1:] = np.logical_and.accumulate(passed, axis=-1)
    return gates


def gated_total(totals: ArrayLike, thresholds: Sequence[float], comparison: Comparison = "inclusive") -> FloatArray:
    """Sum of the levels that count: `sum_j R_j * prod over higher k of 1[R_k >= threshold_k]`.

    Args:
        totals: (..., K) total of each level, from the highest priority (the outcome) to the lowest.
        thresholds: K - 1 numbers, one for each level but the lowest.
        comparison: `inclusive` (>=) or `strict` (>).

    Returns:
        (...) accumulated rewards.

    Source: G-RA (arXiv 2508.10548). Provenance: unverified (the rule is the abstract's; the comparison at equality
    comes from a secondary source).

    >>> gated_total([[1.0, 0.25], [-1.0, 0.25]], [0.0]).tolist()
    [1.25, -1.0]
    """
    values = np.asarray(totals, dtype=np.float64)
    total: FloatArray = np.where(open_gates(values, thresholds, comparison), values, 0.0).sum(axis=-1)
    return total


def gated(
    batch: TurnBatch,
    levels: Sequence[str | ArrayLike],
    *,
    thresholds: Sequence[float],
    comparison: Comparison = "inclusive",
    direct: bool = False,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Gated reward accumulation over an outcome and levels of turn rewards; the totals are compared inside the group.

    Levels accumulate over the trajectory. Where a gate is closed, the rewards of all turns at the levels below it
    become 0; the outcome itself always counts.

    Args:
        batch: N trajectories, M turns; `outcome` is the highest level.
        levels: (M,) arrays of turn rewards, or the channels that hold them, from the highest priority below the
            outcome to the lowest.
        thresholds: One number for each level: what the level above it (for the first: the outcome) must reach. The
            published values are not known, so there is no default.
        comparison: `inclusive` opens a gate at its threshold (>=), `strict` only above it (>).
        direct: Leave all gates open: direct accumulation (D-RA), the paper's baseline.
        norm_by_std: Divide the group-relative totals by their sample standard deviation.
        eps: Added to the standard deviation.
        singleton: What the only rollout of a group gets, see `grpo`.

    Returns:
        Credit with the (M,) turn rewards that were paid (the outcome in the last turn) and the group-relative total as
        the (M,) advantage.

    Raises:
        ValueError: No levels, or not one threshold for each.

    Source: G-RA (arXiv 2508.10548). Provenance: unverified (rule from the abstract; levels, values, comparison and
    the use of group-relative totals are not).

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[0] * 4, outcome=[1, -1])
    >>> gated(batch, [[0.25, 0.25, 0.25, 0.25]], thresholds=[0.0]).reward.tolist()
    [0.25, 1.25, 0.0, -1.0]
    """
    if not levels:
        raise ValueError("levels must name at least one level of turn rewards below the outcome")
    steps = np.stack([per_turn(batch, level, f"levels[{i}]") for i, level in enumerate(levels)])
    sums = [np.bincount(batch.row, weights=step, minlength=len(batch)) for step in steps]
    totals = np.stack([batch.outcome, *sums], axis=-1)
    gates = open_gates(totals, thresholds, comparison) | direct
    reward = np.where(gates[batch.row, 1:].T, steps, 0.0).sum(axis=0)
    reward[batch.is_last] += batch.outcome[batch.row[batch.is_last]]
    score = np.where(gates, totals, 0.0).sum(axis=-1)
    groups = Segments.of(batch.group)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    return trajectory_credit(batch, advantage, groups, singleton, reward)


RECORD = MethodRecord(
    name="gated",
    function=gated,
    paper="G-RA: Gated Reward Accumulation",
    arxiv="2508.10548",
    provenance="unverified",
    scope="group",
    needs=frozenset({"levels"}),
    min_group=1,
    summary="Step rewards count only where the outcome reached its threshold.",
)
