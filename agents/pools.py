"""The ways in which environments come to `collect`, behind one interface: reset one, step one, who has answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv

from turnwise.envs.core import ToolCall
from turnwise.envs.vector import Reply, TurnVectorEnv
from turnwise.wrappers.group import member_info
from turnwise.wrappers.needs import milestones_of


class Pool(Protocol):
    """Environments by index."""

    num_envs: int
    group_size: int
    """Consecutive environments that always begin the same task together."""
    env_id: str
    own_pace: bool
    """Whether an environment can go on while others wait for their action."""

    def instructions(self, index: int) -> str:
        """The system prompt of one environment."""
        ...

    def milestones(self, index: int) -> dict[str, str]:
        """What one environment declares of them, see `TurnEnv.milestones`."""
        ...

    def oracle(self, index: int) -> Callable[[], list[ToolCall]] | None:
        """A function that asks one environment, which must not be under way, for the rest of the solution."""
        ...

    def reset(self, index: int, seed: int, task_id: str | None) -> None:
        """Begin an episode in one environment."""
        ...

    def step(self, index: int, action: str) -> None:
        """Hand one environment an action."""
        ...

    def replies(self, timeout: float | None = None) -> list[Reply]:
        """What has been answered since; waits until something has, or `timeout` (seconds) is over."""
        ...


def open_pool(envs: Any) -> Pool:
    """The pool of an environment, a sequence of them, a `TurnVectorEnv` or any Gymnasium vector environment.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(envs, TurnVectorEnv):
        return ReadySetPool(envs)
    if isinstance(envs, VectorEnv):
        return LockstepPool(envs)
    members = [envs] if isinstance(envs, gym.Env) else list(envs) if isinstance(envs, Sequence) else []
    if not members or not all(isinstance(env, gym.Env) for env in members):
        raise TypeError(f"envs must be a gym.Env, a sequence of them or a VectorEnv, got {type(envs).__name__}")
    return LocalPool(members)


class LocalPool:
    """Environments in this thread, stepped at once."""

    group_size = 1
    own_pace = True

    def __init__(self, envs: Sequence[gym.Env[Any, Any]]) -> None:
        self.num_envs = len(envs)
        self.env_id = _env_id(envs[0])
        self._envs = envs
        self._replies: list[Reply] = []

    def instructions(self, index: int) -> str:
        """See `Pool`."""
        return str(self._envs[index].get_wrapper_attr("instructions"))

    def milestones(self, index: int) -> dict[str, str]:
        """See `Pool`."""
        return milestones_of(self._envs[index])

    def oracle(self, index: int) -> Callable[[], list[ToolCall]]:
        """See `Pool`."""
        return lambda: list(self._envs[index].get_wrapper_attr("oracle")())

    def reset(self, index: int, seed: int, task_id: str | None) -> None:
        """See `Pool`."""
        observation, info = self._envs[index].reset(seed=seed, options=_options(task_id))
        self._replies.append(Reply(index, observation, 0.0, False, False, info))

    def step(self, index: int, action: str) -> None:
        """See `Pool`."""
        observation, reward, terminated, truncated, info = self._envs[index].step(action)
        self._replies.append(Reply(index, observation, float(reward), terminated, truncated, info))

    def replies(self, timeout: float | None = None) -> list[Reply]:
        """See `Pool`."""
        replies, self._replies = self._replies, []
        return replies


class ReadySetPool:
    """A `TurnVectorEnv`, each environment at its own pace."""

    own_pace = True

    def __init__(self, envs: TurnVectorEnv) -> None:
        self.num_envs = envs.num_envs
        self.group_size = envs.group_size
        self.env_id = _env_id(envs)
        self._envs = envs
        self._instructions: str | None = None
        self._milestones: dict[str, str] | None = None

    def instructions(self, index: int) -> str:
        """See `Pool`. The same for all environments of an id, so it is asked for once."""
        if self._instructions is None:
            self._instructions = str(self._envs.call_one(index, "instructions"))
        return self._instructions

    def milestones(self, index: int) -> dict[str, str]:
        """See `Pool`. The same for all environments of an id, like the instructions."""
        if self._milestones is None:
            self._milestones = dict(self._envs.call_one(index, "milestones"))
        return self._milestones

    def oracle(self, index: int) -> Callable[[], list[ToolCall]]:
        """See `Pool`."""
        return lambda: list(self._envs.call_one(index, "oracle"))

    def reset(self, index: int, seed: int, task_id: str | None) -> None:
        """See `Pool`."""
        self._envs.send_reset(index, seed=seed, options=_options(task_id))

    def step(self, index: int, action: str) -> None:
        """See `Pool`."""
        self._envs.send(index, action)

    def replies(self, timeout: float | None = None) -> list[Reply]:
        """See `Pool`."""
        return list(self._envs.recv(timeout))


class LockstepPool:
    """Any Gymnasium vector environment: episodes begin together, and the next ones when all of them are over.

    An environment that ends early is carried along with empty actions, which nobody reads the answer to.
    """

    own_pace = False

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self.num_envs = envs.num_envs
        self.group_size = int(getattr(envs.unwrapped, "group_size", 1))
        self.env_id = _env_id(envs)
        self._envs = envs
        self._mode = AutoresetMode(envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self._resets: dict[int, tuple[int, str | None]] = {}
        self._actions: dict[int, str] = {}
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)

    def instructions(self, index: int) -> str:
        """See `Pool`."""
        return str(self._envs.unwrapped.get_attr("instructions")[index])  # type: ignore[attr-defined]

    def milestones(self, index: int) -> dict[str, str]:
        """See `Pool`. All members are of one id."""
        return milestones_of(self._envs)

    def oracle(self, index: int) -> Callable[[], list[ToolCall]] | None:
        """See `Pool`. Not with members in other processes, as of `AsyncVectorEnv`: a generator cannot leave its own."""
        base = self._envs.unwrapped
        if isinstance(base, TurnVectorEnv):
            return lambda: list(base.call_one(index, "oracle"))
        members = getattr(base, "envs", None)
        return None if members is None else lambda: list(members[index].get_wrapper_attr("oracle")())

    def reset(self, index: int, seed: int, task_id: str | None) -> None:
        """See `Pool`."""
        self._resets[index] = (seed, task_id)

    def step(self, index: int, action: str) -> None:
        """See `Pool`."""
        self._actions[index] = action

    def replies(self, timeout: float | None = None) -> list[Reply]:
        """See `Pool`."""
        return self._step() if self._actions else self._begin()

    def _begin(self) -> list[Reply]:
        if isinstance(self._envs.unwrapped, AsyncVectorEnv) and self._ended.any():
            # Gymnasium 1.4: without shared memory, a worker whose episode had ended resets once more in the step after
            # an explicit reset, and the episode that it was asked for is lost. Let it do so now.
            self._envs.reset()
            self._envs.step(("",) * self.num_envs)
        task_ids = {task_id for _, task_id in self._resets.values()}
        if len(task_ids) > 1:
            raise ValueError(
                f"a lockstep vector environment takes one task_id for all members, got {len(task_ids)} ids"
            )
        seeds = [self._resets[i][0] if i in self._resets else None for i in range(self.num_envs)]
        observations, infos = self._envs.reset(seed=seeds, options=_options(task_ids.pop()))  # type: ignore[arg-type]
        begun, self._resets = list(self._resets), {}
        self._ended[:] = False
        return [Reply(i, observations[i], 0.0, False, False, member_info(infos, i)) for i in begun]

    def _step(self) -> list[Reply]:
        if self._mode is AutoresetMode.DISABLED and self._ended.any():
            self._envs.reset(options={"reset_mask": self._ended.copy()})
        actions = tuple(self._actions.get(i, "") for i in range(self.num_envs))
        observations, rewards, terminated, truncated, infos = self._envs.step(actions)
        moved, self._actions = list(self._actions), {}
        self._ended = np.logical_or(terminated, truncated)
        replies = []
        for i in moved:
            observation, info = observations[i], infos
            if self._ended[i] and self._mode is AutoresetMode.SAME_STEP:
                observation, info = infos["final_obs"][i], infos["final_info"]
            ended = bool(terminated[i]), bool(truncated[i])
            replies.append(Reply(i, observation, float(rewards[i]), *ended, member_info(info, i)))
        return replies


def _options(task_id: str | None) -> dict[str, Any] | None:
    return None if task_id is None else {"task_id": task_id}


def _env_id(env: Any) -> str:
    spec = getattr(env, "spec", None) or getattr(env.unwrapped, "spec", None)
    return str(spec.id) if spec is not None else type(env.unwrapped).__name__
