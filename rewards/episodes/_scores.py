"""Arguments that episode rewards share: what scores the turns, and where a reward of the whole episode goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.protocols import TurnScorer
from turnwise.rewards.trajectory import Trajectory

Scores: TypeAlias = TurnScorer | Callable[[Trajectory], ArrayLike]
"""A `TurnScorer`, or a function from a trajectory to one number a turn."""


def checked_scorer(scorer: Any, argument: str = "scorer") -> Scores:
    """The scorer.

    Raises:
        TypeError: It can neither score nor be called; the message names the argument.
    """
    if not isinstance(scorer, TurnScorer) and not callable(scorer):
        raise TypeError(
            f"{argument} must be a TurnScorer or a function from a Trajectory to (T,) scores, got {scorer!r}"
        )
    return scorer  # type: ignore[no-any-return]


def scores_of(scorer: Scores, trajectory: Trajectory, argument: str = "scorer") -> FloatArray:
    """(T,) scores of the turns.

    Raises:
        ValueError: They are not T finite numbers; the message names the argument.
    """
    scores = scorer.score(trajectory) if isinstance(scorer, TurnScorer) else scorer(trajectory)
    array = np.asarray(scores, dtype=np.float64)
    if array.shape != (len(trajectory),) or not np.isfinite(array).all():
        raise ValueError(f"{argument} must give {len(trajectory)} finite scores, one a turn, got {array}")
    return array


def at_the_end(turns: int, value: float) -> FloatArray:
    """(T,) zeros with the value in the last turn; nothing without turns."""
    rewards = np.zeros(turns)
    rewards[-1:] = value
    return rewards
