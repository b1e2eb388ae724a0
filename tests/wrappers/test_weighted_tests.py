"""VeRPO on an environment of hidden tests: by its wrapper, by name, and without groups."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from key_door import KeyDoorEnv
from patch_env import EMPTY, FAILING, NO_SUBMIT, PASSING, PatchEnv, act
from scripted import ScriptedEnv

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import verpo
from turnwise.rewards.episodes import RunningVeRPOReward
from turnwise.wrappers import (
    DifficultyWeightedTests,
    GroupCreditReward,
    MissingRequirementError,
    episode_method_reward,
)

GROUP = (PASSING, FAILING, NO_SUBMIT, EMPTY)


def harder(rate):
    return 1.0 - rate


def advantages(env, group=GROUP):
    """The first turn's advantage of each rollout of one group."""
    for actions in group:
        _, info = act(env, actions)
    return [entry["turn_advantages"][0] for entry in info["group_credit"]]


def wrapped(env, **options):
    return DifficultyWeightedTests(env, len(GROUP), difficulty=harder, success_weight=1.0, **options)


def test_the_wrapper_and_the_name_give_what_the_function_gives():
    # Graded are two rollouts, both pass the easy test: all weight is on the hard one.
    batch = TurnBatch.pack(lengths=[1] * 4, group=[0] * 4, reward=[0] * 4, outcome=[0] * 4)
    bits = [[1, 1], [1, 0], [np.nan] * 2, [np.nan] * 2]
    expected = verpo(batch, bits, difficulty=harder, success_weight=1.0)
    assert expected.reward.tolist() == [2.0, 0.0, 0.0, 0.0]
    by_name = GroupCreditReward(
        PatchEnv(),
        "verpo",
        group_size=4,
        rollout_inputs={"passed": "test_results"},
        difficulty=harder,
        success_weight=1.0,
    )
    assert advantages(wrapped(PatchEnv())) == pytest.approx(expected.advantage)
    assert advantages(by_name) == pytest.approx(expected.advantage)


def test_ungraded_rollouts_may_count_as_failed():
    # Rates 1/2 and 1/4: weights 0.4 and 0.6.
    found = advantages(wrapped(PatchEnv(), ungraded_fails=True, norm_by_std=False))
    assert found == pytest.approx(np.array([2.0, 0.4, 0.0, 0.0]) - 0.6)


def test_rewards_stay_as_they_are():
    env = wrapped(PatchEnv())
    for actions, total in zip(GROUP, (1.0, 0.0, 0.0, 0.0), strict=True):
        assert sum(act(env, actions)[0]) == total


def test_over_a_vector_environment():
    env = DifficultyWeightedTests(
        SyncVectorEnv([PatchEnv] * 2), 2, difficulty=harder, success_weight=1.0, norm_by_std=False
    )
    env.reset(options={"task_id": "one"})
    for actions in zip(["edit[a]", "edit[b]", "submit[]"], ["view[a]", "edit[a]", "submit[]"], strict=True):
        *_, infos = env.step(actions)
    assert [series[0] for series in infos["turn_advantages"]] == [1.0, -1.0]


def test_results_that_are_not_promised_are_missed_at_once():
    with pytest.raises(
        MissingRequirementError, match=r"DifficultyWeightedTests over KeyDoorEnv lacks \['test_results'\]"
    ):
        DifficultyWeightedTests(KeyDoorEnv(), 2, difficulty=harder, success_weight=1.0)
    with pytest.raises(MissingRequirementError, match=r"lacks \['test_results'\]"):
        GroupCreditReward(
            KeyDoorEnv(),
            "verpo",
            group_size=2,
            rollout_inputs={"passed": "test_results"},
            difficulty=harder,
            success_weight=1.0,
        )
    with pytest.raises(TypeError, match="difficulty"):
        DifficultyWeightedTests(PatchEnv(), 2, success_weight=1.0)
    with pytest.raises(MissingRequirementError, match="group_size"):
        DifficultyWeightedTests(PatchEnv(), 1, difficulty=harder, success_weight=1.0)


def test_results_can_come_from_a_function():
    env = DifficultyWeightedTests(
        ScriptedEnv([[]]), 2, difficulty=harder, success_weight=1.0, results=lambda trajectory: {}
    )
    assert env.needs == {"group"}


def test_without_groups_the_running_estimate_pays_inside_a_plain_loop():
    reward = RunningVeRPOReward(difficulty=harder, success_weight=1.0)
    env = episode_method_reward(PatchEnv(), reward)
    one = {"options": {"task_id": "one"}}
    totals = [sum(act(env, actions, **one)[0]) for actions in (FAILING, PASSING, EMPTY, NO_SUBMIT)]
    # The easy test was passed once, the hard one never: rates 0.75 and 0.25, weights 1/4 and 3/4.
    assert totals == pytest.approx([0.5, 2.0, 0.0, 0.0])
    kept = pickle.loads(pickle.dumps(reward.rates))
    assert kept("one", ["test_easy", "test_hard"]).tolist() == pytest.approx([2.5 / 3, 0.5])


def test_test_results_never_reach_the_policy():
    env = wrapped(PatchEnv())
    act(env, FAILING)
    seen = " ".join(message["content"] for message in env.episode.messages())
    assert env.episode.info["privileged"]["test_results"] and "test_hard" not in seen
