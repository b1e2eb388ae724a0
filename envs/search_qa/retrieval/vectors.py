"""Vectors of a corpus on disk, and the nearest of them: exactly, or by a graph (HNSW) where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VECTORS, GRAPH = "vectors.npy", "graph.usearch"
_CHUNK = 65_536  # vectors compared at once by the exact search
_CONNECTIVITY, _EXPANSION = 32, 256
"""Of 10 nearest articles of a generated world by hashed n-grams, which lie far from each other, the graph with these
finds 9.9, with half of each 9.4."""

Found = tuple[NDArray[np.int64], NDArray[np.float64]]
"""(k,) positions and (k,) scores of one query, best first."""


def write_vectors(folder: Path, batches: Iterable[NDArray[Any]], count: int, *, half: bool, graph: bool) -> None:
    """Write the vectors, and the graph over them, into an empty folder.

    Args:
        folder: Where.
        batches: (B, d) vectors, in order.
        count: How many there are in all.
        half: Keep them in float16 and not in float32.
        graph: Build the graph. By one thread, so that it comes out the same each time.

    Raises:
        ValueError: There are not `count` vectors, or their lengths differ.
        OSError: The disk is full.
        ImportError: The graph's library is not installed; the message names the extra.
    """
    dtype = np.dtype(np.float16 if half else np.float32)
    rows, width, index = 0, 0, None
    with open(folder / VECTORS, "wb") as file:  # written, not mapped: a full disk kills whoever writes to a map
        for batch in batches:
            if not rows:
                width = batch.shape[1]
                header = {"descr": dtype.str, "fortran_order": False, "shape": (count, width)}
                np.lib.format.write_array_header_2_0(file, header)
                index = _new_graph(width) if graph else None
            if batch.shape[1] != width:
                raise ValueError(f"the embedding gave vectors of length {width} and then of {batch.shape[1]}")
            file.write(np.ascontiguousarray(batch, dtype=dtype).tobytes())
            if index is not None:
                index.add(np.arange(rows, rows + len(batch)), batch.astype(np.float32), threads=1)
            rows += len(batch)
    if rows != count:
        raise ValueError(f"the corpus says that it has {count} documents, but gave {rows}")
    if index is not None:
        index.save(str(folder / GRAPH))


class VectorIndex:
    """Finds the vectors with the largest inner products. Made from a folder of `write_vectors`, memory-mapped.

    Whichever way candidates are found, their scores are computed again from the stored vectors, in double precision
    and one by one, so that neither the way nor the size of a batch changes a ranking.

    Args:
        folder: The folder.
        expansion: Candidates that the graph search keeps; more finds more and takes longer.
    """

    def __init__(self, folder: Path, *, expansion: int = _EXPANSION) -> None:
        self._vectors: NDArray[Any] = np.load(folder / VECTORS, mmap_mode="r")
        self._expansion = expansion
        self._graph: Any = None
        if (folder / GRAPH).exists():
            self._graph = _new_graph(self._vectors.shape[1])
            self._graph.view(str(folder / GRAPH))

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(self, queries: NDArray[np.float32], k: int, *, exact: bool | None = None) -> list[Found]:
        """The best k vectors for each query.

        Args:
            queries: (B, d).
            k: Most results.
            exact: Compare with all vectors; default: where there is no graph.

        Returns:
            B pairs of positions and inner products, best first, equal ones by position.
        """
        depth = min(max(2 * k, k + 32), len(self))
        if not depth or not len(queries) or k < 1:
            return [(np.zeros(0, dtype=np.int64), np.zeros(0))] * len(queries)
        exact = self._graph is None if exact is None else exact
        candidates = self._by_comparison(queries, depth) if exact else self._by_graph(queries, depth)
        return [self._ranked(query, found, k) for query, found in zip(queries, candidates, strict=True)]

    def _by_comparison(self, queries: NDArray[np.float32], depth: int) -> Iterator[NDArray[np.int64]]:
        kept_positions = np.zeros((len(queries), 0), dtype=np.int64)
        kept_scores = np.zeros((len(queries), 0), dtype=np.float32)
        for start in range(0, len(self), _CHUNK):
            chunk = np.asarray(self._vectors[start : start + _CHUNK], dtype=np.float32)  # (C, d)
            scores = np.hstack([kept_scores, queries @ chunk.T])  # (B, K + C)
            numbers = np.broadcast_to(np.arange(start, start + len(chunk)), (len(queries), len(chunk)))
            positions = np.hstack([kept_positions, numbers])
            best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth] if scores.shape[1] > depth else slice(None)
            if isinstance(best, slice):
                kept_scores, kept_positions = scores, positions
            else:
                kept_scores = np.take_along_axis(scores, best, axis=1)
                kept_positions = np.take_along_axis(positions, best, axis=1)
        yield from kept_positions

    def _by_graph(self, queries: NDArray[np.float32], depth: int) -> Iterator[NDArray[np.int64]]:
        self._graph.expansion_search = max(self._expansion, depth)
        matches: Any = self._graph.search(queries, depth, threads=1)
        keys = np.atleast_2d(matches.keys)
        counts: Any = getattr(matches, "counts", keys.shape[1])  # none for a single query
        for row, count in zip(keys, np.atleast_1d(counts), strict=True):
            yield row[:count].astype(np.int64)

    def _ranked(self, query: NDArray[np.float32], positions: NDArray[np.int64], k: int) -> Found:
        vectors = np.asarray(self._vectors[np.sort(positions)], dtype=np.float64)
        scores = (vectors * query.astype(np.float64)).sum(axis=1)
        order = np.lexsort((np.sort(positions), -scores))[:k]
        return np.sort(positions)[order], scores[order]


def _new_graph(width: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ImportError('an approximate vector index needs usearch: pip install "turnwise[dense]"') from error
    return Index(ndim=width, metric="ip", dtype="f16", connectivity=_CONNECTIVITY, expansion_add=_EXPANSION)
