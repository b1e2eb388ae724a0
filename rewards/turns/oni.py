"""ONI: intrinsic rewards for captions of what happened, less for each repetition in an episode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Turn

CaptionScores: TypeAlias = Mapping[str, float] | Callable[[str], float]
"""Labels by caption (a caption without one scores 0), or a model's score of any caption."""


def oni(
    extrinsic: ArrayLike,
    score: ArrayLike,
    count: ArrayLike,
    *,
    extrinsic_weight: float = 0.1,
    intrinsic_weight: float = 0.4,
    exponent: float = 3.0,
) -> FloatArray:
    """`extrinsic_weight * extrinsic + intrinsic_weight * score / count ** exponent`.

    Args:
        extrinsic: (T,) the environment's own rewards.
        score: (T,) score of each turn's caption.
        count: (T,) how often the caption has been seen in this episode, this time included; at least 1.
        extrinsic_weight: Weight of the environment's rewards; default from the authors' example.
        intrinsic_weight: Weight of the scores; default from the authors' example.
        exponent: How fast repetitions lose their value.

    Returns:
        (T,) rewards.

    Raises:
        ValueError: A count is smaller than 1.

    Source: ONI (arXiv 2410.23022). Provenance: read (from the authors' code).

    >>> oni([0, 0, 0], [1, 1, 1], [1, 2, 3], intrinsic_weight=0.1).round(6).tolist()
    [0.1, 0.0125, 0.003704]
    """
    counts = np.asarray(count, dtype=np.float64)
    if (counts < 1).any():
        raise ValueError(f"count must be at least 1 everywhere, got a smallest one of {counts.min():g}")
    intrinsic = np.asarray(score, dtype=np.float64) / counts**exponent
    mixed: FloatArray = extrinsic_weight * np.asarray(extrinsic, dtype=np.float64) + intrinsic_weight * intrinsic
    return mixed


class ONIReward:
    """The mixed reward of a turn, in place of what the environment pays (`replaces_outcome`).

    Args:
        scores: Score of a caption: a table of labels that may grow while it is used, or a function.
        caption: What happened in the turn; default the reply of the environment. The first observation of an episode
            counts as seen once.
        extrinsic_weight: See `oni`.
        intrinsic_weight: See `oni`.
        exponent: See `oni`.

    Source: ONI (arXiv 2410.23022). Provenance: read.

    >>> reward = ONIReward({"You find a key.": 1.0})
    >>> turn = Turn(0, "", "look[]", "You find a key.")
    >>> reward(turn), reward(turn)
    (0.4, 0.05)
    """

    replaces_outcome = True

    def __init__(
        self,
        scores: CaptionScores,
        *,
        caption: Fact | None = None,
        extrinsic_weight: float = 0.1,
        intrinsic_weight: float = 0.4,
        exponent: float = 3.0,
    ) -> None:
        self.scores, self.caption = scores, caption
        self.extrinsic_weight, self.intrinsic_weight, self.exponent = extrinsic_weight, intrinsic_weight, exponent
        self.needs = privileged_keys(caption)
        self._seen: Counter[str] = Counter()

    def begin(self, observation: str, privileged: Mapping[str, Any]) -> None:
        """Forget what has been seen but the first observation."""
        self._seen = Counter([str(observation)])

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn."""
        caption = turn.next_observation if self.caption is None else str(read_fact(self.caption, turn, "caption"))
        self._seen[caption] += 1
        score = self.scores(caption) if callable(self.scores) else self.scores.get(caption, 0.0)
        mixed = oni(
            [turn.outcome],
            [score],
            [self._seen[caption]],
            extrinsic_weight=self.extrinsic_weight,
            intrinsic_weight=self.intrinsic_weight,
            exponent=self.exponent,
        )
        return float(mixed[0])


RECORD = MethodRecord(
    name="oni",
    function=ONIReward,
    paper="Online Intrinsic Rewards for Decision Making Agents from Large Language Model Feedback",
    arxiv="2410.23022",
    provenance="read",
    scope="turn",
    needs=frozenset({"scores"}),
    min_group=1,
    summary="A caption's score, divided by a power of how often the episode has seen it.",
)
