"""A small corpus in memory, for tests, examples and corpora of a few thousand documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from turnwise.envs.search_qa.records import Document


class ListCorpus:
    """A `Corpus` of documents in memory.

    Args:
        documents: In the order of their positions.

    Raises:
        ValueError: Two have the same id; the message names it.

    >>> corpus = ListCorpus([Document("a", "Lamps", "A lamp.")])
    >>> len(corpus), corpus.document("a").title, corpus.doc_id(0)
    (1, 'Lamps', 'a')
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = list(documents)
        self._by_id = {document.doc_id: document for document in self._documents}
        if len(self._by_id) < len(self._documents):
            twice = Counter(document.doc_id for document in self._documents).most_common(1)[0][0]
            raise ValueError(f"the id {twice!r} belongs to two documents")

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def document(self, doc_id: str) -> Document:
        """The document with this id.

        Raises:
            KeyError: There is none.
        """
        try:
            return self._by_id[doc_id]
        except KeyError:
            raise KeyError(f"there is no document {doc_id!r} among {len(self)}") from None

    def doc_id(self, position: int) -> str:
        """The id of the document at this position."""
        return self._documents[position].doc_id
