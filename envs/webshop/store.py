"""A built catalogue, opened: products, goals and search, memory-mapped and shared by all environments of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import overload

import numpy as np
from numpy.typing import NDArray

from turnwise.envs.built_folder import default_cache_dir
from turnwise.envs.record_files import RecordFile
from turnwise.envs.webshop import build
from turnwise.envs.webshop.build import CatalogueBuildError, Progress
from turnwise.envs.webshop.product import Goal, Product
from turnwise.envs.webshop.search import SearchIndex
from turnwise.envs.webshop.spec import CatalogueSpec

__all__ = ["Catalogue", "CatalogueBuildError", "CatalogueSpec", "Goals", "open_catalogue"]


class Goals(Sequence[Goal]):
    """A catalogue's goals, read when they are asked for."""

    def __init__(self, records: RecordFile) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Goal: ...
    @overload
    def __getitem__(self, index: slice) -> list[Goal]: ...
    def __getitem__(self, index: int | slice) -> Goal | list[Goal]:
        """One goal, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Goal.from_json(self._records[index + len(self) if index < 0 else index])


class Catalogue:
    """Products by position, search over them, and goals. Made by `open_catalogue`; safe to share between threads.

    Pickles as its spec and folder: another process opens the same files again.
    """

    def __init__(self, spec: CatalogueSpec, folder: Path) -> None:
        self.spec = spec
        self.goals = Goals(RecordFile(folder / build.GOALS))
        self._folder = folder
        self._products = RecordFile(folder / build.PRODUCTS)
        self._asins: NDArray[np.bytes_] = np.load(folder / build.ASINS, mmap_mode="r")
        self._positions: NDArray[np.int32] = np.load(folder / build.POSITIONS, mmap_mode="r")
        self._index = SearchIndex(folder / build.INDEX)
        self._cached_product: Callable[[int], Product] = lru_cache(maxsize=4096)(self._read_product)

    def __len__(self) -> int:
        return len(self._products)

    def __reduce__(self) -> tuple[Callable[..., Catalogue], tuple[CatalogueSpec, Path]]:
        return open_catalogue, (self.spec, self._folder.parent)

    def product(self, position: int) -> Product:
        """The product at a position from 0.

        Raises:
            IndexError: There is no such position.
        """
        return self._cached_product(position)

    def products(self) -> Iterator[Product]:
        """All products in order."""
        return map(self._read_product, range(len(self)))

    def position(self, asin: str) -> int:
        """Where the product with this asin stands.

        Raises:
            KeyError: The catalogue has no such product.
        """
        found = self._find(asin)
        if found is None:
            raise KeyError(f"catalogue {self.spec.name} has no product with asin {asin!r}")
        return found

    def search(self, query: str, limit: int = 50) -> tuple[int, ...]:
        """Positions of the products that fit the query best, best first; the same in every process.

        Any text is a query, and none raises. A query that is an asin, in either case, finds that product first.
        """
        hits = self._index.search(query, limit)
        named = self._find(query[:64].strip().upper())
        if named is None or limit < 1:
            return hits
        return (named, *(hit for hit in hits if hit != named))[:limit]

    def goal(self, index: int) -> Goal:
        """The goal with this index, from 0."""
        return self.goals[index]

    def split(self, name: str) -> NDArray[np.int32]:
        """Indices of the goals in `train`, `val` or `test`, rising."""
        numbers: NDArray[np.int32] = np.load(self._folder / f"{name}.npy", mmap_mode="r")
        return numbers

    def _read_product(self, position: int) -> Product:
        return Product.from_json(self._products[position])

    def _find(self, asin: str) -> int | None:
        key = asin.encode("utf-8", "surrogatepass")
        # A longer needle would make numpy cast, that is copy, the whole array.
        if not key or len(key) > self._asins.dtype.itemsize or b"\0" in key:
            return None
        place = int(np.searchsorted(self._asins, np.array(key, dtype=self._asins.dtype)))
        return int(self._positions[place]) if place < len(self._asins) and self._asins[place] == key else None


_opened: dict[Path, Catalogue] = {}
_opening = Lock()


def open_catalogue(spec: CatalogueSpec, cache_dir: Path | None = None, progress: Progress | None = None) -> Catalogue:
    """The catalogue, built first where the cache does not have it; one object per process and folder.

    Args:
        spec: Which catalogue.
        cache_dir: Where built catalogues are kept; default `default_cache_dir()`.
        progress: Called now and then while building, with (products done, products in all or 0).

    Raises:
        CatalogueBuildError: The disk is full, or the cache cannot be written.
        DataFileError: One of the original's files is malformed.
    """
    cache_dir = (cache_dir or default_cache_dir()).resolve()
    with _opening:
        folder = build.ensure_built(spec, cache_dir, progress)
        if folder not in _opened:
            _opened[folder] = Catalogue(spec, folder)
        return _opened[folder]
