"""BM25 over a corpus: a memory-mapped Tantivy index, built once for all processes, that ranks the same everywhere.

BM25 has Tantivy's constants, k1 = 1.2 and b = 0.75. (Search-R1's server uses Pyserini's, 0.9 and 0.4.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import tantivy

from turnwise.envs.built_folder import BuildError, default_cache_dir, ensure_built
from turnwise.envs.search_qa.records import Corpus
from turnwise.envs.search_qa.retrieval.protocol import Hit, checked_count

MAX_TERMS = 64
"""Further terms of a query are ignored."""
MAX_COMMON_TERMS = 4
"""Terms of a query that has only common ones."""
MAX_QUERY_CHARACTERS = 10_000
STOP_WORDS = frozenset(
    "a an and are as at be but by did do does for from had has have how in into is it its of on or that the "  # noqa: SIM905
    "their there these they this to was were what when where which who whom whose why will with".split()
)
"""Left out of a query that has other words, so that it is fast; kept in one that has none (`The Who`)."""

_ANALYZER = "words"
_TEXT, _POSITION = "text", "position"
_FORMAT = f"1-{tantivy.__version__}"  # an index is read only by the version that wrote it
_HEAP_BYTES = 4_000_000_000  # a bound, not an allocation: a segment is written at a commit
_LONGEST_WORD = 100  # bytes
_SEGMENT_DOCUMENTS = 8_000_000
# Scripts that put no space between words: each character is a word, so that parts of a sentence can be found.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff])"
)


def open_bm25(corpus: Corpus, key: str, cache_dir: Path | None = None) -> Bm25Retriever:
    """BM25 over a corpus. The index is built first where the cache does not have it.

    Args:
        corpus: The documents; their `contents` are searched.
        key: Says which documents these are, and can be part of a file name. A corpus with other documents needs another
            key.
        cache_dir: Where the index is kept; default `default_cache_dir()`.

    Raises:
        BuildError: The disk is full, or the cache cannot be written.

    >>> import tempfile
    >>> from turnwise.envs.search_qa.records import Document
    >>> from turnwise.envs.search_qa.retrieval.lists import ListCorpus
    >>> corpus = ListCorpus([Document("a", "Lamps", "A lamp gives light."), Document("b", "Doors", "A door opens.")])
    >>> retriever = open_bm25(corpus, "example", Path(tempfile.mkdtemp()))
    >>> [[hit.doc_id for hit in hits] for hits in retriever.search(["what is a lamp?", '"title:" AND ('], k=2)]
    [['a'], []]
    """
    cache_dir = (cache_dir or default_cache_dir()).resolve()
    try:
        folder = ensure_built(
            cache_dir / f"bm25-{key}-{_FORMAT}", lambda empty: build_index(empty, (d.contents for d in corpus))
        )
    except OSError as error:
        raise BuildError(f"the search index of {key}", cache_dir, error) from error
    return Bm25Retriever(folder, corpus)


def build_index(folder: Path, texts: Iterable[str], *, segment_documents: int = _SEGMENT_DOCUMENTS) -> None:
    """Write the index of the texts, one document each, in their order, into an empty folder.

    Args:
        folder: Where.
        texts: What is searched.
        segment_documents: Documents after which a new segment begins. One segment ranks a little faster; a segment
            holds at most about 4 GB.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    try:
        index = _open(folder)
        writer = index.writer(_HEAP_BYTES, 1)
    except ValueError as error:
        raise _disk_error(folder, error) from error
    try:
        for position, text in enumerate(texts):
            document = tantivy.Document()
            document.add_text(_TEXT, searchable(text))
            document.add_unsigned(_POSITION, position)
            try:
                writer.add_document(document)
                if (position + 1) % segment_documents == 0:
                    writer.commit()
            except ValueError as error:
                raise _disk_error(folder, error) from error
        try:
            writer.commit()
            writer.wait_merging_threads()
        except ValueError as error:
            raise _disk_error(folder, error) from error
    finally:
        del writer  # ends its thread, which else might go on writing while the caller removes the folder


class Bm25Retriever:
    """A `Retriever` by BM25. Made by `open_bm25`; safe to share between threads and across a fork.

    A query is cut into words as the documents are: lower case, accents folded, English endings stripped. A document
    need not have all the words. Quotation marks, colons, brackets and operators mean nothing.

    Args:
        folder: Made by `build_index`.
        corpus: Says the ids.
        cache_size: Queries whose results are kept.
    """

    def __init__(self, folder: Path, corpus: Corpus, cache_size: int = 4096) -> None:
        index = _open(folder, reuse=True)
        self._folder, self._corpus = folder, corpus
        self._schema, self._searcher, self._analyzer = index.schema, index.searcher(), _analyzer()
        self._in_order = _in_order(self._searcher)
        self._stop_words = frozenset(word for stop in STOP_WORDS for word in self._analyzer.analyze(stop))
        self._common = max(len(self) // 10, 1000)
        self._frequency = lru_cache(maxsize=1 << 16)(lambda word: int(self._searcher.doc_freq(_TEXT, word)))
        self._cached = lru_cache(maxsize=cache_size)(self._search)

    def __reduce__(self) -> tuple[Any, ...]:
        return Bm25Retriever, (self._folder, self._corpus)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best documents for each query, see `Retriever`."""
        checked_count(k)
        return [[Hit(self._corpus.doc_id(p), score) for p, score in self.positions(query, k)] for query in queries]

    def positions(self, query: str, k: int) -> tuple[tuple[int, float], ...]:
        """(position in the corpus, score) of the best k documents, best first, then by position."""
        return self._cached(self.terms(query), k)

    def terms(self, query: str) -> tuple[str, ...]:
        """The different terms that a query looks for, at most `MAX_TERMS`.

        Stop words, and words that more than a tenth of a large corpus has, are left out where others remain: they
        hardly change a ranking, and take nearly all of the time. Of a query that has nothing else, the rarest few are
        taken.
        """
        words = list(dict.fromkeys(self._analyzer.analyze(searchable(query[:MAX_QUERY_CHARACTERS]))))
        words = [word for word in words if word not in self._stop_words] or words
        rare = [word for word in words if self._frequency(word) <= self._common]
        return tuple(rare or sorted(words, key=self._frequency)[:MAX_COMMON_TERMS])[:MAX_TERMS]

    def _search(self, terms: tuple[str, ...], k: int) -> tuple[tuple[int, float], ...]:
        if not terms or k < 1:
            return ()
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, _TEXT, term, "freq")) for term in terms]
        )
        hits = self._searcher.search(query, k, count=False).hits
        if self._in_order:  # equal scores come by number
            return tuple((address.doc, score) for score, address in hits)
        found = [(self._searcher.doc(address)[_POSITION][0], score) for score, address in hits]
        return tuple(sorted(found, key=lambda hit: (-hit[1], hit[0])))


def searchable(text: str) -> str:
    """The text as it is indexed: without lone surrogates, compatibility forms unified, unspaced scripts spaced.

    >>> searchable("ＡＢ 東京")
    'AB  東  京 '
    """
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text.encode("utf-8", "ignore").decode("utf-8")))


def _in_order(searcher: Any) -> bool:
    """Whether a document's number in the index is its position: all lie in one segment, as they were added.

    Segments that were merged lie in it in any order; a few looks find that out.
    """
    if searcher.num_segments != 1:
        return False
    step = max(1, searcher.num_docs // 64)
    numbers = range(0, searcher.num_docs, step)
    return all(searcher.doc(tantivy.DocAddress(0, n))[_POSITION][0] == n for n in numbers)


def _disk_error(folder: Path, error: ValueError) -> OSError:
    """Tantivy says by a ValueError what goes wrong on the disk."""
    return OSError(f"cannot write the search index in {folder}: {error}")


def _open(folder: Path, reuse: bool = False) -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_TEXT, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    builder.add_unsigned_field(_POSITION, stored=True)
    index = tantivy.Index.open(str(folder)) if reuse else tantivy.Index(builder.build(), path=str(folder), reuse=False)
    index.register_tokenizer(_ANALYZER, _analyzer())
    return index


def _analyzer() -> Any:
    """Lower case, without accents, stemmed: the same for documents and queries."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(_LONGEST_WORD),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()
