"""What a method needs, checked before the first rollout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym

from turnwise.envs.core import TurnEnv, TurnInfo

_ADVICE = {
    "probe": "give `probe`, a PolicyProbe such as turnwise.rewards.table_probe.TableProbe or a TransformersPolicy",
    "estimator": "give `estimator`, a TurnScorer such as turnwise.rewards.progress.LinearProgressEstimator",
    "group": "give `group_size` of at least 2: the method compares several rollouts of a task",
    "admissible_actions": "use an environment whose admissible_actions() lists them",
}


class MissingRequirementError(ValueError):
    """A wrapper lacks something without which its numbers would be wrong; the message says what to add."""


def require(wrapper: str, env: Any, needs: Iterable[str], given: Mapping[str, bool]) -> None:
    """Raise unless every need is met.

    Args:
        wrapper: Name of the wrapper, for the message.
        env: The environment, or one member of a vector environment.
        needs: Names. One that is not in `given` is a key that the environment must promise in `privileged_keys`.
        given: Whether a need that the caller can judge is met.

    Raises:
        MissingRequirementError: The message names every need that is not met and says what to add.
    """
    promised = getattr(env, "privileged_keys", frozenset())
    missing = sorted(need for need in needs if not given.get(need, need in promised))
    if missing:
        name = type(env).__name__
        advice = "; ".join(f"{need}: {_advice(need, name, promised)}" for need in missing)
        raise MissingRequirementError(f"{wrapper} over {name} lacks {missing}. {advice}")


def require_turn_env(wrapper: str, env: gym.Env[Any, Any]) -> None:
    """Raise unless `env` wraps a `TurnEnv`, or something that has what wrappers read of one.

    Raises:
        MissingRequirementError: The message names the attributes that are missing.
    """
    base = env.unwrapped
    if isinstance(base, TurnEnv):
        return
    missing = [name for name in ("instructions", "privileged_keys", "state_hash") if not hasattr(base, name)]
    if missing:
        raise MissingRequirementError(
            f"{wrapper} needs a turnwise.envs.TurnEnv inside; {type(base).__name__} is none and lacks {missing}"
        )


def require_info(wrapper: str, info: Mapping[str, Any]) -> None:
    """Raise unless `info` has the keys of `TurnInfo`.

    Raises:
        MissingRequirementError: The message names the keys that are missing.
    """
    if missing := sorted(TurnInfo.__annotations__.keys() - info.keys()):
        raise MissingRequirementError(f"{wrapper} reads info keys that the environment does not give: {missing}")


def _advice(need: str, env: str, promised: Iterable[str]) -> str:
    if need in _ADVICE:
        return _ADVICE[need]
    return f"{env} must promise it in `privileged_keys` (it has {sorted(promised)}), or pass another key or a function"
