"""From a Gymnasium id to a `TurnVectorEnv`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from turnwise.envs.vector.env import TurnVectorEnv
from turnwise.envs.vector.groups import EnvWrapper


def make_vector_env(
    id: str,
    num_envs: int,
    *,
    group_size: int = 1,
    backend: str = "sync",
    wrappers: Sequence[EnvWrapper] = (),
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    step_timeout: float | None = None,
    **env_kwargs: Any,
) -> TurnVectorEnv:
    """Make `num_envs` environments of one id.

    Args:
        id: A Gymnasium id; `module:id` imports the module first.
        num_envs: How many.
        group_size: See `TurnVectorEnv`, as for the arguments that follow.
        backend: `sync`, `thread`, `process` or `ray`.
        wrappers: Put on each environment, in this order.
        autoreset_mode: When an environment that has ended is reset in lockstep.
        step_timeout: Seconds that an environment may take to answer.
        env_kwargs: For `gym.make`.

    Raises:
        gymnasium.error.Error: There is no such id.
        ValueError: An argument is out of its range; the message names it.
    """
    if num_envs < 1:
        raise ValueError(f"num_envs must be at least 1, got {num_envs}")
    # The spec, not the id: a new process knows only the ids that its imports registered.
    spec = _find_spec(id)
    make = partial(gym.make, spec, disable_env_checker=True, **env_kwargs)
    envs = TurnVectorEnv(
        [make] * num_envs,
        group_size=group_size,
        backend=backend,
        wrappers=wrappers,
        autoreset_mode=autoreset_mode,
        step_timeout=step_timeout,
    )
    envs.spec = spec
    return envs


def _find_spec(id: str) -> EnvSpec:
    module, _, name = id.rpartition(":")
    if module:
        importlib.import_module(module)
    return gym.spec(name)
