"""`collect_tree`: rollouts of one task that fork from each other, so that the turns they share are played once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker

from turnwise.agents.monte_carlo import Remembers
from turnwise.agents.policy import Context, Decision, Policy
from turnwise.agents.seeding import stream
from turnwise.envs.core import Snapshot, TurnEnv
from turnwise.rewards.batch import FloatArray, TurnBatch
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.rewards.trees import TurnTree
from turnwise.wrappers.record import EpisodeRecord, observation_text

Branch: TypeAlias = Literal["every", "entropy"] | Sequence[int] | Callable[[Context, Decision], float]
Unit: TypeAlias = Literal["steps", "rollouts"]


@dataclass(frozen=True)
class CollectedTree:
    """Rollouts that share their first turns. K nodes, L leaves.

    Attributes:
        tree: Which node comes after which, and the outcome of the rollout that ended in each leaf.
        turns: (K,) the turn that led to each node; None at the root. Rollouts share these objects.
        trajectories: (L,) one for each leaf, in the order of `tree.leaves`. They have one `group_id`.
    """

    tree: TurnTree
    turns: tuple[Turn | None, ...]
    trajectories: list[Trajectory]

    @property
    def steps(self) -> int:
        """How many steps the environment made: one for each turn of the tree."""
        return len(self.turns) - 1

    @cached_property
    def value(self) -> FloatArray:
        """(K,) Monte-Carlo value of each node, see `TurnTree.value`."""
        return self.tree.value()

    @cached_property
    def standard_error(self) -> FloatArray:
        """(K,) its standard error, see `TurnTree.standard_error`."""
        return self.tree.standard_error()

    def batch(self) -> TurnBatch:
        """The rollouts laid end to end; `turnwise.rewards.trees.on_trajectories` gives credit for it."""
        return TurnBatch.from_trajectories(self.trajectories)


def collect_tree(
    policy: Policy,
    env: gym.Env[Any, Any],
    *,
    budget: int,
    unit: Unit = "steps",
    branch: Branch = "every",
    branching: int = 2,
    min_score: float = 0.0,
    seed: int = 0,
    task_id: str | None = None,
    parallel: int = 8,
    fresh_noise: bool = True,
) -> CollectedTree:
    """Play one task many times, beginning new rollouts in the middle of earlier ones.

    The first rollout starts at the beginning. Each further one goes on from a node of the tree that `branch` allows
    and that has fewer than `branching` children: those with the fewest children first, then those with the highest
    score, then those that came first. Every rollout is played to its end, and none is begun whose longest course would
    not fit the budget. The result depends on the arguments and the policy alone.

    Args:
        policy: Who acts; it is asked for all running rollouts at once. Each rollout has an `episode_id` of its own,
            also where its first turns are another one's.
        env: A `TurnEnv`. Gymnasium's own checks may be around it, nothing else: forking goes past wrappers.
        budget: The most steps that the environment may make, at least its `max_turns`; or the number of rollouts.
        unit: Of the budget: `steps` or `rollouts`.
        branch: Where to fork. `every`: at every turn, early ones first. A list of turn indices: at those. `entropy`:
            where the policy was least sure, by `mean_surprise` of what it wrote there first. A function of a context
            and the decision taken in it: where it gives the highest scores. Scores that depend on the decision, as
            `entropy` does, bias values a little: whether a node is sampled again then depends on its first sample.
        branching: The most children of a node.
        min_score: With scores: fork only where they are higher.
        seed: Of the reset, and of the chance in every fork.
        task_id: The task; None lets the environment draw it.
        parallel: Rollouts that run at once. More suits batched policies, but decides on forks with less knowledge.
        fresh_noise: Give each fork a random generator of its own. False keeps the environment's, so that chance
            repeats itself: then the values are those of this one course of chance.

    Returns:
        The tree, the trajectory of each leaf, and values with standard errors.

    Raises:
        TypeError: `env` is no `TurnEnv`, or a wrapper is around it that would not see the forks.
        ValueError: An argument is out of its range, or `entropy` meets a decision without log-probabilities.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.agents import RandomPolicy
    >>> env = gym.make("turnwise/Bifurcation-v0", family="decisive")
    >>> collected = collect_tree(RandomPolicy(), env, budget=4, unit="rollouts", seed=0)
    >>> len(collected.trajectories), collected.steps < sum(len(t) for t in collected.trajectories)
    (4, True)
    """
    bare = _forkable(env)
    _check(budget, unit, branch, branching, parallel, bare)
    grower = _Grower(policy, bare, _Forks(branch, branching, min_score), seed, fresh_noise)
    grower.plant(task_id)
    while True:
        left = budget - (len(grower.nodes) - 1 if unit == "steps" else grower.rollouts)
        starts = grower.next_starts(left, unit, parallel)
        if not starts:
            return grower.result()
        grower.grow(starts)


def mean_surprise(decision: Decision) -> float:
    """Mean negative log-probability (nats a token) of what the policy sampled: an estimate of its entropy there.

    Raises:
        ValueError: The decision holds no log-probabilities.

    >>> mean_surprise(Decision("look[]", response_ids=[5, 6], response_logprobs=[-0.5, -1.5]))
    1.0
    """
    if not decision.response_logprobs:
        raise ValueError("branch='entropy' needs decisions with response_logprobs; this policy gives none")
    return float(-np.mean(decision.response_logprobs))


@dataclass(slots=True)
class _Node:
    """A moment of the tree, and what it takes to go on from there."""

    parent: int
    depth: int
    record: EpisodeRecord
    decisions: list[Decision]
    snapshot: Snapshot | None
    memory: Hashable
    children: int = 0
    score: float = 0.0
    ended: bool = False
    """Nothing goes on from here: the episode is over, or the policy will not act."""


class _Forks:
    """Which nodes may be forked, and in which order."""

    def __init__(self, branch: Branch, branching: int, min_score: float) -> None:
        self._branching = branching
        self._min_score = min_score
        self._score: Callable[[Context, Decision], float] | None = None
        self._turns: frozenset[int] | None = None
        if callable(branch):
            self._score = branch
        elif branch == "entropy":
            self._score = lambda context, decision: mean_surprise(decision)
        elif branch != "every":
            self._turns = frozenset(int(turn) for turn in branch)

    def score(self, context: Context, decision: Decision) -> float:
        """How much a node asks to be forked, given the first decision taken there."""
        if self._score is None:
            return -float(context.turn)
        score = float(self._score(context, decision))
        if np.isnan(score):
            raise ValueError(f"branch gave no number for turn {context.turn} of episode {context.episode_id!r}")
        return score

    def reach(self, depth: int) -> bool:
        """Whether nodes of this depth may be forked at all, so that their moment must be kept."""
        return self._branching > 1 and (self._turns is None or depth in self._turns)

    def allow(self, node: _Node) -> bool:
        """Whether a rollout may begin at a node now."""
        if node.ended:
            return False
        if not node.children:
            return node.parent < 0  # the first rollout; elsewhere one is under way already
        if node.children >= self._branching or not self.reach(node.depth):
            return False
        return self._score is None or node.score > self._min_score


@dataclass(slots=True)
class _Rollout:
    """One running rollout: its environment, what its policy sees, and the node it has come to."""

    env: TurnEnv
    context: Context
    record: EpisodeRecord
    node: int


class _Grower:
    """The tree while it grows."""

    def __init__(self, policy: Policy, env: TurnEnv, forks: _Forks, seed: int, fresh_noise: bool) -> None:
        self.nodes: list[_Node] = []
        self.rollouts = 0
        self._ends: dict[int, Trajectory] = {}
        self._policy = policy
        self._env = env
        self._forks = forks
        self._seed = seed
        self._fresh_noise = fresh_noise

    def plant(self, task_id: str | None) -> None:
        """Make the root: the beginning of the task."""
        twin = self._env.clone()
        observation, info = twin.reset(seed=self._seed, options=None if task_id is None else {"task_id": task_id})
        record = EpisodeRecord(observation, info, twin.instructions)
        self.nodes.append(_Node(-1, 0, record, [], twin.snapshot(), None))
        twin.close()

    def next_starts(self, left: int, unit: Unit, parallel: int) -> list[int]:
        """The nodes from which the next rollouts begin; none when the budget or the places are used up."""
        places = [i for i, node in enumerate(self.nodes) if self._forks.allow(node)]
        places.sort(key=lambda i: (self.nodes[i].children, -self.nodes[i].score, i))
        starts: list[int] = []
        for i in places:
            cost = self._env.max_turns - self.nodes[i].depth if unit == "steps" else 1
            if len(starts) < parallel and cost <= left:
                left -= cost
                starts.append(i)
        return starts

    def grow(self, starts: Sequence[int]) -> None:
        """Play rollouts from these nodes to their ends, side by side."""
        running = [self._begin(start) for start in starts]
        begun = list(running)
        while running:
            decisions = self._policy.act([rollout.context for rollout in running])
            if len(decisions) != len(running):
                raise ValueError(f"the policy made {len(decisions)} decisions for {len(running)} contexts")
            running = [r for r, decision in zip(running, decisions, strict=True) if self._advance(r, decision)]
        for rollout in begun:
            forget = getattr(self._policy, "forget", None)
            if forget is not None:
                forget(rollout.context.episode_id)
            rollout.env.close()

    def result(self) -> CollectedTree:
        """The tree as arrays and trajectories."""
        outcome = [self._ends[i].outcome if i in self._ends else np.nan for i in range(len(self.nodes))]
        tree = TurnTree.of([node.parent for node in self.nodes], outcome)
        turns = [None, *(node.record.turns[-1] for node in self.nodes[1:])]
        return CollectedTree(tree, tuple(turns), [self._ends[int(leaf)] for leaf in tree.leaves])

    def _begin(self, start: int) -> _Rollout:
        node = self.nodes[start]
        assert node.snapshot is not None, "only nodes within reach are forked"
        twin = self._env.clone()
        twin.restore(node.snapshot)
        episode_id = f"{self._seed}-{self.rollouts}"
        if self.rollouts and self._fresh_noise:
            twin.np_random = stream(self._seed, f"{episode_id}/chance", node.depth)
        self.rollouts += 1
        record = replace(node.record, turns=list(node.record.turns))
        context = Context(
            episode_id=episode_id,
            instructions=record.instructions,
            observations=[
                *(turn.observation for turn in record.turns),
                observation_text(record.observation, record.info),
            ],
            decisions=list(node.decisions),
            admissible_actions=record.info["admissible_actions"],
            oracle=lambda: list(twin.oracle()),
        )
        if isinstance(self._policy, Remembers) and node.memory is not None:
            self._policy.recall(episode_id, node.memory)
        return _Rollout(twin, context, record, start)

    def _advance(self, rollout: _Rollout, decision: Decision) -> bool:
        """Carry out a decision; whether the rollout goes on."""
        node = self.nodes[rollout.node]
        if decision.stop_reason is not None:
            self._stop(rollout, decision.stop_reason)
            return False
        if node.children == 0:
            node.score = self._forks.score(rollout.context, decision)
        node.children += 1
        turn = rollout.record.add(decision.action, rollout.env.step(decision.action))
        turn.prompt_ids = list(decision.prompt_ids)
        turn.response_ids = list(decision.response_ids)
        turn.response_logprobs = list(decision.response_logprobs)
        turn.restarts_context = decision.restarts_context
        rollout.context.decisions.append(decision)
        rollout.context.observations.append(turn.next_observation)
        rollout.context.admissible_actions = rollout.record.info["admissible_actions"]
        ended = turn.terminated or turn.truncated
        rollout.node = self._add(rollout, ended)
        if ended:
            self._end(rollout)
        return not ended

    def _add(self, rollout: _Rollout, ended: bool) -> int:
        record = replace(rollout.record, turns=list(rollout.record.turns))
        memory = self._policy.memory(rollout.context.episode_id) if isinstance(self._policy, Remembers) else None
        node = _Node(
            parent=rollout.node,
            depth=len(record.turns),
            record=record,
            decisions=list(rollout.context.decisions),
            snapshot=None if ended or not self._forks.reach(len(record.turns)) else rollout.env.snapshot(),
            memory=memory,
            ended=ended,
        )
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _stop(self, rollout: _Rollout, reason: str) -> None:
        """The policy will not act here. A fork that stops at once has taken no turn, and leaves no trace."""
        node = self.nodes[rollout.node]
        node.ended = True
        if node.children:
            return
        if rollout.record.turns:
            rollout.record.turns[-1].truncated = True  # the node is a leaf: no other rollout has this turn
        self._end(rollout, reason)

    def _end(self, rollout: _Rollout, stop_reason: str | None = None) -> None:
        trajectory = rollout.record.trajectory()
        trajectory.env_id = self._env.spec.id if self._env.spec is not None else ""
        trajectory.episode_id = rollout.context.episode_id
        trajectory.group_id = f"{self._seed}-tree"
        trajectory.seed = self._seed
        if stop_reason is not None:
            trajectory.truncated = True
            trajectory.stop_reason = stop_reason
        self._ends[rollout.node] = trajectory


def _forkable(env: gym.Env[Any, Any]) -> TurnEnv:
    layer = env
    while isinstance(layer, (OrderEnforcing, PassiveEnvChecker)):
        layer = layer.env
    if isinstance(layer, TurnEnv):
        return layer
    bare = env.unwrapped
    if not isinstance(bare, TurnEnv):
        raise TypeError(f"env must be a TurnEnv, which can be forked, got {type(bare).__name__}")
    raise TypeError(
        f"collect_tree forks the bare environment, and {type(layer).__name__} around it would not see the forks: give "
        "it env.unwrapped and apply the reward to the trajectories of the tree"
    )


def _check(budget: int, unit: Unit, branch: Branch, branching: int, parallel: int, env: TurnEnv) -> None:
    if unit not in ("steps", "rollouts"):
        raise ValueError(f"unit must be 'steps' or 'rollouts', got {unit!r}")
    least = env.max_turns if unit == "steps" else 1
    if budget < least:
        why = f", max_turns of the environment, so that one rollout fits, got {budget}" if unit == "steps" else ""
        raise ValueError(f"budget must be at least {least}{why or f', got {budget}'}")
    if isinstance(branch, str) and branch not in ("every", "entropy"):
        raise ValueError(f"branch must be 'every', 'entropy', a list of turn indices or a function, got {branch!r}")
    if not isinstance(branch, str) and not callable(branch) and any(turn < 0 for turn in branch):
        raise ValueError(f"branch must name turns from 0 on, got {list(branch)}")
    for name, value in (("branching", branching), ("parallel", parallel)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
