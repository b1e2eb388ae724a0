"""Files that people bring: opened plain or compressed, read line by line, and errors that say where in them."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

GZIP_MAGIC = b"\x1f\x8b"
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)


class DataFileError(ValueError):
    """A data file cannot be used; the message names the file, the place in it and the field as far as they are known.

    Args:
        path: The file.
        problem: What is wrong.
        line: Number of the line, from 1.
        record: Number or name of the record, from 0.
        byte: Offset in bytes, from 0; of a compressed file, in what it holds.
        about: What else tells the record, for example "asin 'B07X'".
        field: Name of the field.

    >>> str(DataFileError(Path("corpus.jsonl"), "is missing", line=3, byte=120, field="id"))
    "corpus.jsonl, line 3, byte 120, field 'id': is missing"
    """

    def __init__(
        self,
        path: Path,
        problem: str,
        *,
        line: int | None = None,
        record: object = None,
        byte: int | None = None,
        about: str = "",
        field: str = "",
    ) -> None:
        where = "" if line is None else f", line {line}"
        where += "" if record is None else f", record {record}"
        where += f" ({about})" if about else ""
        where += "" if byte is None else f", byte {byte}"
        where += f", field {field!r}" if field else ""
        super().__init__(f"{path}{where}: {problem}")
        self.path, self.line, self.record, self.byte, self.field = path, line, record, byte, field


def is_gzip(path: Path) -> bool:
    """Whether the file begins like a gzip file, whatever its name.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """What the file holds, decompressed where it is a gzip file.

    Raises:
        DataFileError: It cannot be read, or the compressed data are damaged or cut off. Every OSError of the `with`'s
            body is taken for the file's: only read there.
    """
    try:
        with gzip.open(path) if is_gzip(path) else open(path, "rb") as file:
            yield cast("IO[bytes]", file)
    except _DAMAGE as error:
        raise DataFileError(path, f"is damaged or cut off: {error}") from error
    except OSError as error:
        raise DataFileError(path, f"cannot be read: {error.strerror or error}") from error


def iter_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(line number from 1, offset, the line without white space around it) of every line that is not blank.

    Raises:
        DataFileError: As `open_bytes`.
    """
    number = offset = 0
    with open_bytes(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                if stripped := line.strip():
                    yield number, offset + len(line) - len(line.lstrip()), stripped
                offset += len(line)
        except _DAMAGE as error:
            raise DataFileError(path, f"is damaged or cut off: {error}", line=number + 1, byte=offset) from error


def parse_json(line: bytes, path: Path, *, number: int, byte: int) -> dict[str, Any]:
    """The JSON object that a line is.

    Args:
        line: From `iter_lines`.
        path: The file, for messages.
        number: Of the line, from 1.
        byte: Offset of the line.

    Raises:
        DataFileError: It is none; the message says at which byte of the file reading stopped.
    """
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (cut off?): {error.reason}; the line begins at byte {byte}"
        raise DataFileError(path, problem, line=number, byte=byte + error.start) from error
    except json.JSONDecodeError as error:
        at = byte + len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        problem = f"is not valid JSON (cut off?): {error.msg}; the line begins at byte {byte}"
        raise DataFileError(path, problem, line=number, byte=at) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise DataFileError(path, f"cannot be taken: {error}", line=number, byte=byte) from error
    if not isinstance(value, dict):
        raise DataFileError(path, f"expected an object, found {kind_of(value)}", line=number, byte=byte)
    return value


def file_identity(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    """Absolute path, size and time of change: what a cache made from the file goes by.

    Raises:
        FileNotFoundError: There is no such file.
    """
    status = os.stat(path)
    return str(Path(path).absolute()), status.st_size, status.st_mtime_ns


def kind_of(value: Any) -> str:
    """What a JSON value is called in messages.

    >>> kind_of(None), kind_of([1]), kind_of("x")
    ('null', 'list', 'str')
    """
    return "null" if value is None else type(value).__name__
