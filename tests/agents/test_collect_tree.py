"""Trees of rollouts: shared turns are played once, values are right, budgets hold, forks do not touch each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from key_door import KeyDoorEnv

from turnwise.agents import Context, Decision, OraclePolicy, RandomPolicy, ScriptedPolicy
from turnwise.agents.collect_tree import CollectedTree, collect_tree, mean_surprise
from turnwise.agents.epsilon_oracle import EpsilonOraclePolicy
from turnwise.envs.bifurcation import BifurcationEnv
from turnwise.rewards.credit.spo import spo
from turnwise.rewards.tabular import evaluate, uniform_policy
from turnwise.rewards.trees import on_trajectories
from turnwise.wrappers.base import TurnRewardWrapper

OPEN_DOOR = ["pick[]", "move[right]", "move[right]", "open[]"]  # task key-2: the key lies where the episode begins


class CountingDoor(KeyDoorEnv):
    """Counts the steps of all its clones."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps: list[Any] = []

    def step(self, action: Any) -> Any:
        self.steps.append(action)
        return super().step(action)


class FirstThen:
    """Writes the first rollout's script, and another one in every fork."""

    def __init__(self, first: Sequence[str], then: Sequence[str], logprobs: Sequence[float] = ()) -> None:
        self.scripts = [first, then]
        self.logprobs = logprobs
        self.forgotten: list[str] = []

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        return [self._next(context) for context in contexts]

    def forget(self, episode_id: str) -> None:
        self.forgotten.append(episode_id)

    def _next(self, context: Context) -> Decision:
        script = self.scripts[not context.episode_id.endswith("-0")]
        if context.turn >= len(script):
            return Decision("", stop_reason="script_ended")
        logprobs = [self.logprobs[context.turn]] if self.logprobs else []
        return Decision(script[context.turn], response_ids=[7] * len(logprobs), response_logprobs=logprobs)


def children(collected: CollectedTree) -> list[int]:
    return collected.tree.children.tolist()


def test_the_environment_steps_once_for_each_turn_of_the_tree() -> None:
    env = CountingDoor(max_turns=6)
    collected = collect_tree(RandomPolicy(seed=1), env, budget=60, seed=0)
    assert len(env.steps) == collected.steps == (~collected.tree.is_root).sum()
    assert sum(len(t) for t in collected.trajectories) > collected.steps


@pytest.mark.parametrize("parallel", [1, 3, 16])
@pytest.mark.parametrize("budget", [6, 7, 20, 50])
def test_the_budget_of_steps_holds_and_is_used(budget: int, parallel: int) -> None:
    env = CountingDoor(max_turns=6)
    collected = collect_tree(RandomPolicy(), env, budget=budget, parallel=parallel, branching=3)
    assert len(env.steps) <= budget
    assert len(env.steps) > budget - 6  # less than a rollout is left over
    assert all(t.terminated or t.stop_reason == "max_turns" for t in collected.trajectories)


def test_a_budget_of_rollouts_is_a_number_of_leaves() -> None:
    collected = collect_tree(RandomPolicy(), KeyDoorEnv(max_turns=8), budget=9, unit="rollouts")
    assert len(collected.trajectories) == len(collected.tree.leaves) == 9


def test_a_deterministic_policy_has_exact_values_everywhere() -> None:
    won = collect_tree(OraclePolicy(), KeyDoorEnv(), budget=40, task_id="key-1")
    assert won.value.tolist() == [1.0] * len(won.turns)
    forked = won.tree.children > 1
    assert forked.any()
    assert won.standard_error[forked].tolist() == [0.0] * forked.sum()
    lost = collect_tree(ScriptedPolicy(["move[right]", "move[right]", "open[]"]), KeyDoorEnv(), budget=40)
    assert lost.value.tolist() == [0.0] * len(lost.turns)


def test_values_worked_by_hand() -> None:
    # The first rollout opens the door; every fork breaks the lock instead, from wherever it begins.
    policy = FirstThen(OPEN_DOOR, ["move[right]", "move[right]", "open[]", "open[]"])
    collected = collect_tree(policy, KeyDoorEnv(), budget=2, unit="rollouts", branch=[0], task_id="key-2")
    assert children(collected)[0] == 2
    assert sorted(t.outcome for t in collected.trajectories) == [0.0, 1.0]
    assert collected.value[0] == 0.5
    assert collected.standard_error[0] == 0.5
    assert collected.value[1:].tolist() == [t.outcome for t in collected.trajectories for _ in t.turns]


@pytest.mark.parametrize("family", ["recoverable", "stochastic"])
def test_a_random_policys_values_are_those_of_dynamic_programming(family: str) -> None:
    env = BifurcationEnv(family=family, actions=2)
    collected = collect_tree(
        RandomPolicy(), env, budget=400, unit="rollouts", branch=[0], branching=400, seed=0, task_id=env.tasks[0]
    )
    env.reset(seed=0, options={"task_id": env.tasks[0]})
    exact = evaluate(env.mdp, uniform_policy(env.mdp)).v[env.state]
    assert abs(collected.value[0] - exact) < 4 * collected.standard_error[0]
    assert 0.0 < collected.standard_error[0] < 0.05


def test_chance_is_drawn_anew_in_each_fork_or_repeats_itself() -> None:
    env = BifurcationEnv(family="stochastic", actions=2)
    env.reset(seed=0)
    wrong = ScriptedPolicy([f"choose[{2 - int(np.argmax(env.privileged()['action_values']))}]"] * 20)
    arguments: dict[str, Any] = {"budget": 40, "unit": "rollouts", "branch": [0], "branching": 40, "parallel": 40}
    fresh = collect_tree(wrong, env, **arguments)
    assert 0.0 < fresh.value[0] < 1.0
    repeated = collect_tree(wrong, env, fresh_noise=False, **arguments)
    assert len({tuple(turn.next_observation for turn in t.turns) for t in repeated.trajectories}) == 1


def test_rollouts_share_the_turns_that_they_have_in_common() -> None:
    collected = collect_tree(RandomPolicy(), KeyDoorEnv(max_turns=6), budget=40)
    for leaf, path, trajectory in zip(
        collected.tree.leaves, collected.tree.paths(), collected.trajectories, strict=True
    ):
        assert [id(turn) for turn in trajectory.turns] == [id(collected.turns[node]) for node in path]
        assert [turn.index for turn in trajectory.turns] == list(range(len(path)))
        assert trajectory.outcome == collected.tree.outcome[leaf]
        assert trajectory.turns[-1].terminated or trajectory.turns[-1].truncated
    ids = [t.episode_id for t in collected.trajectories]
    assert len(set(ids)) == len(ids)
    assert len({t.group_id for t in collected.trajectories}) == 1


def test_each_trajectory_can_be_played_again_from_the_start() -> None:
    env = KeyDoorEnv(max_turns=6)
    for trajectory in collect_tree(RandomPolicy(), env, budget=40, seed=3).trajectories:
        observation, _ = env.reset(seed=trajectory.seed, options={"task_id": trajectory.task_id})
        for turn in trajectory.turns:
            assert observation == turn.observation
            observation, reward, *_, info = env.step(turn.action)
            assert (observation, reward, info["state_hash"]) == (turn.next_observation, turn.reward, turn.next_anchor)


def test_equal_arguments_give_equal_trees_and_the_environment_is_left_alone() -> None:
    env = KeyDoorEnv(max_turns=6)
    env.reset(seed=9)
    before = env.snapshot()
    first, again, other = (collect_tree(RandomPolicy(), env, budget=40, seed=seed) for seed in (0, 0, 1))
    assert env.snapshot() == before
    assert first.tree.parent.tolist() == again.tree.parent.tolist()
    assert [t.to_json() for t in first.trajectories] == [t.to_json() for t in again.trajectories]
    assert [t.to_json() for t in first.trajectories] != [t.to_json() for t in other.trajectories]


def test_forks_at_chosen_turns_only() -> None:
    policy = FirstThen(OPEN_DOOR, OPEN_DOOR)
    collected = collect_tree(policy, KeyDoorEnv(), budget=40, branch=[1, 3], branching=3, task_id="key-2")
    depth = collected.tree.depth
    inner = ~collected.tree.is_leaf
    assert set(collected.tree.children[inner & np.isin(depth, [1, 3])].tolist()) == {3}
    assert set(collected.tree.children[inner & ~np.isin(depth, [1, 3])].tolist()) == {1}
    assert len(collected.trajectories) == 3 * 3


def test_every_turn_early_ones_first() -> None:
    policy = FirstThen(OPEN_DOOR, OPEN_DOOR)
    collected = collect_tree(policy, KeyDoorEnv(), budget=3, unit="rollouts", parallel=1, task_id="key-2")
    forked = np.flatnonzero(collected.tree.children == 2)
    assert collected.tree.depth[forked].tolist() == [0, 1]
    whole = collect_tree(policy, KeyDoorEnv(), budget=1000, unit="rollouts", task_id="key-2")
    assert len(whole.trajectories) == 2**4  # a full binary tree of four turns; then there is nowhere left to fork
    assert set(whole.tree.children[~whole.tree.is_leaf].tolist()) == {2}


def test_forks_where_the_policy_was_least_sure() -> None:
    policy = FirstThen(OPEN_DOOR, OPEN_DOOR, logprobs=[-0.1, -2.0, 0.0, -0.7])
    arguments: dict[str, Any] = {"unit": "rollouts", "branch": "entropy", "parallel": 1, "task_id": "key-2"}
    collected = collect_tree(policy, KeyDoorEnv(), budget=2, **arguments)
    assert collected.tree.depth[collected.tree.children == 2].tolist() == [1]
    collected = collect_tree(policy, KeyDoorEnv(), budget=100, **arguments)
    # a turn without any doubt (0 nats) is never forked
    assert sorted(set(collected.tree.depth[collected.tree.children == 2].tolist())) == [0, 1, 3]
    collected = collect_tree(policy, KeyDoorEnv(), budget=100, min_score=0.5, **arguments)
    assert sorted(set(collected.tree.depth[collected.tree.children == 2].tolist())) == [1, 3]


def test_a_function_may_choose_where_to_fork() -> None:
    def at_the_door(context: Context, decision: Decision) -> float:
        return float("cell 4" in context.observation)

    policy = FirstThen(OPEN_DOOR, OPEN_DOOR)
    collected = collect_tree(policy, KeyDoorEnv(), budget=60, branch=at_the_door, branching=4, task_id="key-2")
    assert children(collected) == [1, 1, 1, 4, 0, 0, 0, 0]


def test_a_policy_that_stops_ends_its_rollout_and_is_not_asked_there_again() -> None:
    policy = FirstThen(["pick[]", "move[right]"], ["pick[]", "move[right]"])
    collected = collect_tree(policy, KeyDoorEnv(), budget=30, task_id="key-2")
    assert {t.stop_reason for t in collected.trajectories} == {"script_ended"}
    assert all(t.truncated and t.turns[-1].truncated and len(t) == 2 for t in collected.trajectories)
    assert len(collected.trajectories) == 4
    # forks that stop at once leave no trace
    stubborn = FirstThen(OPEN_DOOR, [])
    collected = collect_tree(stubborn, KeyDoorEnv(), budget=60, task_id="key-2")
    assert children(collected) == [1, 1, 1, 1, 0]
    never = collect_tree(FirstThen([], []), KeyDoorEnv(), budget=30)
    assert (len(never.trajectories), len(never.trajectories[0]), never.steps) == (1, 0, 0)


def test_every_rollout_is_forgotten() -> None:
    policy = FirstThen(OPEN_DOOR, OPEN_DOOR)
    collected = collect_tree(policy, KeyDoorEnv(), budget=5, unit="rollouts", seed=4, task_id="key-2")
    assert sorted(policy.forgotten) == sorted(t.episode_id for t in collected.trajectories)


class Remembering:
    """Goes by what it remembers alone: how many lines of its script it has written in this episode."""

    def __init__(self) -> None:
        self.written: dict[str, int] = {}

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        return [self._next(context.episode_id) for context in contexts]

    def memory(self, episode_id: str) -> int:
        return self.written.get(episode_id, 0)

    def recall(self, episode_id: str, memory: int) -> None:
        self.written[episode_id] = memory

    def _next(self, episode_id: str) -> Decision:
        line = self.memory(episode_id)
        self.written[episode_id] = line + 1
        return Decision(OPEN_DOOR[line])


def test_a_policy_with_a_memory_takes_it_into_the_fork() -> None:
    collected = collect_tree(Remembering(), KeyDoorEnv(), budget=40, task_id="key-2")
    assert len(collected.trajectories) > 3
    assert all([turn.action for turn in t.turns] == OPEN_DOOR for t in collected.trajectories)
    collected = collect_tree(EpsilonOraclePolicy(epsilon=0.0), KeyDoorEnv(), budget=40)
    assert collected.value.tolist() == [1.0] * len(collected.turns)


def test_tokens_are_kept_and_contexts_hold_the_shared_past() -> None:
    seen: list[tuple[int, int]] = []

    class Watching(FirstThen):
        def act(self, contexts: Sequence[Context]) -> list[Decision]:
            seen.extend((len(context.observations), len(context.decisions)) for context in contexts)
            return super().act(contexts)

    policy = Watching(OPEN_DOOR, OPEN_DOOR, logprobs=[-0.1, -2.0, -0.5, -0.7])
    collected = collect_tree(policy, KeyDoorEnv(), budget=30, task_id="key-2")
    assert all(turns == decisions + 1 for turns, decisions in seen)
    assert all(turn.response_logprobs for turn in collected.turns if turn is not None)


def test_gymnasiums_own_checks_are_fine_and_other_wrappers_are_not() -> None:
    made = gym.make("turnwise/Bifurcation-v0", family="decisive")
    collected = collect_tree(RandomPolicy(), made, budget=3, unit="rollouts")
    assert collected.trajectories[0].env_id == "turnwise/Bifurcation-v0"
    paid = TurnRewardWrapper(KeyDoorEnv(), lambda turn: 1.0, name="one")
    with pytest.raises(TypeError, match=r"TurnRewardWrapper around it would not see the forks: give it env\.unwrapped"):
        collect_tree(RandomPolicy(), paid, budget=30)
    with pytest.raises(TypeError, match="env must be a TurnEnv, which can be forked, got CartPoleEnv"):
        collect_tree(RandomPolicy(), gym.make("CartPole-v1"), budget=30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 11}, "budget must be at least 12, max_turns of the environment, so that one rollout fits, got 11"),
        ({"budget": 0, "unit": "rollouts"}, "budget must be at least 1, got 0"),
        ({"unit": "tokens"}, "unit must be 'steps' or 'rollouts', got 'tokens'"),
        ({"branch": "often"}, "branch must be 'every', 'entropy'"),
        ({"branch": [0, -1]}, "branch must name turns from 0 on"),
        ({"branching": 0}, "branching must be at least 1, got 0"),
        ({"parallel": 0}, "parallel must be at least 1, got 0"),
        ({"branch": "entropy"}, "branch='entropy' needs decisions with response_logprobs"),
        ({"branch": lambda context, decision: float("nan")}, "branch gave no number for turn 0"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collect_tree(RandomPolicy(), KeyDoorEnv(), **{"budget": 30, **change})


def test_mean_surprise_is_a_mean_over_tokens() -> None:
    assert mean_surprise(Decision("x", response_ids=[1, 2], response_logprobs=[-1.0, -3.0])) == 2.0


def test_credit_of_the_tree_fits_the_batch_of_its_trajectories() -> None:
    collected = collect_tree(RandomPolicy(), KeyDoorEnv(max_turns=6), budget=60)
    batch = collected.batch()
    credit = on_trajectories(collected.tree, spo(collected.tree))
    assert credit.advantage.shape == (batch.turns,)
    total = np.bincount(batch.row, weights=credit.advantage, minlength=len(batch))
    np.testing.assert_allclose(total, batch.outcome - collected.value[0], atol=1e-12)
