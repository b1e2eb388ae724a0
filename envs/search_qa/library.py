"""A corpus, a search engine over it, and what the agent sees of both: shared by all environments of a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from turnwise.envs.search_qa import pages
from turnwise.envs.search_qa.records import Corpus, Document
from turnwise.envs.search_qa.retrieval import Retriever, open_bm25
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import World, open_world

MAX_QUERY_CHARACTERS = 500
"""A longer query is cut."""


class Results(NamedTuple):
    """What a query found: as text, and the documents' ids, best first."""

    text: str
    doc_ids: tuple[str, ...]


class Page(NamedTuple):
    """One page of a document as text, and the names in it."""

    text: str
    names: tuple[str, ...]


class Library:
    """Searching and reading. Caches are bounded.

    Args:
        corpus: The documents.
        retriever: Finds them.
        results: Hits of a search.
    """

    def __init__(self, corpus: Corpus, retriever: Retriever, results: int) -> None:
        self.corpus, self.retriever, self._hits = corpus, retriever, results
        self.results = lru_cache(maxsize=2048)(self._results)
        self.page = lru_cache(maxsize=2048)(self._page)
        self.contents = lru_cache(maxsize=2048)(self._contents)

    def document(self, doc_id: str) -> Document:
        """The document with this id.

        Raises:
            KeyError: There is none.
        """
        return self.corpus.document(doc_id)

    def _results(self, query: str) -> Results:
        hits = self.retriever.search([query], self._hits)[0]
        documents = [self.corpus.document(hit.doc_id) for hit in hits]
        return Results(pages.results_text(query, documents), tuple(d.doc_id for d in documents))

    def _page(self, doc_id: str, number: int) -> Page:
        document = self.corpus.document(doc_id)
        text = pages.page_text(document, number)
        return Page(text, pages.names_in(text.split("\n", 1)[1]))

    def _contents(self, doc_id: str) -> str:
        return self.corpus.document(doc_id).contents


@lru_cache(maxsize=8)
def open_library(spec: WorldSpec, cache_dir: Path | None, results: int) -> Library:
    """The one `Library` of this process over a generated world, with BM25."""
    world: World = open_world(spec, cache_dir)
    return Library(world, open_bm25(world, f"{spec.name}-{spec.key()}", cache_dir), results)
