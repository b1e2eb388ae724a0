"""ABC: the outcome is shared out by the attention that a reward model paid to each turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import Scores, at_the_end, checked_scorer, scores_of
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory


def abc_redistribution(attention: ArrayLike, reward: float, *, beta: float = 0.5) -> FloatArray:
    """`beta * attention * reward`, with attention scaled to sum 1, and `(1 - beta) * reward` in the last turn.

    Args:
        attention: (T,) attention of the reward model's last position to each turn (or token), >= 0. If all of it is 0,
            the whole reward stays in the last turn.
        reward: The reward of the whole response.
        beta: Share that is redistributed, in [0, 1].

    Returns:
        (T,) rewards, which sum to `reward`.

    Raises:
        ValueError: `attention` is negative or not finite, or `beta` is not in [0, 1].

    Source: Dense Reward for Free (arXiv 2402.00782). Provenance: read (from the authors' code).

    >>> abc_redistribution([1.0, 3.0], 2.0).tolist()
    [0.25, 1.75]
    """
    weights = np.asarray(attention, dtype=np.float64)
    if not (np.isfinite(weights) & (weights >= 0.0)).all():
        raise ValueError(f"attention must be finite and >= 0, got {weights}")
    if not 0.0 <= beta <= 1.0:
        raise ValueError(f"beta must lie in [0, 1], got {beta!r}")
    total = weights.sum()
    share = weights / total if total > 0.0 else at_the_end(len(weights), 1.0)
    return beta * reward * share + at_the_end(len(weights), (1.0 - beta) * reward)


class ABCReward:
    """Shares the outcome out over the turns, in its place (`replaces_outcome`).

    Args:
        attention: Gives (T,) attention weights of a trajectory; a turn's weight is the sum over its tokens.
        reward: What is shared out; default the outcome.
        beta: Share that is redistributed.

    Source: Dense Reward for Free (arXiv 2402.00782). Provenance: read (from the authors' code).

    >>> from turnwise.rewards.trajectory import Turn
    >>> won = Trajectory([Turn(0, "", ""), Turn(1, "", "", reward=1.0)])
    >>> ABCReward(lambda trajectory: [3.0, 1.0])(won).tolist()
    [0.375, 0.625]
    """

    replaces_outcome = True

    def __init__(self, attention: Scores, *, reward: Fact | None = None, beta: float = 0.5) -> None:
        self.attention = checked_scorer(attention, "attention")
        self.reward, self.beta = reward, beta
        self.needs = privileged_keys(reward)
        abc_redistribution([], 0.0, beta=beta)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        weights = scores_of(self.attention, trajectory, "attention")
        total = trajectory.outcome if self.reward is None else float(read_fact(self.reward, trajectory, "reward"))
        return abc_redistribution(weights, total, beta=self.beta)


RECORD = MethodRecord(
    name="abc_redistribution",
    function=ABCReward,
    paper="Dense Reward for Free in Reinforcement Learning from Human Feedback",
    arxiv="2402.00782",
    provenance="read",
    scope="episode",
    needs=frozenset({"attention"}),
    min_group=1,
    summary="The outcome, shared out by a reward model's attention to each turn.",
)
