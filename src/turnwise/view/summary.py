"""What a set of trajectories says in a few numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from turnwise.agents.evaluation import is_success
from turnwise.rewards.trajectory import OUTCOME, Trajectory

HINDSIGHT = "turn_rewards"
ADVANTAGE = "turn_advantages"


@dataclass(frozen=True, slots=True)
class TermSummary:
    """One reward term over all episodes.

    Attributes:
        name: A channel of the turns, or `turn_rewards`, or `turn_advantages`.
        total: Sum over all turns.
        mean: Mean over episodes of the sum over turns.
        paid: Turns in which it is not zero.
        lowest: The smallest value in any turn.
        highest: The largest.
    """

    name: str
    total: float
    mean: float
    paid: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A set of trajectories in numbers.

    Attributes:
        episodes: How many.
        turns: Turns in all of them.
        successes: Episodes whose outcome is 1.
        interval: 95 % confidence interval of the success rate, see `success_interval`.
        mean_outcome: Mean of the environment's own reward.
        mean_reward: Mean sum of `Trajectory.rewards`, wrappers included.
        invalid: Turns whose action could not be carried out.
        stop_reasons: Stop reason to number of episodes, most frequent first.
        terms: Every reward term, the outcome first.
    """

    episodes: int
    turns: int
    successes: int
    interval: tuple[float, float]
    mean_outcome: float
    mean_reward: float
    invalid: int
    stop_reasons: dict[str, int]
    terms: tuple[TermSummary, ...]

    @property
    def success_rate(self) -> float:
        """Share of episodes that succeeded; 0 without episodes."""
        return self.successes / self.episodes if self.episodes else 0.0

    @property
    def mean_turns(self) -> float:
        """Turns an episode; 0 without episodes."""
        return self.turns / self.episodes if self.episodes else 0.0


def summarize(trajectories: Sequence[Trajectory]) -> Summary:
    """Count, average and total.

    >>> from turnwise.rewards import Trajectory, Turn
    >>> won = Trajectory([Turn(0, "task", "open[]", channels={"outcome": 1.0})])
    >>> summarize([won, Trajectory()]).success_rate
    0.5
    """
    successes = [is_success(t) for t in trajectories]
    turns = [turn for t in trajectories for turn in t.turns]
    stops = Counter(t.stop_reason or "still running" for t in trajectories)
    return Summary(
        episodes=len(trajectories),
        turns=len(turns),
        successes=sum(successes),
        interval=success_interval(successes, [t.group_id or str(i) for i, t in enumerate(trajectories)]),
        mean_outcome=_mean([t.outcome for t in trajectories]),
        mean_reward=_mean([float(t.rewards.sum()) for t in trajectories]),
        invalid=sum(not turn.valid for turn in turns),
        stop_reasons=dict(stops.most_common()),
        terms=tuple(_terms(trajectories)),
    )


def turn_terms(trajectory: Trajectory) -> list[dict[str, float]]:
    """The numbers of each turn by name: its channels, then what hindsight and the group said of it."""
    rows = [dict(turn.channels) for turn in trajectory.turns]
    for name, values in ((HINDSIGHT, trajectory.turn_rewards), (ADVANTAGE, trajectory.turn_advantages)):
        for row, value in zip(rows, values or (), strict=False):
            row[name] = float(value)
    return rows


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
    n = len(successes)
    if n == 0:
        return 0.0, 1.0
    rate, z = sum(successes) / n, 1.959963984540054
    size = n / _design_effect(np.asarray(successes, dtype=np.float64), groups)
    centre = (rate + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(rate * (1 - rate) / size + z * z / (4 * size * size))
    return max(0.0, centre - half), min(1.0, centre + half)


def _design_effect(successes: np.ndarray[tuple[int], np.dtype[np.float64]], groups: Sequence[str] | None) -> float:
    n = len(successes)
    if groups is None:
        return 1.0
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    most = n / len(names)
    residual = successes - successes.mean()
    plain = float((residual**2).sum())
    if plain == 0.0 or len(names) == 1:
        return most
    clustered = float((np.bincount(code, residual) ** 2).sum())
    return min(max(clustered / plain, 1.0), most)


def _terms(trajectories: Sequence[Trajectory]) -> list[TermSummary]:
    values: dict[str, list[float]] = {OUTCOME: []}
    for trajectory in trajectories:
        for row in turn_terms(trajectory):
            for name, value in row.items():
                values.setdefault(name, []).append(value)
    last = [name for name in (HINDSIGHT, ADVANTAGE) if name in values]
    names = [name for name in values if name not in last and values[name]] + last
    return [_term(name, values[name], len(trajectories)) for name in names]


def _term(name: str, values: Sequence[float], episodes: int) -> TermSummary:
    finite = [value for value in values if math.isfinite(value)]
    return TermSummary(
        name=name,
        total=sum(finite),
        mean=sum(finite) / max(episodes, 1),
        paid=sum(value != 0.0 for value in finite),
        lowest=min(finite, default=0.0),
        highest=max(finite, default=0.0),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
