"""TEMPO: where rollouts of a group part ways, the change of value there is added to the group-relative advantage."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnwise.rewards.batch import Credit, FloatArray, IntArray, TurnBatch
from turnwise.rewards.credit._inputs import codes_per_turn, per_trajectory
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, kept_groups, normalise


def tempo(
    batch: TurnBatch,
    action: Sequence[Hashable] | NDArray[Any],
    *,
    branch_weight: float,
    scores: ArrayLike | None = None,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """`A = A_GRPO + branch_weight * (V(prefix with this row) - V(prefix before it))`, without extra rollouts.

    The rollouts of a group make a tree of prefixes; the value of a prefix is the mean score of the rollouts that
    share it. The second term is 0 wherever all rollouts that share a prefix go on alike.

    Args:
        batch: N trajectories, M rows. In the paper a row is a token; a turn will do.
        action: (M,) key of what was written in each row: a token id, an action, or an action with what it met.
        branch_weight: Weight of the second term. The paper's is not known here, so there is no default.
        scores: (N,) score of each trajectory; default `batch.outcome`.
        norm_by_std: Divide the group-relative part by the sample deviation.
        eps: Added to the deviation.
        singleton: What the group-relative part gives the only rollout of a group.

    Returns:
        Credit with the (M,) value changes as reward and the (M,) advantage.

    Source: TEMPO (tree-structured group values; no arXiv id checked). Provenance: unverified (idea from the
    abstract, combination ours).

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[0, 1, 0, 0], outcome=[1, 0])
    >>> tempo(batch, list("xyxz"), branch_weight=1.0).reward.tolist()
    [0.0, 0.5, 0.0, -0.5]
    """
    score = batch.outcome if scores is None else per_trajectory(batch, scores, "scores")
    groups = Segments.of(batch.group)
    change = branch_differences(batch, codes_per_turn(batch, action, "action"), score)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    keep = kept_groups(groups, singleton)
    weight = keep[batch.row].astype(np.float64)
    return Credit(change, advantage[batch.row] + branch_weight * change, weight, keep)


def branch_differences(batch: TurnBatch, action: IntArray, score: FloatArray) -> FloatArray:
    """(M,) mean score of the rollouts that share the prefix up to and with a row, minus that without the row.

    Walks over positions, and only as far as prefixes are shared: after that a rollout has its prefix to itself.
    """
    change = np.zeros(batch.turns)
    members = np.arange(len(batch))
    node = Segments.of(batch.group)
    position = 0
    while len(members):
        value, count = node.mean(score[members])[node.code], node.count[node.code]
        going_on = (batch.lengths[members] > position) & (count > 1)
        members, value, count = members[going_on], value[going_on], count[going_on]
        rows = batch.starts[members] + position
        node = Segments.of(node.code[going_on], action[rows])
        # A rollout that ended here left its prefix too, so branching shows in the number of members.
        branched = node.count[node.code] < count
        change[rows] = np.where(branched, node.mean(score[members])[node.code] - value, 0.0)
        position += 1
    return change


RECORD = MethodRecord(
    name="tempo",
    function=tempo,
    paper="TEMPO: tree-estimated prefix values for group-relative optimisation",
    arxiv="",
    provenance="unverified",
    scope="group",
    needs=frozenset({"group"}),
    min_group=2,
    summary="Group-relative advantage plus the change of value where rollouts part ways.",
)
