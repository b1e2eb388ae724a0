"""Discounted sums along trajectories laid end to end, without a Python loop over turns."""

from __future__ import annotations

import numpy as np

from turnwise.rewards.batch import FloatArray, IntArray, TurnBatch

_BLOCK = 256  # positions that one pass walks over; longer trajectories are cut into blocks of this size


def discounted_returns(batch: TurnBatch, reward: FloatArray, gamma: float) -> FloatArray:
    """`G[t] = reward[t] + gamma * G[t + 1]` inside each trajectory, nothing after its last turn.

    Args:
        batch: The turns that the rewards belong to.
        reward: (M,) reward of each turn.
        gamma: Discount a turn, in [0, 1].

    Returns:
        (M,) the return from each turn on, in units of the reward.

    >>> batch = TurnBatch.pack(lengths=[2, 1], group=[0, 0], reward=[0, 1, 3], outcome=[1, 3])
    >>> discounted_returns(batch, batch.reward, 0.5).tolist()
    [0.5, 1.0, 3.0]
    """
    return reverse_scan(reward, batch.lengths, gamma)


def generalised_advantage(
    reward: FloatArray,
    values: FloatArray,
    lengths: IntArray,
    *,
    gamma: float,
    lam: float,
    bootstrap: FloatArray | None = None,
) -> FloatArray:
    """Generalised advantage estimates (arXiv 1506.02438, eq. 16) of rows laid end to end.

    Args:
        reward: (M,) reward of each row.
        values: (M,) value of the state before each row.
        lengths: (N,) rows of each trajectory.
        gamma: Discount a row, in [0, 1].
        lam: The estimator's lambda, in [0, 1].
        bootstrap: (N,) value of the state after each trajectory's last row; default 0.

    Returns:
        (M,) advantages.
    """
    next_values = np.zeros_like(values)
    next_values[:-1] = values[1:]
    filled = lengths > 0
    last = np.cumsum(lengths)[filled] - 1
    next_values[last] = 0.0 if bootstrap is None else bootstrap[filled]
    return reverse_scan(reward + gamma * next_values - values, lengths, _unit("lam", lam) * _unit("gamma", gamma))


def reverse_scan(values: FloatArray, lengths: IntArray, discount: float) -> FloatArray:
    """`y[t] = values[t] + discount * y[t + 1]` inside each of the runs of `lengths` rows; (M,) to (M,).

    Each step works on one position of all runs at once. A cumulative sum of `discount ** -t` would need no loop, but
    overflows after some hundred turns. Runs of more than 256 rows are cut into blocks: blocks are scanned by
    themselves, then the blocks' first rows, so that one run of ten million rows costs no more than many short ones.
    """
    _unit("gamma", discount)
    longest = int(lengths.max(initial=0))
    if longest > _BLOCK:
        return _scan_blocks(values, lengths, discount)
    order = np.argsort(-lengths, kind="stable")
    first = (np.cumsum(lengths) - lengths)[order]
    runs_longer_than = len(lengths) - np.cumsum(np.bincount(lengths, minlength=1))
    out = np.array(values, dtype=np.float64)
    for position in range(longest - 2, -1, -1):
        rows = first[: runs_longer_than[position + 1]] + position
        out[rows] += discount * out[rows + 1]
    return out


def _scan_blocks(values: FloatArray, lengths: IntArray, discount: float) -> FloatArray:
    blocks = -(-lengths // _BLOCK)
    filled = lengths > 0
    last = np.cumsum(blocks)[filled] - 1
    sizes = np.full(int(blocks.sum()), _BLOCK, dtype=np.int64)
    sizes[last] = (lengths - (blocks - 1) * _BLOCK)[filled]
    local = reverse_scan(values, sizes, discount)
    first = np.cumsum(sizes) - sizes
    # Every block but a run's last is full, so that one discount serves for all steps from block to block.
    at_first = reverse_scan(local[first], blocks, discount**_BLOCK)
    after = np.append(at_first[1:], 0.0)
    after[last] = 0.0
    rows_to_go = np.repeat(first + sizes, sizes) - np.arange(len(values))
    tail: FloatArray = (discount ** np.arange(_BLOCK + 1, dtype=np.float64))[rows_to_go] * np.repeat(after, sizes)
    return local + tail


def _unit(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return value
