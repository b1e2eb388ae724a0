"""GiGPO: the episode against its group, plus each turn against the turns that met the same state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit.anchors import similar_anchors
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns
from turnwise.rewards.segments import Segments, SingletonRule, baseline, kept_groups, normalise


def gigpo(
    batch: TurnBatch,
    *,
    gamma: float = 0.95,
    step_weight: float = 1.0,
    norm_by_std: bool = True,
    cross_steps: bool = False,
    invalid_penalty: float = 0.1,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
    texts: Sequence[str] | None = None,
    similarity: float = 0.95,
) -> Credit:
    """`A = A_E + step_weight * A_S`: the episode part spread over its turns, and the step part turn by turn.

    `A_E` normalises the sum of rewards S inside the group, `A_S` the discounted return of the turn among the turns of
    the group that started from the same anchor state. A state met once has `A_S = 0`, so that without any shared state
    the credit is the episode part alone.

    Args:
        batch: N trajectories, M turns, with `anchor` codes of the state before each turn.
        gamma: Discount a turn, of the step part only.
        step_weight: Weight of the step part (the paper's omega).
        norm_by_std: Divide both parts by their sample standard deviation (`mean_std_norm`, as in the authors'
            scripts); False subtracts the mean only (`mean_norm`, the default of the released configuration).
        cross_steps: False takes the episode's mean and deviation over trajectories (eq. 3). True takes them over
            turns, so that long trajectories weigh more, as the released code does.
        invalid_penalty: Taken off the episode score and the step return of a turn with `valid` false, after returns
            are computed, so that earlier turns do not pay for it. In units of the reward: the published 0.1 goes with
            a success that pays 10.
        eps: Added to the standard deviations.
        singleton: What the episode part gives the only rollout of a group.
        texts: (M,) observation texts. If given, states are grouped by likeness of these texts and not by `anchor`.
        similarity: Ratio from which two texts count as one state (see `similar_anchors`).

    Returns:
        Credit with a (M,) advantage. Its reward is the batch's own.

    Source: Group-in-Group Policy Optimization (arXiv 2505.10978), eqs. 3-8. Provenance: verified (both modes, against
    the code released with the paper, which is `cross_steps=True`).

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[0, 1, 0, 0], outcome=[1, 0], anchor=list("abac"))
    >>> gigpo(batch, gamma=1.0, norm_by_std=False).advantage.tolist()
    [1.0, 0.5, -1.0, -0.5]
    """
    penalty = invalid_penalty * ~batch.valid
    groups = Segments.of(batch.group)
    turn_groups = Segments(groups.code[batch.row], groups.size)
    # Episode part. The deviation of a turn is taken from its own, penalised score in both populations.
    score = np.bincount(batch.row, weights=batch.reward, minlength=len(batch))
    turn_score = score[batch.row] - penalty
    population = (turn_score, turn_groups) if cross_steps else (score, groups)
    mean, divisor = baseline(*population, scale=norm_by_std, eps=eps, singleton=singleton)
    episode = (turn_score - mean[turn_groups.code]) / divisor[turn_groups.code]
    # Step part.
    anchor = batch.anchor if texts is None else similar_anchors(texts, turn_groups.code, similarity)
    returns = discounted_returns(batch, batch.reward, gamma) - penalty
    step = normalise(returns, Segments.of(turn_groups.code, anchor), scale=norm_by_std, eps=eps)

    keep = kept_groups(groups, singleton)
    return Credit(batch.reward, episode + step_weight * step, keep[batch.row].astype(np.float64), keep)


RECORD = MethodRecord(
    name="gigpo",
    function=gigpo,
    paper="Group-in-Group Policy Optimization for LLM Agent Training",
    arxiv="2505.10978",
    provenance="verified",
    scope="group",
    needs=frozenset({"group", "anchor"}),
    min_group=2,
    summary="Episode against its group, plus each turn against the turns that met the same state.",
)
