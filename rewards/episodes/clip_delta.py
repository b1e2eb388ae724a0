"""Clip and Delta: process scores that cannot be collected by writing more steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import Scores, checked_scorer, scores_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory


def clip(process: ArrayLike, *, eta: float) -> FloatArray:
    """`min(process - eta, 0)`: only bad steps count.

    Args:
        process: (T,) process scores.
        eta: Score from which a step is good enough. The published value is not known.

    Source: On Designing Effective RL Reward at Training Time for LLM Reasoning (arXiv 2410.15115). Provenance:
    unverified.

    >>> clip([0.75, 0.25], eta=0.5).tolist()
    [0.0, -0.25]
    """
    return np.minimum(np.asarray(process, dtype=np.float64) - eta, 0.0)


def delta(process: ArrayLike) -> FloatArray:
    """`process[k] - process[k + 1]`, and the last one as it is: what is to come from step k on sums to `process[k]`.

    Args:
        process: (T,) process scores.

    Source: On Designing Effective RL Reward at Training Time for LLM Reasoning (arXiv 2410.15115). Provenance:
    unverified.

    >>> delta([0.75, 0.25, 0.5]).tolist()
    [0.5, -0.25, 0.5]
    """
    scores = np.asarray(process, dtype=np.float64)
    return scores - np.append(scores[1:], np.zeros(min(len(scores), 1)))


class ClipDeltaReward:
    """Process scores clipped, then differenced; added to the outcome.

    Args:
        scorer: The process reward model: (T,) scores.
        eta: Clip at this score, see `clip`; None does not clip. No default, since the published value is not known.
        difference: Whether to apply `delta`.

    Source: On Designing Effective RL Reward at Training Time for LLM Reasoning (arXiv 2410.15115). Provenance:
    unverified.

    >>> from turnwise.rewards.trajectory import Turn
    >>> reward = ClipDeltaReward(lambda trajectory: [0.25, 0.75], eta=0.5)
    >>> reward(Trajectory([Turn(0, "", ""), Turn(1, "", "")])).tolist()
    [-0.25, 0.0]
    """

    def __init__(self, scorer: Scores, *, eta: float | None, difference: bool = True) -> None:
        self.scorer = checked_scorer(scorer)
        self.eta, self.difference = eta, difference

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        scores = scores_of(self.scorer, trajectory)
        clipped = scores if self.eta is None else clip(scores, eta=self.eta)
        return delta(clipped) if self.difference else clipped


RECORD = MethodRecord(
    name="clip_delta",
    function=ClipDeltaReward,
    paper="On Designing Effective RL Reward at Training Time for LLM Reasoning",
    arxiv="2410.15115",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"scorer"}),
    min_group=1,
    summary="Process scores, clipped at a threshold and differenced, so that more steps do not pay more.",
)
