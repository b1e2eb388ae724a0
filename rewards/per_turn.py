"""`PerTurn`: an immutable (T,) series of numbers, one a turn, that survives Gymnasium's vector environments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

from turnwise.rewards.batch import FloatArray


class PerTurn(NDArrayOperatorsMixin):
    """One float64 for each turn of an episode: `info["turn_rewards"]`, `info["turn_advantages"]`.

    It adds, multiplies and converts like an array, and every such operation gives an ordinary array. It is not an
    `ndarray` on purpose: Gymnasium's vector environments stack array infos of all members into one, which fails when
    two episodes of different length end in the same step. A `PerTurn` is kept as an object, member by member.

    `==` and `!=` compare whole series and give one bool (so that two infos can be compared); `np.equal` compares entry
    by entry.

    Args:
        values: (T,) numbers.

    Raises:
        ValueError: `values` is not one-dimensional.

    >>> series = PerTurn([0.0, 0.25, 1.0])
    >>> series, len(series), series.sum(), series[-1]
    (PerTurn([0.0, 0.25, 1.0]), 3, 1.25, 1.0)
    >>> series * 2, series == PerTurn([0.0, 0.25, 1.0]), series[1:]
    (array([0. , 0.5, 2. ]), True, PerTurn([0.25, 1.0]))
    """

    __slots__ = ("_values",)

    def __init__(self, values: ArrayLike) -> None:
        array = np.array(values, dtype=np.float64)
        if array.ndim != 1:
            raise ValueError(f"values must have shape (T,), got {array.shape}")
        array.setflags(write=False)
        self._values: FloatArray = array

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy:
            return np.array(self._values, dtype=dtype)
        return self._values if dtype is None else self._values.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = tuple(item._values if isinstance(item, PerTurn) else item for item in inputs)
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values.tolist())

    @overload
    def __getitem__(self, index: SupportsIndex) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> PerTurn: ...
    def __getitem__(self, index: SupportsIndex | slice) -> float | PerTurn:
        if isinstance(index, slice):
            return PerTurn(self._values[index])
        return float(self._values[index])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (PerTurn, np.ndarray, list, tuple)):
            return np.array_equal(self._values, np.asarray(other))
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return hash(tuple(self._values.tolist()))

    def __repr__(self) -> str:
        return f"PerTurn({self.tolist()})"

    def __reduce__(self) -> tuple[type[PerTurn], tuple[list[float]]]:
        return PerTurn, (self.tolist(),)

    def sum(self) -> float:
        """The sum over all turns."""
        return float(self._values.sum())

    def mean(self) -> float:
        """The mean over all turns; NaN where there are none."""
        return float(self._values.mean()) if len(self) else float("nan")

    def tolist(self) -> list[float]:
        """The values as Python floats."""
        values: list[float] = self._values.tolist()
        return values
