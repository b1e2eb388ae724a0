"""Arguments that credit methods share: a named channel or an array, checked against the batch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnwise.rewards.batch import BoolArray, FloatArray, IntArray, TurnBatch, _codes


def per_turn(batch: TurnBatch, value: str | ArrayLike, name: str) -> FloatArray:
    """The (M,) array that argument `name` stands for: a channel of the batch, or the array itself."""
    return _sized(batch.channel(value) if isinstance(value, str) else value, batch.turns, name, "turn")


def per_trajectory(batch: TurnBatch, value: ArrayLike, name: str) -> FloatArray:
    """The (N,) array of argument `name`; a scalar counts for every trajectory."""
    array = np.asarray(value, dtype=np.float64)
    return _sized(np.full(len(batch), array) if array.ndim == 0 else array, len(batch), name, "trajectory")


def finite_per_turn(batch: TurnBatch, value: str | ArrayLike, name: str) -> FloatArray:
    """The (M,) array of argument `name`, every entry a finite number: a probe's NaN must not spread over a group."""
    array = per_turn(batch, value, name)
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{name} must be finite, got {array[bad[0]]} in row {bad[0]} ({len(bad)} such rows)")
    return array


def bits_per_turn(batch: TurnBatch, value: str | ArrayLike, name: str) -> BoolArray:
    """The (M,) yes-or-no array of argument `name`, given as booleans, 0 and 1, or a channel of them."""
    array = finite_per_turn(batch, value, name)
    if not np.isin(array, (0.0, 1.0)).all():
        raise ValueError(f"{name} must hold 0 and 1 only, got {array[~np.isin(array, (0.0, 1.0))][0]}")
    bits: BoolArray = array == 1.0
    return bits


def codes_per_turn(batch: TurnBatch, keys: Sequence[Hashable] | NDArray[Any], name: str) -> IntArray:
    """(M,) integer codes of the keys of argument `name`, of any hashable kind."""
    return _codes(name, keys, batch.turns)


def successes(batch: TurnBatch, success: ArrayLike | None) -> BoolArray:
    """(N,) which trajectories succeeded; default: those with a positive outcome."""
    return batch.outcome > 0 if success is None else per_trajectory(batch, success, "success") > 0


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise a `ValueError` that names the argument and its choices unless `value` is one of them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


def _sized(value: ArrayLike, size: int, name: str, row: str) -> FloatArray:
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), one number a {row}, got {array.shape}")
    return array
