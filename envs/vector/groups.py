"""Groups of environments that share their start in every episode, without a word between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from turnwise.envs.vector.host import EnvFn

EnvWrapper = Callable[["gym.Env[Any, Any]"], "gym.Env[Any, Any]"]


def episode_seed(seed: int, episode: int) -> int:
    """The seed of a group's `episode`-th reset since the group was seeded; the first is the group's own seed.

    >>> episode_seed(7, 0)
    7
    >>> episode_seed(7, 1) != episode_seed(7, 2)
    True
    """
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0]) if episode else seed


class SharedStart(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Gives every member of a group the same seed in every episode, and names the group in `info["group_id"]`.

    Works under any vector environment that seeds its i-th environment with `seed + i`: a member takes its position
    off again. Environments that draw the task and all else from `np_random` then start alike. Two episodes have one
    `group_id` exactly if they have the same group, seed and number.

    Args:
        env: The environment.
        member: Position in the group, from 0.
        group: Number of the group.
        seed: The group's seed until `reset` gets one.
        episode: Number of the next episode.
        reseed: Seed also the resets that come without a seed. Without it this wrapper only names the group.

    >>> from turnwise.envs.webshop import WebShopEnv
    >>> first, second = (SharedStart(WebShopEnv(), member, group=0, seed=5) for member in (0, 1))
    >>> first.reset()[0] == second.reset()[0], first.reset()[1]["group_id"]
    (True, 'g0-e1-5')
    """

    def __init__(
        self, env: gym.Env[Any, Any], member: int, group: int, seed: int, episode: int = 0, reseed: bool = True
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self, member=member, group=group, seed=seed, episode=episode, reseed=reseed
        )
        gym.Wrapper.__init__(self, env)
        self._member, self._group, self._reseed = member, group, reseed
        self._seed, self._next_episode = seed, episode
        self._group_id = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the group's next episode, or its first of a new seed."""
        if seed is not None:
            self._seed, self._next_episode = seed - self._member, 0
        episode = self._next_episode
        self._next_episode += 1
        self._group_id = group_id(self._group, episode, self._seed)
        start = episode_seed(self._seed, episode) if self._reseed else seed
        observation, info = self.env.reset(seed=start, options=options)
        return observation, {**info, "group_id": self._group_id}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one turn."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, {**info, "group_id": self._group_id}


def group_id(group: int, episode: int, seed: int) -> str:
    """For example `g3-e0-7`: group 3's first episode since it was seeded with 7."""
    return f"g{group}-e{episode}-{seed}"


@dataclass(frozen=True)
class Member:
    """What makes one environment of a group, at the point of the sequence of episodes where it is now. Picklable.

    Attributes:
        make: Makes the bare environment.
        wrappers: Put on it, outside `SharedStart`, in this order.
        position: Position in the group.
        group: Number of the group.
        seed: The group's seed.
        episode: Number of the next episode.
        reseed: See `SharedStart`.
    """

    make: EnvFn
    wrappers: tuple[EnvWrapper, ...]
    position: int
    group: int
    seed: int
    episode: int
    reseed: bool

    def __call__(self) -> gym.Env[Any, Any]:
        """Make the environment."""
        env: gym.Env[Any, Any] = SharedStart(
            self.make(), self.position, self.group, self.seed, self.episode, self.reseed
        )
        for wrapper in self.wrappers:
            env = wrapper(env)
        return env

    def after_reset(self, seed: int | None) -> Member:
        """The same member after a reset with this group seed, or without one."""
        return replace(self, episode=self.episode + 1) if seed is None else replace(self, seed=seed, episode=1)

    def replacement(self) -> Member:
        """For a new worker: its environment has no random state to go on from, so the seeds say where it is."""
        return replace(self, reseed=True)

    @property
    def group_id(self) -> str:
        """The `group_id` of the episode that the last reset began."""
        return group_id(self.group, self.episode - 1, self.seed)


def members(env_fns: Sequence[EnvFn], wrappers: Sequence[EnvWrapper], group_size: int) -> list[Member]:
    """One `Member` for each environment; every group gets a seed of fresh entropy, until `reset` brings one.

    Raises:
        ValueError: The groups would not come out even.
    """
    if group_size < 1 or len(env_fns) % group_size:
        raise ValueError(f"group_size must divide num_envs, got group_size={group_size} and num_envs={len(env_fns)}")
    seeds = np.random.SeedSequence().generate_state(len(env_fns) // group_size)
    return [
        Member(make, tuple(wrappers), i % group_size, i // group_size, int(seeds[i // group_size]), 0, group_size > 1)
        for i, make in enumerate(env_fns)
    ]
