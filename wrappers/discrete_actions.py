"""`DiscreteActions`: the admissible actions as `Discrete(max_actions)` with a mask, for learners without a language."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from turnwise.envs.core import TurnEnv
from turnwise.wrappers.needs import MissingRequirementError, require


class DiscreteActions(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Action i is the i-th of `info["admissible_actions"]`.

    `info["action_mask"]` (max_actions,) bool says which indices stand for something; `action_masks()` gives the same to
    sb3-contrib's MaskablePPO. An index that stands for nothing is an invalid action: the environment gets the empty
    text, says so, and the turn counts. `info["action_text"]` is what was sent.

    Where more actions are admissible than there are indices, the first ones are offered and
    `info["actions_left_out"]` says how many are not.

    Args:
        env: An environment that lists its admissible actions.
        max_actions: Size of the action space.

    Raises:
        MissingRequirementError: The environment does not list its admissible actions.
        ValueError: `max_actions` is smaller than 1.

    >>> import gymnasium as gym, turnwise
    >>> env = DiscreteActions(gym.make("turnwise/WebShop-v0", products=50), max_actions=16)
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step(0)
    >>> info["action_text"] .startswith("search["), env.action_space, bool(info["action_mask"].any())
    (True, Discrete(16), True)
    """

    def __init__(self, env: gym.Env[Any, Any], max_actions: int) -> None:
        if max_actions < 1:
            raise ValueError(f"max_actions must be at least 1, got {max_actions}")
        gym.utils.RecordConstructorArgs.__init__(self, max_actions=max_actions)
        gym.Wrapper.__init__(self, env)
        lists = getattr(type(env.unwrapped), "admissible_actions", None) not in (None, TurnEnv.admissible_actions)
        require("DiscreteActions", env, {"admissible_actions"}, admissible_actions=lists)
        self.max_actions = max_actions
        self.action_space = gym.spaces.Discrete(max_actions)
        self.offered: tuple[str, ...] = ()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._offer(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take the action that an index stands for.

        Raises:
            ValueError: The index is outside the action space.
        """
        index = int(action)
        if not 0 <= index < self.max_actions:
            raise ValueError(f"action must be an index in [0, {self.max_actions}), got {action!r}")
        text = self.offered[index] if index < len(self.offered) else ""
        observation, reward, terminated, truncated, info = self.env.step(text)
        info["action_text"] = text
        return observation, reward, terminated, truncated, self._offer(info)

    def action_masks(self) -> NDArray[np.bool_]:
        """(max_actions,) whether each index stands for an action now."""
        return np.arange(self.max_actions) < len(self.offered)

    def _offer(self, info: dict[str, Any]) -> dict[str, Any]:
        admissible = info["admissible_actions"]
        if admissible is None:
            raise MissingRequirementError(
                f"DiscreteActions needs admissible actions, but task {info['task_id']!r} lists none in this state"
            )
        self.offered = tuple(admissible[: self.max_actions])
        info["action_mask"] = self.action_masks()
        info["actions_left_out"] = len(admissible) - len(self.offered)
        return info
