"""Mobile-R1: rewards of single actions in one stage of training, of the whole task in the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory, Turn

Stage: TypeAlias = Literal["action", "task"]


def mobile_r1(action: ArrayLike, task: float, stage: Stage) -> FloatArray:
    """The (T,) action rewards in stage `action`; the task reward, in the last turn, in stage `task`.

    Args:
        action: (T,) reward of each action.
        task: Reward of the whole episode.
        stage: Which of the two is paid.

    Raises:
        ValueError: `stage` is unknown.

    Source: Mobile-R1. Provenance: unverified (the stages are the abstract's; the rewards in them are not known and
    have to be given).

    >>> mobile_r1([0.5, 1.0], 1.0, "action").tolist(), mobile_r1([0.5, 1.0], 1.0, "task").tolist()
    ([0.5, 1.0], [0.0, 1.0])
    """
    if stage not in get_args(Stage):
        raise ValueError(f"stage must be one of {get_args(Stage)}, got {stage!r}")
    actions = np.asarray(action, dtype=np.float64)
    return actions if stage == "action" else at_the_end(len(actions), task)


class MobileR1Reward:
    """Pays the channel of the current stage, in place of the outcome (`replaces_outcome`).

    Set `stage` between two episodes to go on to the next stage.

    Args:
        action: Reward of one turn, for example a `UIStepReward`.
        stage: The stage to begin with.
        task: Reward of the whole episode; default the outcome.

    Source: Mobile-R1. Provenance: unverified.

    >>> reward = MobileR1Reward(lambda turn: 0.5, stage="action")
    >>> won = Trajectory([Turn(0, "", ""), Turn(1, "", "", reward=1.0)])
    >>> first = reward(won).tolist()
    >>> reward.stage = "task"
    >>> first, reward(won).tolist()
    ([0.5, 0.5], [0.0, 1.0])
    """

    replaces_outcome = True

    def __init__(
        self,
        action: Callable[[Turn], float],
        *,
        stage: Stage,
        task: Callable[[Trajectory], float] | None = None,
    ) -> None:
        mobile_r1([], 0.0, stage)
        self.action, self.task = action, task
        self.stage: Stage = stage
        self.needs: frozenset[str] = getattr(action, "needs", frozenset())

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        actions = [self.action(turn) for turn in trajectory.turns]
        task = trajectory.outcome if self.task is None else float(self.task(trajectory))
        return mobile_r1(actions, task, self.stage)


RECORD = MethodRecord(
    name="mobile_r1",
    function=MobileR1Reward,
    paper="Mobile-R1: Towards Interactive Reinforcement Learning for VLM-Based Mobile Agent",
    arxiv="",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"action"}),
    min_group=1,
    summary="Action rewards in one stage of training, the task reward in the next.",
)
