"""C-GRPO: right answers are paid a part by the rubrics they fulfil, wrong ones nothing; then GRPO."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import one_of, per_trajectory
from turnwise.rewards.credit.grpo import trajectory_credit
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, normalise


def cgrpo(
    batch: TurnBatch,
    rubric: ArrayLike,
    *,
    rubric_weight: float = 0.3,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
    compat: Literal["released"] | None = None,
) -> Credit:
    """Citation-aware group-relative advantage of `(1 - a) * outcome + a * rubric / largest rubric of the group`.

    A rollout with outcome 0 gets 0, whatever its rubric reward.

    Args:
        batch: N trajectories, M turns.
        rubric: (N,) rubric reward in [0, 1]: the share of rubrics that are supported and reachable from the answer.
        rubric_weight: The paper's a.
        norm_by_std: Divide by the sample deviation.
        eps: Added to the deviation.
        singleton: What the only rollout of a group gets.
        compat: `released`: the raw rubric reward takes the place of its share of the group's largest; so do the
            authors' training scripts, through a branch that drops the normalised value.

    Returns:
        Credit with the mixed reward in each trajectory's last turn and the (M,) advantage.

    Source: CaRR and C-GRPO (the authors' repository, github.com/THUDM/CaRR). Provenance: read (both forms; the
    default gives the numbers of the paper's figure).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 1])
    >>> cgrpo(batch, [0.5, 0.25]).reward.round(3).tolist()
    [1.0, 0.85]
    """
    one_of("compat", compat, (None, "released"))
    score = _mixed_reward(batch, per_trajectory(batch, rubric, "rubric"), rubric_weight, compat is None)
    groups = Segments.of(batch.group)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    reward = np.where(batch.is_last, score[batch.row], 0.0)
    return trajectory_credit(batch, advantage, groups, singleton, reward)


def _mixed_reward(batch: TurnBatch, rubric: FloatArray, weight: float, relative: bool) -> FloatArray:
    if not np.isfinite(rubric).all() or (rubric < 0.0).any():
        raise ValueError(f"rubric must hold finite rewards >= 0, got {rubric.tolist()}")
    if relative:
        groups = Segments.of(batch.group)
        largest = np.zeros(groups.size)
        np.maximum.at(largest, groups.code, rubric)
        rubric = rubric / np.where(largest > 0.0, largest, 1.0)[groups.code]
    return np.where(batch.outcome == 0.0, 0.0, (1.0 - weight) * batch.outcome + weight * rubric)


RECORD = MethodRecord(
    name="cgrpo",
    function=cgrpo,
    paper="CaRR: Citation-aware Rubric Rewards (C-GRPO)",
    arxiv="",
    provenance="read",
    scope="group",
    needs=frozenset({"group", "rubric"}),
    min_group=2,
    summary="Right answers are paid a part by the rubrics they fulfil, then GRPO.",
)
