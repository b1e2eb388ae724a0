"""The contract of `TurnEnv`, on a small environment."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from key_door import KeyDoorEnv

from turnwise.envs.core import (
    ToolCall,
    ToolError,
    TurnEnv,
    TurnInfo,
    UnknownTaskError,
    canonical,
    tool,
)


def started(task_id: str = "key-2", **kwargs: Any) -> KeyDoorEnv:
    env = KeyDoorEnv(**kwargs)
    env.reset(seed=0, options={"task_id": task_id})
    return env


def solve(env: TurnEnv) -> tuple[Any, ...]:
    for call in list(env.oracle()):
        result = env.step(call)
    return result


class Notebook(TurnEnv):
    """A mutable state, random tools, parallel calls and all that a tool may call."""

    rules = "Write."
    tasks: Sequence[str] = ("blank",)  # type: ignore[assignment]

    def begin(self, task_id: str) -> str:
        self.state = ()
        return "A blank page."

    @tool
    def write(self, word: str) -> str:
        """Write a word."""
        if word == "banned":
            raise ToolError("That word is banned.")
        self.state = (*self.state, word)
        self.record(f"wrote_{word}", length=len(self.state))
        return f"You wrote {word}."

    @tool
    def roll(self) -> str:
        """Roll a die."""
        return f"A {self.np_random.integers(1, 7)}."

    @tool
    def crash(self) -> str:
        """Lose the page."""
        self.truncate("sandbox_fault")
        return "The page is gone."

    @tool
    def hand_in(self, grade: float) -> str:
        """Hand in."""
        self.finish(grade, spelling=0.5)
        return "Handed in."

    def oracle(self) -> Iterator[ToolCall]:
        yield ToolCall("hand_in", {"grade": 1.0})


def notebook(**kwargs: Any) -> Notebook:
    env = Notebook(**kwargs)
    env.reset(seed=0)
    return env


# Gymnasium


def test_gymnasiums_checker_accepts_it() -> None:
    gym.registry.pop("KeyDoor-v0", None)
    gym.register("KeyDoor-v0", entry_point="key_door:KeyDoorEnv")
    check_env(gym.make("KeyDoor-v0", render_mode="ansi").unwrapped)


def test_reset_returns_the_task_and_the_keys_of_turn_info() -> None:
    env = KeyDoorEnv()
    observation, info = env.reset(seed=0, options={"task_id": "key-1"})
    assert "A key lies in cell 1" in observation
    assert set(info) == set(TurnInfo.__annotations__)
    assert info["task_id"] == "key-1" and info["turn"] == 0 and info["is_action_valid"]
    assert info["tool_call"] is None and info["stop_reason"] is None and info["events"] == frozenset()
    assert info["reward_terms"] == {"outcome": 0.0} and info["privileged"]["key"] == 1
    assert info["admissible_actions"] == ["move[left]", "move[right]"]


def test_a_solved_episode() -> None:
    env = started()
    observation, _, _, _, info = env.step("pick[]")
    assert observation == "You hold the key."
    assert info["events"] == {"key_taken"} and info["reward_terms"] == {"outcome": 0.0, "progress": 0.5}
    assert info["tool_call"] == ToolCall("pick") and info["turn"] == 1
    observation, reward, terminated, truncated, info = solve(env)
    assert (observation, reward, terminated, truncated) == ("The door opens.", 1.0, True, False)
    assert info["stop_reason"] == "completed" and info["admissible_actions"] == []
    assert info["events"] == {"door_open"} and info["reward_terms"] == {"outcome": 1.0}


def test_the_seed_draws_the_task() -> None:
    env = KeyDoorEnv()
    drawn = [env.reset(seed=seed)[1]["task_id"] for seed in range(40)]
    assert drawn == [env.reset(seed=seed)[1]["task_id"] for seed in range(40)]
    assert set(drawn) == set(env.tasks)
    follow_ups = [env.reset(seed=None)[1]["task_id"] for _ in range(40)]
    assert set(follow_ups) == set(env.tasks)


def test_unknown_tasks_and_options_are_named() -> None:
    env = KeyDoorEnv()
    with pytest.raises(
        UnknownTaskError, match=r"KeyDoorEnv has no task 'key-12' among its 4 tasks; did you mean 'key-"
    ):
        env.reset(options={"task_id": "key-12"})
    with pytest.raises(UnknownTaskError, match="the first is 'key-0'"):
        env.reset(options={"task_id": "zzz"})
    with pytest.raises(UnknownTaskError, match="no task 3"):
        env.reset(options={"task_id": 3})
    with pytest.raises(ValueError, match=r"unknown reset options \['task'\]; known: \['task_id'\]"):
        env.reset(options={"task": "key-1"})


def test_constructor_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="max_turns must be at least 1, got 0"):
        KeyDoorEnv(max_turns=0)
    with pytest.raises(ValueError, match=r"render_mode must be None or one of \['ansi'\], got 'human'"):
        KeyDoorEnv(render_mode="human")


def test_render() -> None:
    env = started(render_mode="ansi")
    observation = env.step("move[left]")[0]
    assert env.render() == observation
    assert started().render() is None


# Endings


def test_wrong_ending_terminates_and_pays_nothing() -> None:
    env = started()
    env.step("move[right]")
    env.step("move[right]")
    _, reward, terminated, truncated, info = env.step("open[]")
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, True, False, "completed")


def test_the_turn_limit_truncates() -> None:
    env = started(max_turns=2)
    assert env.step("what?")[2:4] == (False, False)
    _, reward, terminated, truncated, info = env.step("move[left]")
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "max_turns")
    assert info["admissible_actions"] == []


def test_a_task_that_ends_in_the_last_turn_is_terminated_only() -> None:
    env = started(max_turns=4)
    _, reward, terminated, truncated, info = solve(env)
    assert info["turn"] == 4
    assert (reward, terminated, truncated, info["stop_reason"]) == (1.0, True, False, "completed")


def test_a_fault_truncates_with_its_reason() -> None:
    _, reward, terminated, truncated, info = notebook().step("crash[]")
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, "sandbox_fault")


def test_partial_outcomes_and_their_parts() -> None:
    _, reward, terminated, _, info = notebook().step("hand_in[0.25]")
    assert reward == 0.25 and terminated and info["reward_terms"] == {"outcome": 0.25, "spelling": 0.5}


def test_an_outcome_outside_its_range_is_a_bug_of_the_family() -> None:
    with pytest.raises(ValueError, match=r"outcome reward must be in \[0, 1\], got 1.5"):
        notebook().step("hand_in[1.5]")


def test_step_wants_a_reset_first() -> None:
    env = KeyDoorEnv()
    with pytest.raises(ResetNeeded, match="KeyDoorEnv"):
        env.step("move[left]")
    env.reset(seed=0, options={"task_id": "key-2"})
    solve(env)
    with pytest.raises(ResetNeeded):
        env.step("move[left]")
    assert env.reset(seed=0)[1]["turn"] == 0


# Actions


@pytest.mark.parametrize(
    "action", ["fly[moon]", "move[up]", "pick(now=1)", "", [], [ToolCall("fly")], ToolCall("move")]
)
def test_an_invalid_action_takes_a_turn_and_nothing_else(action: Any) -> None:
    env = started("key-0")
    before, state = env.state_hash(), env.state
    observation, reward, terminated, truncated, info = env.step(action)
    assert observation.startswith("Invalid action. ") and observation.endswith("A key lies in cell 0.")
    assert (reward, terminated, truncated, info["is_action_valid"], info["tool_call"]) == (
        0.0,
        False,
        False,
        False,
        None,
    )
    assert env.state is state and info["state_hash"] == before and info["turn"] == 1


def test_a_refused_call_says_why_and_repeats_the_last_observation() -> None:
    env = started("key-0")
    env.step("move[left]")
    observation, *_, info = env.step("pick[]")
    assert (
        observation == "Invalid action. There is no key here.\n\nYou stand in cell 1." and not info["is_action_valid"]
    )


@pytest.mark.parametrize("action", [None, 3, b"move[left]", ["move[left]"], {"name": "move"}])
def test_an_action_of_another_type_is_a_bug_of_the_caller(action: Any) -> None:
    with pytest.raises(TypeError, match="an action is a str, a ToolCall or a sequence of ToolCalls"):
        started().step(action)


def test_parallel_calls_run_in_order() -> None:
    env = notebook()
    calls = [ToolCall("write", {"word": word}) for word in "abc"]
    observation, *_, info = env.step(calls)
    assert observation == "You wrote a.\n\nYou wrote b.\n\nYou wrote c." and env.state == ("a", "b", "c")
    assert info["tool_call"] == tuple(calls) and info["turn"] == 1
    assert info["events"] == {"wrote_a", "wrote_b", "wrote_c"} and info["reward_terms"]["length"] == 3


@pytest.mark.parametrize(
    "last", [ToolCall("write", {"word": "banned"}), ToolCall("fly"), ToolCall("write", {"words": "x"})]
)
def test_parallel_calls_are_all_or_nothing(last: ToolCall) -> None:
    env = notebook()
    env.step("write[x]")
    _, *_, info = env.step([ToolCall("write", {"word": "a"}), last])
    assert env.state == ("x",) and not info["is_action_valid"] and info["tool_call"] is None
    assert info["events"] == frozenset() and info["reward_terms"] == {"outcome": 0.0}


def test_a_tool_that_finishes_and_then_refuses_has_not_finished() -> None:
    class Hasty(Notebook):
        @tool
        def hand_in(self, grade: float) -> str:
            """Hand in."""
            self.finish(grade)
            raise ToolError("The office is closed.")

    env = Hasty()
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step("hand_in[1.0]")
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, False, None)


def test_calls_after_the_end_are_not_made() -> None:
    env = notebook()
    observation, reward, terminated, _, _ = env.step(
        [ToolCall("hand_in", {"grade": 0.5}), ToolCall("write", {"word": "late"})]
    )
    assert (observation, reward, terminated, env.state) == ("Handed in.", 0.5, True, ())


def test_a_family_may_refuse_parallel_calls() -> None:
    class OneByOne(Notebook):
        parallel_tool_calls = False

    env = OneByOne()
    env.reset(seed=0)
    observation, *_, info = env.step([ToolCall("roll"), ToolCall("roll")])
    assert "Only one call a turn is possible here, got 2" in observation and not info["is_action_valid"]
    assert env.step([ToolCall("roll")])[4]["is_action_valid"]


def test_long_observations_are_cut_with_a_notice() -> None:
    class Short(Notebook):
        max_observation_length = 60

    env = Short()
    env.reset(seed=0)
    observation = env.step(f"write[{'x' * 500}]")[0]
    assert len(observation) == 60 and observation.endswith("\n[… 511 characters in all]")
    assert env.observation_space.contains(observation)


def test_half_characters_come_back_whole() -> None:
    observation = notebook().step(ToolCall("write", {"word": "\ud800"}))[0]
    assert observation == "You wrote ?."


# Instructions


def test_instructions_name_rules_tools_and_both_forms() -> None:
    text = KeyDoorEnv().instructions
    assert text.startswith("Pick the key up")
    for part in ("move(direction: string)", "direction: left or right.", "pick()", "<tool_call>", "move[...]"):
        assert part in text
    example = text[text.index("<tool_call>") + len("<tool_call>") : text.index("</tool_call>")]
    assert json.loads(example)["name"] == "move"


def test_schemas_for_servers() -> None:
    schemas = KeyDoorEnv().tool_schemas()
    assert [schema["function"]["name"] for schema in schemas] == ["move", "pick", "open"]
    json.dumps(schemas)


# Forking


def test_snapshot_and_restore_are_exact() -> None:
    env = notebook()
    env.step("write[a]")
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    rolls = [env.step("roll[]")[0] for _ in range(5)]
    env.step("write[b]")
    observation, info = env.restore(snapshot)
    assert observation == "You wrote a." and info["turn"] == 1 and info["is_action_valid"] and env.state == ("a",)
    assert [env.step("roll[]")[0] for _ in range(5)] == rolls
    other = Notebook()
    other.restore(snapshot)
    assert [other.step("roll[]")[0] for _ in range(5)] == rolls


def test_an_ended_episode_stays_ended_in_its_snapshot() -> None:
    env = started()
    solve(env)
    snapshot = env.snapshot()
    env.reset(seed=1)
    env.restore(snapshot)
    with pytest.raises(ResetNeeded):
        env.step("move[left]")


def test_a_snapshot_belongs_to_its_environment() -> None:
    with pytest.raises(ValueError, match="cannot restore a snapshot of Notebook into KeyDoorEnv"):
        KeyDoorEnv().restore(notebook().snapshot())


def test_a_snapshot_before_the_first_reset() -> None:
    env = KeyDoorEnv()
    snapshot = env.snapshot()
    env.reset(seed=0)
    assert env.restore(snapshot) == ("", {})
    with pytest.raises(ResetNeeded):
        env.step("move[left]")


def test_clones_go_their_own_way() -> None:
    env = notebook()
    env.step("write[a]")
    twin = env.clone()
    assert isinstance(twin, Notebook) and twin.tools is env.tools
    expected = [twin.step("roll[]")[0] for _ in range(5)]
    twin.step("write[b]")
    twin.reset(seed=9)
    assert env.state == ("a",) and [env.step("roll[]")[0] for _ in range(5)] == expected


def test_a_mutable_state_is_copied_into_snapshots() -> None:
    class Mutable(Notebook):
        def begin(self, task_id: str) -> str:
            self.state = []
            return "A blank page."

        @tool
        def write(self, word: str) -> str:
            """Write a word."""
            self.state.append(word)
            return word

    env = Mutable()
    env.reset(seed=0)
    snapshot = env.snapshot()
    twin = env.clone()
    env.step("write[a]")
    assert snapshot.state == [] and twin.state == []
    env.restore(snapshot)
    env.step("write[b]")
    assert snapshot.state == [] and env.state == ["b"]


def test_state_hash_ignores_history_and_tells_states_and_tasks_apart() -> None:
    env = started("key-0")
    start = env.state_hash()
    assert len(start) == 16 and int(start, 16) >= 0
    env.step("what?")
    assert env.state_hash() == start
    left = env.step("move[left]")[4]["state_hash"]
    assert left != start and env.step("move[right]")[4]["state_hash"] == start
    assert started("key-1").state_hash() != start


@dataclass(frozen=True)
class Point:
    x: int
    tags: frozenset[str]


def test_canonical_text_of_plain_data() -> None:
    value = {"p": Point(1, frozenset("cab")), "a": np.arange(2), "n": np.int64(3), "t": (1, None)}
    assert canonical(value) == '{"a":[0,1],"n":3,"p":{"tags":["a","b","c"],"x":1},"t":[1,null]}'
    with pytest.raises(TypeError, match="plain data, got a object"):
        canonical(object())


def test_milestones_are_recorded_as_0_or_1() -> None:
    class Judged(Notebook):
        milestones = {"spelling": "spelling"}  # noqa: RUF012

    env = Judged()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"the milestone 'spelling' must be recorded as 0 or 1, got 0\.5"):
        env.step("hand_in[1]")
