"""PPR with ReNorm: process scores moved so that a success never pays below 0 and a failure never above."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import Scores, checked_scorer, scores_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory


def ppr(process: ArrayLike, outcome: float) -> FloatArray:
    """`process + outcome - 1`: in [0, 1] for an outcome of 1, in [-1, 0] for one of 0.

    Args:
        process: (T,) process scores in [0, 1].
        outcome: In [0, 1]; published for 0 and 1.

    Returns:
        (T,) rewards in [-1, 1].

    Raises:
        ValueError: A score or the outcome lies outside [0, 1].

    Source: PPR (arXiv 2509.25598). Provenance: unverified (from a review of the paper).

    >>> ppr([0.75, 0.5], 1.0).tolist(), ppr([0.75, 0.5], 0.0).tolist()
    ([0.75, 0.5], [-0.25, -0.5])
    """
    scores = np.asarray(process, dtype=np.float64)
    if not ((scores >= 0.0) & (scores <= 1.0)).all():
        raise ValueError(f"process must lie in [0, 1], got {scores}; say its max_score")
    if not 0.0 <= outcome <= 1.0:
        raise ValueError(f"outcome must lie in [0, 1], got {outcome!r}")
    return scores + (outcome - 1.0)


class PPRReward:
    """Pays every turn `ppr`, in place of the outcome (`replaces_outcome`).

    Args:
        scorer: The judge: (T,) scores in [0, max_score].
        max_score: The judge's best score.

    Source: PPR (arXiv 2509.25598). Provenance: unverified.

    >>> from turnwise.rewards.trajectory import Turn
    >>> PPRReward(lambda trajectory: [2.0, 4.0], max_score=4)(Trajectory([Turn(0, "", ""), Turn(1, "", "")])).tolist()
    [-0.5, 0.0]
    """

    replaces_outcome = True

    def __init__(self, scorer: Scores, *, max_score: float = 1.0) -> None:
        if not max_score > 0.0:
            raise ValueError(f"max_score must be positive, got {max_score!r}")
        self.scorer = checked_scorer(scorer)
        self.max_score = max_score

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        return ppr(scores_of(self.scorer, trajectory) / self.max_score, trajectory.outcome)


RECORD = MethodRecord(
    name="ppr",
    function=PPRReward,
    paper="Hybrid Reward Normalization for Process-supervised Non-verifiable Agentic Tasks",
    arxiv="2509.25598",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"scorer"}),
    min_group=1,
    summary="Process score plus outcome minus one, in every turn.",
)
