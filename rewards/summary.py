"""What a set of trajectories says in a few numbers: one summary for evaluation, command line and report page."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from turnwise.rewards.milestones import reached
from turnwise.rewards.rates import Rate, is_success, pass_at_k, pass_hat_k, rate_of
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
        success: Rate of the episodes that solved their task in full.
        milestones: Name of a rate (`completion`, `modification`, ...) to the rate of the episodes that came so far, for
            the milestones that the environments declare. Over the episodes of those environments.
        mean_outcome: Mean of the environment's own reward.
        mean_reward: Mean sum of `Trajectory.rewards`, wrappers included.
        invalid: Turns whose action could not be carried out.
        truncated: Episodes that a limit outside the task ended.
        stop_reasons: Stop reason to number of episodes, most frequent first.
        terms: Every reward term, the outcome first.
        pass_at: k to pass@k, the mean over tasks, for each k up to the fewest attempts at a task.
        pass_hat: k to pass^k, likewise.
        trajectories: What it was computed from.
    """

    episodes: int
    turns: int
    success: Rate
    milestones: dict[str, Rate]
    mean_outcome: float
    mean_reward: float
    invalid: int
    truncated: int
    stop_reasons: dict[str, int]
    terms: tuple[TermSummary, ...]
    pass_at: dict[int, float]
    pass_hat: dict[int, float]
    trajectories: tuple[Trajectory, ...] = field(repr=False)

    @property
    def success_rate(self) -> float:
        """Share of episodes that succeeded; 0 without episodes."""
        return self.success.value

    @property
    def mean_turns(self) -> float:
        """Turns an episode; 0 without episodes."""
        return self.turns / self.episodes if self.episodes else 0.0

    def __str__(self) -> str:
        rates = {"success": self.success, **self.milestones}
        parts = [f"{name} {r.value:.1%} [{r.interval[0]:.1%}, {r.interval[1]:.1%}]" for name, r in rates.items()]
        parts += [f"outcome {self.mean_outcome:.3f}", f"{self.mean_turns:.1f} turns", f"{self.episodes} episodes"]
        return ", ".join(parts)


def summarize(trajectories: Sequence[Trajectory]) -> Summary:
    """Count, average and total.

    Intervals take into account that rollouts of one group succeed or fail together, see `success_interval`.

    >>> from turnwise.rewards import Trajectory, Turn
    >>> won = Trajectory([Turn(0, "task", "open[]", channels={"outcome": 1.0})])
    >>> print(summarize([won, Trajectory()]))
    success 50.0% [9.5%, 90.5%], outcome 0.500, 0.5 turns, 2 episodes
    """
    successes = [is_success(t) for t in trajectories]
    groups = [t.group_id or str(i) for i, t in enumerate(trajectories)]
    turns = [turn for t in trajectories for turn in t.turns]
    stops = Counter(t.stop_reason or "still running" for t in trajectories)
    tasks: dict[str, list[bool]] = defaultdict(list)
    for trajectory, success in zip(trajectories, successes, strict=True):
        tasks[trajectory.task_id].append(success)
    ks = range(1, min(map(len, tasks.values()), default=0) + 1)
    return Summary(
        episodes=len(trajectories),
        turns=len(turns),
        success=rate_of(successes, groups),
        milestones=milestone_rates(trajectories),
        mean_outcome=_mean([t.outcome for t in trajectories]),
        mean_reward=_mean([float(t.rewards.sum()) for t in trajectories]),
        invalid=sum(not turn.valid for turn in turns),
        truncated=sum(t.truncated for t in trajectories),
        stop_reasons=dict(stops.most_common()),
        terms=tuple(_terms(trajectories)),
        pass_at={k: _mean([pass_at_k(len(r), sum(r), k) for r in tasks.values()]) for k in ks},
        pass_hat={k: _mean([pass_hat_k(len(r), sum(r), k) for r in tasks.values()]) for k in ks},
        trajectories=tuple(trajectories),
    )


def milestone_rates(trajectories: Sequence[Trajectory]) -> dict[str, Rate]:
    """How often each declared milestone was reached, by the name of its rate, in the order of their declaration.

    A milestone is a reward term of 0 or 1 that the environment declares (`Trajectory.milestones`). To have submitted,
    to have changed something and to have solved the task are different things: each has a rate of its own. Episodes
    whose environment does not declare it do not count.

    >>> from turnwise.rewards import Turn
    >>> declared = {"submitted": "completion"}
    >>> done = Trajectory([Turn(0, "", "submit[]", channels={"submitted": 1.0})], milestones=declared)
    >>> rates = milestone_rates([done, Trajectory(milestones=declared)])
    >>> rates["completion"].count, rates["completion"].episodes
    (1, 2)
    """
    found: dict[str, list[tuple[bool, str]]] = {}
    for i, trajectory in enumerate(trajectories):
        for milestone, rate in trajectory.milestones.items():
            entry = reached(trajectory, milestone), trajectory.group_id or str(i)
            found.setdefault(rate, []).append(entry)
    return {rate: rate_of([hit for hit, _ in hits], [group for _, group in hits]) for rate, hits in found.items()}


def turn_terms(trajectory: Trajectory) -> list[dict[str, float]]:
    """The numbers of each turn by name: its channels, then what hindsight and the group said of it."""
    rows = [dict(turn.channels) for turn in trajectory.turns]
    for name, values in ((HINDSIGHT, trajectory.turn_rewards), (ADVANTAGE, trajectory.turn_advantages)):
        for row, value in zip(rows, values or (), strict=False):
            row[name] = float(value)
    return rows


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
