"""Means, spreads and normalisation inside segments of a flat array: the arithmetic that group methods share.

A segment is any set of rows with one integer code: the rollouts of a task, or the turns that met one state. The sums
are `np.bincount`s, so that no Python loop runs over turns or groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from turnwise.rewards.batch import BoolArray, FloatArray, IntArray

SingletonRule: TypeAlias = Literal["raw", "zero", "drop"]
"""What a segment with one member gets: its value as it is, 0, or 0 and out of the loss."""


@dataclass(frozen=True)
class Segments:
    """Which of `size` segments each of n rows belongs to. Some segments may be empty.

    Attributes:
        code: (n,) the segment of each row, in [0, size).
        size: Number of segments.

    >>> Segments.of(np.array([7, 7, 9])).mean(np.array([1.0, 3.0, 5.0]))[[0, 2]].tolist()
    [2.0, 5.0]
    """

    code: IntArray
    size: int

    @classmethod
    def of(cls, *keys: NDArray[Any]) -> Segments:
        """Put rows that agree in all of the (n,) integer `keys` into one segment."""
        code, size = _compact(np.asarray(keys[0], dtype=np.int64))
        for key in keys[1:]:
            other, width = _compact(np.asarray(key, dtype=np.int64))
            if _decides(other, width, code):
                # The usual case: a state belongs to one task. Counting then renumbers without a sort.
                used = np.bincount(other, minlength=width) > 0
                code, size = (np.cumsum(used) - 1)[other], int(used.sum())
            else:
                code, size = _compact(code * width + other)
        return cls(code, size)

    @cached_property
    def count(self) -> IntArray:
        """(size,) rows in each segment."""
        count: IntArray = np.bincount(self.code, minlength=self.size)
        return count

    def sum(self, values: FloatArray) -> FloatArray:
        """(size,) sums of the (n,) values."""
        return np.bincount(self.code, weights=values, minlength=self.size).astype(np.float64, copy=False)

    def mean(self, values: FloatArray) -> FloatArray:
        """(size,) means of the (n,) values; 0 for an empty segment."""
        return self.sum(values) / np.maximum(self.count, 1)

    def variance(self, values: FloatArray, ddof: int = 1, mean: FloatArray | None = None) -> FloatArray:
        """(size,) variances with divisor count - ddof; 0 where that is not positive. `mean` spares its computation."""
        # Two passes: the one-pass formula loses all digits when the mean is large beside the spread.
        deviation = values - (self.mean(values) if mean is None else mean)[self.code]
        squares = deviation * deviation
        return self.sum(squares) / np.maximum(self.count - ddof, 1)


def normalise(
    values: FloatArray,
    segments: Segments,
    *,
    scale: bool = True,
    ddof: int = 1,
    eps: float = 1e-6,
    variance_eps: float = 0.0,
    singleton: SingletonRule = "zero",
) -> FloatArray:
    """`(x - mean) / (sqrt(variance + variance_eps) + eps)` inside each segment.

    Args:
        values: (n,) what to normalise.
        segments: The segment of each value.
        scale: False subtracts the mean only.
        ddof: 1 for the sample standard deviation (GRPO, GiGPO), 0 for the population's (IGPO).
        eps: Added to the standard deviation.
        variance_eps: Added to the variance.
        singleton: A segment with one member gives its value back (`raw`) or 0 (`zero`, `drop`).

    Returns:
        (n,) normalised values; 0 in a segment whose values are all equal.

    >>> normalise(np.array([1.0, 0.0, 4.0]), Segments.of(np.array([0, 0, 1])), scale=False, singleton="raw").tolist()
    [0.5, -0.5, 4.0]
    """
    mean, divisor = baseline(
        values, segments, scale=scale, ddof=ddof, eps=eps, variance_eps=variance_eps, singleton=singleton
    )
    centred: FloatArray = values - mean[segments.code]
    return centred / divisor[segments.code] if scale else centred


def baseline(
    values: FloatArray,
    segments: Segments,
    *,
    scale: bool = True,
    ddof: int = 1,
    eps: float = 1e-6,
    variance_eps: float = 0.0,
    singleton: SingletonRule = "zero",
) -> tuple[FloatArray, FloatArray]:
    """The (size,) means and divisors that `normalise` uses, for populations other than the values themselves."""
    if singleton not in get_args(SingletonRule):
        raise ValueError(f"singleton must be one of {get_args(SingletonRule)}, got {singleton!r}")
    alone = segments.count <= 1
    mean = own_mean = segments.mean(values)
    if singleton == "raw":
        mean = np.where(alone, 0.0, mean)
    if not scale:
        return mean, np.ones(segments.size)
    divisor = np.sqrt(segments.variance(values, ddof, own_mean) + variance_eps) + eps
    return mean, np.where(alone | (divisor == 0.0), 1.0, divisor)


def kept_groups(groups: Segments, singleton: SingletonRule) -> BoolArray:
    """(n,) which rows stay in the loss: all of them, unless `drop` takes out the segments with one member."""
    kept: BoolArray = groups.count[groups.code] > (1 if singleton == "drop" else 0)
    return kept


def whiten(values: FloatArray, weights: FloatArray | None = None, *, eps: float = 1e-8) -> FloatArray:
    """`(x - mean) / sqrt(variance + eps)` over the whole batch, with the sample variance.

    Args:
        values: (n,) what to whiten.
        weights: (n,) how often each value counts, for example its number of tokens; default once. Values of weight 0
            are transformed too, but do not count.
        eps: Added to the variance.

    Raises:
        ValueError: Fewer than two values count, so that there is no variance.

    >>> whiten(np.array([1.0, 3.0])).round(4).tolist()
    [-0.7071, 0.7071]
    """
    if not len(values):
        return values.copy()
    weights = np.ones(len(values)) if weights is None else weights
    total = weights.sum()
    if not total > 1.0:
        raise ValueError(f"whitening needs more than one counted value in the batch, got {total:g}")
    mean = (weights * values).sum() / total
    variance = (weights * (values - mean) ** 2).sum() / (total - 1.0)
    whitened: FloatArray = (values - mean) / np.sqrt(variance + eps)
    return whitened


def _decides(code: IntArray, size: int, other: IntArray) -> bool:
    """Whether rows with one code always have one value in `other`."""
    seen = np.zeros(size, dtype=np.int64)
    seen[code] = other
    return bool((seen[code] == other).all())


def _compact(key: IntArray) -> tuple[IntArray, int]:
    """Codes from 0 with few gaps, and their number. Only keys that are spread widely cost a sort."""
    if not key.size:
        return key, 0
    low, high = int(key.min()), int(key.max())
    if high - low < 4 * key.size:
        return key - low, high - low + 1
    unique, code = np.unique(key, return_inverse=True)
    return code.reshape(-1).astype(np.int64, copy=False), len(unique)
