"""STeCa's deviation rule: where an episode left the expert's path for something that is worth no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, FloatArray
from turnwise.rewards.episodes._scores import Scores, checked_scorer, scores_of
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory

_FIRST = 2  # the released script leaves the first two steps out


def steca(
    values: ArrayLike, expert_values: ArrayLike, similarity: ArrayLike, *, success: bool, alike: float = 0.95
) -> BoolArray:
    """Which turns deviate: after the action, the state is worth no more than the expert's *previous* step was.

    A turn deviates if `values[t] <= expert_values[t - 1]` and its action is less alike to the expert's than `alike`.
    The first two turns, turns that the expert did not have, and successful episodes never deviate.

    Args:
        values: (T,) Monte-Carlo value after each of the agent's actions.
        expert_values: (E,) Monte-Carlo value after each of the expert's actions.
        similarity: (T,) likeness of each action to the expert's in the same turn, 1 for the same text.
        success: Whether the episode succeeded.
        alike: Likeness from which two actions count as the same.

    Returns:
        (T,) bits.

    Raises:
        ValueError: `similarity` does not have the shape of `values`.

    Source: STeCa (arXiv 2502.14276). Provenance: read (from the authors' code).

    >>> steca([0.5, 0.5, 0.25, 0.75], [0.5, 0.5, 0.75, 1.0], [1.0, 0.2, 0.2, 0.2], success=False).tolist()
    [False, False, True, True]
    """
    mine, likeness = np.asarray(values, dtype=np.float64), np.asarray(similarity, dtype=np.float64)
    if likeness.shape != mine.shape:
        raise ValueError(f"similarity must have shape {mine.shape}, as values, got {likeness.shape}")
    before = np.append(np.nan, np.asarray(expert_values, dtype=np.float64)[:-1])[: len(mine)]
    before = np.append(before, np.full(len(mine) - len(before), np.nan))
    deviates: BoolArray = (mine <= before) & (likeness < alike) & (not success)
    deviates[:_FIRST] = False
    return deviates


class DeviationDetector:
    """1 in every turn that deviates from the expert's, else 0. It marks turns for relabelling: log it with weight 0.

    Args:
        values: Gives (T,) Monte-Carlo values after each action, for example from forked rollouts.
        similarity: Likeness of two actions in [0, 1]. The authors compare sentence embeddings.
        expert_actions: The expert's actions.
        expert_values: Monte-Carlo values after each of them.
        alike: Likeness from which two actions count as the same.
        solved_at: Outcome from which an episode counts as a success.

    Raises:
        KeyError: The environment does not give a fact; the message names it.

    Source: STeCa (arXiv 2502.14276). Provenance: read (from the authors' code).

    >>> from turnwise.rewards.trajectory import Turn
    >>> detector = DeviationDetector(lambda trajectory: [0.5, 0.5, 0.25], similarity=lambda a, b: 0.0)
    >>> facts = {"expert_actions": ["a", "b", "c"], "expert_values": [0.5, 0.5, 1.0]}
    >>> detector(Trajectory([Turn(i, "", action) for i, action in enumerate("axy")], privileged=facts)).tolist()
    [0.0, 0.0, 1.0]
    """

    def __init__(
        self,
        values: Scores,
        *,
        similarity: Callable[[str, str], float],
        expert_actions: Fact = "expert_actions",
        expert_values: Fact = "expert_values",
        alike: float = 0.95,
        solved_at: float = 1.0,
    ) -> None:
        self.values = checked_scorer(values, "values")
        self.similarity, self.alike, self.solved_at = similarity, alike, solved_at
        self.expert_actions, self.expert_values = expert_actions, expert_values
        self.needs = privileged_keys(expert_actions, expert_values)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) zeros and ones."""
        values = scores_of(self.values, trajectory, "values")
        experts: Sequence[str] = read_fact(self.expert_actions, trajectory, "expert_actions")
        likeness = np.zeros(len(trajectory))
        for i, (turn, expert) in enumerate(zip(trajectory.turns, experts, strict=False)):
            likeness[i] = 1.0 if turn.action == expert else self.similarity(turn.action, expert)
        deviates = steca(
            values,
            read_fact(self.expert_values, trajectory, "expert_values"),
            likeness,
            success=trajectory.outcome >= self.solved_at,
            alike=self.alike,
        )
        return deviates.astype(np.float64)


RECORD = MethodRecord(
    name="steca",
    function=DeviationDetector,
    paper="STeCa: Step-level Trajectory Calibration for LLM Agent Learning",
    arxiv="2502.14276",
    provenance="read",
    scope="episode",
    needs=frozenset({"values", "expert_actions", "expert_values"}),
    min_group=1,
    summary="Marks the turns that leave the expert's path for something that is worth no more.",
)
