"""`collect`: play episodes with a policy, as many at a time as there are environments."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from turnwise.agents.policy import Context, Decision, Policy, StreamingPolicy
from turnwise.agents.pools import Pool, open_pool
from turnwise.agents.seeding import derived_seed
from turnwise.envs.vector import Reply
from turnwise.rewards.trajectory import Trajectory
from turnwise.wrappers.record import EpisodeRecord, observation_text


def collect(
    policy: Policy,
    envs: Any,
    episodes: int,
    *,
    seed: int | None = None,
    task_ids: Sequence[str] | None = None,
    group_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_trajectory: Callable[[Trajectory], None] | None = None,
) -> list[Trajectory]:
    """Play episodes and return them in the order of their numbers, whatever the timing.

    In each round one `policy.act` answers all environments that are ready. With a `TurnVectorEnv` a slow or dead
    environment delays only itself; other vector environments go in lockstep. A `StreamingPolicy` is given contexts as
    they get ready, and its answers are sent on as they come.

    Args:
        policy: Who acts.
        envs: A Gymnasium environment, a sequence of them, a `TurnVectorEnv` or any vector environment. All of one id.
        episodes: How many; with groups a multiple of the group's size.
        seed: Episodes (with groups: groups) get seeds derived from it. None takes a fresh one. Either way it stands
            in `Trajectory.seed`.
        task_ids: The tasks of the episodes (with groups: of the groups), from the start again when they run out.
            None lets the environment draw them.
        group_size: Consecutive episodes that begin the same task with the same seed. Default: the vector
            environment's own, else 1.
        progress: Called with (finished, all) whenever an episode has ended.
        on_trajectory: Called with each trajectory when its episode has ended: in the order of ending.

    Returns:
        Exactly `episodes` trajectories; those of a group lie together and share their `group_id`.

    Raises:
        ValueError: The number of episodes or the group's size does not fit.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.agents import OraclePolicy, collect
    >>> env = gym.make("turnwise/WebShop-v0", products=100)
    >>> [trajectory.outcome for trajectory in collect(OraclePolicy(), env, 2, seed=0)]
    [1.0, 1.0]
    """
    pool = open_pool(envs)
    size = group_size or pool.group_size
    _check(episodes, size, pool, task_ids)
    base = secrets.randbits(32) if seed is None else seed
    collection = _Collection(policy, pool, _starts(episodes, size, base, task_ids))
    for count, trajectory in enumerate(collection.run(), start=1):
        if on_trajectory is not None:
            on_trajectory(trajectory)
        if progress is not None:
            progress(count, episodes)
    return [collection.finished[number] for number in range(episodes)]


POLL = 0.005
"""Seconds to wait for a policy while environments are under way, and the other way round."""


class _Start:
    """How one episode begins."""

    def __init__(self, number: int, size: int, base: int, task_ids: Sequence[str] | None) -> None:
        group = number // size
        self.number = number
        self.seed = derived_seed(base, group)
        self.task_id = task_ids[group % len(task_ids)] if task_ids else None
        self.episode_id = f"{base}-{number}"
        self.group_id = f"{base}-g{group}" if size > 1 else ""


def _starts(episodes: int, size: int, base: int, task_ids: Sequence[str] | None) -> deque[_Start]:
    return deque(_Start(number, size, base, task_ids) for number in range(episodes))


class _Episode:
    """One running episode: what its policy sees, and what is kept of it."""

    def __init__(self, start: _Start, reply: Reply, pool: Pool) -> None:
        instructions = pool.instructions(reply.index)
        self.start = start
        self.env_id = pool.env_id
        self.record = EpisodeRecord(reply.observation, reply.info, instructions, pool.milestones(reply.index))
        self.context = Context(
            episode_id=start.episode_id,
            instructions=instructions,
            observations=[observation_text(reply.observation, reply.info)],
            admissible_actions=reply.info.get("admissible_actions"),
            oracle=pool.oracle(reply.index),
        )

    def add(self, decision: Decision, reply: Reply) -> None:
        result = (reply.observation, reply.reward, reply.terminated, reply.truncated, reply.info)
        turn = self.record.add(decision.action, result)
        turn.prompt_ids = list(decision.prompt_ids)
        turn.response_ids = list(decision.response_ids)
        turn.response_logprobs = list(decision.response_logprobs)
        turn.restarts_context = decision.restarts_context
        self.context.decisions.append(decision)
        self.context.observations.append(turn.next_observation)
        self.context.admissible_actions = reply.info.get("admissible_actions")

    def trajectory(self, stop_reason: str | None = None) -> Trajectory:
        """The episode so far; `stop_reason` says why its policy could not go on."""
        trajectory = self.record.trajectory()
        trajectory.env_id = self.env_id
        trajectory.episode_id = self.start.episode_id
        trajectory.group_id = self.start.group_id
        trajectory.seed = self.start.seed
        trajectory.turn_rewards = _floats(self.record.info.get("turn_rewards"))
        trajectory.turn_advantages = _floats(self.record.info.get("turn_advantages"))
        if stop_reason is not None:
            trajectory.truncated = True
            trajectory.stop_reason = stop_reason
            if trajectory.turns:
                trajectory.turns[-1].truncated = True
        return trajectory


class _Collection:
    """The loop: hand out starts, gather replies, ask the policy for all that are ready, hand out actions.

    A streaming policy is asked and answers in the same rounds; only who waits for whom differs.
    """

    def __init__(self, policy: Policy, pool: Pool, starts: deque[_Start]) -> None:
        self._policy = policy
        self._pool = pool
        self._starts = starts
        self._begun: dict[int, _Start] = {}
        self._running: dict[int, _Episode] = {}
        self._decided: dict[int, Decision] = {}
        self._latest: dict[int, _Episode] = {}
        self._asked: dict[str, int] = {}
        self._streaming = policy if isinstance(policy, StreamingPolicy) and pool.own_pace else None
        self.finished: dict[int, Trajectory] = {}

    def run(self) -> Iterator[Trajectory]:
        """Yield trajectories as their episodes end; `finished` has them by number."""
        for first in range(0, self._pool.num_envs, self._pool.group_size):
            self._begin(first)
        try:
            while self._begun or self._running:
                ready: list[int] = []
                for reply in self._replies():
                    if self._receive(reply):
                        yield self._finish(reply.index)
                    else:
                        ready.append(reply.index)
                yield from self._decide(sorted(ready))
        finally:
            for index in self._asked.values():  # an interrupted collection leaves no questions behind
                self._forget(self._running[index])

    def _replies(self) -> list[Reply]:
        if not self._asked:
            return self._pool.replies()
        return self._pool.replies(0.0) if self._under_way else []

    @property
    def _under_way(self) -> bool:
        """Whether an environment is to answer."""
        return bool(self._begun or self._decided)

    def _begin(self, index: int) -> None:
        """Begin the next episodes in the group of environments that `index` belongs to, once all of it is idle."""
        size = self._pool.group_size
        first = index - index % size
        members = range(first, first + size)
        if not self._starts or any(i in self._begun or i in self._running for i in members):
            return
        for member in members:
            start = self._begun[member] = self._starts.popleft()
            self._pool.reset(member, start.seed, start.task_id)

    def _receive(self, reply: Reply) -> bool:
        """Note down a reply, and whether the episode is over."""
        start = self._begun.pop(reply.index, None)
        if start is not None:
            self._running[reply.index] = self._latest[reply.index] = _Episode(start, reply, self._pool)
        else:
            self._running[reply.index].add(self._decided.pop(reply.index), reply)
        return reply.terminated or reply.truncated

    def _decide(self, ready: Sequence[int]) -> Iterator[Trajectory]:
        contexts = [self._running[index].context for index in ready]
        if self._streaming is not None:
            yield from self._stream(self._streaming, contexts, ready)
        elif contexts:
            decisions = self._policy.act(contexts)
            if len(decisions) != len(contexts):
                raise ValueError(f"the policy made {len(decisions)} decisions for {len(contexts)} contexts")
            for index, decision in zip(ready, decisions, strict=True):
                yield from self._act(index, decision)

    def _stream(
        self, policy: StreamingPolicy, contexts: Sequence[Context], ready: Sequence[int]
    ) -> Iterator[Trajectory]:
        """Ask what is ready, and send on what has been answered meanwhile."""
        if contexts:
            policy.submit(contexts)
            self._asked |= {context.episode_id: index for context, index in zip(contexts, ready, strict=True)}
        if self._asked:
            for episode_id, decision in policy.decided(POLL if self._under_way else None):
                yield from self._act(self._asked.pop(episode_id), decision)

    def _act(self, index: int, decision: Decision) -> Iterator[Trajectory]:
        if decision.stop_reason is None:
            self._decided[index] = decision
            self._pool.step(index, decision.action)
        else:
            yield self._finish(index, decision.stop_reason)

    def _forget(self, episode: _Episode) -> None:
        forget = getattr(self._policy, "forget", None)
        if forget is not None:
            forget(episode.start.episode_id)

    def _finish(self, index: int, stop_reason: str | None = None) -> Trajectory:
        episode = self._running.pop(index)
        self._forget(episode)
        number = episode.start.number
        trajectory = self.finished[number] = episode.trajectory(stop_reason)
        self._share_credit(number, episode.record.info.get("group_credit", ()))
        self._begin(index)
        return trajectory

    def _share_credit(self, number: int, credits: Sequence[Mapping[str, Any]]) -> None:
        """Give the members of a complete group their advantages, also those whose last step came before it was."""
        for entry in credits:
            if self._pool.num_envs == 1:  # a group wrapper there counts positions in the group
                member = number - len(credits) + 1 + entry["member"]
            else:
                member = self._latest[entry["member"]].start.number
            self.finished[member].turn_advantages = _floats(entry["turn_advantages"])


def _floats(values: Any) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _check(episodes: int, size: int, pool: Pool, task_ids: Sequence[str] | None) -> None:
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    if size < 1 or episodes % size:
        raise ValueError(f"episodes must be a multiple of the group size {size}, got {episodes}")
    if pool.group_size not in (1, size):
        raise ValueError(f"group_size is {size}, but the vector environment was made with groups of {pool.group_size}")
    if isinstance(task_ids, str) or (task_ids is not None and not task_ids):
        raise ValueError(f"task_ids must be a list of at least one task id or None, got {task_ids!r}")
