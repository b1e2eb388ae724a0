"""RED: a turn is paid what it added to a reward model's score of the episode so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import Scores, at_the_end, checked_scorer, scores_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory


def red(prefix_scores: ArrayLike, sparse: float = 0.0, *, beta: float) -> FloatArray:
    """`beta * (score[t + 1] - score[t])`, and `(1 - beta) * sparse` in the last turn.

    Args:
        prefix_scores: (T + 1,) reward model's score before the first turn, and after each of T turns.
        sparse: The reward of the whole episode.
        beta: Share of the differences, in [0, 1]. The published value is not known, so there is no default.

    Returns:
        (T,) rewards; they sum to `beta * (score[T] - score[0]) + (1 - beta) * sparse`.

    Raises:
        ValueError: `beta` is not in [0, 1], or there is no score.

    Source: RED (arXiv 2411.08302). Provenance: unverified.

    >>> red([0.0, 0.25, 0.125, 1.0], beta=1.0).tolist()
    [0.25, -0.125, 0.875]
    """
    scores = np.asarray(prefix_scores, dtype=np.float64)
    if scores.ndim != 1 or not scores.size:
        raise ValueError(f"prefix_scores must have shape (T + 1,), got {scores.shape}")
    if not 0.0 <= beta <= 1.0:
        raise ValueError(f"beta must lie in [0, 1], got {beta!r}")
    gained: FloatArray = np.diff(scores)
    return beta * gained + at_the_end(len(gained), (1.0 - beta) * sparse)


class REDReward:
    """Pays what each turn added to the score, in place of the outcome (`replaces_outcome`).

    Args:
        scorer: The reward model: (T,) scores of the episode after each turn.
        initial: Its score before the first turn.
        beta: Share of the differences; the rest of the weight is the outcome's, in the last turn.

    Source: RED (arXiv 2411.08302). Provenance: unverified.

    >>> from turnwise.rewards.trajectory import Turn
    >>> won = Trajectory([Turn(0, "", ""), Turn(1, "", "", reward=1.0)])
    >>> REDReward(lambda trajectory: [0.5, 0.75], beta=0.5)(won).tolist()
    [0.25, 0.625]
    """

    replaces_outcome = True

    def __init__(self, scorer: Scores, *, beta: float, initial: float = 0.0) -> None:
        red([initial], beta=beta)
        self.scorer, self.beta, self.initial = checked_scorer(scorer), beta, initial

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        scores = np.append(self.initial, scores_of(self.scorer, trajectory))
        return red(scores, trajectory.outcome, beta=self.beta)


RECORD = MethodRecord(
    name="red",
    function=REDReward,
    paper="RED: Unleashing Token-Level Rewards from Holistic Feedback via Reward Redistribution",
    arxiv="2411.08302",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"scorer"}),
    min_group=1,
    summary="What each turn added to a reward model's score of the episode so far.",
)
