"""Every registered method in a plain Gymnasium loop on a small environment, with stand-ins for models and facts."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import sqlite3
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from key_door import KeyDoorEnv

from turnwise.rewards import credit
from turnwise.rewards import episodes as episode_rewards
from turnwise.rewards import turns as turn_rewards
from turnwise.rewards.credit import grpo
from turnwise.rewards.nuggets import ExactMatcher
from turnwise.rewards.table_probe import TableProbe
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.rewards.trees import tree_credit
from turnwise.rewards.turns import Edge, RewardMachine, query_runner
from turnwise.wrappers import MissingRequirementError, TurnRewardWrapper
from turnwise.wrappers.method_reward import (
    REPLACED,
    GroupCreditReward,
    ProbeChannel,
    _has_to_be,
    episode_method_reward,
    turn_method_reward,
)

FACTS = {
    "retrieved_documents": ["a key in cell 1", "a door"],
    "gold_documents": ["the key lies in cell 1"],
    "gold_calls": [{"name": "move", "arguments": {"direction": "left"}}],
    "gold_sql": "select 1",
    "expert_action": {"name": "move", "arguments": {"direction": "left"}},
    "cited_chunks": [1, 2],
    "gold_chunks": [1],
    "rubrics": ["<E0> opens <E1>", "<E2> sings"],
    "rubrics_supported": [True, True],
    "nuggets": [["cell 1", "the first cell"]],
    "reference_scores": [0.5],
    "expert_actions": ["move[left]"] * 4,
    "expert_values": [0.25, 0.5, 0.75, 1.0],
    "test_results": {"test_a": True, "test_b": False},
}


class FactKeyDoorEnv(KeyDoorEnv):
    """The corridor, with every fact that some method reads."""

    privileged_keys = KeyDoorEnv.privileged_keys | frozenset(FACTS)

    def privileged(self) -> dict[str, Any]:
        return {**super().privileged(), **FACTS}


def scorer(trajectory: Trajectory) -> list[float]:
    return [0.5] * len(trajectory)


def play(env: Any, winning: bool, rng: np.random.Generator, **reset: Any) -> tuple[list[float], dict[str, Any]]:
    """One episode: the oracle's calls, or whatever the generator draws."""
    _, info = env.reset(**reset)
    script = list(env.unwrapped.oracle()) if winning else None
    rewards, over = [], False
    while not over:
        action = script.pop(0) if script else str(rng.choice(info["admissible_actions"]))
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        over = terminated or truncated
    return rewards, info


# Turn and episode rewards

MACHINE = RewardMachine([Edge("start", "key_taken", "held", 0.25), Edge("held", "door_open", "done", 0.5)], "start")
TURN_REWARDS = {
    "callable_reward": lambda new: new(lambda turn: 1.0 if turn.valid else -1.0, dense_weight=0.1),
    "oni": lambda new: new({"You hold the key.": 1.0}),
    "reasoning_sql": lambda new: new(
        query_runner(sqlite3.connect(":memory:").execute, (sqlite3.Error,)),
        {"execution": 1.0, "ngram": 0.5},
        sql=lambda turn: turn.action,
    ),
    "reward_machine": lambda new: new(MACHINE),
    "step_search": lambda new: new(),
    "step_tool": lambda new: new(contribution_values={}, alpha=0.5),
    "tool_rl": lambda new: new(predicted="parsed"),
    "ui_step": lambda new: new(),
}
EPISODE_REWARDS = {
    "abc_redistribution": lambda new: new(scorer),
    "capo": lambda new: new([scorer], correct_reward=2.0, wrong_penalty=1.0),
    "carr": lambda new: new(),
    "clip_delta": lambda new: new(scorer, eta=0.25),
    "long_rlvr": lambda new: new(),
    "mobile_r1": lambda new: new(lambda turn: float(turn.valid), stage="action"),
    "par": lambda new: new(),
    "ppr": lambda new: new(scorer),
    "progrm": lambda new: new({"key-1": [["move[left]", "pick[]"]]}, pay="difference"),
    "red": lambda new: new(scorer, beta=0.5),
    "search_gen_v": lambda new: new(ExactMatcher(), answer=lambda trajectory: "in cell 1"),
    "steca": lambda new: new(scorer, similarity=lambda left, right: 0.0),
    "step_tool_episode": lambda new: new(contribution_values={0: 0.0, 1: 1.0}, alpha=0.5),
    "verpo_running": lambda new: new(difficulty=lambda rates: 1.0 - rates, success_weight=1.0),
}


def test_every_registered_reward_has_a_stand_in():
    assert set(TURN_REWARDS) == set(turn_rewards.METHODS)
    assert set(EPISODE_REWARDS) == set(episode_rewards.METHODS)


@pytest.mark.parametrize("winning", [True, False])
@pytest.mark.parametrize("name", TURN_REWARDS)
def test_turn_rewards_in_a_plain_loop(name, winning):
    record = turn_rewards.METHODS[name]
    reward = TURN_REWARDS[name](record.function)
    env = turn_method_reward(FactKeyDoorEnv(), reward, weight=0.5)
    played = []
    for _ in range(2):
        rewards, info = play(env, winning, np.random.default_rng(3), options={"task_id": "key-1"})
        terms = [turn.channels.get(name, info["reward_terms"][name]) for turn in env.episode.turns]
        assert info["turn_rewards"].tolist() == pytest.approx(rewards)
        replaced = getattr(reward, "replaces_outcome", False)
        outcomes = np.array([turn.outcome for turn in env.episode.turns])
        assert (REPLACED in info["reward_terms"]) == replaced
        np.testing.assert_allclose(rewards[-1], (0.0 if replaced else outcomes[-1]) + 0.5 * terms[-1], atol=1e-9)
        played.append(rewards)
    assert played[0] == pytest.approx(played[1])  # nothing is left over from the last episode


@pytest.mark.parametrize("winning", [True, False])
@pytest.mark.parametrize("name", EPISODE_REWARDS)
def test_episode_rewards_in_a_plain_loop(name, winning):
    reward = EPISODE_REWARDS[name](episode_rewards.METHODS[name].function)
    env = episode_method_reward(FactKeyDoorEnv(), reward, weight=0.5)
    rewards, info = play(env, winning, np.random.default_rng(3), options={"task_id": "key-1"})
    assert len(info["turn_rewards"]) == len(rewards)
    assert sum(rewards) == pytest.approx(info["turn_rewards"].sum())
    replaced = getattr(reward, "replaces_outcome", False)
    outcome = 0.0 if replaced else np.array([turn.outcome for turn in env.episode.turns])
    values = np.asarray(info["turn_terms"][name])
    np.testing.assert_allclose(np.asarray(info["turn_rewards"]), outcome + 0.5 * values, atol=1e-9)
    np.testing.assert_allclose(rewards[:-1], 0.0, atol=1e-9)  # hindsight is paid with the last step


def test_the_outcome_is_kept_or_taken_as_asked():
    reward = EPISODE_REWARDS["ppr"](episode_rewards.METHODS["ppr"].function)
    rng = np.random.default_rng(0)
    totals = {keep: sum(play(episode_method_reward(FactKeyDoorEnv(), reward, keep_outcome=keep), True, rng, seed=0)[0])
              for keep in (True, False)}  # fmt: skip
    assert totals[True] - totals[False] == pytest.approx(1.0)


def test_a_fact_that_the_environment_does_not_promise_is_missed_at_once():
    with pytest.raises(MissingRequirementError, match=r"step_search over KeyDoorEnv lacks \['gold_documents', 'retr"):
        turn_method_reward(KeyDoorEnv(), turn_rewards.StepSearchReward())
    with pytest.raises(MissingRequirementError, match=r"carr over KeyDoorEnv lacks \['rubrics'"):
        episode_method_reward(KeyDoorEnv(), episode_rewards.CaRRReward())
    turn_method_reward(KeyDoorEnv(), turn_rewards.StepSearchReward(documents=lambda t: [], gold=lambda t: ["x"]))


def test_any_function_will_do():
    env = turn_method_reward(KeyDoorEnv(), lambda turn: 1.0, name="one")
    env.reset(seed=0)
    assert env.step("move[left]")[4]["reward_terms"]["one"] == 1.0


def test_facts_never_reach_the_policy():
    env = turn_method_reward(FactKeyDoorEnv(), turn_rewards.StepSearchReward())
    play(env, False, np.random.default_rng(0), seed=0)
    seen = " ".join(message["content"] for message in env.episode.messages())
    assert FACTS["gold_documents"][0] not in seen
    assert FACTS["retrieved_documents"][0] not in seen


# Group methods


def registered_methods():
    """The registry, and modules that declare a record of their own."""
    modules = [importlib.import_module(f"{credit.__name__}.{m.name}") for m in pkgutil.iter_modules(credit.__path__)]
    found = {module.RECORD.name: module.RECORD for module in modules if hasattr(module, "RECORD")}
    return {**found, **credit.METHODS}


METHODS = registered_methods()
PROBE = ProbeChannel(TableProbe({"You hold the key.": -0.5}, default=-2.0))
ramp = lambda trajectory: np.linspace(0.1, 0.9, len(trajectory))  # noqa: E731

TURN_INPUTS = {
    "probe": PROBE,
    "progress": scorer,
    "values": ramp,
    **dict.fromkeys(["q1", "q2", "entropy", "log_ratio", "score", "process"], ramp),
    **dict.fromkeys(["v1", "v2"], scorer),
    "call_success": lambda trajectory: [turn.valid for turn in trajectory.turns],
    "match": lambda trajectory: [turn.valid for turn in trajectory.turns],
    "action": lambda trajectory: [turn.action for turn in trajectory.turns],
    "met": lambda trajectory: [[True, False]] * len(trajectory),
    "durations": lambda trajectory: [1.0 + turn.index for turn in trajectory.turns],
}
ROLLOUT_INPUTS = {
    "rubric": lambda trajectory: 0.5,
    "length_ratio": lambda trajectory: len(trajectory) / 12,
    "scores": lambda trajectory: -1.0 / len(trajectory),
    "passed": lambda trajectory: [trajectory.outcome, 1.0],
}
OPTIONS: dict[str, Any] = {
    "levels": ["outcome"],
    "thresholds": [0.5],
    "window": 1,
    "repeats": "once",
    "difficulty": lambda rates: 1.0 - rates,
    "success_weight": 1.0,
    "entropy_weight": 0.1,
    "branch_weight": 0.5,
    "kept": 2,
    "beta": 0.05,
    "alpha": 3.0,
    "decay": 0.9,
    "call_weight": 0.1,
    "fork_weight": 0.5,
    "norm_by_std": True,
    "gamma": 0.9,
    "unit": 2.0,
}
CHOSEN: dict[str, dict[str, Any]] = {"ui_s1": {"min_spread": None}}  # by default it would drop so small a group


def made(record, env, group_size=None):
    """The method over an environment, with a stand-in for every argument that it asks for."""
    parameters = list(inspect.signature(record.function).parameters.values())[1:]
    asked = [parameter.name for parameter in parameters if _has_to_be(parameter)]
    options = {name: OPTIONS[name] for name in asked if name in OPTIONS}
    if "rng" in asked:
        options["rng"] = np.random.default_rng(0)
    return GroupCreditReward(
        env,
        record.function,
        group_size=group_size or max(2, record.min_group),
        inputs={name: TURN_INPUTS[name] for name in asked if name in TURN_INPUTS},
        rollout_inputs={name: ROLLOUT_INPUTS[name] for name in asked if name in ROLLOUT_INPUTS},
        **options,
        **CHOSEN.get(record.name, {}),
    )


@pytest.mark.parametrize("name", METHODS)
def test_group_methods_in_a_plain_loop(name):
    env = made(METHODS[name], FactKeyDoorEnv())
    rng = np.random.default_rng(5)
    for rollout in range(env.group_size):
        reset = {"options": {"task_id": "key-1"}} if rollout == 0 else {}
        rewards, info = play(env, rollout % 2 == 0, rng, **reset)
        assert info["turn_rewards"].tolist() == pytest.approx(rewards)
        assert ("group_credit" in info) == (rollout == env.group_size - 1)
    assert len(info["turn_advantages"]) == len(rewards)
    entries = info["group_credit"]
    assert len(entries) == env.group_size
    assert all(np.isfinite(np.asarray(entry["turn_advantages"])).all() for entry in entries)
    assert any(np.asarray(entry["turn_advantages"]).any() for entry in entries)
    assert info["turn_advantages"] == entries[-1]["turn_advantages"]


def test_tree_methods_see_the_turns_that_rollouts_share():
    env = GroupCreditReward(KeyDoorEnv(), "spo" if "spo" in credit.METHODS else METHODS["spo"].function, group_size=2)
    for last in ("open[]", "move[left]"):
        env.reset(options={"task_id": "key-1"})
        for action in ("move[left]", "pick[]", "move[right]", "move[right]", "move[right]"):
            env.step(action)
        *_, info = env.step(last)
        while "turn_rewards" not in info:
            *_, info = env.step("move[left]")
    won, lost = (np.asarray(entry["turn_advantages"]) for entry in info["group_credit"])
    assert won.tolist() == [0, 0, 0, 0, 0, 0.5]
    assert lost.tolist() == [0, 0, 0, 0, 0, -0.5, *[0] * 6]


def test_group_methods_in_a_vector_environment():
    env = made(METHODS["igpo"], SyncVectorEnv([FactKeyDoorEnv] * 2))
    env.reset(options={"task_id": "key-1"})
    for action in ("move[left]", "pick[]", "move[right]", "move[right]", "move[right]"):
        env.step((action, "move[left]"))
    *_, infos = env.step(("open[]", "move[right]"))
    for _ in range(6):
        *_, infos = env.step(("move[left]", "move[right]"))
        if "group_credit" in infos:
            break
    assert len(infos["group_credit"][1]) == 2


def test_a_name_stands_for_its_function():
    by_name = GroupCreditReward(KeyDoorEnv(), "grpo", group_size=2, norm_by_std=False)
    by_function = GroupCreditReward(KeyDoorEnv(), grpo, group_size=2, norm_by_std=False)
    advantages = []
    for env in (by_name, by_function):
        rng = np.random.default_rng(0)
        play(env, True, rng, seed=0)
        advantages.append(play(env, False, rng)[1]["turn_advantages"])
    assert advantages[0] == advantages[1]
    assert advantages[0][0] == -0.5


def test_a_channel_that_an_inner_wrapper_logs_needs_no_input():
    inner = TurnRewardWrapper(KeyDoorEnv(), lambda turn: 0.25, name="value", weight=0.0)
    env = GroupCreditReward(inner, "turn_gae", group_size=1, values="value")
    _, info = play(env, True, np.random.default_rng(0), seed=0)
    assert len(info["turn_advantages"]) == len(info["turn_rewards"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "grpo", "group_size": 1}, MissingRequirementError, "group_size"),
        ({"method": "turn_gae", "group_size": 1}, MissingRequirementError, r"values: give inputs=\{'values': ...\}"),
        ({"method": "spa", "group_size": 2}, MissingRequirementError, r"say progress='progress' if a wrapper inside"),
        ({"method": "gated", "group_size": 2, "levels": ["x"]}, MissingRequirementError, "thresholds: give it as an"),
        ({"method": "grpo", "group_size": 2, "gamma": 1.0}, TypeError, r"grpo has no arguments \['gamma'\]"),
        ({"method": "rppo", "group_size": 2}, ValueError, r"method must be a function or one of \['"),
        (
            {"method": "spa", "group_size": 2, "inputs": {"progress": scorer}, "progress": "x"},
            TypeError,
            r"\['progress'\] are given twice",
        ),
    ],
)
def test_what_is_missing_is_said_before_the_first_rollout(arguments, error, message):
    with pytest.raises(error, match=message):
        GroupCreditReward(KeyDoorEnv(), **arguments)


def test_groups_that_are_too_small_for_a_method(monkeypatch):
    monkeypatch.setitem(credit.METHODS, "cm2", METHODS["cm2"])
    with pytest.raises(MissingRequirementError, match="cm2 needs groups of at least 5, got group_size=4"):
        GroupCreditReward(KeyDoorEnv(), "cm2", group_size=4, score="checklist_score")


def test_an_input_of_a_tree_method_is_that_of_the_first_rollout_of_each_turn():
    seen = []

    def method(tree, score):
        seen.append((tree.parent.tolist(), score.tolist()))
        return tree_credit(tree, score, score)

    numbers = iter(range(100))
    inputs = {"score": lambda trajectory: [float(next(numbers)) for _ in trajectory.turns]}
    env = GroupCreditReward(KeyDoorEnv(max_turns=3), method, group_size=2, inputs=inputs)
    for last in ("pick[]", "move[left]"):
        env.reset(options={"task_id": "key-1"})
        for action in ("move[left]", "move[left]", last):
            *_, info = env.step(action)
    assert seen == [([-1, 0, 1, 2, 2], [0, 0, 1, 2, 5])]
    assert info["turn_advantages"].tolist() == [0, 1, 5]
    assert info["group_credit"][0]["turn_weights"].tolist() == [0.5, 0.5, 1.0]


def test_inputs_say_what_they_need_themselves():
    channel = ProbeChannel(PROBE.probe, answer="solution")
    with pytest.raises(MissingRequirementError, match=r"lacks \['solution'\]"):
        GroupCreditReward(KeyDoorEnv(), "igpo", group_size=2, inputs={"probe": channel})
    with pytest.raises(MissingRequirementError, match="probe must be a PolicyProbe"):
        ProbeChannel(None)


def test_an_input_of_the_wrong_length_is_an_error():
    env = GroupCreditReward(KeyDoorEnv(), "spa", group_size=1, inputs={"progress": lambda trajectory: [0.0]})
    with pytest.raises(ValueError, match=r"inputs\['progress'\] must give one entry a turn: \d+, got 1"):
        play(env, True, np.random.default_rng(0), seed=0)


def test_a_probe_that_fails_leaves_the_outcome():
    nan = ProbeChannel(TableProbe({}, default=float("nan")))
    env = GroupCreditReward(KeyDoorEnv(), "igpo", group_size=2, inputs={"probe": nan})
    rng = np.random.default_rng(0)
    play(env, True, rng, seed=0)
    _, info = play(env, False, rng)
    won, lost = (np.asarray(entry["turn_advantages"]) for entry in info["group_credit"])
    assert (won > 0).all()
    assert (lost < 0).all()


def test_probe_channel_asks_before_each_turn():
    turns = [Turn(0, "A door.", "look[]"), Turn(1, "A key.", "pick[]", "You hold it.")]
    table = {"A door.": -3.0, "A key.": -2.0, "You hold it.": -1.0}
    assert ProbeChannel(TableProbe(table))(Trajectory(turns, privileged={"answer": "x"})).tolist() == [-3.0, -2.0]
    empty = ProbeChannel(TableProbe(table))(Trajectory(turns, privileged={"answer": ""}))
    assert np.isnan(empty).all()


def test_probe_channel_takes_the_first_alias_and_never_shows_it():
    asked = []

    def table(context, answer):
        asked.append((context, answer))
        return -1.0

    env = KeyDoorEnv()
    channel = ProbeChannel(TableProbe(table), answer=lambda trajectory: ["cell seven", "seven"])
    group = GroupCreditReward(env, "igpo", group_size=2, inputs={"probe": channel})
    rng = np.random.default_rng(0)
    for _ in range(2):
        play(group, False, rng)
    assert {answer for _, answer in asked} == {"cell seven"}
    assert not any("cell seven" in message["content"] for context, _ in asked for message in context)


def test_wrappers_of_the_outcome_can_be_pickled():
    reward = episode_rewards.PPRReward(SCORER)
    env = episode_method_reward(KeyDoorEnv(), reward)
    env.unwrapped.tools = dict(env.unwrapped.tools)  # the read-only view that TurnEnv has cannot be pickled
    assert isinstance(pickle.loads(pickle.dumps(env)), type(env))


class Judge:
    def score(self, trajectory):
        return np.zeros(len(trajectory))


SCORER = Judge()
