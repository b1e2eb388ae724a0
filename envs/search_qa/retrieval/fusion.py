"""Several search engines as one, by reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.envs.search_qa.retrieval.protocol import Hit, Retriever, checked_count


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Hit]], *, constant: float = 60.0) -> list[Hit]:
    """One ranking out of several: a document scores the sum of `1 / (constant + rank)`, with ranks from 1.

    Args:
        rankings: Best first; scores are not read.
        constant: How little the first ranks stand out; 60 as published.

    Returns:
        All documents that occur, best first; equal scores by the id.

    Source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion (SIGIR 2009).

    >>> fused = reciprocal_rank_fusion([[Hit("a", 9.0), Hit("b", 8.0)], [Hit("b", 0.5)]])
    >>> [(hit.doc_id, round(hit.score, 5)) for hit in fused]
    [('b', 0.03252), ('a', 0.01639)]
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.doc_id] = scores.get(hit.doc_id, 0.0) + 1.0 / (constant + rank)
    return [Hit(doc_id, score) for doc_id, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


class HybridRetriever:
    """A `Retriever` that fuses others over the same corpus, for example BM25 and a dense one.

    Args:
        retrievers: Which.
        depth: Hits that each contributes, at least; more where more are asked for.
        constant: See `reciprocal_rank_fusion`.

    Raises:
        ValueError: There is none.
    """

    def __init__(self, retrievers: Sequence[Retriever], *, depth: int = 100, constant: float = 60.0) -> None:
        if not retrievers:
            raise ValueError("retrievers must hold at least one")
        self.retrievers, self.depth, self.constant = tuple(retrievers), depth, constant

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best documents for each query, see `Retriever`. Lists for k above `depth` may rank differently."""
        found = [retriever.search(queries, max(checked_count(k), self.depth)) for retriever in self.retrievers]
        return [reciprocal_rank_fusion(rankings, constant=self.constant)[:k] for rankings in zip(*found, strict=True)]
