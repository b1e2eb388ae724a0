"""What a search engine is to the environments: texts in, ranked document ids out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Hit:
    """One result.

    Attributes:
        doc_id: Of the document in the corpus.
        score: Higher is better; comparable within one result list only.
    """

    doc_id: str
    score: float


@runtime_checkable
class Retriever(Protocol):
    """A search engine over one corpus. Safe to share between threads."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best documents for each query.

        Args:
            queries: B texts. Any text is a query: none raises, and none has a syntax.
            k: Most hits a query, at least 0.

        Returns:
            B lists of at most k hits, best first; equal scores in the order of the corpus. The list for a smaller k is
            the beginning of the list for a larger one. Empty where a text has nothing to search for.

        Raises:
            RetrievalError: The search engine failed, for example a server that cannot be reached.
        """
        ...


class RetrievalError(OSError):
    """The search engine failed: a fault outside the task, which truncates an episode and does not end a batch."""


class RetrievalTimeoutError(RetrievalError):
    """The search engine did not answer in time, after all retries."""


def checked_count(k: int) -> int:
    """The number of hits asked for.

    Raises:
        ValueError: It is negative.
    """
    if k < 0:
        raise ValueError(f"k must be at least 0, got {k}")
    return k
