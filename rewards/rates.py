"""How often something came off: rates of episodes with their uncertainty, pass@k and pass^k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of episodes.

    Attributes:
        count: Episodes in which it came off.
        episodes: All of them.
        interval: 95 % confidence interval, see `success_interval`.

    >>> print(rate_of([True] * 8 + [False] * 2))
    80.0%   (8 of 10, 95 % CI 49.0% to 94.3%)
    """

    count: int
    episodes: int
    interval: tuple[float, float]

    @property
    def value(self) -> float:
        """The share; 0 without episodes."""
        return self.count / self.episodes if self.episodes else 0.0

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.1%}   ({self.count} of {self.episodes}, 95 % CI {low:.1%} to {high:.1%})"


def rate_of(successes: Sequence[bool], groups: Sequence[str] | None = None) -> Rate:
    """The rate of (N,) episodes that came off or did not; `groups` as in `success_interval`."""
    return Rate(sum(successes), len(successes), success_interval(successes, groups))


def is_success(trajectory: Trajectory) -> bool:
    """Whether the task was solved in full: the environment's own reward is 1."""
    return trajectory.outcome >= 1.0 - 1e-9


def success_rate(trajectories: Sequence[Trajectory]) -> float:
    """Share of the trajectories that solved their task; NaN of none."""
    return sum(map(is_success, trajectories)) / len(trajectories) if trajectories else math.nan


def mean_outcome(trajectories: Sequence[Trajectory]) -> float:
    """Mean of the environment's own rewards, whatever wrappers add; NaN of none."""
    return sum(t.outcome for t in trajectories) / len(trajectories) if trajectories else math.nan


def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, good also near 0 and 1 (Wilson, 1927).

    Args:
        successes: How many trials came off.
        trials: How many there were. Need not be whole: trials that depend on each other count as fewer.
        confidence: How often the interval holds the truth.

    Raises:
        ValueError: `successes` is not in 0 to `trials`, or there is no trial.

    >>> low, high = wilson_interval(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"successes must be in 0..trials and trials at least 1, got {successes} and {trials}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p, scale = successes / trials, 1 + z * z / trials
    centre = (p + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    # Exact at the ends, where rounding would leave a trace of the other side.
    return (max(0.0, centre - half) if successes else 0.0, min(1.0, centre + half) if successes < trials else 1.0)


def success_interval(successes: Sequence[bool], groups: Sequence[str] | None = None) -> tuple[float, float]:
    """95 % Wilson score interval of a rate, corrected for rollouts that share a task.

    Rollouts of one group start from one state and tend to succeed or fail together, so they say less than as many
    independent ones: the number of rollouts is divided by the design effect, the variance of the rate when whole
    groups are drawn over its variance when single rollouts are (Kish 1965, Survey Sampling). The quotient is never
    below the number of groups.

    Args:
        successes: (N,) whether each rollout succeeded.
        groups: (N,) the group of each; None: all independent.

    >>> low, high = success_interval([True] * 8 + [False] * 2)
    >>> round(low, 2), round(high, 2)
    (0.49, 0.94)
    """
    if not successes:
        return 0.0, 1.0
    values = np.asarray(successes, dtype=np.float64)
    effect = 1.0 if groups is None else _design_effect(values, groups)
    return wilson_interval(float(values.sum()) / effect, len(values) / effect)


def pass_at_k(trials: int, successes: int, k: int) -> float:
    """Chance that at least one of k attempts succeeds, unbiased from n trials (Chen et al., arXiv 2107.03374).

    >>> pass_at_k(4, 2, 2)  # 1 - 1/6
    0.8333333333333334
    """
    return 1.0 - pass_hat_k(trials, trials - successes, k)


def pass_hat_k(trials: int, successes: int, k: int) -> float:
    """Chance that all of k attempts succeed, unbiased from n trials (tau-bench, arXiv 2406.12045).

    Raises:
        ValueError: There are fewer trials than `k`, or `k` is below 1.

    >>> pass_hat_k(4, 2, 2)  # 1/6
    0.16666666666666666
    """
    if not 1 <= k <= trials:
        raise ValueError(f"k must be in 1..{trials}, the number of trials, got {k}")
    return math.comb(successes, k) / math.comb(trials, k)


def _design_effect(successes: FloatArray, groups: Sequence[str]) -> float:
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    most = len(successes) / len(names)
    residual = successes - successes.mean()
    plain = float((residual**2).sum())
    if plain == 0.0 or len(names) == 1:
        return most
    clustered = float((np.bincount(code, residual) ** 2).sum())
    return min(max(clustered / plain, 1.0), most)
