from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from turnwise.agents import OraclePolicy, RandomPolicy, evaluate, mean_reward, success_rate, summarize
from turnwise.agents.evaluation import pass_at_k, pass_hat_k, wilson_interval
from turnwise.rewards import Trajectory, Turn


def attempt(task: str, outcome: float) -> Trajectory:
    return Trajectory([Turn(0, "", "", channels={"outcome": outcome}, reward=99.0)], task_id=task)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_pass_estimates_equal_the_share_of_all_subsets(k: int) -> None:
    results = [True, False, False, True, True]
    subsets = list(itertools.combinations(results, k))
    assert pass_at_k(5, 3, k) == pytest.approx(np.mean([any(s) for s in subsets]))
    assert pass_hat_k(5, 3, k) == pytest.approx(np.mean([all(s) for s in subsets]))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(0).binomial(40, 0.1, size=2000)
    covered = [low <= 0.1 <= high for low, high in (wilson_interval(int(s), 40) for s in drawn)]
    assert 0.92 < np.mean(covered) < 0.98
    assert wilson_interval(0, 10)[0] == 0.0 and wilson_interval(10, 10)[1] == 1.0


def test_a_summary_counts_full_solutions_and_the_environments_own_reward() -> None:
    trajectories = [attempt("a", 1.0), attempt("a", 0.5), attempt("b", 1.0), attempt("b", 1.0)]
    found = summarize(trajectories)
    assert (found.success_rate, found.mean_reward) == (0.75, 0.875)
    assert found.pass_at == {1: 0.75, 2: 1.0} and found.pass_hat == {1: 0.75, 2: 0.5}
    assert (success_rate(trajectories), mean_reward(trajectories)) == (0.75, 0.875)
    assert math.isnan(success_rate([])) and math.isnan(mean_reward([]))
    with pytest.raises(ValueError, match="at least one trajectory"):
        summarize([])
    with pytest.raises(ValueError, match=r"k must be in 1\.\.4"):
        pass_at_k(4, 2, 5)


def test_evaluate_plays_an_id() -> None:
    best = evaluate(OraclePolicy(), "turnwise/WebShop-v0", 4, attempts=2, num_envs=3, products=100)
    assert best.episodes == 8 and best.success_rate == 1.0 and best.pass_hat[2] == 1.0
    assert evaluate(RandomPolicy(0), "turnwise/WebShop-v0", 10, products=100).success_rate < 0.5
