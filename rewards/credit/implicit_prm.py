"""Implicit process rewards: the log-ratio of two language models, trained on outcomes alone, rewards every step."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of, successes
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns

Scoring: TypeAlias = Literal["single", "accumulative"]


def turn_log_ratios(
    token_log_ratio: ArrayLike, turn: ArrayLike, turns: int, reduce: Literal["sum", "mean"] = "sum"
) -> FloatArray:
    """Sum or mean of token log-ratios over the tokens of each turn.

    Args:
        token_log_ratio: (L,) `log phi - log reference` (nats) of each token that the policy sampled.
        turn: (L,) index of the row (turn) of each token, in [0, turns).
        turns: M, the number of rows.
        reduce: `sum` (implicit PRM, iStar) or `mean` (SWEET).

    Returns:
        (M,) log-ratios in nats; 0 for a turn without tokens.

    Raises:
        ValueError: The arrays differ in length, or an index lies outside [0, turns).

    Source: Free Process Rewards without Process Labels (arXiv 2412.01981). Provenance: read.

    >>> turn_log_ratios([0.5, 0.25, -1.0], [0, 0, 1], 2).tolist()
    [0.75, -1.0]
    """
    one_of("reduce", reduce, ("sum", "mean"))
    values, rows = np.asarray(token_log_ratio, dtype=np.float64), np.asarray(turn, dtype=np.int64)
    if values.ndim != 1 or values.shape != rows.shape:
        raise ValueError(f"turn must have the shape of token_log_ratio, {values.shape}, got {rows.shape}")
    if len(rows) and not 0 <= rows.min() <= rows.max() < turns:
        raise ValueError(f"turn must lie in [0, {turns}), got {rows.min()} to {rows.max()}")
    sums: FloatArray = np.bincount(rows, weights=values, minlength=turns).astype(np.float64)
    return sums if reduce == "sum" else sums / np.maximum(np.bincount(rows, minlength=turns), 1)


def implicit_prm(
    batch: TurnBatch,
    log_ratio: str | ArrayLike = "log_ratio",
    *,
    beta: float,
    scoring: Scoring = "single",
    gamma: float = 1.0,
) -> Credit:
    """Process rewards `beta * log(phi / reference)` of each row, and their discounted return as the advantage.

    With outcome `r(y) = beta * log(phi(y) / reference(y))`, the sum over a prefix is the value `Q_t` of that prefix
    under the outcome model, and the reward of a step is `Q_t - Q_(t-1)`. The paper uses the rewards to rank answers
    and names no advantage; PRIME and iStar do.

    Args:
        batch: N trajectories, M rows: turns, steps or tokens.
        log_ratio: (M,) `log phi - log reference` (nats), summed over the tokens of each row (see `turn_log_ratios`),
            or the channel that holds it.
        beta: Scale of the reward. The value of the paper is not settled here, so there is no default.
        scoring: `single` pays each row its own reward; `accumulative` pays it the prefix value `Q_t`.
        gamma: Discount a row, of the advantage only.

    Returns:
        Credit with the (M,) process rewards and their return.

    Raises:
        ValueError: A log-ratio is not finite.

    Source: Free Process Rewards without Process Labels (arXiv 2412.01981). Provenance: read (beta is unverified).

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1])
    >>> implicit_prm(batch, [2.0, -1.0], beta=0.5).reward.tolist()
    [1.0, -0.5]
    >>> implicit_prm(batch, [2.0, -1.0], beta=0.5, scoring="accumulative").reward.tolist()
    [1.0, 0.5]
    """
    one_of("scoring", scoring, get_args(Scoring))
    reward = beta * finite_per_turn(batch, log_ratio, "log_ratio")
    if scoring == "accumulative":
        total = np.append(0.0, np.cumsum(reward))
        reward = total[1:] - total[batch.starts][batch.row]
    return Credit.of(batch, discounted_returns(batch, reward, gamma), reward)


def outcome_cross_entropy(
    batch: TurnBatch,
    log_ratio: str | ArrayLike = "log_ratio",
    *,
    beta: float = 0.05,
    success: ArrayLike | None = None,
) -> float:
    """Cross-entropy of `sigmoid(beta * sum of log-ratios)` against success: what trains phi in PRIME.

    Args:
        batch: N trajectories, M rows.
        log_ratio: (M,) log-ratios (nats), or their channel.
        beta: Scale inside the sigmoid.
        success: (N,) positive for a success; default `batch.outcome`.

    Returns:
        The mean over trajectories, in nats; 0 for an empty batch.

    Source: PRIME (arXiv 2502.01456), after arXiv 2412.01981. Provenance: verified.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> round(outcome_cross_entropy(batch, [0.0, 0.0]), 6)
    0.693147
    """
    ratios = finite_per_turn(batch, log_ratio, "log_ratio")
    logits = beta * np.bincount(batch.row, weights=ratios, minlength=len(batch))
    signs = np.where(successes(batch, success), 1.0, -1.0)
    return float(np.logaddexp(0.0, -signs * logits).mean()) if len(batch) else 0.0


RECORD = MethodRecord(
    name="implicit_prm",
    function=implicit_prm,
    paper="Free Process Rewards without Process Labels",
    arxiv="2412.01981",
    provenance="read",
    scope="episode",
    needs=frozenset({"log_ratio"}),
    min_group=1,
    summary="Each step is paid the log-ratio of a model trained on outcomes and its reference.",
)
