"""`send` and `recv`, stragglers, dead workers, and what `close` leaves behind."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stubborn_door import RELEASE

from turnwise.envs.core import ToolCall
from turnwise.envs.vector import Reply, TurnVectorEnv, make_vector_env

REPLACING = ["thread", "process"]


@pytest.fixture
def release() -> Iterator[None]:
    RELEASE.clear()
    yield
    RELEASE.set()


_STARTED_ELSEWHERE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def threads_of_other_tests() -> None:
    """A thread that hangs cannot be killed: other tests of hanging environments may have left one."""
    _STARTED_ELSEWHERE.update(threading.enumerate())


def worker_threads() -> list[threading.Thread]:
    """Worker threads that the running test has started, and that have not ended in ten seconds.

    `close` does not wait for one that hung and was replaced; released, it ends by itself.
    """
    started = set(threading.enumerate()) - _STARTED_ELSEWHERE
    workers = [thread for thread in started if thread.name.startswith("turnwise-env-")]
    deadline = time.monotonic() + 10
    for thread in workers:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in workers if thread.is_alive()]


def recv_all(envs: TurnVectorEnv, count: int) -> dict[int, Reply]:
    replies: dict[int, Reply] = {}
    while len(replies) < count:
        replies.update({reply.index: reply for reply in envs.recv()})
    return replies


@pytest.mark.parametrize("backend", ["sync", "thread", "process"])
def test_each_environment_goes_at_its_own_pace(backend: str) -> None:
    envs = make_vector_env("KeyDoor-v0", 2, backend=backend)
    for index in range(2):
        envs.send_reset(index, seed=4, options={"task_id": "key-2"})
    first = recv_all(envs, 2)
    assert first[0].observation == first[1].observation
    assert (first[0].reward, first[0].terminated, first[0].truncated) == (0.0, False, False)
    plan = envs.call_one(1, "oracle")
    assert all(isinstance(call, ToolCall) for call in plan)
    for call in plan:  # environment 1 solves its task while environment 0 waits
        envs.send(1, call)
        (reply,) = envs.recv()
        assert reply.index == 1
    assert reply.terminated and reply.reward == 1.0 and reply.info["stop_reason"] == "completed"
    envs.send(0, "pick[]")
    assert envs.recv()[0].info["turn"] == 1
    envs.close()


def test_misuse_is_named() -> None:
    envs = make_vector_env("KeyDoor-v0", 2)
    with pytest.raises(RuntimeError, match="nothing to receive"):
        envs.recv()
    envs.send_reset(0)
    with pytest.raises(RuntimeError, match="environment 0 has a reply under way"):
        envs.send(0, "move[left]")
    with pytest.raises(RuntimeError, match="environment 0 has a reply under way"):
        envs.step(["move[left]"] * 2)
    with pytest.raises(IndexError, match="from 0 to 1"):
        envs.send(2, "move[left]")
    envs.reset(seed=0)  # drops the reply under way
    envs.step(["move[left]"] * 2)
    envs.close()


@pytest.mark.parametrize("backend", REPLACING)
def test_a_straggler_delays_only_itself_and_is_truncated(backend: str, release: None) -> None:
    envs = make_vector_env("StubbornDoor-v0", 3, group_size=3, backend=backend, step_timeout=0.8)
    before, _ = envs.reset(seed=1)
    envs.send(0, "hang")
    envs.send(1, "move[left]")
    assert [reply.index for reply in envs.recv()] == [1]
    assert envs.recv(timeout=0) == []
    (late,) = envs.recv()
    assert (late.index, late.reward, late.terminated, late.truncated) == (0, 0.0, False, True)
    assert late.info["stop_reason"] == "timeout" and late.observation == before[0]
    assert late.info["turn"] == 1 and late.info["tool_call"] is None
    # Stepping on is answered, not raised; and the next reset goes on with the group's next episode.
    envs.send(0, "move[left]")
    assert envs.recv()[0].info["stop_reason"] == "environment_fault"
    for index in range(3):
        envs.send_reset(index)
    replies = recv_all(envs, 3)
    assert len({(reply.observation, reply.info["group_id"]) for reply in replies.values()}) == 1
    assert replies[0].info["group_id"] == "g0-e1-1"
    RELEASE.set()
    envs.close()
    assert not worker_threads()


@pytest.mark.parametrize("backend", REPLACING)
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_lockstep_goes_on_past_a_timeout(backend: str, mode: str, release: None) -> None:
    envs = make_vector_env("StubbornDoor-v0", 2, backend=backend, step_timeout=0.8, autoreset_mode=mode)
    envs.reset(seed=1)
    _, rewards, terminations, truncations, infos = envs.step(["hang", "move[left]"])
    assert truncations.tolist() == [True, False] and not terminations.any() and not rewards.any()
    final = infos if mode == "NextStep" else infos["final_info"]
    assert final["stop_reason"][0] == "timeout"
    *_, truncations, infos = envs.step(["move[left]", "move[left]"])
    assert not truncations.any()
    assert infos["turn"].tolist() == ([0, 2] if mode == "NextStep" else [1, 2])
    RELEASE.set()
    envs.close()


def test_a_reset_that_hangs_is_tried_again_in_a_new_worker(release: None) -> None:
    envs = make_vector_env("StubbornDoor-v0", 1, backend="thread", step_timeout=0.2, max_turns=1, deaf_reset=True)
    envs.reset(seed=1)
    envs.step(["move[left]"])
    *_, truncations, infos = envs.step(["move[left]"])
    assert truncations[0] and infos["stop_reason"][0] == "timeout" and infos["group_id"][0] == "g0-e1-1"
    observations, *_, truncations, infos = envs.step(["move[left]"])
    assert not truncations[0] and observations[0] and infos["turn"][0] == 0 and infos["group_id"][0] == "g0-e2-1"
    RELEASE.set()
    envs.close()


@pytest.mark.parametrize(("backend", "action"), [("process", "die"), ("thread", "exit")])
def test_a_dead_worker_is_an_environment_fault(backend: str, action: str) -> None:
    envs = make_vector_env("StubbornDoor-v0", 2, backend=backend)
    envs.reset(seed=1)
    _, rewards, terminations, truncations, infos = envs.step([action, "move[left]"])
    assert truncations.tolist() == [True, False] and not terminations.any() and not rewards.any()
    assert infos["stop_reason"].tolist() == ["environment_fault", None]
    *_, truncations, infos = envs.step(["move[left]", "move[left]"])
    assert not truncations.any() and infos["turn"].tolist() == [0, 2]
    envs.close()


def test_a_process_killed_between_steps_is_noticed() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, backend="process")
    envs.reset(seed=1)
    victim = next(child for child in multiprocessing.active_children() if child.name == "turnwise-env-1")
    victim.kill()
    victim.join()
    *_, truncations, infos = envs.step(["move[left]"] * 2)
    assert truncations.tolist() == [False, True] and infos["stop_reason"][1] == "environment_fault"
    envs.close()


@pytest.mark.parametrize("backend", ["sync", "thread", "process"])
def test_an_exception_of_the_environment_is_raised_here(backend: str) -> None:
    envs = make_vector_env("StubbornDoor-v0", 2, backend=backend)
    envs.reset(seed=1)
    with pytest.raises(ZeroDivisionError, match="a bug in the environment") as caught:
        envs.step(["move[left]", "bug"])
    if backend == "process":
        assert "stubborn_door.py" in str(caught.value.__cause__)
    envs.reset(seed=1)
    envs.send(0, "bug")
    envs.send(1, "move[left]")
    got: list[int] = []
    errors = 0
    while len(got) + errors < 2:  # the other's reply is not lost with the exception
        try:
            got += [reply.index for reply in envs.recv()]
        except ZeroDivisionError:
            errors += 1
    assert got == [1] and errors == 1
    envs.close()


def test_a_snapshot_moves_between_processes() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, backend="process")
    envs.reset(seed=1, options={"task_id": "key-2"})
    envs.step(["pick[]", "move[left]"])
    observation, info = envs.call_one(1, "restore", envs.call_one(0, "snapshot"))
    assert observation == "You hold the key." and info["turn"] == 1
    envs.close()


@pytest.mark.parametrize("backend", REPLACING)
def test_close_leaves_nothing_behind(backend: str) -> None:
    envs = make_vector_env("KeyDoor-v0", 2, backend=backend)
    envs.reset(seed=0)
    envs.send(0, "move[left]")  # under way
    envs.close()
    assert not worker_threads()
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("turnwise-env-")]


def test_an_environment_that_cannot_be_made_leaves_nothing_behind() -> None:
    with pytest.raises(ValueError, match="max_turns must be at least 1"):
        make_vector_env("KeyDoor-v0", 2, backend="process", max_turns=0)
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("turnwise-env-")]


def test_other_spaces_are_refused() -> None:
    def make(length: int) -> gym.Env[Any, Any]:
        env = gym.make("KeyDoor-v0")
        return gym.wrappers.TransformAction(env, lambda action: action, gym.spaces.Discrete(length))

    with pytest.raises(ValueError, match="environment 1 has other spaces"):
        TurnVectorEnv([lambda: make(2), lambda: make(3)])


def test_threads_give_what_one_thread_gives() -> None:
    rng = np.random.default_rng(0)
    script = [[("move[left]", "move[right]", "pick[]")[i] for i in rng.integers(3, size=3)] for _ in range(30)]
    runs = []
    for backend in ("sync", "thread"):
        envs = make_vector_env("KeyDoor-v0", 3, backend=backend)
        envs.reset(seed=2)
        runs.append([str(envs.step(actions)[:2]) for actions in script])
        envs.close()
    assert runs[0] == runs[1]
