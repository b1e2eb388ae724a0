"""How well a credit estimate tells the true advantage: sign, rank, bias, variance, and where it has nothing to say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray, IntArray
from turnwise.rewards.segments import Segments

_RESOLUTION = 1e-9  # estimates closer than this share of the largest one count as equal: sums round differently


@dataclass(frozen=True)
class Fidelity:
    """An estimate beside the truth, over the turns of a sample. Every entry is a share or a ratio, without units.

    Attributes:
        sign_accuracy: Of the turns that matter (true advantage other than 0), how many have the right sign. No estimate
            counts as half right, so that 0.5 is a coin.
        spearman: Rank correlation of estimate and truth over all turns; NaN where either is constant.
        bias: How far the mean credit is from the truth in telling the actions of a state apart, after the best positive
            scale: root of the mean square over that of the truth. 0 = right on average, 1 = no better than saying
            nothing. What all actions of a state get alike is not counted: it does not bias a policy gradient.
        variance: Mean square of everything else in the credit, over that of what it explains: how much the credit of
            one choice varies from rollout to rollout, and what all actions of a state get alike. At 1, the noise of one
            turn is as large as what it tells. NaN where nothing is explained.
        signal: Share of all turns that get an estimate other than 0.
        leak: Share of the absolute credit that goes to turns whose true advantage is 0; NaN without any credit.
        scale: The best positive scale; 0 where none helps.
    """

    sign_accuracy: float
    spearman: float
    bias: float
    variance: float
    signal: float
    leak: float
    scale: float


def fidelity(
    estimate: ArrayLike, truth: ArrayLike, state: ArrayLike, choice: ArrayLike, *, tolerance: ArrayLike = 1e-9
) -> Fidelity:
    """Compare credit with the true advantage.

    Args:
        estimate: (M,) credit of each turn, in any units.
        truth: (M,) true advantage of each turn's action in its state.
        state: (M,) integer code of the state before each turn.
        choice: (M,) integer code of state and action together.
        tolerance: (M,) or scalar: a true advantage no larger than this counts as 0. Where the truth is itself an
            estimate, some multiple of its standard error.

    Raises:
        ValueError: Shapes differ, there are no turns, or an estimate is not finite.

    >>> fidelity([2.0, -2.0, 0.0], [0.5, -0.5, 0.0], state=[0, 0, 1], choice=[0, 1, 2]).sign_accuracy
    1.0
    """
    values, true = np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    states, choices = np.asarray(state, dtype=np.int64), np.asarray(choice, dtype=np.int64)
    shapes = [array.shape for array in (values, true, states, choices)]
    if len(set(shapes)) > 1 or true.ndim != 1 or not true.size:
        raise ValueError(f"estimate, truth, state and choice must have one shape (M,) with M >= 1, got {shapes}")
    if not np.isfinite(values).all():
        raise ValueError(f"estimate must be finite, but {(~np.isfinite(values)).sum()} of {values.size} are not")
    values, matters = quantised(values), np.abs(true) > tolerance
    size = np.abs(values)
    scale, bias, variance = scaled_error(values, true, states, choices)
    return Fidelity(
        sign_accuracy=sign_accuracy(values[matters], true[matters]),
        spearman=spearman(values, quantised(true)),
        bias=bias,
        variance=variance,
        signal=float((values != 0).mean()),
        leak=float(size[~matters].sum() / size.sum()) if size.any() else float("nan"),
        scale=scale,
    )


def sign_accuracy(estimate: FloatArray, truth: FloatArray) -> float:
    """Share of (M,) estimates with the sign of the truth; an estimate of 0 counts as half. NaN for no turns.

    >>> sign_accuracy(np.array([3.0, 0.0]), np.array([1.0, -1.0]))
    0.75
    """
    if not truth.size:
        return float("nan")
    return float((0.5 + 0.5 * np.sign(estimate) * np.sign(truth)).mean())


def ranks(values: FloatArray) -> FloatArray:
    """(M,) ranks from 1; equal values share the mean of their ranks.

    >>> ranks(np.array([10.0, 30.0, 10.0])).tolist()
    [1.5, 3.0, 1.5]
    """
    _, code, count = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank: FloatArray = np.cumsum(count) - 0.5 * (count - 1)
    return mean_rank[code.reshape(-1)]


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Spearman's rank correlation of two (M,) arrays, with shared ranks for ties; NaN where either is constant.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 8.0, 27.0])), 6)
    1.0
    """
    first, second = (ranks(x) - 0.5 * (x.size + 1) for x in (a, b))
    norm = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / norm) if norm > 0 else float("nan")


def scaled_error(
    estimate: FloatArray, truth: FloatArray, state: IntArray, choice: IntArray
) -> tuple[float, float, float]:
    """(scale, bias, variance) as `Fidelity` defines them, over the turns whose choice was met at least twice.

    With m the mean credit of a choice minus that of its state, and A its true advantage (minus the state's mean over
    the same turns), the scale c >= 0 minimises `sum (c m - A)²` over turns. Means over few turns are off by chance:
    that adds `s² (1 - n / n_state)` to the sum of m² for each choice met n times with the sample variance s², and is
    taken off.
    """
    used = np.unique(choice, return_inverse=True, return_counts=True)
    often = used[2][used[1].reshape(-1)] >= 2
    values, states, choices = estimate[often], Segments.of(state[often]), Segments.of(choice[often])
    credit = choices.mean(values)[choices.code] - states.mean(values)[states.code]
    true = choices.mean(truth[often])[choices.code] - states.mean(truth[often])[states.code]
    share = choices.count[choices.code] / states.count[states.code]
    chance = choices.variance(values)[choices.code] * (1.0 - share) / choices.count[choices.code]
    power, agreement, signal = float(true @ true), float(credit @ true), float(credit @ credit - chance.sum())
    if power <= 0.0:
        return 0.0, float("nan"), float("nan")
    if signal <= 0.0 or agreement <= 0.0:
        return 0.0, 1.0, float("nan")
    scale = agreement / signal
    # At the best scale, what is explained of the power is scale * agreement; the rest is squared bias.
    bias = float(np.sqrt(max(1.0 - scale * agreement / power, 0.0)))
    return scale, bias, scale * max(float(values @ values) - signal, 0.0) / agreement


def quantised(values: FloatArray) -> FloatArray:
    """(M,) values with differences below 1e-9 of the largest magnitude removed, so that ties are ties."""
    largest = float(np.abs(values).max(initial=0.0))
    return np.round(values / (largest * _RESOLUTION)) if largest > 0 else np.zeros_like(values)


def choice_codes(state: IntArray, action: IntArray) -> IntArray:
    """(M,) one integer for each pair of a state and an action."""
    codes: IntArray = state * (int(action.max(initial=0)) + 1) + action
    return codes
