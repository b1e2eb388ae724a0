"""Pass rates that are kept over episodes, and the reward made of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.episodes import METHODS, RunningPassRates, RunningVeRPOReward

HISTORY = st.lists(st.tuples(st.sampled_from("xy"), st.dictionaries(st.sampled_from("abc"), st.booleans())), max_size=8)


def harder(rate: np.ndarray) -> np.ndarray:
    return 1.0 - rate


def graded(task: str = "x", turns: int = 2, **results: bool) -> Trajectory:
    return Trajectory([Turn(i, "", "") for i in range(turns)], task_id=task, privileged={"test_results": results})


@given(HISTORY)
def test_without_forgetting_rates_are_smoothed_means(history) -> None:
    rates = RunningPassRates(prior=0.25, weight=2.0)
    for task, results in history:
        rates.update(task, results)
    for task in "xy":
        for test in "abc":
            seen = [results[test] for name, results in history if name == task and test in results]
            assert rates(task, [test])[0] == pytest.approx((sum(seen) + 0.5) / (len(seen) + 2))


@given(HISTORY, st.sampled_from([1.0, 0.5]))
def test_they_go_on_from_a_pickle(history, memory) -> None:
    whole, part = (RunningPassRates(memory=memory) for _ in range(2))
    for i, (task, results) in enumerate(history):
        if i == len(history) // 2:
            part = pickle.loads(pickle.dumps(part))
        whole.update(task, results)
        part.update(task, results)
    assert [whole(t, list("abc")).tolist() for t in "xy"] == [part(t, list("abc")).tolist() for t in "xy"]


def test_forgetting_follows_a_policy_that_improves() -> None:
    lasting, forgetful = RunningPassRates(), RunningPassRates(memory=0.5)
    for passed in [False] * 10 + [True] * 5:
        for rates in (lasting, forgetful):
            rates.update("x", {"a": passed})
    assert forgetful("x", ["a"])[0] > 0.7 > 0.4 > lasting("x", ["a"])[0]


def test_an_episode_is_judged_by_those_before_it() -> None:
    reward = RunningVeRPOReward(difficulty=harder, success_weight=2.0, rates=RunningPassRates(prior=0.5, weight=1.0))
    assert reward(graded(a=True, b=False)).tolist() == [0.0, 0.5]
    # Rates are now 0.75 and 0.25: the weights of a and b are 1/4 and 3/4.
    assert reward(graded(a=True, b=True, turns=3)).tolist() == pytest.approx([0.0, 0.0, 3.0])
    assert reward(graded("y", a=True, b=False)).tolist() == [0.0, 0.5]  # another task has rates of its own


def test_ungraded_episodes_are_paid_nothing_and_change_nothing() -> None:
    reward = RunningVeRPOReward(difficulty=harder, success_weight=1.0)
    reward(graded(a=True, b=False))
    before = pickle.dumps(reward.rates)
    assert reward(graded()).tolist() == [0.0, 0.0]
    assert reward(Trajectory(task_id="x", privileged={"test_results": {}})).tolist() == []
    assert pickle.dumps(reward.rates) == before


def test_a_test_that_disappeared_has_failed() -> None:
    reward = RunningVeRPOReward(difficulty=harder, success_weight=1.0)
    reward(graded(a=False, b=False))
    assert reward(graded(a=True)).tolist() == [0.0, 0.5]
    assert reward.rates.tests("x") == ["a", "b"]


def test_what_it_needs_and_where_it_comes_from() -> None:
    record = METHODS["verpo_running"]
    assert (record.provenance, record.arxiv) == ("unverified", "2601.03525") and "ours" in record.summary
    assert RunningVeRPOReward(difficulty=harder, success_weight=1.0).needs == {"test_results"}
    with pytest.raises(TypeError, match="difficulty"):
        RunningVeRPOReward(success_weight=1.0)
    with pytest.raises(KeyError, match="results='test_results' is no key of the privileged record"):
        RunningVeRPOReward(difficulty=harder, success_weight=1.0)(Trajectory([Turn(0, "", "")]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": 1.5}, "prior must lie"),
        ({"memory": -1.0}, "memory must lie"),
        ({"weight": 0.0}, "weight must be pos"),
    ],
)
def test_wrong_arguments_are_named(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        RunningPassRates(**options)
