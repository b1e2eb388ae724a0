"""The standard vector interface: equal to Gymnasium's own `SyncVectorEnv`, in all three autoreset modes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, NameNotFound, ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from stubborn_door import NumberedMoves, TextAndLength, TextLength, TurnRewards

from turnwise.envs.core import ToolCall, UnknownTaskError
from turnwise.envs.vector import make_vector_env

ACTIONS = ["move[left]", "move[right]", "pick[]", "open[]", "what?", ToolCall("move", {"direction": "left"})]


def random_actions(rng: np.random.Generator, count: int) -> list[Any]:
    return [ACTIONS[i] for i in rng.integers(len(ACTIONS), size=count)]


def without_group(info: dict[str, Any]) -> dict[str, Any]:
    """An info as plain data, without what only ours has."""
    plain: dict[str, Any] = {}
    for key, value in info.items():
        if "group_id" in key:
            continue
        if isinstance(value, dict):
            value = without_group(value)
        elif isinstance(value, np.ndarray):
            value = [without_group(item) if isinstance(item, dict) else item for item in value.tolist()]
        plain[key] = value
    return plain


@pytest.mark.parametrize("backend", ["sync", "thread"])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_same_seeds_give_what_gymnasium_gives(mode: AutoresetMode, backend: str) -> None:
    theirs = SyncVectorEnv([lambda: gym.make("KeyDoor-v0", max_turns=4)] * 3, autoreset_mode=mode)
    ours = make_vector_env("KeyDoor-v0", 3, max_turns=4, autoreset_mode=mode, backend=backend)
    assert ours.observation_space == theirs.observation_space
    assert ours.single_action_space == theirs.single_action_space
    assert ours.metadata["autoreset_mode"] is mode
    rng = np.random.default_rng(0)
    expected, info = theirs.reset(seed=11)
    observed, our_info = ours.reset(seed=11)
    assert observed == expected and without_group(our_info) == without_group(info)
    for _ in range(25):
        actions = random_actions(rng, 3)
        *expected_arrays, info = theirs.step(actions)
        *arrays, our_info = ours.step(actions)
        assert arrays[0] == expected_arrays[0]
        for got, wanted in zip(arrays[1:], expected_arrays[1:], strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)
        assert without_group(our_info) == without_group(info)
    ours.close()
    theirs.close()


def test_same_step_keeps_the_final_observation_and_info() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, autoreset_mode="SameStep")
    envs.reset(options={"task_id": "key-3"})
    for _ in range(2):
        envs.step(["move[right]", "what?"])
    observations, rewards, terminations, _, infos = envs.step(["open[]", "what?"])
    assert terminations.tolist() == [True, False] and rewards.tolist() == [0.0, 0.0]
    assert infos["final_obs"][0] == "You break the lock, and an alarm rings." and infos["final_obs"][1] is None
    assert infos["final_info"]["stop_reason"][0] == "completed"
    assert infos["_final_info"].tolist() == [True, False]
    assert observations[0].startswith("You stand in cell 2") and infos["turn"].tolist() == [0, 3]
    envs.close()


def test_disabled_autoreset_asks_for_a_reset_of_those_that_ended() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, max_turns=2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    envs.step(["what?", "what?"])
    envs.step(["what?", "what?"])
    with pytest.raises(ResetNeeded, match=r"\[0, 1\]"):
        envs.step(["what?", "what?"])
    envs.reset(options={"reset_mask": np.array([True, True])})
    observations, infos = envs.reset(options={"reset_mask": np.array([False, True]), "task_id": "key-0"})
    assert infos["_turn"].tolist() == [False, True] and "cell 0" in observations[1]
    envs.step(["move[left]", "move[left]"])
    envs.close()


def test_reset_options_per_environment() -> None:
    envs = make_vector_env("KeyDoor-v0", 3)
    options = {"task_ids": ["key-1", "key-0", "key-3"]}
    _, infos = envs.reset(options=options)
    assert infos["task_id"].tolist() == options["task_ids"]
    _, infos = envs.reset(seed=[5, 5, 6], options={"task_ids": [None, None, "key-0"]})
    assert infos["task_id"][0] == infos["task_id"][1] and infos["task_id"][2] == "key-0"
    with pytest.raises(UnknownTaskError, match="key-9"):
        envs.reset(options={"task_id": "key-9"})
    with pytest.raises(ValueError, match="list of 3"):
        envs.reset(seed=[1, 2])
    with pytest.raises(ValueError, match="list of 3"):
        envs.reset(options={"task_ids": ["key-1"]})
    with pytest.raises(TypeError, match="booleans"):
        envs.reset(options={"reset_mask": np.array([1, 0, 0])})
    with pytest.raises(ValueError, match="one True"):
        envs.reset(options={"reset_mask": np.zeros(3, bool)})
    with pytest.raises(ValueError, match="give one of them"):
        envs.reset(options={"task_id": "key-1", "task_ids": ["key-1"] * 3})
    envs.reset(seed=1)  # and after all those errors it still works
    envs.close()


def test_arguments_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="group_size must divide num_envs, got group_size=2 and num_envs=3"):
        make_vector_env("KeyDoor-v0", 3, group_size=2)
    with pytest.raises(ValueError, match="thread, process or ray"):
        make_vector_env("KeyDoor-v0", 2, step_timeout=1.0)
    with pytest.raises(ValueError, match="num_envs"):
        make_vector_env("KeyDoor-v0", 0)
    with pytest.raises(ValueError, match="backend must be one of"):
        make_vector_env("KeyDoor-v0", 1, backend="fork")
    with pytest.raises(NameNotFound):
        make_vector_env("KeyDoors-v0", 1)
    with pytest.raises(ValueError, match="max_turns"):
        make_vector_env("KeyDoor-v0", 1, max_turns=0)


def test_actions_are_counted_and_one_text_is_not_a_batch() -> None:
    envs = make_vector_env("KeyDoor-v0", 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions must be 2"):
        envs.step(["move[left]"])
    with pytest.raises(TypeError, match="got one str"):
        envs.step("ab")
    *_, infos = envs.step([ToolCall("move", {"direction": "left"}), [ToolCall("move", {"direction": "right"})] * 2])
    assert infos["is_action_valid"].all() and len(infos["tool_call"][1]) == 2
    envs.close()


def test_observations_of_wrappers_are_batched_by_their_space() -> None:
    envs = make_vector_env("KeyDoor-v0", 3, wrappers=[TextLength, NumberedMoves])
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (3, 2) and observations.dtype == np.float32 and observations in envs.observation_space
    kept = observations.copy()
    envs.step(np.array([0, 1, 1]))
    np.testing.assert_array_equal(observations, kept)  # an array that was handed out is not written to again
    envs.close()
    envs = make_vector_env("KeyDoor-v0", 2, wrappers=[TextAndLength])
    observations, _ = envs.reset(seed=0)
    assert isinstance(observations["text"], tuple) and observations["length"].shape == (2, 1)
    assert observations["length"][1, 0] == len(observations["text"][1])
    envs.close()


def test_arrays_of_differing_length_in_infos() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, wrappers=[TurnRewards])
    envs.reset(seed=0)
    envs.step(["what?"] * 2)
    envs.send_reset(1)
    envs.recv()
    *_, infos = envs.step(["what?"] * 2)
    assert [len(rewards) for rewards in infos["turn_rewards"]] == [2, 1]
    envs.close()


def test_gymnasium_vector_wrappers_work_around_it() -> None:
    envs = DictInfoToList(RecordEpisodeStatistics(make_vector_env("KeyDoor-v0", 2, max_turns=3)))
    envs.reset(seed=0, options={"task_id": "key-2"})
    for action in ("pick[]", "move[right]", "move[right]"):
        *_, infos = envs.step([action, action])
    assert isinstance(infos, list) and infos[0]["stop_reason"] == "max_turns"
    assert infos[1]["episode"]["l"] == 3
    envs.close()


def test_attributes_calls_and_render() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, render_mode="ansi")
    observations, _ = envs.reset(seed=0)
    assert envs.render() == observations and envs.render_mode == "ansi"
    envs.set_attr("max_turns", [3, 4])
    assert envs.get_attr("max_turns") == (3, 4)
    assert all(isinstance(call, ToolCall) for call in envs.call("oracle")[0])
    with pytest.raises(ValueError, match="values must be 2"):
        envs.set_attr("max_turns", [3])
    envs.close()


def test_close_is_idempotent_and_final() -> None:
    envs = make_vector_env("KeyDoor-v0", 1)
    envs.reset(seed=0)
    envs.close()
    envs.close()
    with pytest.raises(ClosedEnvironmentError):
        envs.step(["move[left]"])
