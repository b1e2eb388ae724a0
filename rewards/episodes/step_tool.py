"""StepTool over a whole episode: success and contribution of each call, and whether the task was solved."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import Scores, checked_scorer, scores_of
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.trajectory import Trajectory
from turnwise.rewards.turns.step_tool import RECORD as TURN_RECORD
from turnwise.rewards.turns.step_tool import LabelValue, call_contributed, label_value, turn_succeeded


def step_tool(
    success: ArrayLike,
    contribution: ArrayLike,
    solved: float,
    *,
    alpha: float,
    compat: Literal["released"] | None = None,
) -> FloatArray:
    """`alpha * (success + contribution)` in every turn but the last, which gets `solved`.

    Args:
        success: (T - 1,) whether each intermediate call succeeded.
        contribution: (T - 1,) value of what each intermediate call contributed.
        solved: Value of the final status.
        alpha: Weight of the intermediate rewards. The published one is not known, so there is no default.
        compat: `released` multiplies the reward of turn k of T by T - k - 1, as the released trainer does: the last
            turn then gets nothing.

    Returns:
        (T,) rewards.

    Raises:
        ValueError: The shapes differ, or `compat` is unknown.

    Source: StepTool (arXiv 2410.07745). Provenance: unverified (labels and placement are the authors', the sum and
    its weights are not).

    >>> step_tool([1, 0], [0.75, 0.25], 1.0, alpha=1.0).tolist()
    [1.75, 0.25, 1.0]
    """
    if compat not in (None, "released"):
        raise ValueError(f"compat must be None or 'released', got {compat!r}")
    called, helped = np.asarray(success, dtype=np.float64), np.asarray(contribution, dtype=np.float64)
    if called.ndim != 1 or called.shape != helped.shape:
        raise ValueError(f"success and contribution must have one shape (T - 1,), got {called.shape}, {helped.shape}")
    rewards = np.append(alpha * (called + helped), solved)
    return rewards if compat is None else rewards * np.arange(len(rewards))[::-1]


class StepToolEpisodeReward:
    """Pays `step_tool`, in place of the outcome (`replaces_outcome`).

    Args:
        contribution: Gives (T,) contribution labels, for example a judge's 0 to 5; None: by rule, 1 where a good part
            of the reply is found again in the last action (`call_contributed`), else 0. The last one is not read.
        contribution_values: What each label is worth. The published values are not known, so there is no default.
        alpha: See `step_tool`.
        success: (T,) whether each call succeeded; default by rule (`turn_succeeded`).
        solved: Value of the final status; default the outcome.
        compat: See `step_tool`.

    Raises:
        KeyError: A fact or the value of a label is missing; the message names it.

    Source: StepTool (arXiv 2410.07745). Provenance: unverified.

    >>> from turnwise.rewards.trajectory import Turn
    >>> turns = [Turn(0, "", "weather[Paris]", "7 degrees"), Turn(1, "", "answer[7 degrees]", reward=1.0)]
    >>> StepToolEpisodeReward(contribution_values={0: 0.0, 1: 0.5}, alpha=1.0)(Trajectory(turns)).tolist()
    [1.5, 1.0]
    """

    replaces_outcome = True

    def __init__(
        self,
        contribution: Scores | None = None,
        *,
        contribution_values: LabelValue,
        alpha: float,
        success: Fact | None = None,
        solved: Fact | None = None,
        compat: Literal["released"] | None = None,
    ) -> None:
        step_tool([], [], 0.0, alpha=alpha, compat=compat)
        self.contribution = None if contribution is None else checked_scorer(contribution, "contribution")
        self.contribution_values, self.alpha = contribution_values, alpha
        self.success, self.solved = success, solved
        self.compat: Literal["released"] | None = compat
        self.needs = privileged_keys(success, solved)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        if not len(trajectory):
            return np.zeros(0)
        values = [
            label_value(self.contribution_values, label, "contribution_values") for label in self._labels(trajectory)
        ]
        solved = trajectory.outcome if self.solved is None else read_fact(self.solved, trajectory, "solved")
        return step_tool(self._successes(trajectory)[:-1], values, float(solved), alpha=self.alpha, compat=self.compat)

    def _labels(self, trajectory: Trajectory) -> list[float]:
        """The labels of all turns but the last."""
        if self.contribution is not None:
            labels: list[float] = scores_of(self.contribution, trajectory, "contribution").tolist()
            return labels[:-1]
        answer = trajectory.turns[-1].action
        return [float(call_contributed(turn.next_observation, answer)) for turn in trajectory.turns[:-1]]

    def _successes(self, trajectory: Trajectory) -> FloatArray:
        if self.success is None:
            return np.array([turn_succeeded(turn) for turn in trajectory.turns], dtype=np.float64)
        return np.asarray(read_fact(self.success, trajectory, "success"), dtype=np.float64)


RECORD = replace(
    TURN_RECORD,
    name="step_tool_episode",
    function=StepToolEpisodeReward,
    scope="episode",
    summary="Success and contribution of each call, and whether the task was solved.",
)
