"""Values by playing on from snapshots: against exact ones, and what a fork must take along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from turnwise.agents import Context, Decision, OraclePolicy, RandomPolicy, ScriptedPolicy
from turnwise.agents.epsilon_oracle import EpsilonOraclePolicy
from turnwise.agents.fidelity import Setting, run_fidelity
from turnwise.agents.monte_carlo import Moment, Remembers, monte_carlo_cases, monte_carlo_values
from turnwise.envs.bifurcation import BifurcationEnv
from turnwise.rewards.tabular import epsilon_optimal_policy, evaluate, uniform_policy


@pytest.mark.parametrize("family", ["recoverable", "stochastic"])
def test_a_random_policys_values_are_the_exact_ones(family: str) -> None:
    env = BifurcationEnv(family=family, actions=2)
    env.reset(seed=0)
    exact, moments, states = evaluate(env.mdp, uniform_policy(env.mdp)), [], []
    for _ in range(3):
        moments.append(Moment(env.snapshot()))
        states.append(env.state)
        env.step(next(env.oracle()))
    found = monte_carlo_values(env, RandomPolicy(seed=0), 300, moments=moments)
    assert np.abs(found.mean - exact.v[states]).max() < 0.12
    assert (np.abs(found.mean - exact.v[states]) < 4 * found.standard_error + 1e-9).all()


def test_the_rollouts_of_a_clone_have_chance_of_their_own() -> None:
    env = BifurcationEnv(family="stochastic", actions=2)
    env.reset(seed=0)
    wrong = ScriptedPolicy([f"choose[{2 - int(np.argmax(env.privileged()['action_values']))}]"] * 20)
    assert 0.0 < monte_carlo_values(env, wrong, 100).mean[0] < 1.0


def test_values_are_reproducible_and_leave_the_environment_alone() -> None:
    env = gym.make("turnwise/Bifurcation-v0", family="recoverable")
    env.reset(seed=0)
    before = env.unwrapped.snapshot()
    first, again, other = (monte_carlo_values(env, RandomPolicy(), 50, seed=seed) for seed in (1, 1, 2))
    assert first.mean.tolist() == again.mean.tolist()
    assert first.standard_error.tolist() == again.standard_error.tolist()
    assert env.unwrapped.snapshot() == before
    assert other.rollouts == 50


def test_an_ended_episode_is_worth_nothing_more() -> None:
    env = BifurcationEnv(family="decisive")
    env.reset(seed=0)
    for call in list(env.oracle()):
        env.step(call)
    assert monte_carlo_values(env, RandomPolicy(), 3).mean.tolist() == [0.0]


def test_a_policy_that_stops_ends_its_rollout() -> None:
    env = BifurcationEnv(family="decisive")
    env.reset(seed=0)
    assert monte_carlo_values(env, ScriptedPolicy(["choose[1]"]), 2).mean.tolist() == [0.0]


def test_a_fork_takes_the_policys_memory_along() -> None:
    env = BifurcationEnv(family="decisive", horizon=3)
    env.reset(seed=0)
    plan = tuple(str(call) for call in env.oracle())
    wrong = tuple("choose[1]" if call != "choose[1]" else "choose[2]" for call in plan)
    policy = EpsilonOraclePolicy(0.0)
    assert isinstance(policy, Remembers)
    moments = [Moment(env.snapshot()), Moment(env.snapshot(), wrong)]
    assert monte_carlo_values(env, policy, 1, moments=moments).mean.tolist() == [1.0, 0.0]
    assert not policy._plans


def test_epsilon_runs_from_the_oracle_to_chance() -> None:
    env = BifurcationEnv(family="recoverable")
    env.reset(seed=0)
    at = {epsilon: monte_carlo_values(env, EpsilonOraclePolicy(epsilon), 400).mean[0] for epsilon in (0.0, 0.5, 1.0)}
    exact = evaluate(env.mdp, epsilon_optimal_policy(env.mdp, 0.5)).v[env.state]
    assert at[0.0] == 1.0
    assert at[0.5] == pytest.approx(exact, abs=0.08)
    assert at[1.0] < 0.1
    with pytest.raises(ValueError, match="epsilon must lie in"):
        EpsilonOraclePolicy(-0.1)


def test_cases_agree_with_exact_advantages() -> None:
    env = BifurcationEnv(family="distractor", actions=2)
    case = monte_carlo_cases(
        env, RandomPolicy(), tasks=2, rollouts=150, bonus=lambda info: info["reward_terms"]["bonus"]
    )(4, 0)
    assert case.batch.group.tolist() == [0] * 4 + [1] * 4
    assert case.batch.channel("bonus").sum() > 0
    assert len(np.unique(case.batch.anchor)) <= len(np.unique(case.state))
    first = env.tasks.index(env.snapshot().task_id) - 1
    errors = []
    for group in (0, 1):
        env.reset(options={"task_id": env.tasks[first + group]})
        exact = evaluate(env.mdp, uniform_policy(env.mdp))
        start = (case.batch.group[case.batch.row] == group) & (case.batch.position == 0)
        errors += list(case.value[start] - exact.v[env.state])
    assert np.abs(errors).max() < 0.15
    last = case.batch.is_last
    assert (case.action_value[last] == case.batch.outcome).all()


def test_webshop_is_measured_by_monte_carlo(tmp_path: Path) -> None:
    env = gym.make("turnwise/WebShop-v0", products=50, cache_dir=tmp_path)
    make = monte_carlo_cases(env, EpsilonOraclePolicy(0.3), tasks=2, rollouts=8)
    setting = Setting(group_sizes=(4,), seeds=1, rollouts=1, repeats=1)
    report = run_fidelity(families=[], methods=["grpo", "gigpo", "turn_gae"], setting=setting, extra={"WebShop": make})
    assert [row.method for row in report.rows] == ["grpo", "gigpo", "turn_gae"]
    assert all(0.0 <= row.mean.signal <= 1.0 for row in report.rows)


def test_bad_requests_are_named() -> None:
    env = BifurcationEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="rollouts must be at least 1, got 0"):
        monte_carlo_values(env, RandomPolicy(), 0)
    with pytest.raises(TypeError, match="env must hold a TurnEnv"):
        monte_carlo_values(gym.make("CartPole-v1"), RandomPolicy(), 1)


def test_the_policy_sees_all_rollouts_of_a_moment_at_once() -> None:
    sizes = []

    class Counting(OraclePolicy):
        def act(self, contexts: Sequence[Context]) -> list[Decision]:
            sizes.append(len(contexts))
            return super().act(contexts)

    env = BifurcationEnv(family="decisive", horizon=4)
    env.reset(seed=0)
    monte_carlo_values(env, Counting(), 7)
    assert sizes == [7] * 4
