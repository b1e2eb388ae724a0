"""Turnwise: multi-turn environments for training LLM agents, in which every turn can be paid.

Importing this package registers the environment ids with Gymnasium and nothing more: neither an environment's
module nor torch, transformers, docker or playwright is loaded before it is used.

>>> import gymnasium as gym, turnwise
>>> "turnwise/WebShop-v0" in gym.registry
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym

from turnwise._version import __version__

if TYPE_CHECKING:
    from turnwise.envs.vector import TurnVectorEnv

__all__ = ["__version__", "make_vec"]

# The id table. String entry points: a family is imported by the first `gym.make` of its id.
_ENTRY_POINTS = {
    "turnwise/WebShop-v0": "turnwise.envs.webshop:WebShopEnv",
    "turnwise/SWE-v0": "turnwise.envs.swe:SWEEnv",
    "turnwise/Bifurcation-v0": "turnwise.envs.bifurcation:BifurcationEnv",
    "turnwise/SearchQA-v0": "turnwise.envs.search_qa:SearchQAEnv",
    "turnwise/ClaimCheck-v0": "turnwise.envs.search_qa:ClaimCheckEnv",
}

for _id, _entry_point in _ENTRY_POINTS.items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_entry_point)


def make_vec(
    id: str,
    num_envs: int,
    *,
    group_size: int = 1,
    backend: str = "sync",
    **env_kwargs: Any,
) -> TurnVectorEnv:
    """Make a vector environment whose members can also be stepped one by one, as they become ready.

    Args:
        id: A Gymnasium id of a text environment, for example `turnwise/WebShop-v0`.
        num_envs: How many environments.
        group_size: Consecutive members that always share their task and initial state. Must divide `num_envs`.
        backend: `sync` (this thread), `thread`, `process`, or `ray`.
        env_kwargs: `wrappers`, `autoreset_mode` and `step_timeout` are `TurnVectorEnv`'s; the rest goes to `gym.make`.

    >>> envs = make_vec("turnwise/WebShop-v0", 4, group_size=2)
    >>> observations, infos = envs.reset(seed=0)
    >>> observations[0] == observations[1], observations[2] == observations[3]
    (True, True)
    >>> envs.close()
    """
    from turnwise.envs.vector import make_vector_env

    return make_vector_env(id, num_envs, group_size=group_size, backend=backend, **env_kwargs)
