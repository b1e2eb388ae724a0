"""The record: turns from transitions, and trajectories as files of whole lines."""

from __future__ import annotations

import json
import os
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv, play

from turnwise.envs.core import ToolCall, parse_action
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.wrappers import (
    EpisodeRewardWrapper,
    RecordTrajectories,
    TurnRewardWrapper,
    read_trajectories,
    turn_from_step,
    write_trajectories,
)
from turnwise.wrappers.record import TrajectoryWriter, action_text, observation_text


def recorded(env, count=1):
    kept = []
    wrapped = RecordTrajectories(env, kept.append)
    for _ in range(count):
        play(wrapped)
    return kept


# Turns


@pytest.mark.parametrize(
    "action",
    [
        "move[left]",
        ToolCall("move", {"direction": "left"}),
        [ToolCall("move", {"direction": "left"}), ToolCall("pick")],
    ],
)
def test_the_recorded_text_of_an_action_means_the_same_calls(action):
    env = KeyDoorEnv()
    observation, before = env.reset(options={"task_id": "key-1"})
    turn = turn_from_step(0, observation, before, action, env.step(action))
    calls = parse_action(turn.action, env.tools).calls
    assert tuple(call.to_json() for call in calls) == turn.tool_calls
    assert turn.valid


def test_an_invalid_action_is_recorded_verbatim():
    env = KeyDoorEnv()
    observation, before = env.reset(seed=0)
    turn = turn_from_step(0, observation, before, "<think>open it?", env.step("<think>open it?"))
    assert (turn.action, turn.valid, turn.tool_calls) == ("<think>open it?", False, ())


def test_the_text_of_an_observation():
    assert observation_text("page", {}) == "page"
    assert observation_text({"text": "page", "screenshot": np.zeros(2)}, {}) == "page"
    assert observation_text(np.zeros(2), {"observation_text": "page"}) == "page"
    with pytest.raises(TypeError, match="got ndarray"):
        observation_text(np.zeros(2), {})
    assert action_text(3, {"action_text": "open[]"}) == "open[]"
    assert action_text(3, {}) == "3"


# The wrapper


def test_an_episode_is_kept_with_what_every_wrapper_said_of_it():
    env = TurnRewardWrapper(ScriptedEnv([[Beat(), Beat(reward=1.0)]]), lambda turn: 2.0, name="two", weight=0.5)
    env = EpisodeRewardWrapper(env, lambda t: [10.0, 20.0], name="late")
    [trajectory] = recorded(env)
    assert [turn.reward for turn in trajectory.turns] == [1.0, 32.0]
    assert trajectory.turn_rewards == [11.0, 22.0]
    assert [turn.channels for turn in trajectory.turns] == [
        {"outcome": 0.0, "two": 2.0, "late": 10.0},
        {"outcome": 1.0, "two": 2.0, "late": 20.0},
    ]
    assert (trajectory.outcome, trajectory.terminated, trajectory.stop_reason) == (1.0, True, "completed")
    assert trajectory.instructions.startswith("Go.")


def test_episodes_have_seeds_and_ids():
    kept = []
    env = RecordTrajectories(KeyDoorEnv(max_turns=1), kept.append, episode_prefix="worker2-")
    play(env, seed=5)
    play(env)
    assert [(t.episode_id, t.seed, t.truncated, t.stop_reason) for t in kept] == [
        ("worker2-0", 5, True, "max_turns"),
        ("worker2-1", None, True, "max_turns"),
    ]
    assert kept[0].env_id == "KeyDoorEnv"


def test_an_episode_that_is_abandoned_is_not_kept():
    kept = []
    env = RecordTrajectories(ScriptedEnv([[Beat()] * 2]), kept.append)
    env.reset()
    env.step("go[]")
    play(env)
    assert [len(t) for t in kept] == [2]


def test_a_file_gives_back_what_was_recorded(tmp_path):
    path, kept = tmp_path / "runs.jsonl", []
    env = RecordTrajectories(RecordTrajectories(KeyDoorEnv(max_turns=3), path), kept.append)
    for seed in range(3):
        play(env, action="move[left]", seed=seed)
    read = list(read_trajectories(path))
    assert [t.to_json() for t in read] == [t.to_json() for t in kept]


# Files


@given(
    st.lists(
        st.lists(
            st.builds(
                Turn,
                index=st.integers(0, 9),
                observation=st.text(),
                action=st.text(),
                reward=st.floats(allow_nan=False),
                channels=st.dictionaries(st.text(), st.floats(allow_nan=False)),
                events=st.frozensets(st.text()),
            ),
            max_size=3,
        ),
        max_size=4,
    )
)
def test_any_text_survives(tmp_path_factory, episodes):
    path = tmp_path_factory.mktemp("any") / "runs.jsonl"
    trajectories = [Trajectory(turns, task_id=str(i)) for i, turns in enumerate(episodes)]
    assert write_trajectories(path, trajectories) == len(trajectories)
    assert list(read_trajectories(path)) == trajectories
    assert path.read_bytes().count(b"\n") == len(trajectories)


def test_half_a_surrogate_pair_and_privileged_objects_survive(tmp_path):
    privileged = {"call": ToolCall("open"), "cells": {3, 1}, "array": np.arange(2), "number": np.int64(4)}
    write_trajectories(tmp_path / "x", [Trajectory([Turn(0, "\ud800", "é")], privileged=privileged)])
    [trajectory] = read_trajectories(tmp_path / "x")
    assert trajectory.turns[0].observation == "\ud800"
    assert trajectory.privileged == {
        "call": {"name": "open", "arguments": {}},
        "cells": [1, 3],
        "array": [0, 1],
        "number": 4,
    }


def test_writing_appends(tmp_path):
    for task in "ab":
        write_trajectories(tmp_path / "x", [Trajectory(task_id=task)])
    assert [t.task_id for t in read_trajectories(tmp_path / "x")] == ["a", "b"]


def test_an_interrupted_write_leaves_whole_lines(tmp_path):
    def source():
        yield Trajectory(task_id="a")
        yield Trajectory(task_id="b")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_trajectories(tmp_path / "x", source())
    assert [t.task_id for t in read_trajectories(tmp_path / "x")] == ["a", "b"]


@pytest.mark.parametrize("torn", [b"", b'{"turns": [', b"x" * 200_000])
@pytest.mark.parametrize("whole", [0, 1])
def test_a_line_that_a_dead_process_left_is_dropped_by_the_next_write(tmp_path, torn, whole):
    path = tmp_path / "x"
    write_trajectories(path, [Trajectory(task_id="a")] * whole)
    with open(path, "ab") as file:
        file.write(torn)
    write_trajectories(path, [Trajectory(task_id="b")])
    assert [t.task_id for t in read_trajectories(path)] == ["a"] * whole + ["b"]


def test_a_write_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_trajectories(path, [Trajectory(task_id="a")])
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: len(data) // 2]))
    with pytest.raises(OSError, match=r"only .* bytes could be written"):
        write_trajectories(path, [Trajectory(task_id="b")])
    assert [t.task_id for t in read_trajectories(path)] == ["a"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"turns": [', "not valid JSON"),
        ("\udcff", "not valid JSON"),
        ("[1, 2]", "a trajectory is a JSON object, got list"),
        ('{"task_id": "a"}', "no list `turns`"),
        ('{"turns": [], "colour": 1}', "unknown fields"),
        ('{"turns": [{"index": 0}]}', "observation"),
        ('{"turns": [3]}', ":2: "),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    path = tmp_path / "runs.jsonl"
    good = json.dumps(Trajectory(task_id="a").to_json())
    path.write_bytes(f"{good}\n{line}\n".encode("utf-8", "surrogateescape"))
    found = read_trajectories(path)
    assert next(found).task_id == "a"
    with pytest.raises(ValueError, match=message) as caught:
        next(found)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_empty_lines_are_skipped_and_a_missing_file_is_an_error(tmp_path):
    write_trajectories(tmp_path / "x", [Trajectory(task_id="a")])
    with open(tmp_path / "x", "ab") as file:
        file.write(b"\n\n")
    assert [t.task_id for t in read_trajectories(tmp_path / "x")] == ["a"]
    with pytest.raises(FileNotFoundError):
        next(read_trajectories(tmp_path / "y"))


def test_a_writer_that_was_closed_or_pickled_goes_on(tmp_path):
    writer = TrajectoryWriter(tmp_path / "x")
    writer.write(Trajectory(task_id="a"))
    twin = pickle.loads(pickle.dumps(writer))
    twin.write(Trajectory(task_id="b"))
    writer.close()
    writer.write(Trajectory(task_id="c"))
    for one in (writer, twin):
        one.close()
    assert [t.task_id for t in read_trajectories(tmp_path / "x")] == ["a", "b", "c"]


def test_closing_the_environment_closes_the_file(tmp_path):
    env = RecordTrajectories(KeyDoorEnv(max_turns=1), tmp_path / "x")
    play(env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.close()
        del env
    assert len(list(read_trajectories(tmp_path / "x"))) == 1


def test_what_json_cannot_say_is_an_error_that_writes_nothing(tmp_path):
    with pytest.raises(TypeError, match="plain data, got a object"):
        write_trajectories(tmp_path / "x", [Trajectory(privileged={"x": object()})])
    assert list(read_trajectories(tmp_path / "x")) == []
