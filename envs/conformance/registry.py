"""The checks by name, what they are given, and how they say that something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np

from turnwise.envs.core import TurnEnv

MakeEnv: TypeAlias = Callable[[], "gym.Env[Any, Any]"]


class Violation(Exception):  # noqa: N818 - a finding, not a fault of the kit
    """The environment breaks the contract; the text says how."""


class NotApplicable(Exception):  # noqa: N818
    """The check cannot be made on this environment; the text says why."""


@dataclass(frozen=True)
class Subject:
    """The environment under test.

    Attributes:
        make: Makes one.
        episodes: How many episodes a check plays; the cost of the run is proportional to it.
        random_bound: The mean score that a random agent must stay below.
        seed: Of the kit's own choices.
    """

    make: MakeEnv
    episodes: int
    random_bound: float
    seed: int

    @contextmanager
    def open(self) -> Iterator[TurnEnv]:
        """A new environment, without wrappers, closed afterwards."""
        env = self.make()
        try:
            yield bare(env)
        finally:
            env.close()

    def rng(self) -> np.random.Generator:
        """A new generator, the same for every check."""
        return np.random.default_rng(self.seed)

    def tasks(self, env: TurnEnv) -> list[str]:
        """Up to `episodes` tasks, spread evenly over the split."""
        every: Sequence[str] = env.tasks
        chosen = np.linspace(0, len(every) - 1, min(self.episodes, len(every)))
        return [every[int(i)] for i in chosen.round()]


def bare(env: gym.Env[Any, Any]) -> TurnEnv:
    """The environment inside its wrappers.

    Raises:
        TypeError: It is not a `TurnEnv`.
    """
    inner = env.unwrapped
    if not isinstance(inner, TurnEnv):
        raise TypeError(f"the kit holds TurnEnv environments to their contract, got a {type(inner).__name__}")
    return inner


Check: TypeAlias = Callable[[Subject], None]

CHECKS: dict[str, Check] = {}
"""All checks by name, in the order in which they run."""


def requirement(check: Check) -> Check:
    """Add a check. The first sentence of its docstring is what it holds an environment to."""
    CHECKS[check.__name__] = check
    return check


def expect(holds: bool, message: str) -> None:
    """Raise a `Violation` with the message unless the condition holds."""
    if not holds:
        raise Violation(message)
