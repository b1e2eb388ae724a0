"""A list of JSON records on disk that is read where it lies: one line each, and an array of where the lines begin."""

from __future__ import annotations

import json
import mmap
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
DATA_SUFFIX, OFFSETS_SUFFIX = ".jsonl", ".offsets.npy"


class RecordWriter:
    """Appends records to `stem.jsonl`; on closing writes `stem.offsets.npy`, one entry per record and the end.

    >>> import tempfile
    >>> with RecordWriter(Path(tempfile.mkdtemp()) / "things") as things:
    ...     things.add({"name": "cup"})
    >>> RecordFile(things.stem)[0]
    {'name': 'cup'}
    """

    def __init__(self, stem: Path) -> None:
        self.stem = stem
        self._file = open(_data_path(stem), "wb")  # noqa: SIM115 (closed by __exit__)
        self._offsets = array("q", [0])

    def add(self, record: Mapping[str, Any]) -> None:
        """Append one record."""
        line = _encode(record).encode("utf-8", "surrogatepass") + b"\n"
        self._file.write(line)
        self._offsets.append(self._offsets[-1] + len(line))

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        self._file.close()
        if error_type is None:
            np.save(_offsets_path(self.stem), np.array(self._offsets))


class RecordFile:
    """The records of a `RecordWriter`, memory-mapped: opening costs no memory, whatever the size."""

    def __init__(self, stem: Path) -> None:
        self._offsets = np.load(_offsets_path(stem), mmap_mode="r")
        with open(_data_path(stem), "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if len(self) else None

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, position: int) -> dict[str, Any]:
        if not 0 <= position < len(self):
            raise IndexError(f"position must be in [0, {len(self)}), got {position}")
        assert self._data is not None, "a file of records that has a position is not empty"
        line = self._data[self._offsets[position] : self._offsets[position + 1]]
        record: dict[str, Any] = json.loads(line.decode("utf-8", "surrogatepass"))
        return record

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[position] for position in range(len(self)))


def _data_path(stem: Path) -> Path:
    return stem.with_name(stem.name + DATA_SUFFIX)


def _offsets_path(stem: Path) -> Path:
    return stem.with_name(stem.name + OFFSETS_SUFFIX)
