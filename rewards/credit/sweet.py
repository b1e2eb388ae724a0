"""SWEET-RL: a turn's advantage is its mean token log-ratio under a critic that reads the reference solution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn
from turnwise.rewards.method import MethodRecord


def sweet(batch: TurnBatch, log_ratio: str | ArrayLike = "log_ratio") -> Credit:
    """The advantage of a turn is `(1 / L) * sum over its L tokens of log phi - log reference`.

    Both models read what only training knows (the reference solution) before the conversation; the policy never
    does. The critic phi is trained with `sweet_dpo_loss`. The authors do not use the advantage as a policy gradient:
    they rank candidate turns by it and train the policy on pairs from the upper and the lower half.

    Args:
        batch: N trajectories, M turns.
        log_ratio: (M,) mean log-ratio (nats a token) of each turn, from
            `implicit_prm.turn_log_ratios(..., reduce="mean")`, or the channel that holds it.

    Returns:
        Credit with the (M,) log-ratios as reward and as advantage, in nats a token.

    Raises:
        ValueError: A log-ratio is not finite.

    Source: SWEET-RL (arXiv 2503.15478). Provenance: read (the authors' loss).

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1])
    >>> sweet(batch, [0.3, -0.1]).advantage.tolist()
    [0.3, -0.1]
    """
    advantage = finite_per_turn(batch, log_ratio, "log_ratio").copy()
    return Credit.of(batch, advantage, advantage)


def sweet_dpo_loss(chosen: ArrayLike, rejected: ArrayLike, *, beta: float = 0.1) -> float:
    """`-log sigmoid(beta * (sum of chosen - sum of rejected))` of one pair of trajectories.

    Args:
        chosen: (T,) mean log-ratio (nats a token) of each turn of the better trajectory.
        rejected: (T',) the same of the worse one.
        beta: Scale of the log-ratios.

    Returns:
        The loss in nats.

    Source: SWEET-RL (arXiv 2503.15478). Provenance: read (the authors' loss).

    >>> round(sweet_dpo_loss([0.3, 0.1], [-0.1, 0.0]), 5)
    0.66846
    """
    margin = beta * (np.sum(np.asarray(chosen, np.float64)) - np.sum(np.asarray(rejected, np.float64)))
    return float(np.logaddexp(0.0, -margin))


RECORD = MethodRecord(
    name="sweet",
    function=sweet,
    paper="SWEET-RL: Training Multi-Turn LLM Agents on Collaborative Reasoning Tasks",
    arxiv="2503.15478",
    provenance="read",
    scope="episode",
    needs=frozenset({"log_ratio", "answer"}),
    min_group=1,
    summary="Mean token log-ratio under a critic that reads the reference solution.",
)
