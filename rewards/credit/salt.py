"""SALT: steps that several rollouts share get the mean of those rollouts' advantages, steps of one rollout its own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnwise.rewards.batch import Credit, FloatArray, IntArray, TurnBatch
from turnwise.rewards.credit._inputs import codes_per_turn, one_of, per_trajectory
from turnwise.rewards.credit.anchors import similar_anchors
from turnwise.rewards.credit.rloo import leave_one_out
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, normalise

Repeats: TypeAlias = Literal["each", "once"]
Keys: TypeAlias = Sequence[Hashable] | NDArray[Any]


def salt(
    batch: TurnBatch,
    action: Keys,
    *,
    window: int,
    repeats: Repeats,
    advantages: Literal["grpo", "rloo"] | ArrayLike = "grpo",
    state: Keys | None = None,
    next_state: Keys | None = None,
    similarity: float | None = None,
) -> Credit:
    """Advantages from a graph of the group: nodes are states, edges are steps, equal steps of rollouts are merged.

    The advantage of a step is the mean of the advantages of all trajectories whose step is the same: same state, same
    action, same next state, and the same `window` steps before it. Without overlap it is the trajectory's own.

    Args:
        batch: N trajectories, M turns, with `anchor` codes of the state before each turn.
        action: (M,) key of each turn's action: any hashable, for example its text or the parsed call.
        window: How many earlier steps (state and action) must agree too. 0 compares the step alone.
        repeats: Whether the visits of one trajectory to one edge weigh `each` or `once`.
        advantages: (N,) trajectory advantages of any group estimator, or the name of one: `grpo`, `rloo`.
        state: (M,) keys of the states, in place of `batch.anchor`.
        next_state: (M,) keys of the states after each turn. Default: the state of the next turn; after the last one
            an end that trajectories with equal outcomes share.
        similarity: None compares keys exactly. A ratio in (0, 1) takes `action`, `state` and `next_state` as texts
            and those this alike for equal (greedy, depends on the order of rollouts, see `similar_anchors`).

    Returns:
        Credit with a (M,) advantage, in units of `advantages`. Its reward is the batch's own.

    Raises:
        ValueError: `window` is negative, or an argument has the wrong length.

    Source: SALT (arXiv 2510.20022). Provenance: unverified (our reading of the abstract; the history and the repeated
    visits are open, so they have no defaults).

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[0, 1, 0, 0], outcome=[1, 0], anchor=list("abac"))
    >>> after = ["b", "end", "b", "end"]
    >>> salt(batch, list("xyxy"), next_state=after, window=0, repeats="once", advantages=[1, -1]).advantage.tolist()
    [0.0, 1.0, 0.0, -1.0]
    """
    if window < 0:
        raise ValueError(f"window must be at least 0, got {window!r}")
    one_of("repeats", repeats, get_args(Repeats))
    group = Segments.of(batch.group).code[batch.row]
    states = batch.anchor if state is None else _codes(batch, state, "state", group, similarity)
    after = (
        _following(batch, states) if next_state is None else _codes(batch, next_state, "next_state", group, similarity)
    )
    step = Segments.of(group, states, _codes(batch, action, "action", group, similarity)).code
    history = [_earlier(batch, step, back) for back in range(1, window + 1)]
    edges = Segments.of(step, after, *history)
    own = _trajectory_advantages(batch, advantages)[batch.row]
    return Credit.of(batch, _member_means(batch, edges, own, repeats)[edges.code])


def _trajectory_advantages(batch: TurnBatch, advantages: str | ArrayLike) -> FloatArray:
    if not isinstance(advantages, str):
        return per_trajectory(batch, advantages, "advantages")
    one_of("advantages", advantages, ("grpo", "rloo"))
    groups = Segments.of(batch.group)
    if advantages == "rloo":
        return leave_one_out(batch.outcome, groups)
    return normalise(batch.outcome, groups, singleton="raw")


def _codes(batch: TurnBatch, keys: Keys, name: str, group: IntArray, similarity: float | None) -> IntArray:
    if similarity is None:
        return codes_per_turn(batch, keys, name)
    if not all(isinstance(key, str) for key in keys):
        raise ValueError(f"{name} must hold texts where `similarity` is given")
    return similar_anchors([str(key) for key in keys], group, similarity)


def _following(batch: TurnBatch, states: IntArray) -> IntArray:
    """(M,) code of the state after each turn; after the last one a code of the outcome that no state has."""
    after = np.append(states[1:], 0)[: batch.turns]
    _, outcome = np.unique(batch.outcome, return_inverse=True)
    ends = states.min(initial=0) - 1 - outcome.reshape(-1)
    after[batch.is_last] = ends[batch.row[batch.is_last]]
    return after


def _earlier(batch: TurnBatch, step: IntArray, back: int) -> IntArray:
    """(M,) code of the step `back` turns ago, -1 before the first one."""
    earlier = np.full(batch.turns, -1, dtype=np.int64)
    earlier[back:] = step[: max(batch.turns - back, 0)]
    earlier[batch.position < back] = -1
    return earlier


def _member_means(batch: TurnBatch, edges: Segments, own: FloatArray, repeats: Repeats) -> FloatArray:
    """(size,) mean advantage of the trajectories that share each edge."""
    if repeats == "each":
        return edges.mean(own)
    visits = Segments.of(edges.code, batch.row)
    first = np.zeros(visits.size, dtype=np.int64)
    first[visits.code] = np.arange(batch.turns)  # any visit will do: they all carry their trajectory's advantage
    first = first[visits.count > 0]
    return Segments(edges.code[first], edges.size).mean(own[first])


RECORD = MethodRecord(
    name="salt",
    function=salt,
    paper="SALT: Step-level Advantage Assignment for Long-horizon Agents via Trajectory Graph",
    arxiv="2510.20022",
    provenance="unverified",
    scope="group",
    needs=frozenset({"group", "anchor"}),
    min_group=2,
    summary="A step that several rollouts share gets the mean of their advantages.",
)
