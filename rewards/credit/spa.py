"""SPA: a turn is paid its estimated progress plus a bonus when its action could be carried out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import one_of, per_turn
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import discounted_returns
from turnwise.rewards.segments import Segments, normalise


def spa_turn_reward(progress: ArrayLike, grounded: ArrayLike, *, alpha: float = 1.0, beta: float = 0.5) -> FloatArray:
    """`alpha * progress + beta * grounded`, turn by turn.

    Args:
        progress: (T,) estimated share of the final reward that each turn earned; the estimates sum to its prediction.
        grounded: (T,) 1 where the action could be carried out, else 0.
        alpha: Weight of progress.
        beta: Weight of grounding.

    Returns:
        (T,) rewards, in units of the final reward.

    Source: SPA-RL (arXiv 2505.20732). Provenance: read.

    >>> spa_turn_reward([0.1, 0.25], [1, 0]).tolist()
    [0.6, 0.25]
    """
    return alpha * np.asarray(progress, dtype=np.float64) + beta * np.asarray(grounded, dtype=np.float64)


def spa(
    batch: TurnBatch,
    progress: str | ArrayLike = "progress",
    *,
    grounded: str | ArrayLike | None = None,
    alpha: float = 1.0,
    beta: float = 0.5,
    gamma: float = 1.0,
    compat: Literal["released"] | None = None,
) -> Credit:
    """Stepwise progress attribution: turn rewards `alpha * c + beta * g` and their discounted return.

    The paper hands the rewards to PPO with a critic; without one, the advantage here is the plain return-to-go. With
    one, use `turn_gae(dataclasses.replace(batch, reward=credit.reward), values)`.

    Args:
        batch: N trajectories, M turns.
        progress: (M,) the estimator's progress c of each turn, or the channel that holds it. Its fit makes each
            trajectory's sum predict the outcome (see `turnwise.rewards.progress`).
        grounded: (M,) 1 where the action could be carried out, or its channel; default `batch.valid`.
        alpha: Weight of progress.
        beta: Weight of grounding.
        gamma: Discount a turn, of the advantage only.
        compat: `released` does what the released scripts do instead: progress is replaced by the outcome minus the
            mean outcome of the other rollouts of the task, and the reward of turn k of n is multiplied by n - k - 1,
            so that the last turn gets 0.

    Returns:
        Credit with the (M,) turn rewards and the (M,) advantage, in units of the outcome.

    Source: SPA-RL (arXiv 2505.20732). Provenance: read (formula and beta from the authors' repository,
    alpha from memory of the paper).

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1], valid=[True, False])
    >>> spa(batch, [0.25, 0.75]).reward.tolist()
    [0.75, 0.75]
    """
    one_of("compat", compat, (None, "released"))
    executable = batch.valid.astype(np.float64) if grounded is None else per_turn(batch, grounded, "grounded")
    if compat is None:
        reward = spa_turn_reward(per_turn(batch, progress, "progress"), executable, alpha=alpha, beta=beta)
    else:
        score = outcome_against_others(batch)[batch.row]
        reward = turns_to_go(batch) * spa_turn_reward(score, executable, alpha=alpha, beta=beta)
    return Credit.of(batch, discounted_returns(batch, reward, gamma), reward)


def outcome_against_others(batch: TurnBatch) -> FloatArray:
    """(N,) outcome minus the mean of the group's other rollouts (0 for an only one): the released progress score."""
    groups = Segments.of(batch.group)
    factor = groups.count / np.maximum(groups.count - 1, 1)
    return factor[groups.code] * normalise(batch.outcome, groups, scale=False)


def turns_to_go(batch: TurnBatch) -> FloatArray:
    """(M,) n - k - 1 for the k-th of n turns: the released weights, which leave the last turn with nothing."""
    return (batch.lengths[batch.row] - batch.position - 1).astype(np.float64)


RECORD = MethodRecord(
    name="spa",
    function=spa,
    paper="SPA-RL: Reinforcing LLM Agents via Stepwise Progress Attribution",
    arxiv="2505.20732",
    provenance="read",
    scope="episode",
    needs=frozenset({"estimator"}),
    min_group=1,
    summary="Each turn is paid its estimated progress plus a bonus for an action that could be carried out.",
)
