"""G-RA: step rewards count only in episodes whose outcome reached a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np

from turnwise.rewards.credit.gated import open_gates
from turnwise.rewards.protocols import FloatArray, TurnReward
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.wrappers.base import (
    TurnRewardWrapper,
    TurnWrapper,
    add_term,
    add_turn_term,
    begin_reward,
    finite,
    non_empty,
    record_arguments,
)

StepRewards: TypeAlias = Mapping[str, TurnReward] | Sequence[str]
"""The step rewards of one level: by name, or names of reward terms that are logged already."""


class GatedRewardAccumulation(TurnWrapper):
    """Logs step rewards when they are earned, and pays them at the end if the outcome opened the gate (G-RA).

    The outcome is always paid. The step rewards of all turns are paid with the last step, or not at all;
    `info["turn_rewards"]` puts each in the turn that earned it, `info["gate_open"]` says whether they counted, and
    `info["turn_terms"]["gated"]` is what was added to each turn. An episode that runs out of turns has the outcome that
    it has earned, which is 0 in most environments.

    With several levels of step rewards, from the highest priority to the lowest, each counts only where the outcome and
    the sums of all levels above it reached their thresholds: `sum_j R_j * prod over higher k of 1[R_k >= threshold_k]`.
    `info["gate_open"]` is then the outcome's gate, and `info["open_levels"]` the number of levels that counted.

    Args:
        env: A `TurnEnv`, wrapped or not.
        threshold: What the outcome must reach. None opens the gate always: direct accumulation (D-RA), the paper's
            baseline. Published values are not known, so there is no default. With several levels one for each: what the
            level above it (for the first: the outcome) must reach.
        turn_rewards: Step rewards by name, logged as reward terms of that name; or names of reward terms that the
            environment or an inner wrapper of weight 0 logs. A turn without a term has 0 of it. A list of such
            mappings or lists makes several levels.
        outcome: The outcome reward of an episode, for example `OutcomeLevels`: paid with the last step in place of what
            the environment pays (which stays in `reward_terms["outcome"]`, and must not have been replaced by an inner
            wrapper). Default: the environment's own.
        inclusive: Gates open at the threshold (>=); False: only above it (>).
        name: Name of what was paid in `info["turn_terms"]`.

    Raises:
        ValueError: No step reward is named, one is named or paid twice, or there is not one threshold for each level.

    Source: Gated Reward Accumulation (arXiv 2508.10548). Provenance: unverified (the rule is the abstract's; the
    comparison at equality and the levels of software engineering come from secondary sources).

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> rewards = {"valid": lambda turn: 0.1 * turn.valid}
    >>> env = GatedRewardAccumulation(env, threshold=0.5, turn_rewards=rewards)
    >>> _ = env.reset(seed=0)
    >>> paid = [env.step(call)[1] for call in list(env.unwrapped.oracle())]
    >>> info = env.episode.info
    >>> info["gate_open"], sum(paid[:-1]), round(paid[-1] - 0.1 * len(paid), 6), info["turn_rewards"][0]
    (True, 0.0, 1.0, 0.1)

    On `turnwise/SWE-v0` an example with numbers of our own, which are no recommendation; no submission and an empty
    patch leave the gate closed:

        levels = OutcomeLevels({"submitted": -0.5, "patched": 0.0, "resolved": 1.0}, none=-1.0)
        steps = {"looked": ToolOrderReward("view", "edit", 0.1), "format": ActionFormatReward(valid=0.01, invalid=0.0)}
        env = GatedRewardAccumulation(env, outcome=levels, threshold=levels["patched"], turn_rewards=steps)
    """

    settles = True

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        threshold: float | Sequence[float | None] | None,
        turn_rewards: StepRewards | Sequence[StepRewards],
        outcome: Callable[[Trajectory], float] | None = None,
        inclusive: bool = True,
        name: str = "gated",
    ) -> None:
        record_arguments(
            self, threshold=threshold, turn_rewards=turn_rewards, outcome=outcome, inclusive=inclusive, name=name
        )
        super().__init__(env)
        self.name = non_empty(name)
        levels = _levels(turn_rewards)
        self.names = tuple(tuple(level) for level in levels)
        self.turn_rewards = {
            name: reward for level in levels if isinstance(level, Mapping) for name, reward in level.items()
        }
        self.thresholds = _thresholds(threshold, len(levels))
        self.outcome = outcome
        self.inclusive = inclusive
        every = [name for level in self.names for name in level]
        if twice := sorted({name for name in every if every.count(name) > 1}):
            raise ValueError(f"turn_rewards name {twice} twice")
        _refuse_paid_twice(env, set(every) - set(self.turn_rewards), outcome is not None)

    def begin(self) -> None:
        """Tell the step rewards of the new task, if they listen."""
        for reward in self.turn_rewards.values():
            begin_reward(reward, self.episode)

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """Log the step rewards; nothing is paid yet."""
        for name, reward in self.turn_rewards.items():
            value = finite(reward(turn), name)
            add_term(info, name, value)
            turn.channels[name] = value
        return 0.0

    def settle(self, trajectory: Trajectory, rewards: FloatArray) -> FloatArray:
        """The rewards so far and, through open gates, the step rewards."""
        settled = rewards if self.outcome is None else self._with_outcome(trajectory, rewards, self.outcome)
        steps = np.array([_sums(trajectory, names) for names in self.names])
        outcome = trajectory.outcome if self.outcome is None else self.outcome(trajectory)
        totals = np.array([outcome, *steps.sum(axis=1)])
        gates = open_gates(totals, self.thresholds, "inclusive" if self.inclusive else "strict")[1:]
        added: FloatArray = np.where(gates[:, None], steps, 0.0).sum(axis=0)
        self.episode.info["gate_open"] = bool(gates[0])
        if len(gates) > 1:
            self.episode.info["open_levels"] = int(gates.sum())
        add_turn_term(self.episode.info, self.name, added)
        total: FloatArray = settled + added
        return total

    def _with_outcome(
        self, trajectory: Trajectory, rewards: FloatArray, outcome: Callable[[Trajectory], float]
    ) -> FloatArray:
        """(T,) rewards with this outcome in the last turn, in place of what the environment paid."""
        settled: FloatArray = rewards - np.array([turn.outcome for turn in trajectory.turns])
        settled[-1] += finite(outcome(trajectory), "outcome")
        return settled


def _levels(turn_rewards: StepRewards | Sequence[StepRewards]) -> list[StepRewards]:
    """The levels, from the highest priority to the lowest."""
    several = not isinstance(turn_rewards, (str, Mapping)) and not all(isinstance(entry, str) for entry in turn_rewards)
    levels: list[Any] = list(turn_rewards) if several else [turn_rewards]
    levels = [[level] if isinstance(level, str) else level for level in levels]
    if not all(levels):
        raise ValueError("turn_rewards must name at least one step reward a level")
    return levels


def _thresholds(threshold: float | Sequence[float | None] | None, levels: int) -> list[float]:
    given = list(threshold) if isinstance(threshold, Sequence) else [threshold]
    if len(given) != levels:
        raise ValueError(f"threshold must hold {levels} numbers, one for each level of turn_rewards, got {threshold!r}")
    return [-np.inf if value is None else float(value) for value in given]


def _sums(trajectory: Trajectory, names: Sequence[str]) -> list[float]:
    """What each turn earned of these terms, all together."""
    return [sum(turn.channels.get(name, 0.0) for name in names) for turn in trajectory.turns]


def _refuse_paid_twice(env: gym.Env[Any, Any], names: set[str], outcome: bool) -> None:
    while isinstance(env, gym.Wrapper):
        if outcome and isinstance(env, GatedRewardAccumulation) and env.outcome is not None:
            raise ValueError("outcome is replaced already by an inner GatedRewardAccumulation; give one of them only")
        if isinstance(env, TurnRewardWrapper) and env.name in names and env.weight != 0.0:
            raise ValueError(
                f"reward term {env.name!r} is paid already by an inner TurnRewardWrapper of weight {env.weight}; "
                "give that one weight=0, so that it only logs the term"
            )
        env = env.env
