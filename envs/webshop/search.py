"""Full-text search over products: BM25 in a memory-mapped Tantivy index whose ranking is the same everywhere.

The index is one segment, written by one thread, so that a document's number *is* the product's position: nothing is
stored in it, ties fall to the lower position, and no layout can change a ranking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import tantivy

from turnwise.envs.webshop.product import Product

MAX_TERMS = 64
"""Further terms of a query are ignored."""
MAX_QUERY_CHARACTERS = 10_000

_ANALYZER = "shop"
_FIELD = "text"
_HEAP_BYTES = 4_000_000_000  # a bound, not an allocation: the writer must not flush before the commit
_WORD = re.compile(r"[^\W_]+")


class IndexBuildError(OSError):
    """The index could not be written."""


def build_index(folder: Path, products: Iterable[Product]) -> None:
    """Write the index of the products, in their order, into an empty folder.

    Raises:
        IndexBuildError: The disk is full or the folder cannot be written; or the products do not fit one segment
            (about 4 GB of index, beyond ten million products).
    """
    try:
        index = _open(folder)
        writer = index.writer(_HEAP_BYTES, 1)
        count = 0
        for product in products:
            document = tantivy.Document()
            document.add_text(_FIELD, searchable_text(product))
            writer.add_document(document)
            count += 1
        writer.commit()
        writer.wait_merging_threads()
    except ValueError as error:  # how Tantivy reports what goes wrong on the disk
        raise IndexBuildError(f"cannot write the search index in {folder}: {error}") from error
    index.reload()
    searcher = index.searcher()
    if searcher.num_segments > 1 or searcher.num_docs != count:
        raise IndexBuildError(f"the index in {folder} has {searcher.num_segments} segments, expected 1")


def searchable_text(product: Product) -> str:
    """Everything of a product that a query can hit; the title twice, so that it weighs more."""
    options = (f"{name} {' '.join(values)}" for name, values in product.options.items())
    parts = (
        *(product.title, product.title, product.query, product.product_category),
        *(*product.attributes, *product.bullet_points, product.description, *options),
    )
    return " ".join(" ".join(_WORD.findall(part)) for part in parts)


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
        words = " ".join(_WORD.findall(query[:MAX_QUERY_CHARACTERS]))
        return tuple(dict.fromkeys(self._analyzer.analyze(words)))[:MAX_TERMS]

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
