"""How good a policy is: success rate with its uncertainty, mean reward, pass@k and pass^k."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from turnwise.agents.collect import collect
from turnwise.agents.policy import Policy
from turnwise.rewards.trajectory import Trajectory


def is_success(trajectory: Trajectory) -> bool:
    """Whether the task was solved in full: the environment's own reward is 1."""
    return trajectory.outcome >= 1.0 - 1e-9


def success_rate(trajectories: Sequence[Trajectory]) -> float:
    """Share of the trajectories that solved their task; NaN of none."""
    return sum(map(is_success, trajectories)) / len(trajectories) if trajectories else math.nan


def mean_reward(trajectories: Sequence[Trajectory]) -> float:
    """Mean of the environment's own rewards, whatever wrappers add; NaN of none."""
    return sum(t.outcome for t in trajectories) / len(trajectories) if trajectories else math.nan


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, good also near 0 and 1 (Wilson, 1927).

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


def pass_at_k(trials: int, successes: int, k: int) -> float:
    """Chance that at least one of k attempts succeeds, unbiased from n trials (Chen et al., arXiv 2107.03374).

    >>> pass_at_k(4, 2, 2)  # 1 - 1/6
    0.8333333333333334
    """
    return 1.0 - pass_hat_k(trials, trials - successes, k)


def pass_hat_k(trials: int, successes: int, k: int) -> float:
    """Chance that all of k attempts succeed, unbiased from n trials (tau-bench, arXiv 2406.12045).

    >>> pass_hat_k(4, 2, 2)  # 1/6
    0.16666666666666666
    """
    if not 1 <= k <= trials:
        raise ValueError(f"k must be in 1..{trials}, the number of trials, got {k}")
    return math.comb(successes, k) / math.comb(trials, k)


@dataclass(frozen=True)
class Evaluation:
    """Figures of a set of trajectories.

    Attributes:
        episodes: How many.
        success_rate: Share that solved their task.
        interval: 95 % Wilson interval of it. Attempts at one task count as independent, which makes it too narrow
            where tasks differ more than attempts do.
        mean_reward: Of the environment's own rewards.
        mean_turns: Turns an episode.
        truncated: Share that a limit ended.
        pass_at: k to pass@k, the mean over tasks, for each k up to the fewest attempts at a task.
        pass_hat: k to pass^k, likewise.
        trajectories: What it was computed from.
    """

    episodes: int
    success_rate: float
    interval: tuple[float, float]
    mean_reward: float
    mean_turns: float
    truncated: float
    pass_at: dict[int, float]
    pass_hat: dict[int, float]
    trajectories: list[Trajectory] = field(repr=False)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"success {self.success_rate:.1%} [{low:.1%}, {high:.1%}], reward {self.mean_reward:.3f}, "
            f"{self.mean_turns:.1f} turns, {self.episodes} episodes"
        )


def summarize(trajectories: Sequence[Trajectory]) -> Evaluation:
    """The figures of trajectories that have already been collected.

    Raises:
        ValueError: There are none.
    """
    if not trajectories:
        raise ValueError("trajectories must hold at least one trajectory, got none")
    n = len(trajectories)
    tasks: dict[str, list[bool]] = defaultdict(list)
    for trajectory in trajectories:
        tasks[trajectory.task_id].append(is_success(trajectory))
    ks = range(1, min(map(len, tasks.values())) + 1)
    return Evaluation(
        episodes=n,
        success_rate=success_rate(trajectories),
        interval=wilson_interval(sum(map(is_success, trajectories)), n),
        mean_reward=mean_reward(trajectories),
        mean_turns=sum(map(len, trajectories)) / n,
        truncated=sum(t.truncated for t in trajectories) / n,
        pass_at={k: sum(pass_at_k(len(r), sum(r), k) for r in tasks.values()) / len(tasks) for k in ks},
        pass_hat={k: sum(pass_hat_k(len(r), sum(r), k) for r in tasks.values()) / len(tasks) for k in ks},
        trajectories=list(trajectories),
    )


def evaluate(
    policy: Policy,
    id: str,
    episodes: int = 100,
    *,
    attempts: int = 1,
    num_envs: int = 16,
    seed: int = 0,
    task_ids: Sequence[str] | None = None,
    backend: str = "sync",
    **env_kwargs: Any,
) -> Evaluation:
    """Play a policy on an environment id and summarize.

    Args:
        policy: Who acts.
        id: A Gymnasium id of a text environment.
        episodes: How many tasks are tried.
        attempts: How often each of them is tried, from the same start; pass@k needs at least k.
        num_envs: Environments side by side.
        seed: Draws the tasks.
        task_ids: The tasks themselves, for example a frozen panel; `episodes` of them, repeated when they run out.
        backend: Of `turnwise.make_vec`.
        env_kwargs: For the environment, for example `split="test"`.
    """
    from turnwise import make_vec

    envs = make_vec(id, min(num_envs, episodes * attempts), backend=backend, **env_kwargs)
    try:
        return summarize(collect(policy, envs, episodes * attempts, seed=seed, task_ids=task_ids, group_size=attempts))
    finally:
        envs.close()
