"""CAPO: correct episodes are paid in every turn, and turns that a judge finds wrong are fined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, FloatArray
from turnwise.rewards.episodes._scores import Scores, checked_scorer, scores_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory

Vote: TypeAlias = Literal["union", "intersection", "majority"]


def capo(correct: bool, wrong: ArrayLike, *, correct_reward: float, wrong_penalty: float) -> FloatArray:
    """`correct_reward * correct - wrong_penalty * wrong`, turn by turn.

    Args:
        correct: Whether the episode was solved.
        wrong: (T,) whether a turn is judged wrong, see `capo_vote`.
        correct_reward: The paper's C. Its value is not known for certain, so there is no default.
        wrong_penalty: The paper's P. Likewise.

    Returns:
        (T,) rewards.

    Source: CAPO (arXiv 2508.02298), overview figure. Provenance: unverified.

    >>> capo(True, [False, True], correct_reward=2.0, wrong_penalty=1.0).tolist()
    [2.0, 1.0]
    """
    return correct_reward * float(correct) - wrong_penalty * np.asarray(wrong, dtype=np.float64)


def capo_vote(passes: ArrayLike, vote: Vote = "majority") -> BoolArray:
    """What K passes of a judge say together.

    Args:
        passes: (K, T) whether each pass finds each turn wrong.
        vote: `union` of the passes, their `intersection`, or the `majority` (more than half).

    Returns:
        (T,) bits.

    Raises:
        ValueError: There is no pass, or `vote` is unknown.

    Source: CAPO (arXiv 2508.02298), overview figure. Provenance: unverified.

    >>> passes = [[True, True, False], [False, True, False], [False, True, True]]
    >>> [capo_vote(passes, vote).tolist() for vote in ("union", "intersection", "majority")]
    [[True, True, True], [False, True, False], [False, True, False]]
    """
    if vote not in get_args(Vote):
        raise ValueError(f"vote must be one of {get_args(Vote)}, got {vote!r}")
    found = np.asarray(passes, dtype=np.bool_)
    if found.ndim != 2 or not len(found):
        raise ValueError(f"passes must have shape (K, T) with K >= 1, got {found.shape}")
    count = found.sum(axis=0)
    wrong: BoolArray = count > {"union": 0, "intersection": len(found) - 1, "majority": len(found) / 2}[vote]
    return wrong


class CAPOReward:
    """Pays every turn `capo`, in place of the outcome (`replaces_outcome`).

    Args:
        judges: K passes: each gives (T,) scores, other than 0 where it finds a turn wrong.
        correct_reward: See `capo`.
        wrong_penalty: See `capo`.
        vote: See `capo_vote`.
        solved_at: Outcome from which an episode counts as solved.

    Raises:
        ValueError: There is no judge, or `vote` is unknown.

    Source: CAPO (arXiv 2508.02298). Provenance: unverified.

    >>> from turnwise.rewards.trajectory import Turn
    >>> reward = CAPOReward([lambda trajectory: [0, 1]], correct_reward=2.0, wrong_penalty=1.0)
    >>> reward(Trajectory([Turn(0, "", ""), Turn(1, "", "", reward=1.0)])).tolist()
    [2.0, 1.0]
    """

    replaces_outcome = True

    def __init__(
        self,
        judges: Sequence[Scores],
        *,
        correct_reward: float,
        wrong_penalty: float,
        vote: Vote = "majority",
        solved_at: float = 1.0,
    ) -> None:
        self.judges = [checked_scorer(judge, f"judges[{i}]") for i, judge in enumerate(judges)]
        capo_vote(np.zeros((len(self.judges), 0)), vote)
        self.correct_reward, self.wrong_penalty = correct_reward, wrong_penalty
        self.vote: Vote = vote
        self.solved_at = solved_at

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        passes = [scores_of(judge, trajectory, f"judges[{i}]") for i, judge in enumerate(self.judges)]
        return capo(
            trajectory.outcome >= self.solved_at,
            capo_vote(passes, self.vote),
            correct_reward=self.correct_reward,
            wrong_penalty=self.wrong_penalty,
        )


RECORD = MethodRecord(
    name="capo",
    function=CAPOReward,
    paper="CAPO: Towards Enhancing LLM Reasoning through Verifiable Generative Credit Assignment",
    arxiv="2508.02298",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"judges"}),
    min_group=1,
    summary="Correct episodes are paid in every turn; turns that a judge finds wrong are fined.",
)
