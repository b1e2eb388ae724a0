"""Measured durations as a channel, and charges for time and cost."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_door import KeyDoorEnv
from patch_env import FAILING, NO_SUBMIT, PASSING, PatchEnv, act
from scripted import Beat, ScriptedEnv, play

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import semi_markov
from turnwise.rewards.turns import ToolUseReward
from turnwise.wrappers import (
    ActionPrice,
    GroupCreditReward,
    MeasuredDuration,
    RecordTrajectories,
    TurnRewardWrapper,
)


class SlowTests(PatchEnv):
    """Running a command takes three seconds by the clock that it is given; everything else one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.now = 0.0

    def step(self, action):
        self.now += 3.0 if str(action).startswith("bash") else 1.0
        return super().step(action)


SLOW = ["bash[pytest]", "edit[a]", "edit[b]", "submit[]"]


def measured(env=None):
    env = env or SlowTests()
    return MeasuredDuration(env, clock=lambda: env.unwrapped.now)


def test_each_turn_has_its_duration_and_pays_nothing():
    kept = []
    env = RecordTrajectories(measured(), kept.append)
    rewards, _ = act(env, SLOW)
    assert rewards == [0.0, 0.0, 0.0, 1.0]
    assert [turn.channels["duration"] for turn in kept[0].turns] == [3.0, 1.0, 1.0, 1.0]
    batch = TurnBatch.from_trajectories(kept)
    assert semi_markov(batch, gamma=0.5, unit=1.0).advantage.tolist() == [2.0**-5, 0.25, 0.5, 1.0]


def test_the_real_clock_runs_and_nothing_of_it_is_seen():
    class Sleeper(KeyDoorEnv):
        def step(self, action):
            time.sleep(0.02)
            return super().step(action)

    plain, env = KeyDoorEnv(), MeasuredDuration(Sleeper(), name="seconds")
    assert plain.reset(seed=0) == env.reset(seed=0)
    for action in ("move[left]", "what?", "pick[]"):
        observation, reward, *_, info = plain.step(action)
        seen, paid, *_, timed = env.step(action)
        assert (seen, paid) == (observation, reward)
        seconds = timed["reward_terms"].pop("seconds")
        assert seconds >= 0.02
        assert timed == info


def test_a_group_method_reads_the_channel():
    env = GroupCreditReward(measured(), "duration_aware", group_size=2, durations="duration", norm_by_std=False)
    act(env, SLOW)
    _, info = act(env, NO_SUBMIT)
    won, lost = info["group_credit"]
    mean = (3 + 9 * 1) / 10
    assert won["turn_advantages"].tolist() == pytest.approx([1.5 / mean, *[0.5 / mean] * 3])
    assert lost["turn_advantages"].tolist() == pytest.approx([-0.5 / mean] * 6)


def test_time_beyond_the_allowance_is_charged_where_it_is_spent():
    rewards, info = act(ActionPrice(measured(), 0.1, allowance=2.0), SLOW)
    assert rewards == pytest.approx([-0.1, -0.1, -0.1, 0.9])
    assert info["turn_rewards"].tolist() == pytest.approx(rewards)
    assert info["reward_terms"]["action_price"] == pytest.approx(-0.1)


def test_stated_costs_are_the_same_in_every_run():
    def total(actions):
        return sum(act(ActionPrice(PatchEnv(), 0.25, cost="commands"), actions)[0])

    assert total(SLOW) == total(SLOW) == 0.75
    assert total(PASSING) == 1.0 and total(["bash[ls]"] * 6) == -1.5


def test_costs_by_tool_name():
    env = ActionPrice(PatchEnv(), 0.1, cost=ToolUseReward({"bash": 2.0}, default=0.5))
    assert act(env, SLOW)[0] == pytest.approx([-0.2, -0.05, -0.05, 0.95])
    logged = TurnRewardWrapper(PatchEnv(), ToolUseReward({"edit": 1.0}, default=0.0), name="duration", weight=0.0)
    assert act(ActionPrice(logged, 0.1), FAILING)[0] == pytest.approx([0.0, -0.1, 0.0])


def test_each_episode_has_its_allowance_and_limit_anew():
    env = ActionPrice(SlowTests(), 1.0, cost=lambda turn: 1.0, allowance=1.0, limit=1.5)
    for _ in range(2):
        assert act(env, SLOW)[0] == [0.0, -1.0, -0.5, 1.0]


COSTS = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=8)


@given(COSTS, st.floats(0.0, 5.0), st.floats(0.0, 200.0), st.none() | st.floats(0.0, 10.0))
def test_charges_add_up_to_the_price_of_what_exceeds_the_allowance(costs, price, allowance, limit):
    beats = [Beat(terms={"duration": cost}) for cost in costs]
    env = ActionPrice(ScriptedEnv([beats]), price, allowance=allowance, limit=limit)
    rewards, info = play(env)
    most = math.inf if limit is None else limit
    assert -sum(rewards) == pytest.approx(min(most, price * max(0.0, sum(costs) - allowance)), abs=1e-9)
    assert all(reward <= 0.0 for reward in rewards)
    assert info["turn_rewards"].sum() == pytest.approx(sum(rewards))


@pytest.mark.parametrize("argument", ["price", "allowance", "limit"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_prices_are_checked(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be a finite number >= 0, got"):
        ActionPrice(PatchEnv(), **{"price": 1.0, argument: value})


@pytest.mark.parametrize(("cost", "message"), [(-1.0, "must not be negative, got -1"), (math.nan, "must be a finite")])
def test_costs_are_checked(cost, message):
    env = ActionPrice(PatchEnv(), 1.0, cost=lambda turn: cost)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step("view[a]")
