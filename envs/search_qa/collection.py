"""A corpus, a search engine over it, and what the agent sees of both: shared by all environments of a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from turnwise.envs.search_qa import pages
from turnwise.envs.search_qa.loaders import JsonlCorpus, ParagraphCorpus, QuestionFile
from turnwise.envs.search_qa.records import Corpus, Document
from turnwise.envs.search_qa.retrieval import Retriever, open_bm25
from turnwise.envs.search_qa.retrieval.remote import RemoteRetriever
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import open_world

MAX_QUERY_CHARACTERS = 500
"""A longer query is cut."""
MAX_RESULTS = 50


class Results(NamedTuple):
    """What a query found: as text, and the documents' ids, best first."""

    text: str
    doc_ids: tuple[str, ...]


class Page(NamedTuple):
    """One page of a document as text, and the names in it."""

    text: str
    names: tuple[str, ...]


class Collection:
    """Searching and reading. Caches are bounded.

    Args:
        corpus: The documents.
        retriever: Finds them.
        results: Hits of a search.
        further: Documents that are not searched and cannot be opened, but may be a question's gold documents.
    """

    def __init__(self, corpus: Corpus, retriever: Retriever, results: int, further: Corpus | None = None) -> None:
        self.corpus, self.retriever, self._hits, self._further = corpus, retriever, results, further
        self.results = lru_cache(maxsize=2048)(self._results)
        self.page = lru_cache(maxsize=2048)(self._page)
        self.contents = lru_cache(maxsize=2048)(self._contents)

    def document(self, doc_id: str) -> Document:
        """The document with this id.

        Raises:
            KeyError: There is none.
        """
        return self.corpus.document(doc_id)

    def has(self, doc_id: str) -> bool:
        """Whether there is such a document to open."""
        try:
            self.corpus.document(doc_id)
        except KeyError:
            return False
        return True

    def _results(self, query: str) -> Results:
        hits = self.retriever.search([query], self._hits)[0]
        if unknown := [hit.doc_id for hit in hits if not self.has(hit.doc_id)]:
            raise ValueError(
                f"the retriever found {unknown[0]!r}, which the corpus does not have: it searches another one"
            )
        documents = [self.corpus.document(hit.doc_id) for hit in hits]
        return Results(pages.results_text(query, documents), tuple(d.doc_id for d in documents))

    def _page(self, doc_id: str, number: int) -> Page:
        document = self.corpus.document(doc_id)
        text = pages.page_text(document, number)
        return Page(text, pages.names_in(text.split("\n", 1)[1]))

    def _contents(self, doc_id: str) -> str:
        corpus = self.corpus if self._further is None or self.has(doc_id) else self._further
        return corpus.document(doc_id).contents


def world_collection(spec: WorldSpec, cache_dir: Path | None, retriever: str | Retriever, results: int) -> Collection:
    """A `Collection` over a generated world: the one of this process, unless the retriever is an object.

    Args:
        spec: Which world.
        cache_dir: Where built worlds and indexes are kept.
        retriever: `bm25`, the URL of a retrieval server over the same world, or a search engine.
        results: Hits of a search.

    Raises:
        ValueError: The retriever is unknown, or `results` out of range.
    """
    if isinstance(retriever, str):
        return _world_collection(spec, cache_dir, retriever, results)
    return Collection(open_world(spec, cache_dir), retriever, _checked(results))


def file_collection(
    format: str, question_file: Path, corpus_file: Path | None, cache_dir: Path | None, retriever: str | Retriever,
    results: int,
) -> tuple[QuestionFile, Collection]:  # fmt: skip
    """The questions of a published file, and a `Collection` over their documents: each once, see `world_collection`.

    Args:
        format: See `turnwise.envs.search_qa.loaders.READERS`.
        question_file: Questions.
        corpus_file: JSON lines of the Search-R1 form; None takes the paragraphs that come with the questions.
        cache_dir: Where what is read is kept.
        retriever: `bm25`, the URL of a retrieval server over the same documents, or a search engine.
        results: Hits of a search.

    Raises:
        ValueError: The format or retriever is unknown, `results` out of range, or there are no documents.
        DataFileError: A file is unreadable, cut off or malformed.
    """
    if isinstance(retriever, str):
        return _file_collection(format, question_file, corpus_file, cache_dir, retriever, results)
    questions, corpus = _opened_files(format, question_file, corpus_file, cache_dir)
    return questions, Collection(corpus, retriever, _checked(results), questions.corpus)


@lru_cache(maxsize=8)
def _world_collection(spec: WorldSpec, cache_dir: Path | None, retriever: str, results: int) -> Collection:
    world = open_world(spec, cache_dir)
    return Collection(world, _retriever(retriever, world, f"{spec.name}-{spec.key()}", cache_dir), _checked(results))


@lru_cache(maxsize=8)
def _file_collection(
    format: str, question_file: Path, corpus_file: Path | None, cache_dir: Path | None, retriever: str, results: int
) -> tuple[QuestionFile, Collection]:
    questions, corpus = _opened_files(format, question_file, corpus_file, cache_dir)
    searched = _retriever(retriever, corpus, corpus.key, cache_dir)
    return questions, Collection(corpus, searched, _checked(results), questions.corpus)


def _opened_files(
    format: str, question_file: Path, corpus_file: Path | None, cache_dir: Path | None
) -> tuple[QuestionFile, JsonlCorpus | ParagraphCorpus]:
    questions = QuestionFile(format, question_file, cache_dir=cache_dir)
    corpus = JsonlCorpus(corpus_file, cache_dir) if corpus_file is not None else questions.corpus
    if not len(questions) or not len(corpus):
        what = "questions" if not len(questions) else "documents; name a corpus_file"
        raise ValueError(f"{question_file.name} has no {what}")
    return questions, corpus


def _retriever(retriever: str, corpus: Corpus, key: str, cache_dir: Path | None) -> Retriever:
    if retriever == "bm25":
        return open_bm25(corpus, key, cache_dir)
    if retriever.startswith(("http://", "https://")):
        return RemoteRetriever(retriever)
    raise ValueError(f"retriever must be 'bm25', a URL, or an object with search(queries, k), got {retriever!r}")


def _checked(results: int) -> int:
    if isinstance(results, bool) or not isinstance(results, int) or not 1 <= results <= MAX_RESULTS:
        raise ValueError(f"results must be an int from 1 to {MAX_RESULTS}, got {results!r}")
    return results
