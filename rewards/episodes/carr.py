"""CaRR: rubrics count if the evidence supports them and a chain of shared entities leads from the answer to them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Sequence

import numpy as np

from turnwise.rewards.batch import BoolArray, FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory

_ENTITY = re.compile(r"<(E\d+)>")


def carr(rubrics: Sequence[str | Collection[str]], supported: Sequence[bool], *, answer: str = "E0") -> BoolArray:
    """Which rubrics count: the supported ones that a breadth-first search reaches from the answer.

    Two rubrics are neighbours if they share an entity; only supported ones are walked over.

    Args:
        rubrics: R rubrics: texts with placeholders `<E0>`, `<E1>`, ..., or collections of entities.
        supported: (R,) whether all entities of a rubric are named and the cited pages confirm it.
        answer: The entity that is the answer.

    Returns:
        (R,) true where a rubric counts. The rubric reward is the mean.

    Raises:
        ValueError: `supported` does not hold one bit a rubric.

    Source: CaRR. Provenance: verified (by running the authors' code).

    >>> carr([{"E0", "E1"}, {"E1", "E2"}, {"E3", "E4"}, {"E0"}], [True, True, True, False]).tolist()
    [True, True, False, False]
    """
    if len(supported) != len(rubrics):
        raise ValueError(f"supported must hold one bit a rubric: {len(rubrics)} rubrics, {len(supported)} bits")
    entities = [_entities(rubric) for rubric in rubrics]
    counts = np.zeros(len(rubrics), dtype=np.bool_)
    reached, waiting = {answer}, deque([answer])
    while waiting:
        entity = waiting.popleft()
        for i, names in enumerate(entities):
            if supported[i] and entity in names:
                counts[i] = True
                waiting.extend(names - reached)
                reached |= names
    return counts


class CaRRReward:
    """The share of rubrics that count, in the last turn; added to the outcome.

    0 for an episode that was cut off, or without rubrics. It is the `rubric` of `cgrpo`.

    Args:
        rubrics: R rubrics, see `carr`.
        supported: (R,) bits, from a judge that sees the final answer and the pages that it cites: a key, or a function
            of the trajectory. None: the judge failed, or nothing is cited; scores 0.
        answer: The entity that is the answer.

    Raises:
        KeyError: The environment does not give a fact; the message names it.

    Source: CaRR. Provenance: verified (by running the authors' code).

    >>> from turnwise.rewards.trajectory import Turn
    >>> facts = {"rubrics": ["<E0> wrote <E1>", "<E2> sings"], "rubrics_supported": [True, True]}
    >>> CaRRReward()(Trajectory([Turn(0, "", ""), Turn(1, "", "")], terminated=True, privileged=facts)).tolist()
    [0.0, 0.5]
    """

    def __init__(self, rubrics: Fact = "rubrics", supported: Fact = "rubrics_supported", *, answer: str = "E0") -> None:
        self.rubrics, self.supported, self.answer = rubrics, supported, answer
        self.needs = privileged_keys(rubrics, supported)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        if not trajectory.terminated:
            return np.zeros(len(trajectory))
        rubrics = read_fact(self.rubrics, trajectory, "rubrics")
        supported = read_fact(self.supported, trajectory, "supported")
        if not rubrics or supported is None:
            return np.zeros(len(trajectory))
        return at_the_end(len(trajectory), float(carr(rubrics, supported, answer=self.answer).mean()))


def _entities(rubric: str | Collection[str]) -> frozenset[str]:
    return frozenset(_ENTITY.findall(rubric) if isinstance(rubric, str) else rubric)


RECORD = MethodRecord(
    name="carr",
    function=CaRRReward,
    paper="CaRR: Citation-aware Rubric Rewards",
    arxiv="",
    provenance="verified",
    scope="episode",
    needs=frozenset({"rubrics", "rubrics_supported"}),
    min_group=1,
    summary="Share of rubrics that the evidence supports and that are connected to the answer.",
)
