"""RLOO: the outcome against the mean of the other rollouts of the same task."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import per_trajectory
from turnwise.rewards.credit.grpo import trajectory_credit
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, normalise


def rloo(batch: TurnBatch, *, scores: ArrayLike | None = None, singleton: SingletonRule = "raw") -> Credit:
    """Leave-one-out advantage `S - mean of the others = n / (n - 1) * (S - mean)`, the same for all turns.

    Args:
        batch: N trajectories, M turns; rollouts of one task share a group.
        scores: (N,) score S of each trajectory; default `batch.outcome`.
        singleton: What the only rollout of a group gets: `raw` its score, `zero` 0, `drop` 0 and out of the loss.

    Returns:
        Credit with a (M,) advantage in units of the score.

    Source: Back to Basics (arXiv 2402.14740). Provenance: verified.

    >>> batch = TurnBatch.pack(lengths=[1, 1, 1], group=[0, 0, 0], reward=[1, 0, 0.5], outcome=[1, 0, 0.5])
    >>> rloo(batch).advantage.tolist()
    [0.75, -0.75, 0.0]
    """
    score = batch.outcome if scores is None else per_trajectory(batch, scores, "scores")
    groups = Segments.of(batch.group)
    return trajectory_credit(batch, leave_one_out(score, groups, singleton), groups, singleton)


def leave_one_out(values: FloatArray, segments: Segments, singleton: SingletonRule = "raw") -> FloatArray:
    """(n,) each value minus the mean of the other values of its segment: `n / (n - 1) * (x - mean)`."""
    factor = segments.count / np.maximum(segments.count - 1, 1)
    difference: FloatArray = factor[segments.code] * normalise(values, segments, scale=False, singleton=singleton)
    return difference


RECORD = MethodRecord(
    name="rloo",
    function=rloo,
    paper="Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in LLMs",
    arxiv="2402.14740",
    provenance="verified",
    scope="group",
    needs=frozenset({"group"}),
    min_group=2,
    summary="Outcome against the mean of the other rollouts.",
)
