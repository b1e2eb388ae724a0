"""Ids of millions of records on disk: by position, and back."""

from __future__ import annotations

import hashlib
import mmap
from array import array
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TEXTS, _ENDS, _HASHES, _ORDER = "ids.txt", "ids.ends.npy", "ids.hashes.npy", "ids.order.npy"


class DuplicateIdError(ValueError):
    """Two records have the same id.

    Attributes:
        doc_id: The id.
        first: Position of the first record.
        second: Position of a later one.
    """

    def __init__(self, doc_id: str, first: int, second: int) -> None:
        super().__init__(f"records {first} and {second} have the same id {doc_id!r}")
        self.doc_id, self.first, self.second = doc_id, first, second


class IdTableWriter:
    """Writes ids in order into a folder; close it by `with`.

    Raises:
        DuplicateIdError: On closing: an id came twice.

    >>> import tempfile
    >>> with IdTableWriter(Path(tempfile.mkdtemp())) as ids:
    ...     ids.add("a")
    ...     ids.add("b")
    >>> table = IdTable(ids.folder)
    >>> len(table), table.id(1), table.position("a"), table.position("x")
    (2, 'b', 0, None)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = open(folder / _TEXTS, "wb")  # noqa: SIM115 (closed by __exit__)
        self._ends, self._hashes = array("q", [0]), array("Q")

    def add(self, text: str) -> None:
        """Append one id."""
        data = _encoded(text)
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))
        self._hashes.append(_hash(data))

    def __enter__(self) -> IdTableWriter:
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        self._file.close()
        if error_type is not None:
            return
        hashes = np.array(self._hashes, dtype=np.uint64)
        order = np.argsort(hashes, kind="stable")
        np.save(self.folder / _ENDS, np.array(self._ends, dtype=np.int64))
        np.save(self.folder / _HASHES, hashes[order])
        np.save(self.folder / _ORDER, order.astype(np.int32 if len(order) < 2**31 else np.int64))
        _refuse_duplicates(IdTable(self.folder), hashes[order], order)


class IdTable:
    """The ids of an `IdTableWriter`, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self._ends: NDArray[np.int64] = np.load(folder / _ENDS, mmap_mode="r")
        self._hashes: NDArray[np.uint64] = np.load(folder / _HASHES, mmap_mode="r")
        self._order: NDArray[Any] = np.load(folder / _ORDER, mmap_mode="r")
        with open(folder / _TEXTS, "rb") as file:
            self._texts = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self._ends[-1] else b""

    def __len__(self) -> int:
        return len(self._ends) - 1

    def id(self, position: int) -> str:
        """The id at a position.

        Raises:
            IndexError: There is no such position.
        """
        return self._bytes(position).decode("utf-8", "surrogatepass")

    def position(self, text: str) -> int | None:
        """Where the record with this id stands, or None."""
        data = _encoded(text)
        wanted = np.uint64(_hash(data))
        place = int(np.searchsorted(self._hashes, wanted))
        while place < len(self) and self._hashes[place] == wanted:
            position = int(self._order[place])
            if self._bytes(position) == data:
                return position
            place += 1
        return None

    def _bytes(self, position: int) -> bytes:
        if not 0 <= position < len(self):
            raise IndexError(f"position must be in [0, {len(self)}), got {position}")
        return bytes(self._texts[self._ends[position] : self._ends[position + 1]])


def _refuse_duplicates(table: IdTable, hashes: NDArray[np.uint64], order: NDArray[np.int64]) -> None:
    for place in np.flatnonzero(hashes[1:] == hashes[:-1]):
        first, second = int(order[place]), int(order[place + 1])
        if table.id(first) == table.id(second):
            raise DuplicateIdError(table.id(first), first, second)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
