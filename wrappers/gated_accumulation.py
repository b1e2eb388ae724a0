"""G-RA: step rewards count only in episodes whose outcome reached a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

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


class GatedRewardAccumulation(TurnWrapper):
    """Logs step rewards when they are earned, and pays them at the end if the outcome opened the gate (G-RA).

    What the wrapped environment pays (the outcome) is always paid. The step rewards of all turns are paid with the last
    step, or not at all; `info["turn_rewards"]` puts each in the turn that earned it, `info["gate_open"]` says whether
    they counted, and `info["turn_terms"]["gated"]` is what was added to each turn. An episode that runs out of turns
    has the outcome that it has earned, which is 0 in most environments.

    Args:
        env: A `TurnEnv`, wrapped or not.
        threshold: What the outcome (`Trajectory.outcome`) must reach. None opens the gate always: direct accumulation
            (D-RA), the paper's baseline. Published values are not known, so there is no default.
        turn_rewards: Step rewards by name, logged as reward terms of that name; or names of reward terms that the
            environment or an inner wrapper of weight 0 logs. A turn without a term has 0 of it.
        inclusive: The gate opens at the threshold (>=); False: only above it (>).
        name: Name of what was paid in `info["turn_terms"]`; give each a name where several levels are stacked.

    Raises:
        ValueError: No step reward is named, or one is paid by an inner wrapper already.

    Source: Gated Reward Accumulation (arXiv 2508.10548). Provenance: unverified (the rule is the abstract's; the
    comparison at equality comes from a secondary source).

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> rewards = {"valid": lambda turn: 0.1 * turn.valid}
    >>> env = GatedRewardAccumulation(env, threshold=0.5, turn_rewards=rewards)
    >>> _ = env.reset(seed=0)
    >>> paid = [env.step(call)[1] for call in list(env.unwrapped.oracle())]
    >>> info = env.episode.info
    >>> info["gate_open"], sum(paid[:-1]), round(paid[-1] - 0.1 * len(paid), 6), info["turn_rewards"][0]
    (True, 0.0, 1.0, 0.1)
    """

    settles = True

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        threshold: float | None,
        turn_rewards: Mapping[str, TurnReward] | Sequence[str],
        inclusive: bool = True,
        name: str = "gated",
    ) -> None:
        record_arguments(self, threshold=threshold, turn_rewards=turn_rewards, inclusive=inclusive, name=name)
        super().__init__(env)
        self.name = non_empty(name)
        self.names = (turn_rewards,) if isinstance(turn_rewards, str) else tuple(turn_rewards)
        if not self.names:
            raise ValueError("turn_rewards must name at least one step reward")
        self.turn_rewards = dict(turn_rewards) if isinstance(turn_rewards, Mapping) else {}
        self.threshold = threshold
        self.inclusive = inclusive
        _refuse_paid_twice(env, set(self.names) - set(self.turn_rewards))

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
        """The rewards so far and, through an open gate, the step rewards."""
        steps = np.array([sum(turn.channels.get(name, 0.0) for name in self.names) for turn in trajectory.turns])
        gate_open = self._opens(trajectory.outcome)
        added = steps if gate_open else np.zeros_like(steps)
        self.episode.info["gate_open"] = gate_open
        add_turn_term(self.episode.info, self.name, added)
        settled: FloatArray = rewards + added
        return settled

    def _opens(self, outcome: float) -> bool:
        if self.threshold is None:
            return True
        return outcome >= self.threshold if self.inclusive else outcome > self.threshold


def _refuse_paid_twice(env: gym.Env[Any, Any], names: set[str]) -> None:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, TurnRewardWrapper) and env.name in names and env.weight != 0.0:
            raise ValueError(
                f"reward term {env.name!r} is paid already by an inner TurnRewardWrapper of weight {env.weight}; "
                "give that one weight=0, so that it only logs the term"
            )
        env = env.env
