"""IGPO: a turn is paid for how much likelier it made the right answer; the last turn gets the outcome."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import one_of, per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns
from turnwise.rewards.segments import Segments, normalise

GainKind: TypeAlias = Literal["prob_diff", "log_prob_diff"]
IgpoNorm: TypeAlias = Literal["joint", "separate"]


def information_gain(mean_logprobs: ArrayLike, kind: GainKind = "prob_diff") -> FloatArray:
    """What each turn added to the likelihood of the answer, from probes before and after it.

    Args:
        mean_logprobs: (T + 1,) mean log-probability (nats a token) of the answer at T + 1 successive points: before
            the first turn, and after each of T turns.
        kind: `prob_diff`: `exp(m[t + 1]) - exp(m[t])`, in [-1, 1]. `log_prob_diff`: `m[t + 1] - m[t]`, unbounded.

    Returns:
        (T,) gains. NaN where a probe is NaN.

    Source: IGPO (arXiv 2510.14967). Provenance: verified.

    >>> information_gain(np.log([0.25, 0.75, 0.5])).round(6).tolist()
    [0.5, -0.25]
    """
    one_of("gain", kind, get_args(GainKind))
    probes = np.asarray(mean_logprobs, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # -inf - -inf: an answer that was impossible and stays so
        return np.diff(np.exp(probes) if kind == "prob_diff" else probes)


def igpo(
    batch: TurnBatch,
    probe: str | ArrayLike = "answer_logprob",
    *,
    gain: GainKind = "prob_diff",
    norm: IgpoNorm = "joint",
    norm_by_std: bool = True,
    gamma: float = 1.0,
    gain_weight: float = 1.0,
    outcome_weight: float = 1.0,
    compat: Literal["oct2025"] | None = None,
) -> Credit:
    """Discounted sums of group-normalised turn rewards: information gain, and the outcome at the last turn.

    Rewards are normalised inside the group as `(x - mean) / (sqrt(var + 1e-8) + 1e-6)` with the population variance,
    then `A[t] = z[t] + gamma * A[t + 1]`. A value that is alone in its set becomes 0.

    A trajectory with a missing (NaN or infinite) gain keeps its outcome only: its gains are left out of the group's
    statistics and all its turns get the last turn's `z` undiscounted, as in the authors' code.

    Args:
        batch: N trajectories, M turns; `outcome` is the answer's F1 (or another final reward).
        probe: (M,) mean log-probability (nats a token) of the answer *before* each turn, or the channel that holds
            it. The last turn's gain is not used, so that no probe after it is needed.
        gain: How a gain is measured, see `information_gain`.
        norm: `joint`: gains and outcomes of a group make one set. `separate`: one set each.
        norm_by_std: False subtracts the mean only.
        gamma: Discount a turn, applied after normalisation.
        gain_weight: Multiplies gains before normalisation (the paper's optional curriculum).
        outcome_weight: Multiplies outcomes before normalisation.
        compat: `oct2025` is the first public release: returns of the raw rewards with gamma 1 minus the mean of the
            group at the same position, where rollouts that are over count as 0; `norm`, `norm_by_std` and `gamma` are
            not read.

    Returns:
        Credit with the raw (M,) turn rewards (gain; outcome at the last turn) and the (M,) advantage.

    Source: Information Gain-based Policy Optimization (arXiv 2510.14967). Provenance: verified (the default against
    the release of February 2026, `oct2025` against the first). Not copied from the former: there, a normalised reward
    of exactly 0 merges its turn with the next one.

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[0, 1, 0, 0], outcome=[1, 0])
    >>> igpo(batch, np.log([0.25, 0.75, 0.25, 0.25]), norm="separate").advantage.round(3).tolist()
    [2.0, 1.0, -2.0, -1.0]
    """
    one_of("norm", norm, get_args(IgpoNorm))
    one_of("compat", compat, (None, "oct2025"))
    reward, used = _turn_rewards(batch, per_turn(batch, probe, "probe"), gain, gain_weight, outcome_weight)
    if compat == "oct2025":
        return Credit.of(batch, _minus_position_mean(batch, discounted_returns(batch, reward, 1.0)), reward)
    keys = (batch.group[batch.row], batch.is_last) if norm == "separate" else (batch.group[batch.row],)
    segments = Segments.of(*(key[used] for key in keys))
    z = np.zeros(batch.turns)
    z[used] = normalise(reward[used], segments, scale=norm_by_std, ddof=0, variance_eps=1e-8)
    advantage = discounted_returns(batch, z, gamma)
    # `used` is false only where probes are missing; such a rollout is one segment with one advantage.
    final = np.zeros(len(batch))
    final[batch.row[batch.is_last]] = z[batch.is_last]
    missing = np.bincount(batch.row[~used], minlength=len(batch)) > 0
    return Credit.of(batch, np.where(missing[batch.row], final[batch.row], advantage), reward)


def _turn_rewards(
    batch: TurnBatch, probe: FloatArray, gain: GainKind, gain_weight: float, outcome_weight: float
) -> tuple[FloatArray, BoolArray]:
    """(M,) gains with the outcome in the last turn, and which of them count: not the gains where one is missing."""
    last = batch.is_last
    gains = np.append(information_gain(probe, gain), 0.0)[: batch.turns]
    broken = np.bincount(batch.row[~last & ~np.isfinite(gains)], minlength=len(batch)) > 0
    used: BoolArray = last | ~broken[batch.row]
    reward = np.where(used, gain_weight * gains, 0.0)
    reward[last] = outcome_weight * batch.outcome[batch.row[last]]
    return reward, used


def _minus_position_mean(batch: TurnBatch, returns: FloatArray) -> FloatArray:
    groups = Segments.of(batch.group)
    cells = Segments.of(groups.code[batch.row], batch.position)
    rollouts = groups.count[groups.code][batch.row]
    return returns - cells.sum(returns)[cells.code] / rollouts


RECORD = MethodRecord(
    name="igpo",
    function=igpo,
    paper="Information Gain-based Policy Optimization",
    arxiv="2510.14967",
    provenance="verified",
    scope="group",
    needs=frozenset({"group", "probe", "answer"}),
    min_group=2,
    summary="Each turn is paid for how much likelier it made the right answer.",
)
