"""Discounting by the time that turns take, where other returns discount by the turn (semi-Markov decision processes).

A turn that runs a test suite may take a thousand times as long as one that reads a file. Here a later reward is worth
less by the time that passes before it, `gamma ** (time / unit)`. Times are a channel of the turns: measured seconds
(`turnwise.wrappers.MeasuredDuration`), or a cost that the environment states, which is the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray, IntArray, TurnBatch

_BLOCK = 256  # positions that one pass walks over; longer trajectories are cut into blocks of this size

PaidAt: TypeAlias = Literal["start", "end"]
"""Whether a turn's reward comes when the turn begins, so that its own duration does not count, or when it ends."""


def elapsed_returns(
    batch: TurnBatch,
    reward: FloatArray,
    durations: str | ArrayLike = "duration",
    *,
    gamma: float,
    unit: float,
    paid_at: PaidAt = "start",
) -> FloatArray:
    """`G[t] = r[t] + gamma ** (d[t] / unit) * G[t + 1]` inside each trajectory, nothing after its last turn.

    With `paid_at="end"` the reward waits for its turn: `r[t]` becomes `gamma ** (d[t] / unit - 1) * r[t]`. The clock
    starts one unit early, so that both agree with discounting by the turn where every turn takes one unit.

    Args:
        batch: N trajectories, M turns.
        reward: (M,) reward of each turn.
        durations: (M,) duration d of each turn, at least 0, or the channel that holds it.
        gamma: Discount a unit of time, in [0, 1]; above 0 for `paid_at="end"`.
        unit: What one unit of time is, in the unit of the durations.
        paid_at: When a turn's reward comes.

    Returns:
        (M,) the return from each turn on, in units of the reward.

    Raises:
        ValueError: An argument is out of its range.

    Source: Sutton, Precup and Singh (1999), Between MDPs and semi-MDPs, Artificial Intelligence 112, the model of an
    option: what follows k steps later is discounted by `gamma ** k`.

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1], channels={"duration": [30, 10]})
    >>> elapsed_returns(batch, batch.reward, gamma=0.5, unit=10).tolist()
    [0.125, 1.0]
    """
    discounts, scale = _discounts(batch, durations, gamma, unit, paid_at)
    return variable_scan(reward * scale, batch.lengths, discounts)


def elapsed_advantage(
    batch: TurnBatch,
    values: FloatArray,
    durations: str | ArrayLike = "duration",
    *,
    gamma: float,
    unit: float,
    lam: float,
    paid_at: PaidAt = "start",
    bootstrap: FloatArray | None = None,
) -> FloatArray:
    """Generalised advantage estimates over turns of different duration.

    `delta[t] = r[t] + gamma ** (d[t] / unit) * V[t + 1] - V[t]` and
    `A[t] = delta[t] + lam * gamma ** (d[t] / unit) * A[t + 1]`: time discounts, and lambda counts decisions.

    Args:
        batch: N trajectories, M turns; `batch.reward` is used.
        values: (M,) value of the state before each turn, under the same discount.
        durations: As in `elapsed_returns`, as are `gamma`, `unit` and `paid_at`.
        gamma: Discount a unit of time.
        unit: What one unit of time is.
        lam: The estimator's lambda, in [0, 1].
        paid_at: When a turn's reward comes.
        bootstrap: (N,) value of the state after each trajectory's last turn; default 0.

    Returns:
        (M,) advantages.

    Source: Generalized Advantage Estimation (arXiv 1506.02438), eq. 16, with the discount of an option's model.
    """
    if not 0.0 <= lam <= 1.0:
        raise ValueError(f"lam must lie in [0, 1], got {lam!r}")
    discounts, scale = _discounts(batch, durations, gamma, unit, paid_at)
    following = np.zeros(batch.turns)
    following[:-1] = values[1:]
    following[batch.is_last] = 0.0 if bootstrap is None else bootstrap[batch.lengths > 0]
    return variable_scan(batch.reward * scale + discounts * following - values, batch.lengths, lam * discounts)


def variable_scan(values: FloatArray, lengths: IntArray, discounts: FloatArray) -> FloatArray:
    """`y[t] = values[t] + discounts[t] * y[t + 1]` inside each of the runs of `lengths` rows; (M,) to (M,).

    `turnwise.rewards.returns.reverse_scan` with a discount for each row, in the same way: one position of all runs at
    once, long runs in blocks. The discount of a run's last row is not read.

    >>> variable_scan(np.array([0.0, 0.0, 8.0]), np.array([3]), np.array([0.5, 0.25, 9.0])).tolist()
    [1.0, 2.0, 8.0]
    """
    if int(lengths.max(initial=0)) > _BLOCK:
        return _scan_blocks(values, lengths, discounts)
    out = np.array(values, dtype=np.float64)
    for rows in _rows_with_a_next(lengths):
        out[rows] += discounts[rows] * out[rows + 1]
    return out


def _scan_blocks(values: FloatArray, lengths: IntArray, discounts: FloatArray) -> FloatArray:
    blocks = -(-lengths // _BLOCK)
    filled = lengths > 0
    last = np.cumsum(blocks)[filled] - 1
    sizes = np.full(int(blocks.sum()), _BLOCK, dtype=np.int64)
    sizes[last] = (lengths - (blocks - 1) * _BLOCK)[filled]
    local = variable_scan(values, sizes, discounts)
    # The discount from each row to the first row of the next block.
    through = np.array(discounts, dtype=np.float64)
    for rows in _rows_with_a_next(sizes):
        through[rows] *= through[rows + 1]
    first = np.cumsum(sizes) - sizes
    at_first = variable_scan(local[first], blocks, through[first])
    after = np.append(at_first[1:], 0.0)
    after[last] = 0.0
    scanned: FloatArray = local + through * np.repeat(after, sizes)
    return scanned


def _rows_with_a_next(lengths: IntArray) -> Iterator[IntArray]:
    """Rows that are not the last of their run, one position at a time, from the back."""
    order = np.argsort(-lengths, kind="stable")
    first = (np.cumsum(lengths) - lengths)[order]
    runs_longer_than = len(lengths) - np.cumsum(np.bincount(lengths, minlength=1))
    for position in range(int(lengths.max(initial=0)) - 2, -1, -1):
        yield first[: runs_longer_than[position + 1]] + position


def _discounts(
    batch: TurnBatch, durations: str | ArrayLike, gamma: float, unit: float, paid_at: PaidAt
) -> tuple[FloatArray, FloatArray]:
    """(M,) discount over each turn, and (M,) what its reward is multiplied by."""
    if paid_at not in get_args(PaidAt):
        raise ValueError(f"paid_at must be one of {get_args(PaidAt)}, got {paid_at!r}")
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma must lie in [0, 1], got {gamma!r}")
    if paid_at == "end" and gamma == 0.0:
        raise ValueError("gamma must be above 0 where rewards come at the end of their turns")
    if not 0.0 < unit < np.inf:
        raise ValueError(f"unit must be a positive duration, got {unit!r}")
    units = checked_durations(batch, durations) / unit
    discounts: FloatArray = gamma**units
    return discounts, discounts / gamma if paid_at == "end" else np.ones(batch.turns)


def checked_durations(batch: TurnBatch, durations: str | ArrayLike) -> FloatArray:
    """(M,) durations, given as they are or as the name of their channel.

    Raises:
        KeyError: The batch has no such channel.
        ValueError: There is not one for each turn, or one is negative or not finite.
    """
    given = batch.channel(durations) if isinstance(durations, str) else durations
    array: FloatArray = np.asarray(given, dtype=np.float64)
    if array.shape != (batch.turns,):
        raise ValueError(f"durations must have shape ({batch.turns},), one a turn, got {array.shape}")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0.0)))
    if len(bad):
        raise ValueError(
            f"durations must be finite and >= 0, got {array[bad[0]]} in row {bad[0]} ({len(bad)} such rows)"
        )
    return array
