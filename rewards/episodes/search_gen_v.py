"""Search-Gen-V: the weighted share of nuggets that the answer states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.evidence import handed_in
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.nuggets import Nugget, NuggetMatcher, brevity_factor, checked_values, nugget_score
from turnwise.rewards.trajectory import Trajectory


class NuggetReward:
    """The nuggets that the answer states, in the last turn, in place of the outcome (`replaces_outcome`).

    A question with a short answer is one nugget. The published score counts what is stated and nothing else: an answer
    that lists every candidate is worth as much as the right one. `brevity` takes that back.

    Args:
        matcher: One rung, or a `NuggetLadder`.
        nuggets: K nuggets, each a text or a list of ways to say it.
        weights: (K,) their weights; None: 1 each.
        answer: What was handed in; default the argument `text` of the call that ended the episode. An episode that
            was cut off, or None, scores 0.
        question: What was asked, for a judge; default the first observation.
        brevity: Words that an answer may have for each word of its nuggets before its score shrinks in proportion.
            None, as published: any number.

    Raises:
        TypeError: `matcher` is none.
        KeyError: The environment does not give a fact; the message names it.

    Source: Search-Gen-V (arXiv 2510.14660). Provenance: unverified (the formula is a secondary source's, which quotes
    the paper; the labels of the judge are read from the authors' code).

    >>> from turnwise.rewards.nuggets import ExactMatcher
    >>> from turnwise.rewards.trajectory import Turn
    >>> call = {"name": "answer", "arguments": {"text": "Rome, Oslo or Paris"}}
    >>> turns = [Turn(0, "Where?", "", terminated=True, tool_calls=(call,))]
    >>> trajectory = Trajectory(turns, terminated=True, privileged={"nuggets": ["Paris"]})
    >>> [NuggetReward(ExactMatcher(), brevity=b)(trajectory).tolist() for b in (None, 1.0)]
    [[1.0], [0.25]]
    """

    replaces_outcome = True

    def __init__(
        self,
        matcher: NuggetMatcher,
        *,
        nuggets: Fact = "nuggets",
        weights: Fact | None = None,
        answer: Fact | None = None,
        question: Fact | None = None,
        brevity: float | None = None,
    ) -> None:
        if not isinstance(matcher, NuggetMatcher):
            raise TypeError(
                f"matcher must be a NuggetMatcher, such as turnwise.rewards.nuggets.ExactMatcher(), got {matcher!r}"
            )
        if brevity is not None and not brevity > 0:
            raise ValueError(f"brevity must be positive or None, got {brevity!r}")
        self.matcher, self.nuggets, self.weights, self.brevity = matcher, nuggets, weights, brevity
        self.answer: Fact = answer if answer is not None else handed_in
        self.question: Fact = question if question is not None else _first_observation
        self.needs = privileged_keys(nuggets, weights, answer, question)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        return at_the_end(len(trajectory), self.score(trajectory))

    def score(self, trajectory: Trajectory) -> float:
        """The score of the answer, in [0, 1]."""
        answer = read_fact(self.answer, trajectory, "answer") if trajectory.terminated else None
        nuggets = [_ways(nugget) for nugget in read_fact(self.nuggets, trajectory, "nuggets")]
        if answer is None or not nuggets:
            return 0.0
        weights = None if self.weights is None else read_fact(self.weights, trajectory, "weights")
        question = str(read_fact(self.question, trajectory, "question"))
        values = checked_values(self.matcher.match(nuggets, str(answer), question), len(nuggets))
        score = nugget_score(values, None if weights is None else np.asarray(weights, dtype=np.float64))
        return score if self.brevity is None else score * brevity_factor(str(answer), nuggets, self.brevity)


def _ways(nugget: str | Sequence[str]) -> Nugget:
    return (nugget,) if isinstance(nugget, str) else tuple(nugget)


def _first_observation(trajectory: Trajectory) -> Any:
    return trajectory.turns[0].observation if trajectory.turns else ""


RECORD = MethodRecord(
    name="search_gen_v",
    function=NuggetReward,
    paper="An Efficient Rubric-based Generative Verifier for Search-Augmented LLMs",
    arxiv="2510.14660",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"nuggets", "matcher"}),
    min_group=1,
    summary="The weighted share of nuggets, short facts, that the answer states.",
)
