"""Arguments that credit methods share: a named channel or an array, checked against the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray, TurnBatch


def per_turn(batch: TurnBatch, value: str | ArrayLike, name: str) -> FloatArray:
    """The (M,) array that argument `name` stands for: a channel of the batch, or the array itself."""
    return _sized(batch.channel(value) if isinstance(value, str) else value, batch.turns, name, "turn")


def per_trajectory(batch: TurnBatch, value: ArrayLike, name: str) -> FloatArray:
    """The (N,) array of argument `name`; a scalar counts for every trajectory."""
    array = np.asarray(value, dtype=np.float64)
    return _sized(np.full(len(batch), array) if array.ndim == 0 else array, len(batch), name, "trajectory")


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise a `ValueError` that names the argument and its choices unless `value` is one of them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


def _sized(value: ArrayLike, size: int, name: str, row: str) -> FloatArray:
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), one number a {row}, got {array.shape}")
    return array
