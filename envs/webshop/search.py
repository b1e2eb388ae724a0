"""Full-text search over products: BM25 in a memory-mapped Tantivy index whose ranking is the same everywhere.

The index is one segment, written by one thread, so that a document's number *is* the product's position: nothing is
stored in it, ties fall to the lower position, and no layout can change a ranking.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import tantivy

from turnwise.envs.webshop.product import Product

MAX_TERMS = 64
"""Further terms of a query are ignored."""
MAX_QUERY_CHARACTERS = 10_000

INDEX_FORMAT: str = tantivy.__version__
"""An index is read only by the version that wrote it; the ranking has been the same in all from 0.22.2 to 0.27."""

_ANALYZER = "shop"
_FIELD = "text"
_HEAP_BYTES = 4_000_000_000  # a bound, not an allocation: the writer must not flush before the commit


class IndexBuildError(OSError):
    """The index could not be written."""


class _DiskErrors:
    """Turns Tantivy's ValueError, by which it reports what goes wrong on the disk, into `IndexBuildError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, ValueError):
            raise IndexBuildError(f"cannot write the search index in {self._folder}: {error}") from error


def build_index(folder: Path, texts: Iterable[str]) -> None:
    """Write the index of the texts, one document each, in their order, into an empty folder.

    Raises:
        IndexBuildError: The disk is full or the folder cannot be written; or the texts do not fit one segment
            (about 4 GB of index, beyond ten million products).
    """
    disk = _DiskErrors(folder)
    with disk:
        index = _open(folder)
        writer = index.writer(_HEAP_BYTES, 1)
    try:
        count = 0
        for text in texts:
            document = tantivy.Document()
            document.add_text(_FIELD, text)
            with disk:
                writer.add_document(document)
            count += 1
        with disk:
            writer.commit()
            writer.wait_merging_threads()
    finally:
        del writer  # ends its thread, which else might go on writing while the caller removes the folder
    index.reload()
    searcher = index.searcher()
    if searcher.num_segments > 1 or searcher.num_docs != count:
        raise IndexBuildError(f"the index in {folder} has {searcher.num_segments} segments, expected 1")


def searchable_text(product: Product, with_options: bool = False) -> str:
    """What a query can hit: title, query, category path, description and the first bullet point, as in the original.

    The original's option values are searched as well. Those of generated products are not: there, buying the first hit
    of the instruction's own words would succeed 7 times in 10, and nobody would have to open a second item.
    """
    first = product.bullet_points[:1]
    options = (text for name, values in product.options.items() for text in (name, *values)) if with_options else ()
    parts = (product.title, product.query, product.product_category, product.description, *first, *options)
    return _encodable(" ".join(parts))


class SearchIndex:
    """An index made by `build_index`, opened for reading. Safe to share between threads and across a fork."""

    def __init__(self, folder: Path, cache_size: int = 4096) -> None:
        index = _open(folder, reuse=True)
        self._schema = index.schema
        self._searcher = index.searcher()
        self._analyzer = _analyzer()
        self._cached = lru_cache(maxsize=cache_size)(self._search)

    def search(self, query: str, limit: int) -> tuple[int, ...]:
        """Positions of the best `limit` products, best first, by BM25 and then by position.

        Any string is a query. It is lower-cased, cut into words and stemmed; a product need not have all the words.
        """
        return self._cached(self.terms(query), limit)

    def terms(self, query: str) -> tuple[str, ...]:
        """The different terms that a query looks for, at most `MAX_TERMS`."""
        words = self._analyzer.analyze(_encodable(query[:MAX_QUERY_CHARACTERS]))
        return tuple(dict.fromkeys(words))[:MAX_TERMS]

    def _search(self, terms: tuple[str, ...], limit: int) -> tuple[int, ...]:
        if not terms or limit < 1:
            return ()
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, _FIELD, term, "freq")) for term in terms]
        )
        hits = self._searcher.search(query, limit, count=False).hits
        return tuple(address.doc for _, address in hits)


def _open(folder: Path, reuse: bool = False) -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_FIELD, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    index = tantivy.Index.open(str(folder)) if reuse else tantivy.Index(builder.build(), path=str(folder), reuse=False)
    index.register_tokenizer(_ANALYZER, _analyzer())
    return index


def _analyzer() -> Any:
    """Lower case, no English stop words, stemmed: the same for products and queries."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(40),
        tantivy.Filter.lowercase(),
        tantivy.Filter.stopword("english"),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()


def _encodable(text: str) -> str:
    """The text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "ignore").decode("utf-8")
