"""DRPO: correct answers are weighted among themselves by brevity, wrong ones by likelihood, and the two never mix."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import per_trajectory, successes
from turnwise.rewards.credit._softmax import softmax
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments


def drpo(
    batch: TurnBatch,
    length_ratio: ArrayLike,
    scores: ArrayLike,
    *,
    correct: ArrayLike | None = None,
    lam: float = 0.1,
    tau: float = 10.0,
) -> Credit:
    """The derivative of DRPO's objective by the score of each trajectory, as an advantage.

    The objective of a question is `sum_i w_i s_i - tau * log mean_j exp(s_j / tau)`, i over correct and j over wrong
    answers, s the mean log-probability of a trajectory's tokens. Its derivative is `w_i` for a correct answer and
    minus the softmax of `s / tau` for a wrong one, so that `mean over questions of sum of A * s` has the objective's
    gradient. The authors train on the objective itself, with a penalty that keeps the policy near the old one.

    Args:
        batch: N trajectories, M rows.
        length_ratio: (N,) length over the greatest allowed length.
        scores: (N,) mean log-probability (nats a token) of each trajectory under the policy that is trained.
        correct: (N,) positive for a correct answer; default `batch.outcome`.
        lam: Temperature of the weights: small prefers short answers more.
        tau: Temperature of the wrong answers.

    Returns:
        Credit with the (M,) advantage; weight 0 and `keep` false in groups that lack correct or wrong answers.

    Raises:
        ValueError: A temperature is not positive, or a score is not finite.

    Source: DRPO (the authors' repository, github.com/Optimization-AI/DRPO). Provenance: read.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> drpo(batch, [0.2, 0.9], [-0.5, -1.0]).advantage.tolist()
    [1.0, -1.0]
    """
    right, score = successes(batch, correct), _scores(batch, scores)
    groups = Segments.of(batch.group)
    keep = _mixed(groups, right)
    weights = drpo_weights(batch, length_ratio, correct=right, lam=lam)
    wrong = softmax(np.where(right, -np.inf, score / _positive("tau", tau)), groups)
    advantage = np.where(keep, weights - wrong, 0.0)
    return Credit(batch.reward, advantage[batch.row], keep[batch.row].astype(np.float64), keep)


def drpo_weights(
    batch: TurnBatch, length_ratio: ArrayLike, *, correct: ArrayLike | None = None, lam: float = 0.1
) -> FloatArray:
    """(N,) `exp((1 - length_ratio) / lam)` over the correct answers of each group, summing to 1; 0 for wrong ones.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 1], outcome=[1, 1])
    >>> drpo_weights(batch, [0.2, 0.6]).round(6).tolist()
    [0.982014, 0.017986]
    """
    ratio = per_trajectory(batch, length_ratio, "length_ratio")
    logits = np.where(successes(batch, correct), (1.0 - ratio) / _positive("lam", lam), -np.inf)
    return softmax(logits, Segments.of(batch.group))


def drpo_objective(
    batch: TurnBatch,
    length_ratio: ArrayLike,
    scores: ArrayLike,
    *,
    correct: ArrayLike | None = None,
    lam: float = 0.1,
    tau: float = 10.0,
) -> float:
    """The objective, averaged over all groups; those that lack correct or wrong answers count 0. Arguments as `drpo`.

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> drpo_objective(batch, [0.2, 0.9], [-0.5, -1.0])
    0.5
    """
    right, score = successes(batch, correct), _scores(batch, scores)
    groups = Segments.of(batch.group)
    gain = groups.sum(drpo_weights(batch, length_ratio, correct=right, lam=lam) * score)
    highest = np.max(score, initial=-np.inf, where=~right)
    raised = groups.sum(np.where(right, 0.0, np.exp((np.where(right, 0.0, score) - highest) / _positive("tau", tau))))
    wrong = groups.sum((~right).astype(np.float64))
    mixed = (wrong > 0) & (groups.sum(right.astype(np.float64)) > 0)
    log_mean = np.log(raised[mixed] / wrong[mixed]) + highest / tau
    questions = np.count_nonzero(groups.count)
    return float((gain[mixed] - tau * log_mean).sum() / questions) if questions else 0.0


def _mixed(groups: Segments, right: BoolArray) -> BoolArray:
    wins = groups.sum(right.astype(np.float64))
    mixed: BoolArray = ((wins > 0) & (wins < groups.count))[groups.code]
    return mixed


def _scores(batch: TurnBatch, scores: ArrayLike) -> FloatArray:
    score = per_trajectory(batch, scores, "scores")
    if not np.isfinite(score).all():
        raise ValueError("scores must be finite mean log-probabilities")
    return score


def _positive(name: str, value: float) -> float:
    if not value > 0.0:
        raise ValueError(f"{name} must be positive, got {value!r}")
    return value


RECORD = MethodRecord(
    name="drpo",
    function=drpo,
    paper="DRPO: Decoupled Reward Policy Optimization for efficient reasoning",
    arxiv="",
    provenance="read",
    scope="group",
    needs=frozenset({"group", "log_probability"}),
    min_group=2,
    summary="Correct answers weighted by brevity among themselves, wrong ones by likelihood.",
)
