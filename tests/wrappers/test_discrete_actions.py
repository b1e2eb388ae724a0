"""`DiscreteActions`: which index stands for what, and what the others do."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv

from turnwise.wrappers import DiscreteActions, MissingRequirementError, RecordTrajectories


def test_an_index_is_the_admissible_action_at_its_place():
    env = DiscreteActions(KeyDoorEnv(), 4)
    _, info = env.reset(options={"task_id": "key-3"})
    assert env.action_space == gym.spaces.Discrete(4)
    assert info["admissible_actions"] == ["move[left]", "move[right]"]
    assert info["action_mask"].tolist() == env.action_masks().tolist() == [True, True, False, False]
    observation, _, _, _, info = env.step(np.int64(1))
    assert observation == "You stand in cell 3."
    assert info["action_text"] == "move[right]"
    assert info["action_mask"].tolist() == [True, True, True, False]
    assert info["action_mask"].dtype == np.bool_


def test_an_index_that_stands_for_nothing_is_an_invalid_turn():
    env = DiscreteActions(KeyDoorEnv(max_turns=2), 4)
    _, before = env.reset(seed=0)
    observation, reward, _, truncated, info = env.step(3)
    assert observation.startswith("Invalid action.")
    assert (reward, truncated, info["is_action_valid"], info["turn"]) == (0.0, False, False, 1)
    assert info["action_text"] == ""
    assert info["state_hash"] == before["state_hash"]
    assert env.step(3)[3]


def test_where_more_are_admissible_the_first_are_offered_and_the_rest_counted():
    env = DiscreteActions(KeyDoorEnv(), 1)
    _, info = env.reset(options={"task_id": "key-2"})
    assert info["admissible_actions"] == ["move[left]", "move[right]", "pick[]"]
    assert (env.offered, info["actions_left_out"]) == (("move[left]",), 2)


def test_nothing_is_offered_when_the_episode_is_over():
    env = DiscreteActions(KeyDoorEnv(max_turns=1), 3)
    env.reset(seed=0)
    info = env.step(0)[-1]
    assert not info["action_mask"].any()
    assert info["actions_left_out"] == 0


@pytest.mark.parametrize("action", [-1, 3, 10**9])
def test_an_index_outside_the_space_is_an_error(action):
    env = DiscreteActions(KeyDoorEnv(), 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"an index in \[0, 3\)"):
        env.step(action)


def test_a_mask_can_be_changed_by_its_reader_without_harm():
    env = DiscreteActions(KeyDoorEnv(), 3)
    _, info = env.reset(seed=0)
    info["action_mask"][:] = False
    assert env.action_masks().tolist() == [True, True, False]


def test_environments_that_list_nothing_are_refused():
    with pytest.raises(MissingRequirementError, match="whose admissible_actions"):
        DiscreteActions(ScriptedEnv([[Beat()]]), 3)

    class Sometimes(KeyDoorEnv):
        def admissible_actions(self):
            return None

    with pytest.raises(MissingRequirementError, match="lists none in this state"):
        DiscreteActions(Sometimes(), 3).reset(seed=0)


def test_max_actions_is_at_least_one():
    with pytest.raises(ValueError, match="max_actions must be at least 1"):
        DiscreteActions(KeyDoorEnv(), 0)


def test_a_recorder_outside_keeps_the_text_and_not_the_index():
    kept = []
    env = RecordTrajectories(DiscreteActions(KeyDoorEnv(max_turns=2), 4), kept.append)
    env.reset(options={"task_id": "key-3"})
    env.step(0)
    env.step(3)
    assert [turn.action for turn in kept[0].turns] == ["move[left]", ""]


def test_masks_go_through_vector_environments():
    envs = gym.vector.SyncVectorEnv([lambda: DiscreteActions(KeyDoorEnv(), 4)] * 2)
    envs.reset(options={"task_id": "key-3"})
    *_, infos = envs.step(np.array([0, 1]))
    assert infos["action_mask"].tolist() == [[True, True, False, False], [True, True, True, False]]
