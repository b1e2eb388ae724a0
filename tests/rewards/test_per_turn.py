"""`PerTurn`: behaves like an array, and comes through vector environments that break arrays."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st
from scripted import Beat, ScriptedEnv

from turnwise.rewards.per_turn import PerTurn
from turnwise.wrappers import TurnRewardWrapper

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=8)


@given(VALUES)
def test_a_series_reads_like_the_array_it_was_made_from(values):
    series, array = PerTurn(values), np.array(values, dtype=np.float64)
    assert len(series) == len(array)
    assert list(series) == series.tolist() == array.tolist()
    assert series.sum() == array.sum()
    assert np.array_equal(np.asarray(series), array)
    assert np.array_equal(np.asarray(series, dtype=np.float32), array.astype(np.float32))
    assert [series[i] for i in range(len(values))] == values
    assert series[1:] == PerTurn(values[1:])


def test_arithmetic_gives_ordinary_arrays():
    series = PerTurn([1.0, 2.0])
    for result in (series + 1, 1 + series, series * series, -series, np.exp(series), np.ones(2) - series):
        assert type(result) is np.ndarray
    assert (series + series).tolist() == [2.0, 4.0]
    assert np.add.reduce(series) == 3.0
    assert series.mean() == 1.5
    assert np.isnan(PerTurn([]).mean())


def test_equality_is_one_bool_for_the_whole_series():
    assert (PerTurn([1, 2]) == PerTurn([1, 2])) is True
    assert (PerTurn([1, 2]) == [1, 2]) is True
    assert (PerTurn([1, 2]) != PerTurn([1, 3])) is True
    assert (PerTurn([1, 2]) == PerTurn([1])) is False
    assert PerTurn([1]) != "no series"
    assert np.equal(PerTurn([1, 2]), [1, 3]).tolist() == [True, False]
    assert {"info": PerTurn([1])} == {"info": PerTurn([1])}
    assert hash(PerTurn([1, 2])) == hash(PerTurn([1.0, 2.0]))


def test_nobody_can_change_it():
    values = np.array([1.0, 2.0])
    series = PerTurn(values)
    values[0] = 9.0
    assert series.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(series)[0] = 9.0
    with pytest.raises(TypeError):
        series[0] = 9.0
    np.array(series)[0] = 9.0
    assert series[0] == 1.0


def test_copies_and_pickles_are_equal():
    series = PerTurn([0.5, -0.5])
    assert pickle.loads(pickle.dumps(series)) == copy.deepcopy(series) == copy.copy(series) == series


def test_only_one_dimension():
    with pytest.raises(ValueError, match=r"shape \(T,\), got \(2, 1\)"):
        PerTurn([[1.0], [2.0]])


def length(turns, first):
    rollouts = [[Beat()] * turns]
    return lambda: TurnRewardWrapper(ScriptedEnv(rollouts, first=first), lambda turn: turn.index, name="index")


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_two_episodes_of_different_length_may_end_in_one_step(mode):
    """The first member's episode of three turns and the second's second one end together."""
    envs = SyncVectorEnv([length(3, 0), length(1, 0)], autoreset_mode=mode)
    envs.reset(seed=0)
    found = {}
    for _ in range(8):
        *_, terminations, truncations, infos = envs.step(("go[]", "go[]"))
        last = infos.get("final_info", infos) if mode is AutoresetMode.SAME_STEP else infos
        ended = np.flatnonzero(terminations | truncations)
        found.setdefault(tuple(ended), [last["turn_rewards"][i] for i in ended])
        if mode is AutoresetMode.DISABLED and len(ended):
            envs.reset(options={"reset_mask": terminations | truncations})
    assert found[0, 1] == [PerTurn([0.0, 1.0, 2.0]), PerTurn([0.0])]


def test_gymnasium_cannot_do_this_with_arrays():
    """The reason for the class: an array of another length is an error, and one of length 1 is broadcast silently.

    When this fails, Gymnasium has learnt it, and the class can go.
    """

    class Arrays(gym.Wrapper):
        def step(self, action):
            *result, info = self.env.step(action)
            return *result, {**info, "plain": np.zeros(self.env.unwrapped._turn)}

    envs = SyncVectorEnv([lambda: Arrays(ScriptedEnv([[Beat()] * 5])), lambda: Arrays(ScriptedEnv([[Beat()] * 2]))])
    envs.reset()
    with pytest.raises(ValueError, match="broadcast"):
        for _ in range(5):
            envs.step(("go[]", "go[]"))
