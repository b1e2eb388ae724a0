"""What a reward is, at each of the three clocks, and the only doors by which a model may enter one.

| scope   | protocol                            | runs                                   |
|---------|-------------------------------------|----------------------------------------|
| turn    | `TurnReward(turn) -> float`         | inside `step`                          |
| episode | `EpisodeReward(trajectory) -> (T,)` | at the episode's end, back-fills       |
| group   | `GroupCredit(batch) -> Credit`      | when all rollouts of a task are there  |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.trajectory import Trajectory, Turn

FloatArray: TypeAlias = NDArray[np.float64]
Messages: TypeAlias = Sequence[Mapping[str, str]]
"""A conversation as chat messages: `{"role": "system" | "user" | "assistant", "content": text}`."""


@runtime_checkable
class TurnReward(Protocol):
    """A number for one turn, known as soon as the turn is over. May keep state between `begin` calls."""

    def __call__(self, turn: Turn) -> float:
        """Return the reward of this turn."""
        ...


@runtime_checkable
class EpisodeTurnReward(TurnReward, Protocol):
    """A `TurnReward` with memory: `begin` is called at each `reset`, before the first turn."""

    def begin(self, observation: str, privileged: Mapping[str, Any]) -> None:
        """Forget the last episode and read the new one's task."""
        ...


@runtime_checkable
class EpisodeReward(Protocol):
    """Hindsight: one number a turn, known when the episode has ended."""

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """Return (T,) rewards, one a turn."""
        ...


@runtime_checkable
class GroupCredit(Protocol):
    """Credit that needs all rollouts of a task."""

    def __call__(self, batch: TurnBatch) -> Credit:
        """Return credit for all turns of the batch."""
        ...


@runtime_checkable
class PolicyProbe(Protocol):
    """A language model that can say how likely a text is. `TransformersPolicy` is one; `TableProbe` needs no model."""

    def answer_logprobs(self, contexts: Sequence[Messages], answers: Sequence[str]) -> list[FloatArray]:
        """Per-token log-probabilities (nats) of each answer as the assistant's next words after its context.

        Args:
            contexts: B conversations.
            answers: B texts, one for each context.

        Returns:
            B arrays; array b has one entry for each token of answer b.
        """
        ...


@runtime_checkable
class TurnScorer(Protocol):
    """A judge, a process reward model or a reward model: scores the turns of a trajectory."""

    def score(self, trajectory: Trajectory) -> FloatArray:
        """Return (T,) scores."""
        ...


@runtime_checkable
class FittedTurnScorer(TurnScorer, Protocol):
    """A `TurnScorer` that learns from finished trajectories, for example SPA's progress estimator."""

    def fit(self, trajectories: Sequence[Trajectory]) -> float:
        """Learn from finished trajectories; return the loss before the update."""
        ...


@runtime_checkable
class Forkable(Protocol):
    """An environment whose state can be kept and returned to."""

    def snapshot(self) -> Any:
        """Return everything that decides the future."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot, exactly."""
        ...
