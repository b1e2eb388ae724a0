"""GTPO: in successful sequences, tokens that the policy was unsure of earn a larger share of the reward."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, successes
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, normalise


def gtpo(
    batch: TurnBatch,
    entropy: str | ArrayLike = "entropy",
    *,
    entropy_weight: float,
    success: ArrayLike | None = None,
    norm_by_std: bool = True,
    eps: float = 1e-6,
) -> Credit:
    """Token rewards shaped by the policy's entropy, normalised over all tokens of the group.

    In a successful sequence with outcome r, token t earns `(1 - w) * r + w * d_t * H[i, t] / sum_k H[k, t]`, where the
    sum runs over the d_t successful sequences of the group that are that long. Tokens of other sequences earn 0.

    Args:
        batch: N sequences, M rows. In the paper a row is a token; a turn with its mean entropy will do.
        entropy: (M,) entropy of the policy (nats) at each row, or the channel that holds it.
        entropy_weight: w in [0, 1]; the paper's value is not settled here, so there is no default.
        success: (N,) positive for a success; default `batch.outcome`.
        norm_by_std: Divide by the sample deviation over the group's rows.
        eps: Added to the deviation.

    Returns:
        Credit with the (M,) shaped rewards and the (M,) advantage.

    Raises:
        ValueError: An entropy is negative or not finite, or `entropy_weight` lies outside [0, 1].

    Source: GTPO and GRPO-S (arXiv 2508.04349). Provenance: unverified (and the first version's rule: later ones also
    penalise failures).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 1], outcome=[1, 1])
    >>> gtpo(batch, [0.5, 1.5], entropy_weight=0.5).reward.tolist()
    [0.75, 1.25]
    """
    unit_weight(entropy_weight)
    values = entropies(batch, entropy)
    won = successes(batch, success)[batch.row]
    group = Segments.of(batch.group)
    turn_groups = Segments(group.code[batch.row], group.size)
    cells = Segments.of(turn_groups.code, batch.position)
    share = entropy_share(values, won, cells)
    reward = np.where(won, (1.0 - entropy_weight) * batch.outcome[batch.row] + entropy_weight * share, 0.0)
    return Credit.of(batch, normalise(reward, turn_groups, scale=norm_by_std, eps=eps), reward)


def entropy_share(entropy: FloatArray, won: BoolArray, cells: Segments) -> FloatArray:
    """(n,) `H / mean H of the winners of the cell`; 1 where all of theirs are 0, and 0 for those who did not win."""
    total = cells.sum(np.where(won, entropy, 0.0))[cells.code]
    count = cells.sum(won.astype(np.float64))[cells.code]
    share = np.divide(count * entropy, total, out=np.ones_like(entropy), where=total > 0.0)
    return np.where(won, share, 0.0)


def entropies(batch: TurnBatch, entropy: str | ArrayLike) -> FloatArray:
    """The (M,) entropies, checked."""
    values = finite_per_turn(batch, entropy, "entropy")
    if (values < 0.0).any():
        raise ValueError(f"entropy must not be negative, got {values.min():g}")
    return values


def unit_weight(entropy_weight: float) -> None:
    """Raise a `ValueError` unless the weight lies in [0, 1]."""
    if not 0.0 <= entropy_weight <= 1.0:
        raise ValueError(f"entropy_weight must lie in [0, 1], got {entropy_weight!r}")


RECORD = MethodRecord(
    name="gtpo",
    function=gtpo,
    paper="GTPO and GRPO-S: Token and Sequence-Level Reward Shaping with Policy Entropy",
    arxiv="2508.04349",
    provenance="unverified",
    scope="group",
    needs=frozenset({"group", "entropy"}),
    min_group=2,
    summary="Tokens of successful sequences earn more where the policy was unsure.",
)
