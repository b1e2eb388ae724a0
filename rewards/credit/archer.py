"""ArCHer: an utterance-level double critic, and the advantage min(Q) - min(V) of what was said."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, per_trajectory
from turnwise.rewards.method import MethodRecord


def archer(
    batch: TurnBatch, q1: str | ArrayLike, q2: str | ArrayLike, v1: str | ArrayLike, v2: str | ArrayLike
) -> Credit:
    """`A = min(Q1, Q2) - min(V1, V2)`, turn by turn.

    Args:
        batch: N trajectories, M turns.
        q1: (M,) the first critic's value of each turn's utterance in its state, or the channel that holds it.
        q2: (M,) the second critic's.
        v1: (M,) the first critic's value of the state.
        v2: (M,) the second critic's.

    Returns:
        Credit with a (M,) advantage, in units of the return. In the paper the utterances are drawn afresh from the
        policy for each actor update.

    Raises:
        ValueError: A value is not finite.

    Source: ArCHer (arXiv 2402.19446). Provenance: read.

    >>> batch = TurnBatch.pack(lengths=[1], group=[0], reward=[1], outcome=[1])
    >>> archer(batch, [0.75], [1.0], [0.5], [0.625]).advantage.tolist()
    [0.25]
    """
    arrays = {"q1": q1, "q2": q2, "v1": v1, "v2": v2}
    q_1, q_2, v_1, v_2 = (finite_per_turn(batch, value, name) for name, value in arrays.items())
    return Credit.of(batch, np.minimum(q_1, q_2) - np.minimum(v_1, v_2))


def archer_q_targets(
    batch: TurnBatch, values: str | ArrayLike, *, gamma: float = 0.95, bootstrap: ArrayLike = 0.0
) -> FloatArray:
    """What a Q is fitted to: `r + (1 - done) * gamma * V_target(next state)`.

    Args:
        batch: N trajectories, M turns.
        values: (M,) the target network's value of the state before each turn, or its channel.
        gamma: Discount a turn.
        bootstrap: (N,) its value of the state after the last turn, read for truncated trajectories only.

    Returns:
        (M,) targets.

    Source: ArCHer (arXiv 2402.19446). Provenance: read. V is fitted to the target network's Q of an utterance drawn
    afresh from the policy, which needs no arithmetic.

    >>> batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1])
    >>> archer_q_targets(batch, [0.25, 0.5], gamma=0.5).tolist()
    [0.25, 1.0]
    """
    after = np.append(finite_per_turn(batch, values, "values")[1:], 0.0)[: batch.turns]
    beyond = np.where(batch.truncated, per_trajectory(batch, bootstrap, "bootstrap"), 0.0)
    after[batch.is_last] = beyond[batch.row[batch.is_last]]
    return batch.reward + gamma * after


def archer_critic_loss(predictions: ArrayLike, targets: ArrayLike) -> float:
    """Mean squared error, summed over the critics.

    Args:
        predictions: (C, M) what each of the C critics (Q1, Q2, V1, V2) says of each turn.
        targets: (C, M) what it is fitted to.

    >>> archer_critic_loss([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.0], [1.0, 1.0]])
    0.625
    """
    errors = np.asarray(predictions, dtype=np.float64) - np.asarray(targets, dtype=np.float64)
    return float((errors**2).mean(axis=-1).sum())


def archer_actor_loss(advantage: ArrayLike, logprob: ArrayLike) -> float:
    """`-mean(A * log pi)`.

    Args:
        advantage: (M,) advantages.
        logprob: (M,) log-probability (nats) of each utterance, summed over its tokens.

    >>> archer_actor_loss([1.0, -0.5], [-2.0, -1.0])
    0.75
    """
    return float(-(np.asarray(advantage, dtype=np.float64) * np.asarray(logprob, dtype=np.float64)).mean())


RECORD = MethodRecord(
    name="archer",
    function=archer,
    paper="ArCHer: Training Language Model Agents via Hierarchical Multi-Turn RL",
    arxiv="2402.19446",
    provenance="read",
    scope="episode",
    needs=frozenset({"values"}),
    min_group=1,
    summary="Utterance-level double critic: the smaller Q minus the smaller V.",
)
