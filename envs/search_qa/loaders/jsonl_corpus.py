"""A corpus of JSON lines, read where it lies: millions of documents by position and by id."""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise.envs.built_folder import BuildError, default_cache_dir, ensure_built
from turnwise.envs.data_files import DataFileError, file_identity, is_gzip, iter_lines, parse_json
from turnwise.envs.search_qa.loaders.id_table import DuplicateIdError, IdTable, IdTableWriter
from turnwise.envs.search_qa.loaders.search_r1 import document_from_json
from turnwise.envs.search_qa.records import Document

_FORMAT = 1
_OFFSETS, _UNPACKED = "offsets.npy", "unpacked.jsonl"


class JsonlCorpus:
    r"""A `Corpus` in a file of JSON lines of the Search-R1 form: `{"id": "7", "contents": "\"Lamps\"\nA lamp."}`.

    `title` and `text` beside or in place of `contents` are taken first. The first opening reads the whole file once,
    checks every line, and keeps in the cache where each begins; afterwards opening costs nothing, and the text stays
    where it is. A gzip file is unpacked into the cache. Safe to share between threads; pickles as its path.

    Args:
        path: The file.
        cache_dir: Where the offsets are kept; default `default_cache_dir()`.

    Raises:
        DataFileError: The file cannot be read; a line is cut off, malformed or lacks a field; two documents have one
            id. The message names the line and the byte.
        BuildError: The disk is full, or the cache cannot be written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "corpus.jsonl").write_text(r'{"id": "7", "contents": "\"Lamps\"\nA lamp."}')
    >>> corpus = JsonlCorpus(folder / "corpus.jsonl", cache_dir=folder)
    >>> corpus.document("7")
    Document(doc_id='7', title='Lamps', text='A lamp.')
    """

    def __init__(self, path: str | PathLike[str], cache_dir: Path | None = None) -> None:
        self.path = Path(path).absolute()
        self._cache_dir = (cache_dir or default_cache_dir()).resolve()
        self.key = _key(self.path)
        """Changes with the file; for `open_bm25` and `open_dense`."""
        folder = self._cache_dir / f"corpus-{self.key}"
        try:
            ensure_built(folder, partial(_write_places, self.path))
        except OSError as error:
            raise BuildError(f"the offsets of {self.path.name}", self._cache_dir, error) from error
        self._offsets: NDArray[np.int64] = np.load(folder / _OFFSETS, mmap_mode="r")
        self._ids = IdTable(folder)
        unpacked = folder / _UNPACKED
        with open(unpacked if unpacked.exists() else self.path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if len(self) else None
        self._cached: Callable[[int], Document] = lru_cache(maxsize=4096)(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        return JsonlCorpus, (self.path, self._cache_dir)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Document]:
        """All documents by position, streamed."""
        return map(self._read, range(len(self)))

    def __getitem__(self, position: int) -> Document:
        """The document at a position.

        Raises:
            IndexError: There is no such position.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"position must be in [0, {len(self)}), got {position}")
        return self._cached(position)

    def document(self, doc_id: str) -> Document:
        """The document with this id.

        Raises:
            KeyError: There is none.
        """
        position = self._ids.position(doc_id)
        if position is None:
            raise KeyError(f"{self.path.name} has no document {doc_id!r}")
        return self._cached(position)

    def doc_id(self, position: int) -> str:
        """The id of the document at this position.

        Raises:
            IndexError: There is no such position.
        """
        return self._ids.id(position)

    def _read(self, position: int) -> Document:
        assert self._data is not None, "a file that has a position is not empty"
        start = int(self._offsets[position])
        end = self._data.find(b"\n", start)
        line = self._data[start : end if end >= 0 else len(self._data)]
        return document_from_json(parse_json(line, self.path, number=position + 1, byte=start))


def _key(path: Path) -> str:
    try:
        identity = file_identity(path)
    except OSError as error:
        raise DataFileError(path, f"cannot be read: {error.strerror or error}") from error
    name = "".join(c if c.isalnum() else "_" for c in path.name.partition(".")[0])[:40]
    return f"{name}-{hashlib.sha256(repr((_FORMAT, identity)).encode()).hexdigest()[:16]}"


def _write_places(path: Path, folder: Path) -> None:
    """Read the whole file once, and keep where each document begins and what it is called."""
    offsets, lines = array("q"), array("q")
    unpacked = open(folder / _UNPACKED, "wb") if is_gzip(path) else None  # noqa: SIM115 (closed below)
    written = 0
    try:
        with IdTableWriter(folder) as ids:
            for number, byte, line in iter_lines(path):
                try:
                    ids.add(document_from_json(parse_json(line, path, number=number, byte=byte)).doc_id)
                except DataFileError:
                    raise
                except ValueError as error:
                    raise DataFileError(path, str(error), line=number, byte=byte) from error
                offsets.append(byte if unpacked is None else written)
                lines.append(number)
                if unpacked is not None:
                    written += unpacked.write(line + b"\n")
    except DuplicateIdError as error:
        first, second = lines[error.first], lines[error.second]
        problem = f"the id {error.doc_id!r} is taken by line {first} already"
        raise DataFileError(path, problem, line=second, byte=offsets[error.second]) from error
    finally:
        if unpacked is not None:
            unpacked.close()
    np.save(folder / _OFFSETS, np.array(offsets, dtype=np.int64))
