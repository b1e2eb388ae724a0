"""Duration-aware gradients: a slow action counts for as long as it took, so that quick ones do not drown it."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit._inputs import per_turn
from turnwise.rewards.credit.grpo import grpo
from turnwise.rewards.elapsed import checked_durations
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import SingletonRule


def duration_aware(
    batch: TurnBatch,
    durations: str | ArrayLike = "duration",
    *,
    advantages: str | ArrayLike | None = None,
    norm_by_std: bool = True,
    singleton: SingletonRule = "raw",
) -> Credit:
    """Any advantage, in proportion to each turn's duration: `d[t] / mean(d) * A[t]`.

    Where many actors run side by side and send in what they have, an action that takes time d is seen in proportion to
    1 / d: the gradient favours what is quick. The factor takes this out: `sum_t d[t] * grad log pi(a[t]) * A[t]`. It is
    no charge for slowness, but the opposite of one; see `turnwise.wrappers.ActionPrice` for that.

    Args:
        batch: N trajectories, M turns.
        durations: (M,) how long each turn took, at least 0, or the channel that holds it.
        advantages: (M,) advantages of another method, or their channel; default GRPO's.
        norm_by_std: Of GRPO.
        singleton: Of GRPO.

    Returns:
        Credit with the scaled (M,) advantage. The factors have a mean of 1 over the turns that are in the loss; where
        none of those took any time, each factor is 1.

    Raises:
        ValueError: A duration is negative or not finite.

    Source: Reinforcement Learning for Machine Learning Engineering Agents (arXiv 2509.01684). Provenance: unverified
    (the idea is the abstract's; the formula and the division by the batch's mean come from a secondary source; the
    paper takes PPO's advantages).

    >>> channels = {"duration": [1, 3]}
    >>> batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[0, 1], outcome=[0, 1], channels=channels)
    >>> duration_aware(batch, norm_by_std=False).advantage.tolist()  # GRPO: [-0.5, 0.5]
    [-0.25, 0.75]
    """
    credit = grpo(batch, norm_by_std=norm_by_std, singleton=singleton)
    if advantages is not None:
        credit = Credit.of(batch, per_turn(batch, advantages, "advantages"))
    duration = checked_durations(batch, durations)
    counted = duration[credit.weight > 0.0]
    mean = counted.mean() if counted.any() else 0.0
    return credit if mean == 0.0 else replace(credit, advantage=credit.advantage * (duration / mean))


RECORD = MethodRecord(
    name="duration_aware",
    function=duration_aware,
    paper="Reinforcement Learning for Machine Learning Engineering Agents",
    arxiv="2509.01684",
    provenance="unverified",
    scope="group",
    needs=frozenset({"durations", "group"}),
    min_group=2,
    summary="Advantages in proportion to the time turns took, against asynchronous training's bias to quick actions.",
)
