"""GAE over tokens, where text that the environment wrote is stepped over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import generalised_advantage
from turnwise.rewards.segments import whiten


def gae(
    batch: TurnBatch,
    values: str | ArrayLike = "value",
    *,
    mask: str | ArrayLike | None = None,
    gamma: float = 1.0,
    lam: float = 0.95,
    whitened: bool = True,
) -> Credit:
    """Generalised advantage estimation over a batch whose rows are tokens, as PPO trainers of language models do it.

    Rows outside the mask are stepped over: the recursion goes from a sampled token to the next sampled one as if tool
    text between them did not exist, and their own rewards are not read. For rows that are turns see `turn_gae`.

    Args:
        batch: N sequences, M tokens; `batch.reward` holds the token rewards.
        values: (M,) the critic's value before each token, or the channel that holds it.
        mask: (M,) 1 where the policy sampled the token (`response_mask`), or its channel; default everywhere.
        gamma: Discount a sampled token.
        lam: The estimator's lambda.
        whitened: Whiten over the sampled tokens of the batch.

    Returns:
        Credit with a (M,) advantage and weight 0 outside the mask. The critic's targets come from `masked_gae`.

    Raises:
        ValueError: `whitened`, and only one token was sampled in the batch.

    Source: Generalized Advantage Estimation (arXiv 1506.02438), eq. 16; masking as in verl's
    `compute_gae_advantage_return`. Provenance: verified.

    >>> batch = TurnBatch.pack(lengths=[3], group=[0], reward=[0, 0, 1], outcome=[1])
    >>> gae(batch, [0.5, 9.0, 0.5], mask=[1, 0, 1], lam=1.0, whitened=False).advantage.tolist()
    [0.5, 0.5, 0.5]
    """
    value = per_turn(batch, values, "values")
    sampled = np.ones(batch.turns) if mask is None else per_turn(batch, mask, "mask")
    advantage, _ = masked_gae(batch, value, sampled != 0.0, gamma=gamma, lam=lam)
    if whitened:
        advantage = whiten(advantage, (sampled != 0.0).astype(np.float64))
    return replace(Credit.of(batch, advantage), weight=(sampled != 0.0).astype(np.float64))


def masked_gae(
    batch: TurnBatch, values: FloatArray, mask: BoolArray, *, gamma: float, lam: float
) -> tuple[FloatArray, FloatArray]:
    """Raw advantages and returns (advantage + value), both (M,).

    A row outside the mask takes over the advantage of the next row inside it, and 0 if there is none, as published.
    """
    kept = np.flatnonzero(mask)
    lengths = np.bincount(batch.row[kept], minlength=len(batch))
    inside = np.append(generalised_advantage(batch.reward[kept], values[kept], lengths, gamma=gamma, lam=lam), 0.0)
    following = np.searchsorted(kept, np.arange(batch.turns))  # len(kept) where no sampled row follows
    same = np.append(batch.row[kept], -1)[following] == batch.row
    advantage = np.where(same, inside[following], 0.0)
    return advantage, advantage + values


RECORD = MethodRecord(
    name="gae",
    function=gae,
    paper="High-Dimensional Continuous Control Using Generalized Advantage Estimation",
    arxiv="1506.02438",
    provenance="verified",
    scope="episode",
    needs=frozenset({"values"}),
    min_group=1,
    summary="Token-level GAE that steps over text the environment wrote.",
)
