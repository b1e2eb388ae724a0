"""Dense retrieval: documents and queries as vectors of a sentence-embedding model, and the nearest ones.

The graph is usearch's HNSW: a wheel of 2 MB, an index file that all processes map into memory, no further dependency
at run time. (faiss is as accurate here and a little faster to build, but eight times as large, and loads its HNSW index
into every process.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise.envs.built_folder import BuildError, default_cache_dir, ensure_built
from turnwise.envs.search_qa.records import Corpus
from turnwise.envs.search_qa.retrieval.embedding import Embed
from turnwise.envs.search_qa.retrieval.protocol import Hit, checked_count
from turnwise.envs.search_qa.retrieval.vectors import VectorIndex, write_vectors

MAX_QUERY_CHARACTERS = 10_000
EXACT_DOCUMENTS = 50_000
"""A corpus of at most so many documents is compared with as a whole, unless asked otherwise."""
_FORMAT = 1


def open_dense(
    corpus: Corpus,
    key: str,
    embed: Embed,
    *,
    embed_query: Embed | None = None,
    cache_dir: Path | None = None,
    exact: bool | None = None,
    normalise: bool = True,
    half: bool = True,
    batch_size: int = 256,
) -> DenseRetriever:
    """Dense retrieval over a corpus. The vectors are computed first where the cache does not have them.

    Args:
        corpus: The documents; their `contents` are embedded.
        key: Says which documents and which model these are, and can be part of a file name.
        embed: The model, see `Embed`.
        embed_query: For queries, where that differs (E5's prefixes); default `embed`.
        cache_dir: Where the vectors are kept; default `default_cache_dir()`.
        exact: Compare each query with all vectors. None: where there are at most `EXACT_DOCUMENTS`. Else a graph finds
            nearly all of the nearest.
        normalise: Scale vectors to length 1: cosine, and not inner product.
        half: Keep the vectors in float16.
        batch_size: Documents that are embedded at once.

    Raises:
        BuildError: The disk is full, or the cache cannot be written.
        ValueError: The embedding gives no (B, d) finite numbers.
        ImportError: A graph is needed and its library is not installed; the message names the extra.

    >>> import tempfile
    >>> from turnwise.envs.search_qa.records import Document
    >>> from turnwise.envs.search_qa.retrieval.embedding import HashedEmbedding
    >>> from turnwise.envs.search_qa.retrieval.lists import ListCorpus
    >>> corpus = ListCorpus([Document("a", "Lamps", "A lamp gives light."), Document("b", "Doors", "A door opens.")])
    >>> retriever = open_dense(corpus, "example-hashed", HashedEmbedding(), cache_dir=Path(tempfile.mkdtemp()))
    >>> [hit.doc_id for hit in retriever.search(["does a lamp give light?"], k=1)[0]]
    ['a']
    """
    cache_dir = (cache_dir or default_cache_dir()).resolve()
    exact = len(corpus) <= EXACT_DOCUMENTS if exact is None else exact
    kind = "-".join(["exact" if exact else "graph", "cosine" if normalise else "inner", "16" if half else "32"])
    folder = cache_dir / f"dense-{key}-{kind}-{_FORMAT}"

    def write(empty: Path) -> None:
        batches = _document_vectors(corpus, embed, normalise, batch_size)
        write_vectors(empty, batches, len(corpus), half=half, graph=not exact and len(corpus) > 0)

    try:
        ensure_built(folder, write)
    except OSError as error:
        raise BuildError(f"the vectors of {key}", cache_dir, error) from error
    return DenseRetriever(folder, corpus, embed_query or embed, normalise=normalise)


class DenseRetriever:
    """A `Retriever` by nearest vectors. Made by `open_dense`; as safe to share between threads as its embedding is.

    A text without anything but white space, or whose vector is zero, finds nothing.

    Args:
        folder: Made by `write_vectors`.
        corpus: Says the ids.
        embed: For queries.
        normalise: Whether the vectors in the folder have length 1.
        expansion: See `VectorIndex`.
    """

    def __init__(
        self, folder: Path, corpus: Corpus, embed: Embed, *, normalise: bool = True, expansion: int = 256
    ) -> None:
        self._corpus, self._embed, self._normalise = corpus, embed, normalise
        self.index = VectorIndex(folder, expansion=expansion) if len(corpus) else None

    def search(self, queries: Sequence[str], k: int, *, exact: bool | None = None) -> list[list[Hit]]:
        """The best documents for each query, see `Retriever`.

        Args:
            queries: B texts.
            k: Most hits a query.
            exact: Compare with all documents, whatever the index is; to measure a graph's recall.
        """
        checked_count(k)
        hits: list[list[Hit]] = [[] for _ in queries]
        texts = [_embeddable(query[:MAX_QUERY_CHARACTERS]) for query in queries]
        asked = [i for i, text in enumerate(texts) if text.strip()]
        if not asked or not k or self.index is None:
            return hits
        vectors = embedded(self._embed, [texts[i] for i in asked], self._normalise)
        found = self.index.nearest(vectors, k, exact=exact)
        for i, vector, (positions, scores) in zip(asked, vectors, found, strict=True):
            if vector.any():
                hits[i] = [Hit(self._corpus.doc_id(int(p)), float(s)) for p, s in zip(positions, scores, strict=True)]
        return hits


def embedded(embed: Embed, texts: Sequence[str], normalise: bool) -> NDArray[np.float32]:
    """(B, d) vectors of texts.

    Raises:
        ValueError: The embedding gives something else; the message says what.
    """
    vectors: NDArray[np.float32] = np.asarray(embed(list(texts)), dtype=np.float32)
    fits = vectors.ndim == 2 and len(vectors) == len(texts)
    if not fits or not np.isfinite(vectors).all():
        found = "numbers that are not finite" if fits else str(vectors.shape)
        raise ValueError(f"an embedding must give ({len(texts)}, d) finite numbers for {len(texts)} texts, got {found}")
    if normalise:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = (vectors / np.where(lengths > 0.0, lengths, 1.0)).astype(np.float32)
    return vectors


def _document_vectors(corpus: Corpus, embed: Embed, normalise: bool, batch_size: int) -> Iterator[NDArray[Any]]:
    documents = iter(corpus)
    while batch := [_embeddable(document.contents) for document in islice(documents, batch_size)]:
        yield embedded(embed, batch, normalise)


def _embeddable(text: str) -> str:
    """The text without lone surrogates, which no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")
