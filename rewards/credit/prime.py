"""PRIME: leave-one-out advantages of implicit process rewards, token by token, plus those of the outcome."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of
from turnwise.rewards.credit.rloo import leave_one_out
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns
from turnwise.rewards.segments import Segments, whiten


def prime(
    batch: TurnBatch,
    log_ratio: str | ArrayLike = "log_ratio",
    *,
    beta: float = 0.05,
    batch_norm: bool = True,
    gamma_process: float = 1.0,
    gamma_outcome: float = 1.0,
    process_weight: float = 1.0,
    outcome_weight: float = 1.0,
    whitened: bool = True,
    compat: Literal["released"] | None = None,
) -> Credit:
    """Process and outcome rewards against the other rollouts, each summed to the end, added and whitened.

    A row's process reward `q = beta * log-ratio` is set against the mean over the other rollouts of their mean row:
    `n / (n - 1) * q - sum of mean rows / (n - 1)`. The outcome is set against the other outcomes and paid in the last
    row. The model phi is trained with `outcome_cross_entropy`.

    Args:
        batch: N trajectories, M rows. In the paper a row is a token that the policy sampled; a turn will do.
        log_ratio: (M,) `log phi - log reference` (nats) of each row, or the channel that holds it.
        beta: Scale of the process reward. With `batch_norm` it makes no difference.
        batch_norm: Divide process rewards by the largest absolute return in the batch plus 1e-6.
        gamma_process: Discount a row of the process return.
        gamma_outcome: Discount a row of the outcome return.
        process_weight: Weight of the process return.
        outcome_weight: Weight of the outcome return.
        whitened: Subtract the mean and divide by the sample deviation over all rows of the batch.
        compat: `released`: the first released code scales rewards by no beta before `batch_norm`, and its reward
            coefficients (5 and 5 in the scripts) never reach the advantage: both weights count as 1.

    Returns:
        Credit with the (M,) process rewards after `batch_norm`, and the (M,) advantage. The only rollout of a group
        keeps its raw rewards.

    Raises:
        ValueError: A log-ratio is not finite, or whitening meets a batch of a single row.

    Source: Process Reinforcement through Implicit Rewards (arXiv 2502.01456). Provenance: verified.

    >>> batch = TurnBatch.pack(lengths=[2, 1], group=[0, 0], reward=[0, 1, 0], outcome=[1, 0])
    >>> prime(batch, [0.5, 0.5, -1.0], beta=1.0, batch_norm=False, whitened=False).advantage.tolist()
    [4.0, 2.5, -2.5]
    """
    one_of("compat", compat, (None, "released"))
    if compat == "released":
        beta = process_weight = outcome_weight = 1.0
    reward = implicit_rewards(batch, finite_per_turn(batch, log_ratio, "log_ratio"), beta, batch_norm)
    process = discounted_returns(batch, against_mean_rows(batch, reward), gamma_process)
    outcome = discounted_returns(batch, _in_last_row(batch), gamma_outcome)
    advantage = process_weight * process + outcome_weight * outcome
    return Credit.of(batch, whiten(advantage) if whitened else advantage, reward)


def implicit_rewards(batch: TurnBatch, log_ratio: FloatArray, beta: float, batch_norm: bool) -> FloatArray:
    """(M,) `beta * log-ratio`, with `batch_norm` over the largest absolute return-to-go of the batch (+ 1e-6)."""
    reward = beta * log_ratio
    if batch_norm:
        reward = reward / (np.abs(discounted_returns(batch, reward, 1.0)).max(initial=0.0) + 1e-6)
    return reward


def against_mean_rows(batch: TurnBatch, reward: FloatArray) -> FloatArray:
    """(M,) `n / (n - 1) * q - sum over rollouts of their mean q / (n - 1)`; q itself in a group of one."""
    groups = Segments.of(batch.group)
    mean_row = np.bincount(batch.row, weights=reward, minlength=len(batch)) / np.maximum(batch.lengths, 1)
    n = groups.count
    others = np.maximum(n - 1, 1)
    factor = np.where(n > 1, n / others, 1.0)
    offset = np.where(n > 1, groups.sum(mean_row) / others, 0.0)
    difference: FloatArray = (factor[groups.code])[batch.row] * reward - (offset[groups.code])[batch.row]
    return difference


def _in_last_row(batch: TurnBatch) -> FloatArray:
    score = leave_one_out(batch.outcome, Segments.of(batch.group))
    rewards: FloatArray = np.where(batch.is_last, score[batch.row], 0.0)
    return rewards


RECORD = MethodRecord(
    name="prime",
    function=prime,
    paper="Process Reinforcement through Implicit Rewards",
    arxiv="2502.01456",
    provenance="verified",
    scope="group",
    needs=frozenset({"group", "log_ratio"}),
    min_group=2,
    summary="Implicit token rewards and the outcome, each against the other rollouts.",
)
