"""LongRLVR: the answer is worth more with the right context cited, and the context is worth a little by itself."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory


def long_rlvr(accuracy: float, context: float) -> float:
    """`accuracy + 0.1 * context + 0.9 * accuracy * context`.

    Args:
        accuracy: Whether the answer is right, in [0, 1].
        context: `context_score` of what it cites, in [0, 1].

    Returns:
        The score, in [0, 2].

    Source: LongRLVR. Provenance: verified (by running the authors' code).

    >>> long_rlvr(1.0, 0.5), long_rlvr(0.0, 0.5)
    (1.5, 0.05)
    """
    return accuracy + 0.1 * context + 0.9 * accuracy * context


def context_score(cited: Sequence[Hashable], gold: Sequence[Hashable], *, beta: float = 2.0) -> float:
    """F-beta of the cited chunks, as published with beta 2: a missing chunk costs more than a needless one.

    Precision counts a chunk that is cited twice twice, recall once, as published.

    Args:
        cited: Ids of the cited chunks; none gives 0.
        gold: Ids of the right chunks.
        beta: How much more recall counts than precision. With 2, citing a hundred chunks can beat citing one of several
            right ones; with 1 it cannot.

    Raises:
        ValueError: `gold` is empty, or `beta` is not positive.

    Source: LongRLVR. Provenance: verified (by running the authors' code).

    >>> round(context_score([1, 2, 3], [1, 2]), 6)
    0.909091
    """
    if not len(gold):
        raise ValueError("gold must hold at least one chunk id")
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta!r}")
    right = len(set(cited) & set(gold))
    if not right:
        return 0.0
    precision, recall = right / len(cited), right / len(set(gold))
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


class LongRLVRReward:
    """The score of the whole episode in its last turn, in place of the outcome (`replaces_outcome`).

    Args:
        cited: Ids of the chunks that the final answer cites; None where the answer is not laid out as asked, which
            scores 0 in all.
        gold: Ids of the right chunks.
        accuracy: Whether the answer is right; default the outcome.
        beta: See `context_score`; 2 as published.

    Raises:
        KeyError: The environment does not give a fact; the message names it.

    Source: LongRLVR. Provenance: verified (by running the authors' code).

    >>> from turnwise.rewards.trajectory import Turn
    >>> facts = {"cited_chunks": [1, 2, 3], "gold_chunks": [1, 2]}
    >>> LongRLVRReward()(Trajectory([Turn(0, "", ""), Turn(1, "", "", reward=1.0)], privileged=facts)).round(6).tolist()
    [0.0, 1.909091]
    """

    replaces_outcome = True

    def __init__(
        self,
        cited: Fact = "cited_chunks",
        gold: Fact = "gold_chunks",
        *,
        accuracy: Fact | None = None,
        beta: float = 2.0,
    ) -> None:
        context_score([0], [0], beta=beta)
        self.cited, self.gold, self.accuracy, self.beta = cited, gold, accuracy, beta
        self.needs = privileged_keys(cited, gold, accuracy)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        return at_the_end(len(trajectory), self._score(trajectory) if len(trajectory) else 0.0)

    def _score(self, trajectory: Trajectory) -> float:
        cited = read_fact(self.cited, trajectory, "cited")
        if cited is None:
            return 0.0
        right = trajectory.outcome if self.accuracy is None else read_fact(self.accuracy, trajectory, "accuracy")
        context = context_score(cited, read_fact(self.gold, trajectory, "gold"), beta=self.beta)
        return long_rlvr(float(right), context)


RECORD = MethodRecord(
    name="long_rlvr",
    function=LongRLVRReward,
    paper="LongRLVR: Long-Context Reinforcement Learning with Verifiable Context Rewards",
    arxiv="",
    provenance="verified",
    scope="episode",
    needs=frozenset({"cited_chunks", "gold_chunks"}),
    min_group=1,
    summary="The answer is worth more with the right context cited, which is worth a little by itself.",
)
