"""REINFORCE++: returns whitened over the whole batch, with or without a group baseline."""

from __future__ import annotations

from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit._inputs import per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns
from turnwise.rewards.segments import Segments, SingletonRule, normalise, whiten


def reinforce_pp(
    batch: TurnBatch,
    *,
    gamma: float = 1.0,
    baseline: bool = False,
    tokens: str | ArrayLike | None = None,
    eps: float = 1e-8,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Whitened return-to-go of the turn rewards; with `baseline`, the whitened outcome minus its group's mean.

    Args:
        batch: N trajectories, M turns.
        gamma: Discount a turn. The published method discounts a token; the two agree at 1.0.
        baseline: REINFORCE++-baseline: `outcome - mean of the group` takes the place of the return.
        tokens: (M,) number of tokens the policy sampled in each turn, or the channel that holds it. The published
            method whitens over tokens, so that longer turns count more; by default each turn counts once.
        eps: Added to the batch's variance.
        singleton: With `baseline`, what the only rollout of a group gets before whitening: `raw` or `zero`.

    Returns:
        Credit with a dimensionless (M,) advantage of (weighted) mean 0 and variance 1.

    Raises:
        ValueError: Fewer than two turns (or tokens) in a batch that is not empty.

    Source: REINFORCE++ (arXiv 2501.03262). Provenance: verified.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> reinforce_pp(batch).advantage.round(4).tolist()
    [0.7071, -0.7071]
    """
    if baseline:
        groups = Segments.of(batch.group)
        value = normalise(batch.outcome, groups, scale=False, singleton=singleton)[batch.row]
    else:
        value = discounted_returns(batch, batch.reward, gamma)
    weights = None if tokens is None else per_turn(batch, tokens, "tokens")
    return Credit.of(batch, whiten(value, weights, eps=eps))


RECORD = MethodRecord(
    name="reinforce_pp",
    function=reinforce_pp,
    paper="REINFORCE++",
    arxiv="2501.03262",
    provenance="verified",
    scope="group",
    needs=frozenset(),
    min_group=1,
    summary="Returns whitened over the whole batch.",
)
