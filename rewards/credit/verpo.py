"""VeRPO: partial success on unit tests counts by how hard the group finds each test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit.grpo import trajectory_credit
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.pass_matrix import Difficulty, normalised_weights, pass_matrix, weighted_share
from turnwise.rewards.segments import Segments, SingletonRule, normalise

Passed: TypeAlias = ArrayLike | Sequence[Mapping[str, float]]
"""(N, J) bits of trajectories by tests, or N mappings from test id to whether it passed."""


def verpo(
    batch: TurnBatch,
    passed: Passed,
    *,
    difficulty: Difficulty,
    success_weight: float,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Group-relative advantage of `difficulty-weighted share of passed tests + success_weight * 1[all passed]`.

    Args:
        batch: N trajectories, M turns.
        passed: (N, J) 1 where the trajectory's code passes test j, 0 where not, NaN where the task has no test j; or N
            mappings from test id to whether it passed (`pass_matrix`). A test that other rollouts of the group have a
            result of and this one has not is not passed, and does not count in the pass rates.
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
    dense, solved = weighted_share(bits, pass_rates(batch, bits), difficulty)
    score = dense + success_weight * solved
    groups = Segments.of(batch.group)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    reward = np.where(batch.is_last, score[batch.row], 0.0)
    return trajectory_credit(batch, advantage, groups, singleton, reward)


def pass_rates(batch: TurnBatch, passed: Passed) -> FloatArray:
    """(N, J) share of the rollouts of each trajectory's group that pass each test; NaN where none of them ran it."""
    bits = _checked(batch, passed)
    groups = Segments.of(batch.group)
    hits, runs = np.zeros((2, groups.size, bits.shape[1]))
    np.add.at(hits, groups.code, np.nan_to_num(bits))
    np.add.at(runs, groups.code, ~np.isnan(bits))
    rates: FloatArray = np.where(runs > 0.0, hits / np.maximum(runs, 1.0), np.nan)[groups.code]
    return rates


def difficulty_weights(batch: TurnBatch, passed: Passed, difficulty: Difficulty) -> FloatArray:
    """(N, J) weights of the tests that sum to 1 for each trajectory; equal where `difficulty` gives only zeros.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> difficulty_weights(batch, [[1, 1], [0, 1]], lambda rate: 1 - rate).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    return normalised_weights(pass_rates(batch, passed), difficulty)


def _checked(batch: TurnBatch, passed: Passed) -> FloatArray:
    by_test = isinstance(passed, Sequence) and any(isinstance(row, Mapping) for row in passed)
    bits = pass_matrix(passed) if by_test else np.asarray(passed, dtype=np.float64)  # type: ignore[arg-type]
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
