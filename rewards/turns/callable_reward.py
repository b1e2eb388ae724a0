"""A reward that somebody wrote as a function, for example a language model (Auto MC-Reward)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Turn


def sign_mix(sparse: ArrayLike, dense: ArrayLike, *, dense_weight: float) -> FloatArray:
    """`sign(sparse) + dense_weight * sign(dense)`.

    Args:
        sparse: (T,) the environment's own rewards.
        dense: (T,) the written function's rewards.
        dense_weight: The published one is not known for certain (0.1 from memory), so there is no default.

    Returns:
        (T,) rewards in [-1 - dense_weight, 1 + dense_weight].

    Source: Auto MC-Reward. Provenance: unverified.

    >>> sign_mix([0.0, 10.0], [-3.0, 0.5], dense_weight=0.1).tolist()
    [-0.1, 1.1]
    """
    mixed: FloatArray = np.sign(np.asarray(sparse, dtype=np.float64)) + dense_weight * np.sign(dense)
    return mixed


class CallableReward:
    """Mixes the sign of a function's reward with the sign of the environment's (`replaces_outcome`).

    A function that a model wrote is untrusted code: load it in a sandbox, not in this process.

    Args:
        function: The written reward of a turn.
        dense_weight: See `sign_mix`.
        clip: Bound on the mixed reward's size; None for none.

    Raises:
        ValueError: `clip` is not positive, or the function does not return a finite number.

    Source: Auto MC-Reward. Provenance: unverified.

    >>> reward = CallableReward(lambda turn: 5.0 if "key" in turn.next_observation else -1.0, dense_weight=0.1)
    >>> reward(Turn(0, "", "look[]", "a key")), reward(Turn(0, "", "look[]", "a wall"))
    (0.1, -0.1)
    """

    replaces_outcome = True

    def __init__(self, function: Callable[[Turn], float], *, dense_weight: float, clip: float | None = None) -> None:
        if clip is not None and not clip > 0.0:
            raise ValueError(f"clip must be positive, got {clip!r}")
        self.function, self.dense_weight, self.clip = function, dense_weight, clip

    def __call__(self, turn: Turn) -> float:
        """The mixed reward of this turn."""
        dense = float(self.function(turn))
        if not np.isfinite(dense):
            raise ValueError(f"function must return a finite number, got {dense}")
        mixed = float(sign_mix([turn.outcome], [dense], dense_weight=self.dense_weight)[0])
        return mixed if self.clip is None else float(np.clip(mixed, -self.clip, self.clip))


RECORD = MethodRecord(
    name="callable_reward",
    function=CallableReward,
    paper="Auto MC-Reward: Automated Dense Reward Design with Large Language Models for Minecraft",
    arxiv="",
    provenance="unverified",
    scope="turn",
    needs=frozenset({"function"}),
    min_group=1,
    summary="The signs of a written reward function and of the environment's reward.",
)
