"""GAE over turns, with a critic that values the state before each turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import per_trajectory, per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import generalised_advantage
from turnwise.rewards.segments import whiten


def turn_gae(
    batch: TurnBatch,
    values: str | ArrayLike = "value",
    *,
    bootstrap: ArrayLike | None = None,
    gamma: float = 0.99,
    lam: float = 0.95,
    whitened: bool = False,
) -> Credit:
    """Generalised advantage estimation where one step is one turn.

    `delta[t] = reward[t] + gamma * V[t + 1] - V[t]` and `A[t] = delta[t] + gamma * lam * A[t + 1]`. After the last turn
    V is 0 where the task ended and `bootstrap` where a limit cut the trajectory off.

    Args:
        batch: N trajectories, M turns.
        values: (M,) the critic's value of the state before each turn, or the channel that holds it.
        bootstrap: (N,) or scalar: value of the state after the last turn, read for truncated trajectories only.
        gamma: Discount a turn.
        lam: The estimator's lambda.
        whitened: Whiten over the turns of the batch.

    Returns:
        Credit with a (M,) advantage in units of the reward (dimensionless if whitened).

    Raises:
        ValueError: A trajectory is truncated and `bootstrap` is not given (pass 0.0 to treat it as an end).

    Source: Generalized Advantage Estimation (arXiv 1506.02438), eq. 16, over turns. Provenance: unverified (no
    published code was compared; the recursion is the textbook's).

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1])
    >>> turn_gae(batch, [0.5, 0.5], gamma=1.0, lam=0.5).advantage.tolist()
    [0.25, 0.5]
    """
    value = per_turn(batch, values, "values")
    after = after_last(batch, bootstrap)
    advantage = generalised_advantage(batch.reward, value, batch.lengths, gamma=gamma, lam=lam, bootstrap=after)
    return Credit.of(batch, whiten(advantage) if whitened else advantage)


def after_last(batch: TurnBatch, bootstrap: ArrayLike | None) -> FloatArray:
    """(N,) value of the state after each trajectory's last turn: 0 where the task ended.

    Raises:
        ValueError: A trajectory is truncated and `bootstrap` is not given.
    """
    if bootstrap is not None:
        return np.where(batch.truncated, per_trajectory(batch, bootstrap, "bootstrap"), 0.0)
    if batch.truncated.any():
        cut = int(batch.truncated.sum())
        raise ValueError(
            f"{cut} of {len(batch)} trajectories are truncated: pass bootstrap, the (N,) values of their last states "
            "(or 0.0 to treat a truncation as an end)"
        )
    return np.zeros(len(batch))


RECORD = MethodRecord(
    name="turn_gae",
    function=turn_gae,
    paper="High-Dimensional Continuous Control Using Generalized Advantage Estimation",
    arxiv="1506.02438",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"values"}),
    min_group=1,
    summary="GAE where one step is one turn.",
)
