"""CaRR over the chain of sub-questions that a task comes with: which steps do citations support, up to the answer?"""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.rewards.batch import BoolArray, FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.episodes.carr import carr
from turnwise.rewards.evidence import ANSWER, Step, chain_rubrics, chain_support, citation_precision
from turnwise.rewards.facts import read_fact
from turnwise.rewards.trajectory import Trajectory


def counted_steps(chain: Sequence[Step], cited: Sequence[str]) -> BoolArray:
    """(S,) which steps are supported by citations and connected to the answer by steps that are.

    >>> chain = [
    ...     {"question": "Who taught Ann Lee?", "answer": "Bo Ek", "document": "d1"},
    ...     {"question": "Where was Bo Ek born?", "answer": "Oslo", "document": "d2"},
    ... ]
    >>> [counted_steps(chain, cited).tolist() for cited in (["d1"], ["d2"], ["d1", "d2", "d3"])]
    [[False, False], [False, True], [True, True]]
    """
    return carr(chain_rubrics(chain), chain_support(chain, cited), answer=ANSWER)


class CitationChainReward:
    """CaRR over the task's own chain: the share of its steps that citations support and that lead to the answer.

    The published rubrics are written by a model and judged by one. Here each sub-question is a rubric, its entities are
    the answers that it connects, and it is supported if its document is cited: no judge is needed, and none can err.

    Args:
        precise: Multiply by the share of the cited documents on which a step rests. False as published: citing
            everything costs nothing.

    Source: CaRR. Provenance: the walk over rubrics is verified (see `turnwise.rewards.episodes.carr`); rubrics from
    the chain are ours.
    """

    def __init__(self, *, precise: bool = False) -> None:
        self.precise = precise
        self.needs = frozenset({"chain", "cited_chunks"})

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards, all in the last turn."""
        return at_the_end(len(trajectory), self.score(trajectory))

    def score(self, trajectory: Trajectory) -> float:
        """The rubric reward in [0, 1]; 0 where the episode was cut off or nothing was cited."""
        chain = read_fact("chain", trajectory, "chain")
        cited = read_fact("cited_chunks", trajectory, "cited")
        if not trajectory.terminated or not chain or not cited:
            return 0.0
        share = float(counted_steps(chain, cited).mean())
        return share * citation_precision(chain, cited) if self.precise else share
