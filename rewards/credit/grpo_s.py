"""GRPO-S: among successful sequences, those that the policy was less sure of earn a larger share of the reward."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, successes
from turnwise.rewards.credit.grpo import trajectory_credit
from turnwise.rewards.credit.gtpo import entropies, entropy_share, unit_weight
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, normalise


def grpo_s(
    batch: TurnBatch,
    entropy: str | ArrayLike = "entropy",
    *,
    entropy_weight: float,
    tokens: str | ArrayLike | None = None,
    success: ArrayLike | None = None,
    norm_by_std: bool = True,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Sequence rewards shaped by the policy's mean entropy, against the group.

    A successful sequence with outcome r earns `(1 - w) * r + w * n * Hbar_i / sum_k Hbar_k`, with the mean entropy
    Hbar of its tokens and the sum over the n successful sequences of the group. Other sequences earn 0.

    Args:
        batch: N sequences, M rows: tokens, or turns with their mean entropy.
        entropy: (M,) entropy of the policy (nats) at each row, or the channel that holds it.
        entropy_weight: w in [0, 1]; the paper's value is not settled here, so there is no default.
        tokens: (M,) tokens in each row, or their channel; default 1 each.
        success: (N,) positive for a success; default `batch.outcome`.
        norm_by_std: Divide by the sample deviation over the group's sequences.
        eps: Added to the deviation.
        singleton: What the only sequence of a group gets.

    Returns:
        Credit with the shaped reward in each sequence's last row and the same (M,) advantage in all of its rows.

    Raises:
        ValueError: An entropy is negative or not finite, or `entropy_weight` lies outside [0, 1].

    Source: GTPO and GRPO-S (arXiv 2508.04349). Provenance: unverified.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 1], outcome=[1, 1])
    >>> grpo_s(batch, [0.5, 1.5], entropy_weight=0.5, norm_by_std=False).advantage.tolist()
    [-0.25, 0.25]
    """
    unit_weight(entropy_weight)
    values = entropies(batch, entropy)
    counts = np.ones(batch.turns) if tokens is None else finite_per_turn(batch, tokens, "tokens")
    weight = np.bincount(batch.row, weights=counts, minlength=len(batch))
    mean = np.bincount(batch.row, weights=counts * values, minlength=len(batch)) / np.maximum(weight, 1.0)
    groups, won = Segments.of(batch.group), successes(batch, success)
    share = entropy_share(mean, won, groups)
    score = np.where(won, (1.0 - entropy_weight) * batch.outcome + entropy_weight * share, 0.0)
    advantage = normalise(score, groups, scale=norm_by_std, eps=eps, singleton=singleton)
    reward = np.where(batch.is_last, score[batch.row], 0.0)
    return trajectory_credit(batch, advantage, groups, singleton, reward)


RECORD = MethodRecord(
    name="grpo_s",
    function=grpo_s,
    paper="GTPO and GRPO-S: Token and Sequence-Level Reward Shaping with Policy Entropy",
    arxiv="2508.04349",
    provenance="unverified",
    scope="group",
    needs=frozenset({"group", "entropy"}),
    min_group=2,
    summary="Successful sequences earn more where the policy was unsure.",
)
