"""One summary of trajectories: what it counts, and completion, modification and resolution kept apart."""

from __future__ import annotations

import pytest
from gymnasium.vector import SyncVectorEnv
from key_door import KeyDoorEnv
from patch_env import EPISODES, PASSING, PatchEnv, act

from turnwise.agents import OraclePolicy, ScriptedPolicy, collect
from turnwise.envs.vector import TurnVectorEnv
from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.rates import wilson_interval
from turnwise.rewards.summary import milestone_rates, summarize
from turnwise.wrappers import GroupCreditReward, RecordTrajectories


def attempt(task: str, outcome: float, reward: float = 0.0) -> Trajectory:
    return Trajectory([Turn(0, "", "", channels={"outcome": outcome}, reward=reward)], task_id=task)


def played() -> list[Trajectory]:
    """An episode of each outcome level, by an agent in the real environment."""
    return [collect(ScriptedPolicy(actions), PatchEnv(), 1, seed=0)[0] for actions in EPISODES]


def test_it_counts_full_solutions_and_keeps_outcome_and_reward_apart() -> None:
    found = summarize([attempt("a", 1.0, 2.0), attempt("a", 0.5), attempt("b", 1.0), attempt("b", 1.0)])
    assert (found.episodes, found.success_rate, found.mean_outcome, found.mean_reward) == (4, 0.75, 0.875, 0.5)
    assert found.pass_at == {1: 0.75, 2: 1.0} and found.pass_hat == {1: 0.75, 2: 0.5}
    assert str(found).startswith("success 75.0% [30.1%, 95.4%], outcome 0.875, 1.0 turns, 4 episodes")


def test_no_trajectories_make_an_empty_summary() -> None:
    found = summarize([])
    assert (found.episodes, found.success_rate, found.mean_turns, found.pass_at) == (0, 0.0, 0.0, {})
    assert found.success.interval == (0.0, 1.0)


def test_completion_modification_and_resolution_are_different_rates() -> None:
    summary = summarize(played())
    assert list(summary.milestones) == ["completion", "modification", "resolution"]
    assert [rate.count for rate in summary.milestones.values()] == [3, 2, 1]
    assert all(rate.episodes == 4 for rate in summary.milestones.values())
    assert summary.milestones["modification"].interval == pytest.approx(wilson_interval(2, 4))
    assert "modification 50.0%" in str(summary)


def test_milestones_survive_json() -> None:
    restored = [Trajectory.from_json(trajectory.to_json()) for trajectory in played()]
    assert milestone_rates(restored) == milestone_rates(played())


def test_a_milestone_that_nobody_reached_has_a_rate_of_its_own() -> None:
    rates = milestone_rates(played()[:2])
    assert (rates["resolution"].count, rates["resolution"].episodes) == (0, 2)


def test_environments_without_milestones_count_for_none() -> None:
    assert milestone_rates([attempt("a", 1.0)]) == {}
    assert milestone_rates([*played(), attempt("a", 1.0)])["completion"].episodes == 4


def test_rollouts_of_one_group_count_as_fewer() -> None:
    grouped = played()
    for i, trajectory in enumerate(grouped):
        trajectory.group_id = str(i // 2)
    assert milestone_rates(grouped)["modification"].interval == pytest.approx(wilson_interval(1, 2))


@pytest.mark.parametrize("backend", ["sync", "thread", "process", "gymnasium"])
def test_every_way_of_collecting_keeps_the_declaration(backend: str) -> None:
    envs = SyncVectorEnv([PatchEnv] * 2) if backend == "gymnasium" else TurnVectorEnv([PatchEnv] * 2, backend=backend)
    try:
        trajectories = collect(OraclePolicy(), envs, 2, seed=0)
    finally:
        envs.close()
    assert milestone_rates(trajectories)["resolution"].count == 2


def test_wrappers_keep_the_declaration() -> None:
    kept: list[Trajectory] = []
    act(RecordTrajectories(PatchEnv(), kept.append), PASSING)
    assert kept[0].milestones == PatchEnv.milestones
    seen: list[Trajectory] = []
    inputs = {"scores": lambda trajectory: seen.append(trajectory) or 0.0}
    env = GroupCreditReward(SyncVectorEnv([PatchEnv] * 2), "grpo", group_size=2, rollout_inputs=inputs)
    env.reset(options={"task_id": "one"})
    for action in PASSING:
        env.step((action, action))
    assert [trajectory.milestones for trajectory in seen] == [PatchEnv.milestones] * 2
    act(RecordTrajectories(KeyDoorEnv(max_turns=1), kept.append), ["pick[]"])
    assert kept[1].milestones == {}
