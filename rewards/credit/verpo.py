"""VeRPO: partial success on unit tests counts by how hard the group finds each test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit.grpo import trajectory_credit
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, normalise


def verpo(
    batch: TurnBatch,
    passed: ArrayLike,
    *,
    difficulty: Callable[[FloatArray], FloatArray],
    success_weight: float,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Group-relative advantage of `difficulty-weighted share of passed tests + success_weight * 1[all passed]`.

    Args:
        batch: N trajectories, M turns.
        passed: (N, J) 1 where the trajectory's code passes test j, 0 where not, NaN where the task has no test j.
        difficulty: From the share of the group's rollouts that pass a test to its weight before normalisation; should
            decrease. The paper's form is not known here; `lambda rate: 1 - rate` is one.
        success_weight: Weight of passing all tests; not known either.
        norm_by_std: Divide by the sample deviation.
        eps: Added to the deviation.
        singleton: What the only rollout of a group gets.

    Returns:
        Credit with the combined reward in each trajectory's last turn and the (M,) advantage.

    Raises:
        ValueError: `passed` has another shape or other values, or `difficulty` gives a negative weight.

    Source: VeRPO (arXiv 2601.03525). Provenance: unverified (weights from pass rates and the global outcome are the
    abstract's; their forms are not).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> verpo(batch, [[1, 1], [1, 0]], difficulty=lambda rate: 1 - rate, success_weight=1.0).reward.tolist()
    [2.0, 0.0]
    """
    bits = _checked(batch, passed)
    exists = ~np.isnan(bits)
    dense = (difficulty_weights(batch, bits, difficulty) * np.nan_to_num(bits)).sum(axis=1)
    solved = (np.where(exists, bits, 1.0) == 1.0).all(axis=1) & exists.any(axis=1)
    score = dense + success_weight * solved
    groups = Segments.of(batch.group)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    reward = np.where(batch.is_last, score[batch.row], 0.0)
    return trajectory_credit(batch, advantage, groups, singleton, reward)


def pass_rates(batch: TurnBatch, passed: ArrayLike) -> FloatArray:
    """(N, J) share of the rollouts of each trajectory's group that pass each test; NaN where there is no test."""
    bits = _checked(batch, passed)
    groups = Segments.of(batch.group)
    rates = np.full(bits.shape, np.nan)
    for j in range(bits.shape[1]):
        has = ~np.isnan(bits[:, j])
        inside = Segments(groups.code[has], groups.size)
        rates[has, j] = inside.mean(bits[has, j])[inside.code]
    return rates


def difficulty_weights(
    batch: TurnBatch, passed: ArrayLike, difficulty: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """(N, J) weights of the tests that sum to 1 for each trajectory; equal where `difficulty` gives only zeros.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> difficulty_weights(batch, [[1, 1], [0, 1]], lambda rate: 1 - rate).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    rates = pass_rates(batch, passed)
    exists = ~np.isnan(rates)
    raw = np.where(exists, np.asarray(difficulty(np.nan_to_num(rates)), dtype=np.float64), 0.0)
    if not np.isfinite(raw).all() or (raw < 0.0).any():
        raise ValueError("difficulty must give finite weights >= 0")
    raw = np.where(raw.sum(axis=1, keepdims=True) > 0.0, raw, exists)
    weights: FloatArray = raw / np.maximum(raw.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return weights


def _checked(batch: TurnBatch, passed: ArrayLike) -> FloatArray:
    bits = np.asarray(passed, dtype=np.float64)
    if bits.ndim != 2 or len(bits) != len(batch):
        raise ValueError(f"passed must have shape ({len(batch)}, J), trajectories by tests, got {bits.shape}")
    if not (np.isnan(bits) | (bits == 0.0) | (bits == 1.0)).all():
        raise ValueError("passed must hold 0, 1, or NaN where there is no such test")
    return bits


RECORD = MethodRecord(
    name="verpo",
    function=verpo,
    paper="VeRPO: Verifiable Dense Reward Policy Optimization for Code Generation",
    arxiv="2601.03525",
    provenance="unverified",
    scope="group",
    needs=frozenset({"group", "test_bits"}),
    min_group=2,
    summary="Passed tests count by how hard the group finds them.",
)
