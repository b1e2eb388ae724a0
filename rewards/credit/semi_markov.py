"""Returns and advantages that are discounted by the time turns take, not by their number."""

from __future__ import annotations

from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit._inputs import per_turn
from turnwise.rewards.credit.turn_gae import after_last
from turnwise.rewards.elapsed import PaidAt, elapsed_advantage, elapsed_returns
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import whiten


def semi_markov(
    batch: TurnBatch,
    durations: str | ArrayLike = "duration",
    *,
    gamma: float,
    unit: float,
    paid_at: PaidAt = "start",
    values: str | ArrayLike | None = None,
    bootstrap: ArrayLike | None = None,
    lam: float = 1.0,
    whitened: bool = False,
) -> Credit:
    """Return-to-go discounted by elapsed time; with a critic, the generalised advantage estimate.

    Where every turn takes one unit this is discounting by the turn: `discounted_returns`, or `turn_gae`.

    Args:
        batch: N trajectories, M turns.
        durations: (M,) how long each turn took, or the channel that holds it.
        gamma: Discount a unit of time.
        unit: What one unit is, in the unit of the durations: for example 60 for a discount a minute.
        paid_at: Whether a turn's reward comes at its `start` or at its `end`; at the end, a slow last action makes the
            outcome worth less too.
        values: (M,) the critic's value of the state before each turn, or its channel; None for plain returns.
        bootstrap: (N,) or scalar: value of the state after the last turn, read for truncated trajectories only.
        lam: The estimator's lambda.
        whitened: Whiten over the turns of the batch.

    Returns:
        Credit with a (M,) advantage in units of the reward (dimensionless if whitened).

    Raises:
        ValueError: An argument is out of its range, or a trajectory is truncated and there is a critic but no
            `bootstrap`.

    Source: Sutton, Precup and Singh (1999), Between MDPs and semi-MDPs, Artificial Intelligence 112. Provenance:
    unverified (no published code was compared; the recursion is the textbook's).

    >>> channels = {"duration": [30, 10]}
    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1], channels=channels)
    >>> semi_markov(batch, gamma=0.5, unit=10).advantage.tolist()
    [0.125, 1.0]
    """
    if values is None:
        advantage = elapsed_returns(batch, batch.reward, durations, gamma=gamma, unit=unit, paid_at=paid_at)
    else:
        value, after = per_turn(batch, values, "values"), after_last(batch, bootstrap)
        advantage = elapsed_advantage(
            batch, value, durations, gamma=gamma, unit=unit, lam=lam, paid_at=paid_at, bootstrap=after
        )
    return Credit.of(batch, whiten(advantage) if whitened else advantage)


RECORD = MethodRecord(
    name="semi_markov",
    function=semi_markov,
    paper="Between MDPs and semi-MDPs: A Framework for Temporal Abstraction in Reinforcement Learning",
    arxiv="",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"durations"}),
    min_group=1,
    summary="Returns discounted by the time that turns take, not by their number.",
)
