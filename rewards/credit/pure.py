"""PURE: a trajectory is worth its worst step: process rewards, reweighted so that their sum is nearly the minimum."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of, per_trajectory
from turnwise.rewards.credit._softmax import softmax
from turnwise.rewards.credit.rloo import leave_one_out
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns
from turnwise.rewards.segments import Segments

PureBaseline: TypeAlias = Literal["token", "step"]


def pure(
    batch: TurnBatch,
    score: str | ArrayLike = "process_score",
    *,
    tokens: str | ArrayLike | None = None,
    solved: ArrayLike | None = None,
    tau: float = 0.1,
    weighted: bool = True,
    baseline: PureBaseline = "token",
    verifier_weight: float = 1.0,
    kl: str | ArrayLike | None = None,
    kl_weight: float = 0.001,
) -> Credit:
    """Min-form credit: reweighted process rewards minus a leave-one-out baseline, plus a verifier's word at the end.

    The advantage is the undiscounted sum to the end of `p' - baseline - kl_weight * kl`, with the verifier's part in
    the last step. Rows are steps; what separates them (the authors give separator tokens advantage 0) has no row.

    Args:
        batch: N trajectories, M steps.
        score: (M,) process score p of each step in (-1, 1) (probability of a good step minus that of a bad one), or
            the channel that holds it.
        tokens: (M,) tokens in each step, or their channel, for the `token` baseline; default 1 each.
        solved: (N,) verifier: 1 solved, 0 not, NaN where no answer is known; default `outcome > 0`.
        tau: Temperature of the weights, see `min_form`.
        weighted: False weighs all steps equally.
        baseline: `token` (the authors' script) or `step`, see `others_baseline`.
        verifier_weight: Weight of the verifier's part; 0 uses process scores alone.
        kl: (M,) summed KL estimate of each step's tokens (nats), or its channel; default none.
        kl_weight: Weight of `kl`.

    Returns:
        Credit with the (M,) rewards `p'` and the (M,) advantage, in units of the score. Sources of the baseline are
        the other rollouts; the only rollout of a group has none.

    Raises:
        ValueError: A score is not finite, or `tau` is not positive.

    Source: Stop Summation: Min-Form Credit Assignment (arXiv 2504.15275). Provenance: verified for the weights
    (against the authors' code), read for the rest.

    >>> batch = TurnBatch.pack(lengths=[2, 1], group=[0, 0], reward=[0, 0, 0], outcome=[1, 0])
    >>> pure(batch, [0.5, 0.5, 0.25], baseline="step", verifier_weight=0.0).advantage.tolist()
    [0.0, 0.0, 0.0]
    """
    one_of("baseline", baseline, get_args(PureBaseline))
    reward = min_form(batch, score, tau=tau, weighted=weighted)
    token_counts = np.ones(batch.turns) if tokens is None else finite_per_turn(batch, tokens, "tokens")
    signal = reward - others_baseline(batch, reward, token_counts, baseline)
    if kl is not None:
        signal = signal - kl_weight * finite_per_turn(batch, kl, "kl")
    verified = batch.outcome > 0 if solved is None else per_trajectory(batch, solved, "solved")
    verdict = leave_one_out(np.nan_to_num(np.asarray(verified, dtype=np.float64) - 1.0), Segments.of(batch.group))
    signal = signal + verifier_weight * np.where(batch.is_last, verdict[batch.row], 0.0)
    return Credit.of(batch, discounted_returns(batch, signal, 1.0), reward)


def min_form(batch: TurnBatch, score: str | ArrayLike, *, tau: float = 0.1, weighted: bool = True) -> FloatArray:
    """(M,) `p' = w * p` with `w = softmax(-p / tau)` over the steps of each trajectory; their sum is close to min p.

    Two steps that are nearly the worst share the weight, so that the sum lies above the minimum: 0.5, 0.4, 0.3 sum to
    0.342 at `tau` 0.1. `weighted=False` gives `p / T`.

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 0], outcome=[1])
    >>> min_form(batch, [0.9, -0.5]).round(3).tolist()
    [0.0, -0.5]
    """
    if not tau > 0.0:
        raise ValueError(f"tau must be positive, got {tau!r}")
    p = finite_per_turn(batch, score, "score")
    if not weighted:
        return p / batch.lengths[batch.row]
    return softmax(-p / tau, Segments(batch.row, len(batch))) * p


def others_baseline(batch: TurnBatch, reward: FloatArray, tokens: FloatArray, kind: PureBaseline) -> FloatArray:
    """(M,) what the other rollouts of the group would have got in each step.

    With outcomes `R = sum of p'`: `token` gives every token the others' reward a token, `sum R / sum tokens`; `step`
    gives every step the mean over the others of `R / steps`. 0 where there are no others.
    """
    groups = Segments.of(batch.group)
    rollouts = Segments(batch.row, len(batch))
    mine = rollouts.mean(reward) if kind == "step" else rollouts.sum(reward)
    size = np.ones(len(batch)) if kind == "step" else rollouts.sum(tokens)
    others, sizes = groups.sum(mine)[groups.code] - mine, groups.sum(size)[groups.code] - size
    rate = np.divide(others, sizes, out=np.zeros(len(batch)), where=(sizes > 0) & (groups.count[groups.code] > 1))
    baseline: FloatArray = rate[batch.row] * (tokens if kind == "token" else 1.0)
    return baseline


RECORD = MethodRecord(
    name="pure",
    function=pure,
    paper="Stop Summation: Min-Form Credit Assignment Is All Process Reward Model Needs for Reasoning",
    arxiv="2504.15275",
    provenance="verified",
    scope="group",
    needs=frozenset({"group", "process_score"}),
    min_group=2,
    summary="A trajectory is worth its worst step: process rewards reweighted towards their minimum.",
)
