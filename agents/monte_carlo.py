"""True values where no arithmetic gives them: fork the environment and play the rest many times."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from turnwise.agents.policy import Context, Decision, Policy
from turnwise.agents.seeding import derived_seed
from turnwise.agents.stand_ins import Case, Exploration
from turnwise.envs.core import Snapshot, TurnEnv
from turnwise.rewards.batch import FloatArray, TurnBatch

Bonus = Callable[[Mapping[str, Any]], float]
"""The turn reward that a rule would pay, from the `info` of a step."""


@runtime_checkable
class Remembers(Protocol):
    """A policy that has something in mind beside the context; a fork of an episode takes a copy of it along."""

    def memory(self, episode_id: str) -> Hashable:
        """What it has in mind in an episode."""
        ...

    def recall(self, episode_id: str, memory: Any) -> None:
        """Have that in mind in another episode."""
        ...


class Moment(NamedTuple):
    """Where a rollout goes on from: the environment, and what the policy has in mind."""

    snapshot: Snapshot
    memory: Hashable = None


@dataclass(frozen=True)
class MonteCarloValues:
    """Values of K moments, from rollouts.

    Attributes:
        mean: (K,) mean outcome.
        standard_error: (K,) of that mean; NaN for a single rollout.
        rollouts: How many each mean is over.
    """

    mean: FloatArray
    standard_error: FloatArray
    rollouts: int


def monte_carlo_values(
    env: gym.Env[Any, Any],
    policy: Policy,
    rollouts: int,
    *,
    moments: Sequence[Moment] | None = None,
    seed: int = 0,
) -> MonteCarloValues:
    """The value of moments of an environment under a policy: the mean outcome of playing on from them.

    Each rollout runs in a clone with a random generator of its own. The policy sees the episode from the moment on and
    not what came before, so that the value is that of the state; it is asked for all rollouts of a moment at once.

    Args:
        env: A `TurnEnv`, wrapped or not; it is left as it was.
        policy: What plays on.
        rollouts: From each moment, at least 1.
        moments: K of them; default the present one.
        seed: Of all chance.

    Raises:
        ValueError: `rollouts` is smaller than 1.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.agents import OraclePolicy
    >>> env = gym.make("turnwise/WebShop-v0")
    >>> _ = env.reset(seed=0)
    >>> monte_carlo_values(env, OraclePolicy(), 2).mean.tolist()
    [1.0]
    """
    if rollouts < 1:
        raise ValueError(f"rollouts must be at least 1, got {rollouts}")
    bare = _turn_env(env)
    kept = [Moment(bare.snapshot())] if moments is None else list(moments)
    outcomes = np.array(
        [_play_on(bare, moment, policy, rollouts, derived_seed(seed, i)) for i, moment in enumerate(kept)]
    )
    outcomes = outcomes.reshape(len(kept), rollouts)
    spread = outcomes.std(axis=1, ddof=1) if rollouts > 1 else np.full(len(kept), np.nan)
    return MonteCarloValues(outcomes.mean(axis=1), spread / np.sqrt(rollouts), rollouts)


def monte_carlo_cases(
    env: gym.Env[Any, Any],
    policy: Policy,
    *,
    tasks: int = 16,
    rollouts: int = 32,
    bonus: Bonus | None = None,
) -> Callable[[int, int], Case]:
    """Cases for `run_fidelity`'s `extra`, with values by Monte Carlo from snapshots.

    Groups of episodes are played, every moment that they pass is kept, and its value is estimated from there. The value
    of an action is that of the moment it led to, which is exact where transitions are deterministic. A turn matters
    where its advantage is more than two standard errors from 0.

    Args:
        env: A `TurnEnv` with deterministic transitions, wrapped or not. Its tasks are taken in order, from one that the
            seed chooses.
        policy: What plays, and whose values these are. It must depend on the state alone, and on its memory where it
            `Remembers`.
        tasks: Groups in a case.
        rollouts: From each moment.
        bonus: A turn reward beside the outcome, for methods that need one.

    Returns:
        A function of (group size, seed).
    """
    bare = _turn_env(env)

    def make(group_size: int, seed: int) -> Case:
        first = int(np.random.default_rng([seed, 1]).integers(len(bare.tasks)))
        names = [bare.tasks[(first + i) % len(bare.tasks)] for i in range(tasks)]
        played = _Played.of(bare, policy, names, group_size, f"{seed}/play", bonus)
        explored = _Played.of(bare, policy, names, group_size, f"{seed}/explore", bonus, played.codes)
        values = monte_carlo_values(bare, policy, rollouts, moments=list(played.moments.values()), seed=seed)
        return _case(played, explored, values)

    return make


@dataclass
class _Played:
    """Played episodes, turn by turn, and the moments that they passed."""

    moments: dict[int, Moment] = field(default_factory=dict)
    codes: dict[Any, int] = field(default_factory=dict)
    anchor: list[str] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    next_state: list[int] = field(default_factory=list)
    choice: list[int] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    valid: list[bool] = field(default_factory=list)
    bonus: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    group: list[int] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        env: TurnEnv,
        policy: Policy,
        tasks: Sequence[str],
        group_size: int,
        name: str,
        bonus: Bonus | None,
        codes: dict[Any, int] | None = None,
    ) -> _Played:
        """Play a group of each task; with the codes of others, so that states and choices are named alike."""
        played = cls(codes={} if codes is None else codes)
        for group, task in enumerate(tasks):
            for member in range(group_size):
                played._episode(env, policy, task, f"{name}/{group}/{member}", bonus)
                played.group.append(group)
        return played

    def batch(self) -> TurnBatch:
        """The episodes as a batch; the bonus is the channel of that name."""
        ends = np.cumsum(self.lengths)
        outcome = [
            float(np.sum(self.reward[end - length : end])) for end, length in zip(ends, self.lengths, strict=True)
        ]
        return TurnBatch.pack(
            lengths=self.lengths,
            group=self.group,
            reward=self.reward,
            outcome=outcome,
            anchor=self.anchor,
            valid=self.valid,
            channels={"bonus": self.bonus},
        )

    def _episode(self, env: TurnEnv, policy: Policy, task: str, episode: str, bonus: Bonus | None) -> None:
        observation, info = env.reset(seed=0, options={"task_id": task})
        context, ended, length = _context(env, observation, info, episode), False, 0
        while not ended:
            state, anchor = self._moment(env, policy, context, info), info["state_hash"]
            action = policy.act([context])[0].action
            observation, reward, terminated, truncated, info = env.step(action)
            ended, length = terminated or truncated, length + 1
            _extend(context, action, observation, info)
            self.state.append(state)
            self.anchor.append(anchor)
            self.choice.append(self._code(("choice", state, action)))
            self.next_state.append(self._code(_key(info, None)) if ended else self._moment(env, policy, context, info))
            self.reward.append(float(reward))
            self.valid.append(bool(info["is_action_valid"]))
            self.bonus.append(0.0 if bonus is None else bonus(info))
        self.lengths.append(length)
        _forget(policy, context)

    def _moment(self, env: TurnEnv, policy: Policy, context: Context, info: Mapping[str, Any]) -> int:
        memory = policy.memory(context.episode_id) if isinstance(policy, Remembers) else None
        code = self._code(_key(info, memory))
        if code not in self.moments:
            self.moments[code] = Moment(env.snapshot(), memory)
        return code

    def _code(self, key: Any) -> int:
        return self.codes.setdefault(key, len(self.codes))


def _key(info: Mapping[str, Any], memory: Hashable) -> tuple[Hashable, ...]:
    # The turn limit makes the turn a part of what decides the future, though not of the state's hash.
    return info["task_id"], info["state_hash"], info["turn"], memory


def _case(played: _Played, explored: _Played, values: MonteCarloValues) -> Case:
    index = {code: i for i, code in enumerate(played.moments)}
    batch = played.batch()
    state, after = np.array(played.state), np.array(played.next_state)
    row = np.array([index[code] for code in played.state])
    next_row = np.array([index.get(code, -1) for code in played.next_state])
    ended = batch.is_last
    action_value = np.where(ended, batch.reward, values.mean[next_row])
    error = np.where(ended, 0.0, values.standard_error[next_row] ** 2) + values.standard_error[row] ** 2
    return Case(
        batch=batch,
        state=state,
        next_state=after,
        choice=np.array(played.choice),
        value=values.mean[row],
        action_value=action_value,
        tolerance=np.maximum(2.0 * np.sqrt(error), 1e-9),
        exploration=Exploration(explored.batch(), np.array(explored.choice)),
    )


def _play_on(env: TurnEnv, moment: Moment, policy: Policy, rollouts: int, seed: int) -> list[float]:
    """The outcomes of playing on from a moment, all rollouts side by side."""
    twins = [env.clone() for _ in range(rollouts)]
    starts = [twin.restore(moment.snapshot) for twin in twins]
    for number, twin in enumerate(twins):
        twin.np_random = np.random.default_rng([seed, number])
    contexts = [
        _context(twin, *start, f"{seed}/{number}")
        for number, (twin, start) in enumerate(zip(twins, starts, strict=True))
    ]
    if isinstance(policy, Remembers) and moment.memory is not None:
        for context in contexts:
            policy.recall(context.episode_id, moment.memory)
    outcomes = [0.0] * rollouts
    running = [] if moment.snapshot.ended else list(range(rollouts))
    while running:
        decisions = policy.act([contexts[i] for i in running])
        going = []
        for i, decision in zip(running, decisions, strict=True):
            if decision.stop_reason is not None:
                continue
            observation, reward, terminated, truncated, info = twins[i].step(decision.action)
            outcomes[i] += float(reward)
            _extend(contexts[i], decision.action, observation, info)
            if not (terminated or truncated):
                going.append(i)
        running = going
    for context, twin in zip(contexts, twins, strict=True):
        _forget(policy, context)
        twin.close()
    return outcomes


def _forget(policy: Policy, context: Context) -> None:
    forget = getattr(policy, "forget", None)
    if forget is not None:
        forget(context.episode_id)


def _context(env: TurnEnv, observation: Any, info: Mapping[str, Any], episode: str) -> Context:
    return Context(
        episode_id=episode,
        instructions=env.instructions,
        observations=[str(observation)],
        admissible_actions=info["admissible_actions"],
        oracle=lambda: list(env.oracle()),
    )


def _extend(context: Context, action: str, observation: Any, info: Mapping[str, Any]) -> None:
    context.decisions.append(Decision(action))
    context.observations.append(str(observation))
    context.admissible_actions = info["admissible_actions"]


def _turn_env(env: gym.Env[Any, Any]) -> TurnEnv:
    bare = env.unwrapped
    if not isinstance(bare, TurnEnv):
        raise TypeError(f"env must hold a TurnEnv, which can be forked, got {type(bare).__name__}")
    return bare
