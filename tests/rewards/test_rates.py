"""Intervals, pass@k and pass^k, and the rates of milestones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.rates import (
    mean_outcome,
    pass_at_k,
    pass_hat_k,
    rate_of,
    success_interval,
    success_rate,
    wilson_interval,
)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_pass_estimates_equal_the_share_of_all_subsets(k: int) -> None:
    results = [True, False, False, True, True]
    subsets = list(itertools.combinations(results, k))
    assert pass_at_k(5, 3, k) == pytest.approx(np.mean([any(s) for s in subsets]))
    assert pass_hat_k(5, 3, k) == pytest.approx(np.mean([all(s) for s in subsets]))
    with pytest.raises(ValueError, match=r"k must be in 1\.\.4"):
        pass_at_k(4, 2, 5)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(0).binomial(40, 0.1, size=2000)
    covered = [low <= 0.1 <= high for low, high in (wilson_interval(int(s), 40) for s in drawn)]
    assert 0.92 < np.mean(covered) < 0.98
    assert wilson_interval(0, 10)[0] == 0.0 and wilson_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0, 0)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=r"successes must be in 0\.\.trials"):
        wilson_interval(successes, trials)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 6))
def test_a_grouped_interval_holds_the_rate_and_is_never_narrower(successes: list[bool], size: int) -> None:
    groups = [str(i // size) for i in range(len(successes))]
    rate, plain = rate_of(successes, groups), success_interval(successes)
    low, high = rate.interval
    assert 0.0 <= low <= rate.value <= high <= 1.0
    assert high - low >= plain[1] - plain[0] - 1e-9


def test_interval_widens_when_rollouts_share_a_task() -> None:
    successes = [True] * 20 + [False] * 20
    low, high = success_interval(successes)
    assert (low, high) == pytest.approx((0.3520, 0.6480), abs=1e-4)
    whole = success_interval(successes, [str(i // 4) for i in range(40)])
    assert whole == pytest.approx(success_interval([True] * 5 + [False] * 5))
    mixed = success_interval([True, False] * 20, [str(i // 4) for i in range(40)])
    assert mixed == pytest.approx((low, high))
    assert success_interval([True] * 8, ["a"] * 4 + ["b"] * 4) == pytest.approx(success_interval([True] * 2))
    assert success_interval([]) == (0.0, 1.0)
    assert rate_of([]).value == 0.0


def test_means_count_the_environments_own_reward() -> None:
    def attempt(outcome: float) -> Trajectory:
        return Trajectory([Turn(0, "", "", channels={"outcome": outcome}, reward=99.0)])

    trajectories = [attempt(1.0), attempt(0.5), attempt(1.0), attempt(1.0)]
    assert (success_rate(trajectories), mean_outcome(trajectories)) == (0.75, 0.875)
    assert math.isnan(success_rate([])) and math.isnan(mean_outcome([]))
