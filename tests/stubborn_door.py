"""`KeyDoorEnv` that can be made to hang, die and fail, and wrappers for it. On the path of spawned workers too."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import gymnasium as gym
import numpy as np
from key_door import KeyDoorEnv

from turnwise.envs.core import Action

RELEASE = threading.Event()
"""Set by a test when environments that hang in this process may go on."""


class StubbornDoorEnv(KeyDoorEnv):
    """Obeys four more actions: hang, die, exit and bug. `deaf_reset` makes the second reset hang."""

    def __init__(self, *, deaf_reset: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deaf_reset = deaf_reset
        self.resets = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.resets += 1
        if self.deaf_reset and self.resets == 2:
            RELEASE.wait(60)
        return super().reset(seed=seed, options=options)

    def step(self, action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "hang":
            RELEASE.wait(60)
        elif action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "exit":
            sys.exit(3)
        elif action == "bug":
            raise ZeroDivisionError("a bug in the environment")
        return super().step(action)


class TextLength(gym.ObservationWrapper[Any, Any, Any]):
    """Observations as a Box: the number of characters, and of words."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gym.spaces.Box(0, 1e6, (2,), np.float32)

    def observation(self, observation: str) -> Any:
        return np.array([len(observation), len(observation.split())], np.float32)


class TextAndLength(gym.ObservationWrapper[Any, Any, Any]):
    """Observations as a Dict of a text and a Box."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        box = gym.spaces.Box(0, 1e6, (1,), np.float32)
        self.observation_space = gym.spaces.Dict({"text": env.observation_space, "length": box})

    def observation(self, observation: str) -> Any:
        return {"text": observation, "length": np.array([len(observation)], np.float32)}


class NumberedMoves(gym.ActionWrapper[Any, Any, Any]):
    """Actions as a Discrete: 0 left, 1 right."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.action_space = gym.spaces.Discrete(2)

    def action(self, action: int) -> str:
        return ("move[left]", "move[right]")[action]


class TurnRewards(gym.Wrapper[Any, Any, Any, Any]):
    """Puts an array of one number per turn into the info, as reward wrappers do."""

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, {**info, "turn_rewards": np.arange(float(info["turn"]))}
