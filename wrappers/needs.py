"""What a method needs, checked before the first rollout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import gymnasium as gym

from turnwise.envs.core import TurnInfo

AnyEnv: TypeAlias = gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]

_ADVICE = {
    "probe": "give `probe`, a PolicyProbe such as turnwise.rewards.table_probe.TableProbe or a TransformersPolicy",
    "estimator": "give `estimator`, a TurnScorer such as turnwise.rewards.progress.LinearProgressEstimator",
    "group": "give `group_size` of at least 2: the method compares several rollouts of a task",
    "admissible_actions": "use an environment whose admissible_actions() lists them",
}


class MissingRequirementError(ValueError):
    """A wrapper lacks something without which its numbers would be wrong; the message says what to add."""


def require(wrapper: str, env: AnyEnv, needs: Iterable[str], **given: bool) -> None:
    """Raise unless `env` has what wrappers read of a `TurnEnv`, and every need is met.

    Args:
        wrapper: Name of the wrapper, for the message.
        env: Environment or vector environment.
        needs: Names. One that is not in `given` is a key that the environment must promise in `privileged_keys`.
        given: Whether a need that the caller can judge is met.

    Raises:
        MissingRequirementError: The message names what is missing and says what to add.
    """
    name = type(env.unwrapped).__name__
    lacking = [attribute for attribute in ("instructions", "privileged_keys", "state_hash") if not _has(env, attribute)]
    if lacking:
        raise MissingRequirementError(
            f"{wrapper} needs a turnwise.envs.TurnEnv inside; {name} has none: it lacks {lacking}"
        )
    promised = _read(env, "privileged_keys")
    if missing := sorted(need for need in needs if not given.get(need, need in promised)):
        advice = "; ".join(f"{need}: {_advice(need, name, promised)}" for need in missing)
        raise MissingRequirementError(f"{wrapper} over {name} lacks {missing}. {advice}")


def instructions_of(env: AnyEnv) -> str:
    """The system prompt of the environment, or of the first member of a vector environment."""
    return str(_read(env, "instructions"))


def milestones_of(env: AnyEnv) -> dict[str, str]:
    """The milestones that the environment declares, or the first member of a vector environment; else none."""
    return dict(_read(env, "milestones")) if _has(env, "milestones") else {}


def require_info(wrapper: str, info: Mapping[str, Any]) -> None:
    """Raise unless `info` has the keys of `TurnInfo`.

    Raises:
        MissingRequirementError: The message names the keys that are missing.
    """
    if missing := sorted(TurnInfo.__annotations__.keys() - info.keys()):
        raise MissingRequirementError(f"{wrapper} reads info keys that the environment does not give: {missing}")


def _read(env: AnyEnv, name: str) -> Any:
    if isinstance(env, gym.vector.VectorEnv):
        return env.unwrapped.get_attr(name)[0]  # type: ignore[attr-defined]
    return getattr(env.unwrapped, name)


def _has(env: AnyEnv, name: str) -> bool:
    try:
        _read(env, name)
    except AttributeError:
        return False
    return True


def _advice(need: str, env: str, promised: Iterable[str]) -> str:
    if need in _ADVICE:
        return _ADVICE[need]
    return f"{env} must promise it in `privileged_keys` (it has {sorted(promised)}), or pass another key or a function"
