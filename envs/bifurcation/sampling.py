"""Whole groups of rollouts of a tabular MDP at once: a loop over turns, none over rollouts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from turnwise.rewards.batch import BoolArray, FloatArray, IntArray, TurnBatch
from turnwise.rewards.tabular import TabularMDP


class Sample(NamedTuple):
    """Sampled rollouts.

    Attributes:
        batch: N trajectories, M turns; anchors are states, `reward` the outcome in the last turn, and the MDP's
            signals are channels.
        state: (M,) the state before each turn.
        action: (M,) the action taken in it.
        next_state: (M,) the state after it.
    """

    batch: TurnBatch
    state: IntArray
    action: IntArray
    next_state: IntArray


def sample_batch(
    mdp: TabularMDP, policy: FloatArray, num_groups: int, group_size: int, rng: np.random.Generator
) -> Sample:
    """Roll a policy out in groups; the rollouts of a group begin in the same state.

    Args:
        mdp: S states, A actions.
        policy: (S, A) probability of each action.
        num_groups: Groups.
        group_size: Rollouts in each, so that N = num_groups * group_size.
        rng: All chance comes from here.

    Raises:
        ValueError: There is no group or no rollout in it.

    >>> from turnwise.envs.bifurcation import Spec, build
    >>> from turnwise.rewards.tabular import uniform_policy
    >>> mdp = build(Spec("decisive", horizon=4), 0).mdp
    >>> batch = sample_batch(mdp, uniform_policy(mdp), 3, 8, np.random.default_rng(0)).batch
    >>> len(batch), batch.turns
    (24, 96)
    """
    if num_groups < 1 or group_size < 1:
        raise ValueError(f"num_groups and group_size must be at least 1, got {num_groups} and {group_size}")
    count = num_groups * group_size
    choose = np.cumsum(policy, axis=1)
    successors, probabilities = mdp.successors
    lead = np.cumsum(probabilities, axis=-1)
    here = np.repeat(rng.choice(mdp.states, size=num_groups, p=mdp.initial), group_size)
    states, actions, arrivals = (np.zeros((count, mdp.horizon), dtype=np.int64) for _ in range(3))
    running = np.zeros((count, mdp.horizon), dtype=np.bool_)
    for turn in range(mdp.horizon):
        rows = np.flatnonzero(~mdp.terminal[here])
        if not len(rows):
            break
        state = here[rows]
        action = _draw(choose[state], rng)
        arrival = successors[state, action, _draw(lead[state, action], rng)]
        running[rows, turn] = True
        states[rows, turn], actions[rows, turn], arrivals[rows, turn] = state, action, arrival
        here[rows] = arrival
    batch = _pack(mdp, running, states[running], actions[running], mdp.outcome[here], group_size)
    return Sample(batch, states[running], actions[running], arrivals[running])


def _draw(cumulative: FloatArray, rng: np.random.Generator) -> IntArray:
    """(n,) one draw from each row of (n, K) cumulative probabilities."""
    uniform = rng.random((len(cumulative), 1)) * cumulative[:, -1:]  # the last sum is 1 up to rounding
    drawn: IntArray = (cumulative <= uniform).sum(axis=1)
    return drawn


def _pack(
    mdp: TabularMDP, running: BoolArray, state: IntArray, action: IntArray, outcome: FloatArray, group_size: int
) -> TurnBatch:
    lengths = running.sum(axis=1)
    reward = np.zeros(len(state))
    filled = lengths > 0
    reward[np.cumsum(lengths)[filled] - 1] = outcome[filled]
    return TurnBatch.pack(
        lengths=lengths,
        group=np.arange(len(lengths)) // group_size,
        reward=reward,
        outcome=outcome,
        anchor=state,
        channels={name: signal[state, action] for name, signal in mdp.signals.items()},
    )
