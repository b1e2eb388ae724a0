"""Slow actions: how long each turn took, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from turnwise.rewards.protocols import TurnReward
from turnwise.rewards.trajectory import Turn
from turnwise.wrappers.base import TurnWrapper, add_term, begin_reward, finite, non_empty, record_arguments

DURATION = "duration"


class MeasuredDuration(TurnWrapper):
    """Logs how long each `step` of what is inside took, as a reward term that is not paid.

    Wall-clock time differs from run to run: with this wrapper the reward terms of an episode are no longer the same
    each time. Its observations and outcome are. Where that matters, log a cost that the calls themselves decide:
    `TurnRewardWrapper(env, ToolUseReward({"bash": 1.0}, default=0.1), name="duration", weight=0.0)`.

    Put it directly on the environment: wrappers inside it, for example one that asks a model, are measured too.

    Args:
        env: A `TurnEnv`, wrapped or not.
        name: Name of the reward term.
        clock: Gives the time in seconds.

    >>> import gymnasium as gym, turnwise
    >>> env = MeasuredDuration(gym.make("turnwise/WebShop-v0", products=50))
    >>> _ = env.reset(seed=0)
    >>> *_, info = env.step("search[shoes]")
    >>> 0.0 < info["reward_terms"]["duration"] < 10.0
    True
    """

    def __init__(
        self, env: gym.Env[Any, Any], *, name: str = DURATION, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        record_arguments(self, name=name, clock=clock)
        super().__init__(env)
        self.name = non_empty(name)
        self.clock = clock
        self._started = 0.0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one turn and note how long it took."""
        self._started = self.clock()
        return super().step(action)

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """Log the time since the step began; nothing is paid."""
        seconds = self.clock() - self._started
        add_term(info, self.name, seconds)
        turn.channels[self.name] = seconds
        return 0.0


class ActionPrice(TurnWrapper):
    """Charges for the time or cost of each turn, beyond an allowance for the episode.

    What has been charged after turn t is `min(limit, price * max(0, c[0] + ... + c[t] - allowance))`; each turn is
    charged what it adds. Keep the most that can be charged below what success pays (`limit` does), or giving up at once
    becomes the best thing to do.

    Args:
        env: A `TurnEnv`, wrapped or not.
        price: Reward taken off for one unit of cost, for example a second.
        cost: What a turn costs: a reward term that an inner wrapper or the environment logs (a turn without it costs
            nothing), or a function of the turn, for example `ToolUseReward`.
        allowance: What an episode may use for nothing.
        limit: Most that an episode is charged, in units of the reward; None for no limit.
        name: Name of the reward term that holds the (negative) charge.

    Raises:
        ValueError: `price`, `allowance` or `limit` is negative, or a cost turns out to be negative or not finite.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> env = ActionPrice(env, 0.25, cost=lambda turn: 2.0, allowance=3.0, limit=0.5)
    >>> _ = env.reset(seed=0)
    >>> [env.step("search[shoes]")[1] for _ in range(4)]
    [0.0, -0.25, -0.25, 0.0]
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        price: float,
        *,
        cost: str | TurnReward = DURATION,
        allowance: float = 0.0,
        limit: float | None = None,
        name: str = "action_price",
    ) -> None:
        for argument, value in (("price", price), ("allowance", allowance), ("limit", limit)):
            if value is not None and not 0.0 <= value < np.inf:
                raise ValueError(f"{argument} must be a finite number >= 0, got {value!r}")
        record_arguments(self, price=price, cost=cost, allowance=allowance, limit=limit, name=name)
        super().__init__(env)
        self.price, self.cost, self.allowance = price, cost, allowance
        self.limit = np.inf if limit is None else limit
        self.name = non_empty(name)
        self._spent = self._charged = 0.0

    def begin(self) -> None:
        """A new episode has its allowance before it."""
        self._spent = self._charged = 0.0
        if not isinstance(self.cost, str):
            begin_reward(self.cost, self.episode)

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """The charge of this turn, as a negative reward."""
        cost = turn.channels.get(self.cost, 0.0) if isinstance(self.cost, str) else self.cost(turn)
        cost = finite(cost, self.name)
        if cost < 0.0:
            raise ValueError(f"{self.name}: a cost must not be negative, got {cost}")
        self._spent += cost
        charged = min(self.limit, self.price * max(0.0, self._spent - self.allowance))
        charge, self._charged = charged - self._charged, charged
        add_term(info, self.name, -charge)
        turn.channels[self.name] = -charge
        return -charge
