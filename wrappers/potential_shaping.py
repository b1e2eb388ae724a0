"""Potential-based shaping: a difference of potentials, which leaves the best policy the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium as gym

from turnwise.rewards.trajectory import Turn
from turnwise.wrappers.base import TurnWrapper, add_term, finite, record_arguments

Potential: TypeAlias = Callable[[Mapping[str, Any]], float]
"""How good a state is, from the `info` that came with it (privileged record included)."""

SHAPING = "potential_shaping"


class PotentialShapingReward(TurnWrapper):
    """Adds `gamma * Phi(s') - Phi(s)` to the reward of each turn.

    `Phi` of a state in which the task has ended is 0, so that the discounted sum over an episode is `-Phi(s0)` whatever
    the agent did. Where a limit outside the task ends the episode, `Phi(s')` stays: the return is bootstrapped there.

    With `gamma=1` the terms of a whole trajectory cancel; they act through the returns of single turns only.

    Args:
        env: A `TurnEnv`, wrapped or not.
        potential: Called with each `info`, that of `reset` too.
        gamma: The discount a turn that the learner uses; another one changes what is best.

    Raises:
        ValueError: `gamma` is not in [0, 1], or a potential is not finite.

    Source: Ng, Harada and Russell (1999), Policy Invariance Under Reward Transformations.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> env = PotentialShapingReward(env, lambda info: 0.1 * info["turn"], gamma=0.5)
    >>> _ = env.reset(seed=0)
    >>> [round(env.step("search[shoes]")[1], 3) for _ in range(3)]
    [0.05, 0.0, -0.05]
    """

    def __init__(self, env: gym.Env[Any, Any], potential: Potential, gamma: float) -> None:
        if not 0.0 <= gamma <= 1.0:
            raise ValueError(f"gamma must lie in [0, 1], got {gamma!r}")
        record_arguments(self, potential=potential, gamma=gamma)
        super().__init__(env)
        self.potential = potential
        self.gamma = gamma
        self._last = 0.0

    def begin(self) -> None:
        """Evaluate the first state."""
        self._last = finite(self.potential(self.episode.info), SHAPING)

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """The shaping term of this turn."""
        after = 0.0 if turn.terminated else finite(self.potential(info), SHAPING)
        term = self.gamma * after - self._last
        self._last = after
        add_term(info, SHAPING, term)
        return term
