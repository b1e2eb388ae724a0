"""`turnwise/Bifurcation-v0`: the contract, and that the environment plays the MDP it says it plays."""

from __future__ import annotations

from functools import partial

import gymnasium as gym
import numpy as np
import pytest

from turnwise.envs.bifurcation import FAMILIES, BifurcationEnv, End, Spec, build
from turnwise.envs.conformance import CHECKS, check
from turnwise.envs.core import ToolCall, UnknownTaskError
from turnwise.rewards.tabular import optimal

# Playing again in other processes takes seconds; once, below, is enough.
QUICK_CHECKS = [name for name in CHECKS if name != "other_processes_agree"]


def test_the_id_keeps_to_the_contract() -> None:
    assert check("turnwise/Bifurcation-v0", episodes=3).ok


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_keeps_to_the_contract(family: str) -> None:
    bound = 0.35 if family == "decisive" else 0.2  # one choice of four decides: chance has a quarter of it
    report = check(partial(BifurcationEnv, family=family), episodes=2, checks=QUICK_CHECKS, random_bound=bound)
    assert report.ok, str(report)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracle_solves_tasks_that_are_not_listed_too(family: str) -> None:
    env = BifurcationEnv(family=family)
    for seed in (0, 1, 2, 123_456):
        for chance in range(3):
            env.reset(seed=chance, options={"task_id": f"{family}-{seed}"})
            results = [env.step(call) for call in list(env.oracle())]
            assert [result[1] for result in results[:-1]] == [0.0] * (len(results) - 1)
            assert results[-1][1:3] == (1.0, True)


@pytest.mark.parametrize("family", ["stochastic", "recoverable", "distractor"])
def test_steps_follow_the_mdp(family: str) -> None:
    env = BifurcationEnv(family=family)
    rng = np.random.default_rng(0)
    for seed in range(20):
        env.reset(seed=seed)
        ended = False
        while not ended:
            before, action = env.state, int(rng.integers(env.mdp.actions))
            _, reward, ended, truncated, info = env.step(ToolCall("choose", {"door": action + 1}))
            assert env.mdp.transition[before, action, env.state] > 0
            assert reward == env.mdp.outcome[env.state]
            assert ended == env.mdp.terminal[env.state]
            assert not truncated
            assert info["reward_terms"]["bonus"] == env.mdp.signals["bonus"][before, action]
            assert ("bonus" in info["events"]) == (info["reward_terms"]["bonus"] > 0)


def test_chance_has_the_mdps_probabilities() -> None:
    env = BifurcationEnv(family="stochastic", horizon=2, actions=2)
    env.reset(seed=0, options={"task_id": "stochastic-0"})
    start, moment, counts = env.state, env.snapshot(), np.zeros(env.mdp.states)
    for seed in range(2000):
        env.restore(moment)
        env.np_random = np.random.default_rng(seed)
        env.step("choose[1]")
        counts[env.state] += 1
    assert np.abs(counts / 2000 - env.mdp.transition[start, 0]).max() < 0.05


def test_state_hash_is_the_state() -> None:
    env = BifurcationEnv(family="recoverable")
    seen: dict[str, int] = {}
    for seed in range(30):
        _, info = env.reset(seed=seed, options={"task_id": "recoverable-0"})
        ended = False
        while not ended:
            assert seen.setdefault(info["state_hash"], env.state) == env.state
            _, _, ended, _, info = env.step(env.admissible_actions()[seed % 4 if seed < 4 else env.state % 4])
    assert len(set(seen.values())) == len(seen)


def test_privileged_knows_the_best_door_and_observations_do_not() -> None:
    env = BifurcationEnv(family="delayed")
    observation, info = env.reset(seed=0)
    best = int(np.argmax(optimal(env.mdp).q[env.state]))
    assert info["privileged"]["answer"] == f"door {best + 1}"
    assert info["privileged"]["action_values"][best] == 1.0
    assert "door " not in observation


def test_invalid_doors_change_nothing() -> None:
    env = BifurcationEnv()
    env.reset(seed=0)
    before = env.state
    for action in ("choose[0]", "choose[5]", "choose[left]", "go[1]"):
        observation, _, _, _, info = env.step(action)
        assert not info["is_action_valid"]
        assert observation.startswith("Invalid action.")
    assert env.state == before


def test_tasks_are_seeds_of_the_family() -> None:
    env = BifurcationEnv(family="long")
    assert env.has_task("long-99999")
    for wrong in ("decisive-1", "long-01", "long-", "long-x", "long--1"):
        assert not env.has_task(wrong)
        with pytest.raises(UnknownTaskError):
            env.reset(options={"task_id": wrong})


def test_gymnasium_makes_it_with_arguments() -> None:
    env = gym.make("turnwise/Bifurcation-v0", family="decisive", horizon=3, actions=2)
    env.reset(seed=0)
    assert env.unwrapped.mdp.actions == 2
    assert env.unwrapped.max_turns > 3


def test_there_is_no_mdp_before_the_first_reset() -> None:
    with pytest.raises(RuntimeError, match="call reset"):
        BifurcationEnv().mdp


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "maze"}, "family must be one of .* got 'maze'"),
        ({"actions": 1}, "actions must be at least 2, got 1"),
        ({"horizon": 1}, "horizon must be at least 2 for 'delayed', got 1"),
        ({"family": "recoverable", "horizon": 4}, "horizon must be at least 5 for 'recoverable', got 4"),
        ({"anchor_rate": 1.5}, "anchor_rate must lie in"),
        ({"slip": 1.0}, "slip must lie in"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BifurcationEnv(**arguments)


def test_too_many_states_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1500 states"):
        build(Spec("anchors", horizon=8, anchor_rate=0.0), seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_good_walk_is_certain_and_a_random_one_unlikely(family: str) -> None:
    for seed in range(5):
        mdp = build(Spec(family), seed).mdp
        assert mdp.initial @ optimal(mdp).v == pytest.approx(1.0)
        assert mdp.horizon == Spec(family).turns


def test_seeds_draw_different_mdps_and_the_same_one_again() -> None:
    first, other = (build(Spec("decisive"), seed) for seed in (0, 1))
    assert not np.array_equal(first.mdp.transition, other.mdp.transition)
    build.cache_clear()
    assert np.array_equal(build(Spec("decisive"), 0).mdp.transition, first.mdp.transition)


def test_places_say_what_states_are() -> None:
    world = build(Spec("decisive"), 0)
    ends = [isinstance(place, End) for place in world.places]
    assert ends == world.mdp.terminal.tolist()
