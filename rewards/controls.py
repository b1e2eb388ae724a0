"""Controls: rewards made worse on purpose, to see what a method, or a result, owes to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, FloatArray, TurnBatch
from turnwise.rewards.segments import Segments


def flip_outcomes(batch: TurnBatch, probability: float, rng: np.random.Generator) -> TurnBatch:
    """Turn the outcome R into 1 - R in some groups: all rollouts of a group share one draw, as published.

    The turn rewards change with it, in the last turn of each rollout, so that both tell the same story. A rollout
    without turns changes its outcome only.

    Args:
        batch: N trajectories, M turns, outcomes in [0, 1].
        probability: Of a flip, for each group.
        rng: Draws once a group, in order of the groups' first rollouts.

    Returns:
        A new batch.

    Raises:
        ValueError: `probability` or an outcome is not in [0, 1].

    Source: Noisy Rewards in Learning to Reason (arXiv 2505.22653). Provenance: read (from the authors' code).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=["a", "a"], reward=[1, 0], outcome=[1, 0])
    >>> flip_outcomes(batch, 1.0, np.random.default_rng(0)).outcome.tolist()
    [0.0, 1.0]
    """
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability must lie in [0, 1], got {probability!r}")
    if not ((batch.outcome >= 0.0) & (batch.outcome <= 1.0)).all():
        raise ValueError("outcomes must lie in [0, 1] to be flipped")
    flipped = _one_draw_a_group(batch, probability, rng)
    return with_outcomes(batch, np.where(flipped, 1.0 - batch.outcome, batch.outcome))


def reasoning_pattern_outcomes(batch: TurnBatch, pattern: ArrayLike, *, only_failures: bool) -> TurnBatch:
    """Pay for how a text is written: a pattern score in place of the outcome, or in place of an outcome of 0 only.

    Args:
        batch: N trajectories, M turns.
        pattern: (N,) score of each trajectory's reasoning pattern, for example the share of key phrases that it uses.
            The authors' phrases and coefficients are not known, so they have to be given.
        only_failures: True pays the pattern only where the outcome is 0.

    Returns:
        A new batch.

    Raises:
        ValueError: `pattern` does not hold one finite number a trajectory.

    Source: Noisy Rewards in Learning to Reason (arXiv 2505.22653). Provenance: read (the rule; not the phrases).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=["a", "a"], reward=[1, 0], outcome=[1, 0])
    >>> reasoning_pattern_outcomes(batch, [0.25, 0.5], only_failures=True).outcome.tolist()
    [1.0, 0.5]
    """
    scores = np.asarray(pattern, dtype=np.float64)
    if scores.shape != (len(batch),) or not np.isfinite(scores).all():
        raise ValueError(f"pattern must hold {len(batch)} finite numbers, one a trajectory, got {scores}")
    paid = (batch.outcome == 0.0) if only_failures else np.ones(len(batch), dtype=np.bool_)
    return with_outcomes(batch, np.where(paid, scores, batch.outcome))


def with_outcomes(batch: TurnBatch, outcome: FloatArray) -> TurnBatch:
    """The batch with other outcomes; what each changes by is added to the reward of the last turn.

    >>> batch = TurnBatch.pack(lengths=[2], group=["a"], reward=[0.5, 1], outcome=[1])
    >>> with_outcomes(batch, np.array([0.25])).reward.tolist()
    [0.5, 0.25]
    """
    reward = batch.reward.copy()
    reward[batch.is_last] += (outcome - batch.outcome)[batch.row[batch.is_last]]
    return replace(batch, outcome=outcome, reward=reward)


def _one_draw_a_group(batch: TurnBatch, probability: float, rng: np.random.Generator) -> BoolArray:
    """(N,) whether the group of each trajectory is flipped."""
    groups = Segments.of(batch.group)
    _, first, code = np.unique(groups.code, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    draws: FloatArray = rng.random(len(first))
    flips: BoolArray = draws[order[code]] < probability
    return flips
