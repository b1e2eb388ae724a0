"""Reads the members of one huge JSON array or object one by one, without loading the file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnwise.envs.data_files import DataFileError, open_bytes

MAX_MEMBER_CHARACTERS = 64 * 2**20
"""A longer member is taken for a missing bracket."""
_CHUNK = 2**20
_WHITESPACE = " \t\n\r"
_AFTER_VALUE = (*_WHITESPACE, ",", ":", "]", "}")


def iter_array(path: Path) -> Iterator[Any]:
    """The members of the JSON array that is the file's content.

    Raises:
        DataFileError: The file cannot be read, is not UTF-8, not JSON, or not an array; raised at the bad member.
    """
    for _, member in iter_array_places(path):
        yield member


def iter_array_places(path: Path) -> Iterator[tuple[int, Any]]:
    """(offset of its first byte, member) of a JSON array; errors as in `iter_array`."""
    for byte, _, member in _members(path, "[", "]"):
        yield byte, member


def iter_object(path: Path) -> Iterator[tuple[str, Any]]:
    """The (key, value) pairs of the JSON object that is the file's content; errors as in `iter_array`."""
    for _, key, value in _members(path, "{", "}"):
        yield key, value


def _members(path: Path, opening: str, closing: str) -> Iterator[tuple[int, str, Any]]:
    kind = "array" if opening == "[" else "object"
    count = 0
    with open_bytes(path) as file:
        # Line ends stay as they are, so that characters can be counted in bytes.
        reader = _Reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
        try:
            reader.expect(opening, f"a JSON {kind} (which begins with {opening!r})")
            while reader.peek() != closing:
                if count:
                    reader.expect(",", f"',' or {closing!r}")
                reader.peek()
                start, key = reader.byte(), ""
                if opening == "{":
                    key = reader.value()
                    reader.expect(":", "':' after a key")
                yield start, key, reader.value()
                count += 1
            reader.expect(closing, closing)
            reader.expect("", "the end of the file")
        except UnicodeDecodeError as error:
            raise DataFileError(path, f"is not UTF-8 text: {error}", record=count) from error
        except json.JSONDecodeError as error:
            end = f"; the file ends at byte {reader.end}" if reader.end is not None else ""
            raise DataFileError(
                path, f"is not valid JSON: {error.msg}{end}", record=count, byte=reader.byte()
            ) from error
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
            raise DataFileError(path, f"cannot be taken: {error}", record=count, byte=reader.byte()) from error


class _Reader:
    """A window onto the file that grows to hold one member and forgets what has been read."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self._buffer, self._at, self._ended = "", 0, False
        self._forgotten = 0  # bytes before the window
        self._decode = json.JSONDecoder().raw_decode

    @property
    def end(self) -> int | None:
        """Size of the content in bytes, once its end has been seen."""
        return self._forgotten + len(self._buffer.encode("utf-8")) if self._ended else None

    def byte(self) -> int:
        """Offset of the next character in bytes."""
        return self._forgotten + len(self._buffer[: self._at].encode("utf-8"))

    def peek(self) -> str:
        """The next character that is not white space; "" at the end of the file."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _WHITESPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._fill()

    def expect(self, character: str, description: str) -> None:
        """Step over this character; anything else is malformed."""
        found = self.peek()
        if found != character:
            raise json.JSONDecodeError(f"expected {description}, found {found or 'the end of the file'!r}", "", 0)
        self._at += len(character)

    def value(self) -> Any:
        """The next JSON value."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError:
                if self._ended or len(self._buffer) - self._at > MAX_MEMBER_CHARACTERS:
                    raise
            else:
                # "12" may be the beginning of "12.5", whose "." is not here yet or not decodable yet.
                if self._ended or self._buffer[end : end + 1] in _AFTER_VALUE:
                    self._at = end
                    return value
            self._fill()

    def _fill(self) -> None:
        # Doubles with what is pending, so that a long member is not decoded again for every chunk of it.
        chunk = self._file.read(max(_CHUNK, len(self._buffer) - self._at))
        self._ended = not chunk
        self._forgotten = self.byte()
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
