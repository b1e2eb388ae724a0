"""Which trajectory passed which test, as a matrix, and what the tests are worth by how seldom they are passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from turnwise.rewards.batch import BoolArray, FloatArray

Difficulty: TypeAlias = Callable[[FloatArray], FloatArray]
"""From pass rates in [0, 1] to weights before normalisation; should decrease."""


def pass_matrix(results: Sequence[Mapping[str, float]], *, missing: float = np.nan) -> FloatArray:
    """(N, J) bits of N trajectories on all J tests that any of them names, in order of first appearance.

    Args:
        results: For each trajectory, test id to whether it passed; empty where nothing was graded.
        missing: For a test that a trajectory does not name: NaN, it was not run; 0, it failed. Where trajectories of
            several tasks are in one matrix, only NaN is right.

    Raises:
        ValueError: `missing` is neither, or a result is neither yes nor no.

    >>> pass_matrix([{"test_a": True, "test_b": False}, {"test_a": False}, {}]).tolist()
    [[1.0, 0.0], [0.0, nan], [nan, nan]]
    """
    if not (np.isnan(missing) or missing == 0.0):
        raise ValueError(f"missing must be NaN or 0, got {missing!r}")
    column = {test: j for j, test in enumerate(dict.fromkeys(test for row in results for test in row))}
    bits = np.full((len(results), len(column)), missing, dtype=np.float64)
    for row, result in zip(bits, results, strict=True):
        for test, passed in result.items():
            if passed not in (0, 1):
                raise ValueError(f"the result of {test!r} must be true or false, got {passed!r}")
            row[column[test]] = passed
    return bits


def normalised_weights(rates: FloatArray, difficulty: Difficulty) -> FloatArray:
    """(N, J) weights that sum to 1 in each row; equal where `difficulty` gives only zeros, 0 where a rate is NaN.

    Args:
        rates: (N, J) pass rates; NaN where the task has no such test.
        difficulty: From rates to weights.

    Raises:
        ValueError: A weight is negative or not finite.

    >>> normalised_weights(np.array([[0.75, 0.5, np.nan], [1.0, 1.0, 1.0]]), lambda rate: 1 - rate).round(3).tolist()
    [[0.333, 0.667, 0.0], [0.333, 0.333, 0.333]]
    """
    exists = ~np.isnan(rates)
    raw = np.where(exists, np.asarray(difficulty(np.nan_to_num(rates)), dtype=np.float64), 0.0)
    if not np.isfinite(raw).all() or (raw < 0.0).any():
        raise ValueError("difficulty must give finite weights >= 0")
    raw = np.where(raw.sum(axis=1, keepdims=True) > 0.0, raw, exists)
    weights: FloatArray = raw / np.maximum(raw.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return weights


def weighted_share(bits: FloatArray, rates: FloatArray, difficulty: Difficulty) -> tuple[FloatArray, BoolArray]:
    """(N,) difficulty-weighted share of its task's tests that each trajectory passed, and (N,) whether it passed all.

    A test of the task that a trajectory has no result of is not passed: whoever makes a test disappear gains nothing by
    it. Where a task has no tests the share is 0 and nothing is solved.

    Args:
        bits: (N, J) what passed; NaN where a test was not run.
        rates: (N, J) pass rates; NaN where the task has no such test.
        difficulty: From rates to weights.

    >>> share, solved = weighted_share(np.array([[1.0, np.nan]]), np.array([[0.5, 0.5]]), lambda rate: 1 - rate)
    >>> share.tolist(), solved.tolist()
    ([0.5], [False])
    """
    has = ~np.isnan(rates)
    share: FloatArray = (normalised_weights(rates, difficulty) * np.nan_to_num(bits)).sum(axis=1)
    solved: BoolArray = (~has | (bits == 1.0)).all(axis=1) & has.any(axis=1)
    return share, solved
