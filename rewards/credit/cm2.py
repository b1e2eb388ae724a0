"""CM2: checklists judged by a model, against the group at three levels: the trajectory, the user turn, the step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, IntArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of, per_trajectory, per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, normalise

Level: TypeAlias = Literal["trajectory", "turn"]


def cm2(
    batch: TurnBatch,
    score: str | ArrayLike = "checklist_score",
    *,
    level: Level = "turn",
    planned: ArrayLike | None = None,
    valid: ArrayLike | None = None,
    norm_by_std: bool = False,
    min_samples: int = 5,
    eps: float = 1e-6,
) -> Credit:
    """Checklist scores of user turns against the group. For credit inside a user turn see `cm2_steps`.

    Args:
        batch: N trajectories, M rows; here a row is a *user* turn with all that the assistant did in it.
        score: (M,) weighted share of the turn's checklist that was met at any step of it, in [0, 1], or its channel.
        level: `turn` compares each turn with the same turn of the other rollouts. `trajectory` compares the sum of
            scores over the number of planned turns.
        planned: (N,) user turns the task has, for `trajectory`; turns that were not reached score 0. Default: the
            turns taken.
        valid: (N,) false takes a rollout out of the group (a failed tool or judge call); it gets 0 and no weight.
        norm_by_std: Divide by the sample deviation; the authors do not.
        min_samples: At the `turn` level, turns that fewer valid rollouts reached get 0 (published: more than 4).
        eps: Added to the deviation.

    Returns:
        Credit with the (M,) scores as reward and the (M,) advantage.

    Raises:
        ValueError: A score is not finite.

    Source: CM2 (the authors' repository, github.com/namezhenzhang/CM2-RLCR-Tool-Agent). Provenance: read.

    >>> batch = TurnBatch.pack(lengths=[1] * 5, group=[0] * 5, reward=[0] * 5, outcome=[0] * 5)
    >>> cm2(batch, [1, 0.5, 0.5, 0.5, 0]).advantage.tolist()
    [0.5, 0.0, 0.0, 0.0, -0.5]
    """
    one_of("level", level, get_args(Level))
    scores = finite_per_turn(batch, score, "score")
    counted = _valid(batch, valid)
    groups = Segments.of(batch.group)
    if level == "trajectory":
        turns = np.maximum(batch.lengths if planned is None else per_trajectory(batch, planned, "planned"), 1)
        total = np.bincount(batch.row, weights=scores, minlength=len(batch)) / turns
        advantage = _among(total, groups, counted, 0, norm_by_std, eps)[batch.row]
    else:
        cells = Segments.of(groups.code[batch.row], batch.position)
        advantage = _among(scores, cells, counted[batch.row], min_samples, norm_by_std, eps)
    return Credit(scores, advantage, counted[batch.row].astype(np.float64), counted)


def cm2_steps(
    batch: TurnBatch,
    met: ArrayLike,
    *,
    weights: ArrayLike,
    depends: Sequence[Sequence[int]],
    user_turn: str | ArrayLike,
    item_turn: ArrayLike,
    valid: ArrayLike | None = None,
    eta: float = 1.0,
    norm_by_weight: bool = False,
    min_samples: int = 5,
) -> Credit:
    """Credit for the steps inside user turns, over the checklist items that are open in each step.

    An item is open in a step of its user turn if all items it depends on were closed by earlier steps and it was not.
    The first open step that meets it closes it. A rollout scores `eta ** delay` in an item that it closed (delay:
    steps since the item was open), 0 in one that was open and stayed so. The advantage of a step is the sum over its
    open items of `weight * (score - mean score of the rollouts in which the item was open)`.

    Args:
        batch: N rollouts of one task, M assistant steps.
        met: (M, K) whether the judge found item k fulfilled in each step.
        weights: (K,) weight of each item.
        depends: For each item the items it depends on; they must come before it in the list.
        user_turn: (M,) index of the user turn that each step belongs to, or the channel that holds it.
        item_turn: (K,) index of the user turn that each item belongs to.
        valid: (N,) false takes a rollout out, see `cm2`.
        eta: Discount a step of delay.
        norm_by_weight: Divide by the summed weight of the open items.
        min_samples: Items that were open in fewer valid rollouts count 0 (published: more than 4).

    Returns:
        Credit with the (M,) weights of items closed in each step as reward, and the (M,) advantage.

    Raises:
        ValueError: The batch holds more than one group, a shape does not fit, or an item depends on a later one.

    Source: CM2 (the authors' repository). Provenance: read. There an item may also close in the very step that
    closes what it depends on; here that takes a later step.

    >>> batch = TurnBatch.pack(lengths=[1] * 5, group=[0] * 5, reward=[0] * 5, outcome=[0] * 5)
    >>> met = [[1], [1], [1], [1], [0]]
    >>> cm2_steps(batch, met, weights=[0.5], depends=[[]], user_turn=[0] * 5, item_turn=[0]).advantage.round(2).tolist()
    [0.1, 0.1, 0.1, 0.1, -0.4]
    """
    bits, weight, turn_of_item = _checklist(batch, met, weights, depends, item_turn)
    turn = per_turn(batch, user_turn, "user_turn").astype(np.int64)
    counted = _valid(batch, valid)
    blocks = Segments.of(batch.row, turn)
    advantage, reward, total = np.zeros(batch.turns), np.zeros(batch.turns), np.zeros(batch.turns)
    closed_at: list[IntArray] = []  # for each item the row after the one that closed it, in each block
    for k in range(len(weight)):
        ready = _first_rows(blocks)
        for dependency in depends[k]:
            ready = np.maximum(ready, closed_at[dependency])
        rows = np.arange(batch.turns)
        able = (turn == turn_of_item[k]) & (rows >= ready[blocks.code])
        closing = _first_rows(blocks, able & bits[:, k])
        closed_at.append(np.where(closing < batch.turns, closing + 1, batch.turns))
        is_open = able & (rows <= closing[blocks.code])
        score = np.where(closing < batch.turns, eta ** np.maximum(closing - ready, 0.0), 0.0)[blocks.code]
        advantage += weight[k] * is_open * _against_rollouts(batch, score, is_open, counted, min_samples)
        reward += weight[k] * (rows == closing[blocks.code])
        total += weight[k] * is_open
    if norm_by_weight:
        advantage /= np.where(total > 0.0, total, 1.0)
    advantage *= counted[batch.row]
    return Credit(reward, advantage, counted[batch.row].astype(np.float64), counted)


def _against_rollouts(
    batch: TurnBatch, score: FloatArray, is_open: BoolArray, counted: BoolArray, min_samples: int
) -> FloatArray:
    """(M,) an item's score minus its mean over the valid rollouts in which it was open; 0 if they are too few."""
    rollouts, first = np.unique(batch.row[is_open], return_index=True)
    values = score[is_open][first][counted[rollouts]]
    return score - values.mean() if len(values) >= max(min_samples, 1) else np.zeros_like(score)


def _first_rows(blocks: Segments, where: BoolArray | None = None) -> IntArray:
    """(size,) first row of each block, or first one in which `where` holds; n where there is none."""
    n = len(blocks.code)
    first = np.full(blocks.size, n, dtype=np.int64)
    rows = np.arange(n) if where is None else np.flatnonzero(where)
    np.minimum.at(first, blocks.code[rows], rows)
    return first


def _among(
    values: FloatArray, segments: Segments, counted: BoolArray, min_samples: int, scale: bool, eps: float
) -> FloatArray:
    """Normalise the counted values of each segment; 0 for the others and in segments with too few."""
    inside = Segments(segments.code[counted], segments.size)
    advantage = np.zeros(len(values))
    advantage[counted] = normalise(values[counted], inside, scale=scale, eps=eps)
    advantage[inside.count[segments.code] < min_samples] = 0.0
    return advantage


def _valid(batch: TurnBatch, valid: ArrayLike | None) -> BoolArray:
    return np.ones(len(batch), dtype=np.bool_) if valid is None else per_trajectory(batch, valid, "valid") != 0.0


def _checklist(
    batch: TurnBatch, met: ArrayLike, weights: ArrayLike, depends: Sequence[Sequence[int]], item_turn: ArrayLike
) -> tuple[BoolArray, FloatArray, IntArray]:
    if len(np.unique(batch.group)) > 1:
        raise ValueError("cm2_steps compares rollouts of one checklist: give it one group at a time")
    weight, turns = np.asarray(weights, dtype=np.float64), np.asarray(item_turn, dtype=np.int64)
    bits = np.asarray(met, dtype=np.bool_)
    if bits.shape != (batch.turns, len(weight)):
        raise ValueError(f"met must have shape ({batch.turns}, {len(weight)}), steps by items, got {bits.shape}")
    if turns.shape != weight.shape or len(depends) != len(weight):
        raise ValueError(f"item_turn and depends must have {len(weight)} entries, got {len(turns)} and {len(depends)}")
    for k, items in enumerate(depends):
        if any(not 0 <= item < k for item in items):
            raise ValueError(f"depends[{k}] must name items before {k}, got {list(items)}")
    return bits, weight, turns


RECORD = MethodRecord(
    name="cm2",
    function=cm2,
    paper="CM2: Reinforcement Learning with Checklist Rewards for Tool Agents",
    arxiv="",
    provenance="read",
    scope="group",
    needs=frozenset({"group", "checklist_score"}),
    min_group=5,
    summary="Checklist scores of user turns (or steps) against the group at the same place.",
)
