"""ProRAG: the outcome against its group, plus each step's process score against all tokens of the group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, kept_groups, normalise


def prorag(
    batch: TurnBatch,
    score: str | ArrayLike = "process_score",
    *,
    tokens: str | ArrayLike | None = None,
    beta: float = 0.3,
    eps: float = 1e-4,
    singleton: SingletonRule = "raw",
) -> Credit:
    """`A = A_O + beta * A_step`.

    `A_O` is the outcome minus the group's mean over its sample deviation. `A_step` is the step's process score minus
    the mean over all tokens of the group, over their population deviation `sqrt(var + 1e-8)`.

    Args:
        batch: N trajectories, M steps; `outcome` is for example `prorag_outcome`.
        score: (M,) process reward model's score of each step, or the channel that holds it.
        tokens: (M,) tokens in each step, which the group's mean is weighted by, or their channel; default 1 each.
        beta: Weight of the step part: 0.3 in the authors' script (0.5 is the default of their argument parser).
        eps: Added to the outcome's deviation.
        singleton: What the outcome part gives the only rollout of a group.

    Returns:
        Credit with the (M,) process scores as reward and the (M,) advantage.

    Raises:
        ValueError: A score is not finite, or a token count is negative.

    Source: ProRAG (the authors' repository, github.com/lilinwz/ProRAG). Provenance: read.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 1])
    >>> prorag(batch, [0.5, 0.25], beta=1.0).advantage.round(3).tolist()
    [1.0, -1.0]
    """
    scores = finite_per_turn(batch, score, "score")
    counts = np.ones(batch.turns) if tokens is None else finite_per_turn(batch, tokens, "tokens")
    if (counts < 0).any():
        raise ValueError(f"tokens must not be negative, got {counts.min():g}")
    groups = Segments.of(batch.group)
    outcome = normalise(batch.outcome, groups, eps=eps, singleton=singleton)
    step = _over_tokens(scores, counts, Segments(groups.code[batch.row], groups.size))
    keep = kept_groups(groups, singleton)
    return Credit(scores, outcome[batch.row] + beta * step, keep[batch.row].astype(np.float64), keep)


def _over_tokens(scores: FloatArray, counts: FloatArray, groups: Segments) -> FloatArray:
    total = np.maximum(groups.sum(counts), 1.0)
    centred = scores - (groups.sum(counts * scores) / total)[groups.code]
    deviation = np.sqrt(groups.sum(counts * centred**2) / total + 1e-8)
    deviation[groups.sum(counts) <= 1] = 1.0
    return centred / deviation[groups.code]


def prorag_outcome(f1: ArrayLike, format_ok: ArrayLike) -> FloatArray:
    """`2 * F1` (0 where F1 < 0.2) plus 1 for the right format or minus 1 for a wrong one.

    Args:
        f1: (...) answer F1 in [0, 1].
        format_ok: (...) whether the tags follow the grammar.

    Returns:
        (...) outcomes in [-1, 3].

    Source: ProRAG. Provenance: read.

    >>> prorag_outcome([1.0, 0.1], [True, False]).tolist()
    [3.0, -1.0]
    """
    f1 = np.asarray(f1, dtype=np.float64)
    outcome: FloatArray = np.where(f1 < 0.2, 0.0, 2.0 * f1) + np.where(np.asarray(format_ok, dtype=bool), 1.0, -1.0)
    return outcome


RECORD = MethodRecord(
    name="prorag",
    function=prorag,
    paper="ProRAG",
    arxiv="",
    provenance="read",
    scope="group",
    needs=frozenset({"group", "process_score"}),
    min_group=2,
    summary="Outcome against its group, plus process scores against all tokens of the group.",
)
