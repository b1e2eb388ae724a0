"""StepSearch: a search is paid for what it newly covers of the gold documents, less what it repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.facts import Fact, first_argument, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.outcome import normalize_answer, token_f1
from turnwise.rewards.tf_idf import tf_idf_similarity
from turnwise.rewards.trajectory import Turn


def step_search(
    similarity: ArrayLike, redundancy: ArrayLike, *, scale: float = 0.6, compat: Literal["released"] | None = None
) -> FloatArray:
    """`scale * (gain - redundancy)` of each search of an episode.

    Args:
        similarity: (T, K) likeness in [0, 1] of the best document of each search to each of K gold documents.
        redundancy: (T,) share of each search's documents that had been returned before.
        scale: Weight of the step score.
        compat: `released` adds the scaled score to the unscaled one, as the released trainer does in place: its
            effective scale is 1 + `scale`.

    Returns:
        (T,) rewards in [-scale, scale].

    Raises:
        ValueError: `compat` is unknown, or the shapes differ.

    Source: StepSearch (arXiv 2505.15107). Provenance: verified (by running the authors' code).

    >>> step_search([[0.5, 0.25], [0.25, 0.75]], [0.0, 0.5]).round(3).tolist()
    [0.225, -0.15]
    """
    if compat not in (None, "released"):
        raise ValueError(f"compat must be None or 'released', got {compat!r}")
    score = search_gain(similarity) - np.asarray(redundancy, dtype=np.float64)
    return (scale if compat is None else 1.0 + scale) * score


def search_gain(similarity: ArrayLike) -> FloatArray:
    """What each search added to the best likeness so far, averaged over the gold documents.

    Args:
        similarity: (T, K) likeness in [0, 1] of the best document of each search to each gold document.

    Returns:
        (T,) gains in [0, 1], which sum to the mean of the best likeness; 0 without gold documents.

    Raises:
        ValueError: `similarity` is not a matrix.

    >>> search_gain([[0.5, 0.25], [0.25, 0.75]]).tolist()
    [0.375, 0.25]
    """
    matches = np.asarray(similarity, dtype=np.float64)
    if matches.ndim != 2:
        raise ValueError(f"similarity must have shape (T, K), got {matches.shape}")
    covered = np.maximum.accumulate(np.vstack([np.zeros(matches.shape[1]), matches]))
    gain: FloatArray = np.diff(covered, axis=0).sum(axis=1) / max(matches.shape[1], 1)
    return gain


def key_score(queries: Sequence[str], keyword_groups: Sequence[Sequence[str]]) -> float:
    """How well the queries hit the groups of keywords, in [0, 1]: the mean over groups of their query's word F1.

    A query counts for the group that it fits best. A later query of the same group takes the earlier one's place, even
    with a worse score, as published.

    Args:
        queries: The searches of an episode, in order.
        keyword_groups: For each sub-question, the ways of asking it.

    Source: StepSearch (arXiv 2505.15107). Provenance: verified (by running the authors' code).

    >>> key_score(["capital of France"], [["France capital city"], ["mayor of Paris"]])
    0.33335
    """
    scores = [0.0] * len(keyword_groups)
    for query in queries:
        fits = [round(token_f1(query, group), 4) if len(group) else 0.0 for group in keyword_groups]
        best = max(fits, default=0.0)
        if best > 0.0:
            scores[fits.index(best)] = best
    return sum(scores) / len(scores) if scores else 0.0


class StepSearchReward:
    """Pays every search turn for new coverage of the gold documents, less its share of repeated documents.

    With `keywords`, the turn that ends the task is also paid `key_weight` times the `key_score` of all queries; the
    published final reward is the answer's F1, which the environment pays, plus that. (The published -1 for a missing
    answer, which takes the step scores away, is an outcome gate: see `GatedRewardAccumulation`.)

    Args:
        documents: Texts that this turn's search returned, best first; empty or None for a turn without a search.
        gold: Texts of the K documents that support the answer.
        keywords: Groups of keywords, one list a sub-question; None pays no key score.
        query: The turn's query, default the argument `query` of its first tool call that has one.
        scale: Weight of the step score.
        key_weight: Weight of the key score.
        compat: See `step_search`.
        min_similarity: Likeness to a gold document below this counts as none; 0 as published. Documents of one kind
            share many words, so that searches which find nothing right are paid all the same, and paid again and
            again for finding something else.

    Raises:
        KeyError: The environment does not give one of the facts; the message names it.

    Source: StepSearch (arXiv 2505.15107). Provenance: verified (by running the authors' code).

    >>> reward = StepSearchReward(documents="found", gold="support")
    >>> facts = {"found": ["The tower is in Paris."], "support": ["The tower is in Paris", "It opened in 1889"]}
    >>> turn = Turn(0, "", "search[tower]", privileged=facts)
    >>> round(reward(turn), 3), round(reward(turn), 3)  # the second search brings nothing but repetition
    (0.34, -0.6)
    """

    def __init__(
        self,
        *,
        documents: Fact = "retrieved_documents",
        gold: Fact = "gold_documents",
        keywords: Fact | None = None,
        query: Fact | None = None,
        scale: float = 0.6,
        key_weight: float = 0.618,
        compat: Literal["released"] | None = None,
        min_similarity: float = 0.0,
    ) -> None:
        step_search(np.zeros((0, 0)), [], scale=scale, compat=compat)
        if not 0.0 <= min_similarity <= 1.0:
            raise ValueError(f"min_similarity must lie in [0, 1], got {min_similarity!r}")
        self.documents, self.gold, self.keywords, self.query = documents, gold, keywords, query
        self.scale, self.key_weight = scale, key_weight
        self.compat: Literal["released"] | None = compat
        self.min_similarity = min_similarity
        self.needs = privileged_keys(documents, gold, keywords, query)
        self.begin()

    def begin(self, observation: str = "", privileged: Mapping[str, Any] | None = None) -> None:
        """Forget what has been found and asked."""
        self._covered: FloatArray | None = None
        self._seen: set[str] = set()
        self._queries: list[str] = []

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn; 0 for one that neither searches nor ends the task."""
        query = first_argument(turn, "query") if self.query is None else read_fact(self.query, turn, "query")
        self._queries += [str(query)] if query else []
        documents = list(read_fact(self.documents, turn, "documents") or ())
        reward = self._step_score(documents, read_fact(self.gold, turn, "gold")) if documents else 0.0
        if self.keywords is not None and turn.terminated:
            reward += self.key_weight * key_score(self._queries, read_fact(self.keywords, turn, "keywords"))
        return reward

    def _step_score(self, documents: list[str], gold: Sequence[str]) -> float:
        references = [normalize_answer(text) for text in gold]
        found = np.zeros(len(references))
        for text in documents:
            found = np.maximum(found, tf_idf_similarity(normalize_answer(text), references))
        found[found < self.min_similarity] = 0.0
        # The coverage so far stands as an earlier search; its own score is dropped.
        before = np.zeros_like(found) if self._covered is None else self._covered
        self._covered = np.maximum(before, found)
        repeated = redundant_share(documents, self._seen) if references else 0.0
        score = step_search(np.stack([before, found]), [0.0, repeated], scale=self.scale, compat=self.compat)
        return float(score[1])


def redundant_share(documents: Sequence[str], seen: set[str]) -> float:
    """Share of the documents that are in `seen` or repeat one before them; adds them to `seen`.

    >>> seen = {"a"}
    >>> redundant_share(["a", "b", "b", "c"], seen), sorted(seen)
    (0.5, ['a', 'b', 'c'])
    """
    repeated = 0
    for text in documents:
        repeated += text in seen
        seen.add(text)
    return repeated / len(documents) if documents else 0.0


RECORD = MethodRecord(
    name="step_search",
    function=StepSearchReward,
    paper="StepSearch: Igniting LLMs Search Ability via Step-Wise Proximal Policy Optimization",
    arxiv="2505.15107",
    provenance="verified",
    scope="turn",
    needs=frozenset({"retrieved_documents", "gold_documents"}),
    min_group=1,
    summary="A search is paid for what it newly covers of the gold documents, less what it repeats.",
)
