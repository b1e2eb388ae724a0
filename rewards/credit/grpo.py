"""GRPO and Dr.GRPO: the outcome against the group of rollouts of the same task."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import per_trajectory
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, kept_groups, normalise


def grpo(
    batch: TurnBatch,
    *,
    scores: ArrayLike | None = None,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Group-relative advantage `(S - mean) / (std + eps)`, the same for all turns of a trajectory.

    Args:
        batch: N trajectories, M turns; rollouts of one task share a group.
        scores: (N,) score S of each trajectory; default `batch.outcome`.
        norm_by_std: False subtracts the mean only, which is Dr.GRPO. (Its loss also divides by a constant length; that
            belongs to the trainer.)
        eps: Added to the sample standard deviation (ddof 1).
        singleton: What the only rollout of a group gets: its score as it is (`raw`, as trainers do), 0 (`zero`), or 0
            and out of the loss (`drop`).

    Returns:
        Credit with a dimensionless (M,) advantage (units of the score without `norm_by_std`).

    Source: DeepSeekMath (arXiv 2402.03300); Understanding R1-Zero-Like Training (arXiv 2503.20783) for
    Dr.GRPO. Provenance: verified.

    >>> batch = TurnBatch.pack(lengths=[1, 2], group=[0, 0], reward=[1, 0, 0], outcome=[1, 0])
    >>> grpo(batch, norm_by_std=False).advantage.tolist()
    [0.5, -0.5, -0.5]
    """
    score = batch.outcome if scores is None else per_trajectory(batch, scores, "scores")
    groups = Segments.of(batch.group)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    return trajectory_credit(batch, advantage, groups, singleton)


def trajectory_credit(
    batch: TurnBatch,
    advantage: FloatArray,
    groups: Segments,
    singleton: SingletonRule,
    reward: FloatArray | None = None,
) -> Credit:
    """Spread (N,) advantages over the turns; under `drop`, take groups of one out of the loss."""
    keep = kept_groups(groups, singleton)
    return Credit(
        reward=batch.reward if reward is None else reward,
        advantage=advantage[batch.row],
        weight=keep[batch.row].astype(np.float64),
        keep=keep,
    )


RECORD = MethodRecord(
    name="grpo",
    function=grpo,
    paper="DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models",
    arxiv="2402.03300",
    provenance="verified",
    scope="group",
    needs=frozenset({"group"}),
    min_group=2,
    summary="Outcome against the group's mean, over its deviation (Dr.GRPO: without).",
)
