"""iStar: the outcome against the group, plus implicit step rewards of an online reward model against the group's."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, IntArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of, per_trajectory, successes
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, baseline, kept_groups

IstarNorm: TypeAlias = Literal["rloo", "grpo"]


def istar(
    batch: TurnBatch,
    log_ratio: str | ArrayLike = "log_ratio",
    *,
    scores: ArrayLike | None = None,
    beta: float = 0.05,
    batch_norm: bool = True,
    step_weight: float = 1.0,
    norm: IstarNorm = "rloo",
    invalid_penalty: float = 0.1,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
    compat: Literal["released"] | None = None,
) -> Credit:
    """`A = A_E + step_weight * A_S` over the outcome and the implicit reward of each turn.

    The step reward is `beta * sum over the turn's tokens of log phi - log theta_old`; both parts are set against
    their group, `A_E` against the other trajectories and `A_S` against the other turns of the group. The reward model
    phi is trained with `istar_dpo_loss`.

    Args:
        batch: N trajectories, M turns.
        log_ratio: (M,) `log phi - log theta_old` (nats), summed over the tokens of each turn (see
            `implicit_prm.turn_log_ratios`), or the channel that holds it.
        scores: (N,) score of each trajectory; default `batch.outcome`.
        beta: Scale of the step reward. With `batch_norm` it makes no difference.
        batch_norm: Divide step rewards by the largest absolute one in the batch plus 1e-6.
        step_weight: Weight of the step part.
        norm: `rloo`: each value minus the mean of the others. `grpo`: minus the mean, over the sample deviation.
        invalid_penalty: Taken off the episode part of a turn with `valid` false. In units of the score: the published
            0.1 goes with a success that pays 10.
        eps: Added to the deviations of `grpo`.
        singleton: What the only rollout (or the only turn) of a group gets.
        compat: `released`: the statistics of the step part are those of the first turn of each trajectory only, which
            the released code comes to through a check meant for the episode part.

    Returns:
        Credit with the (M,) step rewards and the (M,) advantage.

    Raises:
        ValueError: A log-ratio is not finite.

    Source: iStar (arXiv 2509.19199). Provenance: verified (`compat="released"` against the authors' code).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> istar(batch, [1.0, 0.5], beta=1.0, batch_norm=False).advantage.tolist()
    [1.5, -1.5]
    """
    one_of("norm", norm, get_args(IstarNorm))
    one_of("compat", compat, (None, "released"))
    score = batch.outcome if scores is None else per_trajectory(batch, scores, "scores")
    groups = Segments.of(batch.group)
    turn_groups = Segments(groups.code[batch.row], groups.size)
    reward = beta * finite_per_turn(batch, log_ratio, "log_ratio")
    if batch_norm:
        reward = reward / (np.abs(reward).max(initial=0.0) + 1e-6)
    sample = np.flatnonzero(batch.position == 0) if compat == "released" else np.arange(batch.turns)
    episode = _against(
        score[batch.row] - invalid_penalty * ~batch.valid, turn_groups, score, groups, norm, eps, singleton
    )
    population = Segments(turn_groups.code[sample], groups.size)
    step = _against(reward, turn_groups, reward[sample], population, norm, eps, singleton)
    keep = kept_groups(groups, singleton)
    return Credit(reward, episode + step_weight * step, keep[batch.row].astype(np.float64), keep)


def _against(
    values: FloatArray,
    segments: Segments,
    sample: FloatArray,
    population: Segments,
    norm: IstarNorm,
    eps: float,
    singleton: SingletonRule,
) -> FloatArray:
    """Normalise (n,) values by the mean and count, or deviation, of a sample that may be another set than theirs."""
    mean, divisor = baseline(sample, population, scale=norm == "grpo", eps=eps, singleton=singleton)
    if norm == "rloo":
        divisor = np.maximum(population.count - 1, 1) / np.maximum(population.count, 1)
    if singleton != "raw":
        divisor = np.where(population.count <= 1, np.inf, divisor)
    result: FloatArray = (values - mean[segments.code]) / divisor[segments.code]
    return result


def istar_dpo_loss(
    batch: TurnBatch,
    log_ratio: str | ArrayLike = "log_ratio",
    *,
    beta: float = 0.05,
    success: ArrayLike | None = None,
    compat: Literal["released"] | None = None,
) -> float:
    """Trajectory-level DPO loss that trains iStar's reward model: successes against failures of the same group.

    `-log sigmoid(Q_success - Q_failure)`, averaged over all pairs of all groups, with Q the sum of `beta * log-ratio`
    over the turns of a trajectory.

    Args:
        batch: N trajectories, M turns.
        log_ratio: (M,) log-ratios of the turns (nats), or their channel.
        beta: Scale of the log-ratios.
        success: (N,) positive for a success; default `batch.outcome`.
        compat: `released`: Q is the mean over the turns of a trajectory, not the sum.

    Returns:
        The loss in nats; 0 where no group holds both a success and a failure.

    Raises:
        ValueError: A log-ratio is not finite.

    Source: iStar (arXiv 2509.19199). Provenance: verified (`compat="released"` against the authors' code).

    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0])
    >>> round(istar_dpo_loss(batch, [0.0, 0.0]), 6)
    0.693147
    """
    one_of("compat", compat, (None, "released"))
    values = beta * finite_per_turn(batch, log_ratio, "log_ratio")
    total = Segments(batch.row, len(batch)).sum(values)
    if compat == "released":
        total = total / np.maximum(batch.lengths, 1)
    winners, losers = mixed_pairs(Segments.of(batch.group), successes(batch, success))
    return float(np.logaddexp(0.0, total[losers] - total[winners]).mean()) if len(winners) else 0.0


def mixed_pairs(groups: Segments, success: BoolArray) -> tuple[IntArray, IntArray]:
    """All (success, failure) pairs inside groups, as two arrays of trajectory indices."""
    order = np.argsort(groups.code, kind="stable")
    winners, losers = order[success[order]], order[~success[order]]
    losses = np.bincount(groups.code[losers], minlength=groups.size)
    first = np.cumsum(losses) - losses
    per_winner = losses[groups.code[winners]]
    begin = np.repeat(first[groups.code[winners]] - (np.cumsum(per_winner) - per_winner), per_winner)
    return np.repeat(winners, per_winner), losers[begin + np.arange(per_winner.sum())]


RECORD = MethodRecord(
    name="istar",
    function=istar,
    paper="Agentic Reinforcement Learning with Implicit Step Rewards",
    arxiv="2509.19199",
    provenance="verified",
    scope="group",
    needs=frozenset({"group", "log_ratio"}),
    min_group=2,
    summary="Outcome plus implicit turn rewards of an online reward model, each against the group.",
)
