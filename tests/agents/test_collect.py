from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from key_door import KeyDoorEnv

from turnwise.agents import (
    Context,
    Decision,
    OraclePolicy,
    RandomPolicy,
    ScriptedPolicy,
    TransformersPolicy,
    collect,
)
from turnwise.agents.policy import StreamingPolicy
from turnwise.envs.vector import TurnVectorEnv
from turnwise.rewards import Trajectory
from turnwise.rewards.credit import grpo
from turnwise.wrappers import AnchorStateGrouping

KINDS = ["env", "list", "ready-set", "thread", "next-step", "same-step", "disabled", "async"]


def environments(kind: str, number: int = 3, group_size: int = 1) -> Any:
    makers = [KeyDoorEnv] * number
    if kind == "env":
        return KeyDoorEnv()
    if kind == "list":
        return [make() for make in makers]
    if kind == "async":
        return AsyncVectorEnv(makers, shared_memory=False)
    modes = {
        "next-step": AutoresetMode.NEXT_STEP,
        "same-step": AutoresetMode.SAME_STEP,
        "disabled": AutoresetMode.DISABLED,
    }
    if kind in modes:
        return SyncVectorEnv(makers, autoreset_mode=modes[kind])
    return TurnVectorEnv(makers, group_size=group_size, backend="thread" if kind == "thread" else "sync")


def collected(kind: str, policy: Any = None, episodes: int = 7, **kwargs: Any) -> list[Trajectory]:
    envs = environments(kind)
    try:
        return collect(policy or RandomPolicy(1), envs, episodes, seed=5, **kwargs)
    finally:
        envs.close() if hasattr(envs, "close") else None


def plain(trajectories: Sequence[Trajectory]) -> list[dict[str, Any]]:
    return [{**t.to_json(), "env_id": ""} for t in trajectories]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_kind_of_environment_gives_the_same_trajectories(kind: str) -> None:
    assert plain(collected(kind)) == plain(collected("env"))


@pytest.mark.parametrize("kind", ["list", "thread", "next-step"])
def test_a_model_writes_the_same_whatever_runs_beside_it(kind: str, tokenizer: Any) -> None:
    from agents_models import random_model

    policy = TransformersPolicy(random_model("llama", len(tokenizer)), tokenizer, window=1, max_new_tokens=6)

    def tokens(trajectories: list[Trajectory]) -> list[list[int]]:
        return [turn.response_ids for t in trajectories for turn in t.turns]

    assert tokens(collected(kind, policy, 4)) == tokens(collected("env", policy, 4))


def test_every_field_of_the_record_is_filled() -> None:
    trajectory = collected("env", OraclePolicy(), 1)[0]
    assert trajectory.task_id.startswith("key-") and trajectory.env_id == "KeyDoorEnv"
    assert trajectory.instructions == KeyDoorEnv().instructions
    assert trajectory.terminated and not trajectory.truncated and trajectory.stop_reason == "completed"
    assert trajectory.privileged["answer"].startswith("the key is in cell")
    assert trajectory.episode_id == "5-0" and isinstance(trajectory.seed, int)
    assert trajectory.outcome == 1.0 and trajectory.turns[-1].terminated
    assert [t.index for t in trajectory.turns] == list(range(len(trajectory)))
    for before, after in zip(trajectory.turns, trajectory.turns[1:], strict=False):
        assert before.next_observation == after.observation and before.next_anchor == after.anchor
        assert before.action in (before.admissible_actions or ())
    assert "key_taken" in frozenset().union(*(t.events for t in trajectory.turns))
    env = KeyDoorEnv()
    observation, info = env.reset(seed=trajectory.seed)
    assert (observation, info["task_id"]) == (trajectory.turns[0].observation, trajectory.task_id)


def test_the_policy_sees_nothing_privileged() -> None:
    seen: list[Context] = []

    def script(context: Context) -> str:
        seen.append(context)
        return "move[left]"

    collect(ScriptedPolicy(script), KeyDoorEnv(max_turns=3), 4, seed=0)
    fields = ("episode_id", "instructions", "observations", "decisions", "admissible_actions")
    texts = [repr([getattr(context, name) for name in fields]) for context in seen]
    assert texts and not any("the key is in cell" in text for text in texts)


def test_task_ids_and_seeds() -> None:
    env = KeyDoorEnv()
    asked = collect(OraclePolicy(), env, 5, seed=0, task_ids=["key-1", "key-3"])
    assert [t.task_id for t in asked] == ["key-1", "key-3", "key-1", "key-3", "key-1"]
    first, again, other = (collect(RandomPolicy(), env, 20, seed=s) for s in (0, 0, 1))
    assert plain(first) == plain(again)
    assert not {t.seed for t in first} & {t.seed for t in other}
    assert len({t.episode_id for t in first + other}) == 40
    fresh = [collect(RandomPolicy(), env, 1)[0].seed for _ in range(2)]
    assert fresh[0] != fresh[1]


@pytest.mark.parametrize("kind", ["env", "list", "ready-set", "next-step"])
def test_groups_share_their_start(kind: str) -> None:
    envs = environments(kind, number=4, group_size=2)
    size = None if kind == "ready-set" else 2
    trajectories = collect(RandomPolicy(0), envs, 12, seed=3, group_size=size)
    groups = [trajectories[i : i + 2] for i in range(0, 12, 2)]
    assert len({t.group_id for t in trajectories}) == 6
    for a, b in groups:
        assert (a.group_id, a.seed, a.task_id) == (b.group_id, b.seed, b.task_id)
        assert a.turns[0].observation == b.turns[0].observation and a.turns[0].anchor == b.turns[0].anchor
    assert any([t.action for t in a.turns] != [t.action for t in b.turns] for a, b in groups)


class HalfOracle(OraclePolicy):
    """Solves every other episode and wanders about in the rest, so that episodes of a group end at different times."""

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        good = [int(context.episode_id.split("-")[1]) % 2 == 0 for context in contexts]
        return [
            super(HalfOracle, self).act([context])[0] if well else RandomPolicy(0).act([context])[0]
            for context, well in zip(contexts, good, strict=True)
        ]


@pytest.mark.parametrize("lockstep", [True, False])
def test_credit_of_a_group_wrapper_reaches_all_its_members(lockstep: bool) -> None:
    env: Any = TurnVectorEnv([KeyDoorEnv] * 4, group_size=4) if lockstep else KeyDoorEnv()
    wrapped = AnchorStateGrouping(env, group_size=4)
    trajectories = collect(HalfOracle(), wrapped, 8, seed=1, group_size=4)
    assert all(t.turn_advantages is not None and len(t.turn_advantages) == len(t) for t in trajectories)
    assert len({t.outcome for t in trajectories}) == 2
    for t in trajectories:
        assert t.turn_advantages is not None
        assert (t.turn_advantages[-1] > 0) == (t.outcome == 1.0)


def test_collect_credit_is_ten_lines() -> None:
    from turnwise.rewards import TurnBatch

    trajectories = collect(RandomPolicy(0), KeyDoorEnv(), 8, seed=0, group_size=8)
    credit = grpo(TurnBatch.from_trajectories(trajectories))
    assert credit.advantage.shape == (sum(map(len, trajectories)),)


class GatedDoor(KeyDoorEnv):
    """Its first step waits until somebody opens the gate."""

    gate: threading.Event

    def step(self, action: Any) -> Any:
        assert self.gate.wait(30)
        return super().step(action)


def test_a_slow_environment_delays_only_itself() -> None:
    gate = threading.Event()

    def slow() -> GatedDoor:
        env = GatedDoor()
        env.gate = gate
        return env

    order: list[str] = []

    def ended(trajectory: Trajectory) -> None:
        order.append(trajectory.episode_id)
        if len(order) == 5:
            gate.set()  # only when all the others are done

    envs = TurnVectorEnv([slow, KeyDoorEnv], backend="thread")
    trajectories = collect(OraclePolicy(), envs, 6, seed=0, on_trajectory=ended)
    envs.close()
    assert order[-1] == "0-0"
    assert [t.episode_id for t in trajectories] == [f"0-{i}" for i in range(6)]
    assert all(t.outcome == 1.0 for t in trajectories)


class HangingDoor(KeyDoorEnv):
    """Never answers a step."""

    def step(self, action: Any) -> Any:
        threading.Event().wait(30)
        return super().step(action)


def test_an_environment_that_hangs_ends_its_own_episodes() -> None:
    envs = TurnVectorEnv([HangingDoor, KeyDoorEnv], backend="thread", step_timeout=0.2)
    trajectories = collect(OraclePolicy(), envs, 4, seed=0)
    reasons = [t.stop_reason for t in trajectories]
    assert len(reasons) == 4 and set(reasons) == {"timeout", "completed"}
    assert all(t.truncated and not t.terminated for t in trajectories if t.stop_reason == "timeout")


def test_calls_back_and_forgets() -> None:
    class Forgetful(RandomPolicy):
        forgotten: list[str] = []  # noqa: RUF012

        def forget(self, episode_id: str) -> None:
            self.forgotten.append(episode_id)

    counts: list[tuple[int, int]] = []
    seen: list[Trajectory] = []
    trajectories = collect(
        Forgetful(0),
        KeyDoorEnv(),
        3,
        seed=0,
        progress=lambda done, total: counts.append((done, total)),
        on_trajectory=seen.append,
    )
    assert counts == [(1, 3), (2, 3), (3, 3)]
    assert seen == trajectories
    assert Forgetful.forgotten == [t.episode_id for t in trajectories]


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="episodes must be at least 1, got 0"):
        collect(RandomPolicy(), KeyDoorEnv(), 0)
    with pytest.raises(ValueError, match="multiple of the group size 4, got 6"):
        collect(RandomPolicy(), KeyDoorEnv(), 6, group_size=4)
    with pytest.raises(ValueError, match="made with groups of 2"):
        collect(RandomPolicy(), TurnVectorEnv([KeyDoorEnv] * 4, group_size=2), 12, group_size=4)
    with pytest.raises(ValueError, match="task_ids must be a list"):
        collect(RandomPolicy(), KeyDoorEnv(), 1, task_ids="key-1")
    with pytest.raises(TypeError, match=r"gym\.Env, a sequence of them or a VectorEnv, got int"):
        collect(RandomPolicy(), 3, 1)

    class Short:
        def act(self, contexts: Sequence[Context]) -> list[Decision]:
            return []

    with pytest.raises(ValueError, match="0 decisions for 1 contexts"):
        collect(Short(), KeyDoorEnv(), 1)


class OneByOne(RandomPolicy):
    """A streaming policy: one answer at a time, the newest question first, and the first episode last of all."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self.asked: list[Context] = []
        self.batches: list[int] = []
        self.forgotten: list[str] = []

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        self.batches.append(len(contexts))
        return super().act(contexts)

    def submit(self, contexts: Sequence[Context]) -> None:
        self.asked += contexts

    def decided(self, timeout: float | None = None) -> list[tuple[str, Decision]]:
        waiting = [c for c in self.asked if not c.episode_id.endswith("-0")] or self.asked
        if not waiting:
            return []
        context = waiting[-1]
        self.asked.remove(context)
        return [(context.episode_id, RandomPolicy.act(self, [context])[0])]

    def forget(self, episode_id: str) -> None:
        self.forgotten.append(episode_id)
        self.asked = [context for context in self.asked if context.episode_id != episode_id]


@pytest.mark.parametrize("kind", KINDS)
def test_a_streaming_policy_plays_the_same_episodes(kind: str) -> None:
    policy = OneByOne()
    assert isinstance(policy, StreamingPolicy)
    assert plain(collected(kind, policy)) == plain(collected("env"))
    in_lockstep = kind in ("next-step", "same-step", "disabled", "async")
    assert bool(policy.batches) == in_lockstep  # `act` is for those who wait for each other
    assert len(policy.forgotten) == 7 and not policy.asked


@pytest.mark.parametrize("kind", ["list", "ready-set"])
def test_a_long_message_holds_nobody_up(kind: str) -> None:
    order: list[str] = []
    collected(kind, OneByOne(), on_trajectory=lambda t: order.append(t.episode_id))
    assert order[-1] == "5-0" and len(order) == 7


def test_a_slow_environment_does_not_hold_up_the_answers() -> None:
    gate = threading.Event()

    class Slow(KeyDoorEnv):
        def step(self, action: Any) -> Any:
            assert gate.wait(timeout=60)
            return super().step(action)

    envs = TurnVectorEnv([Slow, KeyDoorEnv, KeyDoorEnv], backend="thread")
    try:
        found = collect(OneByOne(), envs, 5, seed=5, progress=lambda done, all_of_them: done == 3 and gate.set())
    finally:
        envs.close()
    assert len(found) == 5 and gate.is_set()


def test_an_interrupted_collection_withdraws_its_questions() -> None:
    policy = OneByOne()
    with pytest.raises(KeyboardInterrupt):
        collect(policy, environments("list"), 6, seed=5, on_trajectory=_interrupt)
    assert not policy.asked and len(policy.forgotten) >= 2


def _interrupt(trajectory: Trajectory) -> None:
    raise KeyboardInterrupt
