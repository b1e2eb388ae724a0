"""`Source`: a Python file's text with its syntax tree, and edits of it that leave all other text as it is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

_MARK = "\ufeff"
_NEWLINE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Bytes `start` to `end` of a file become `text`."""

    start: int
    end: int
    text: bytes


class UnreadableSourceError(ValueError):
    """A source file cannot be taken apart: it is not UTF-8, or not Python."""


class Source:
    """One file. Positions are byte offsets into `data`.

    Args:
        path: Its path, for messages.
        data: Its contents, UTF-8.

    Raises:
        UnreadableSourceError: It is not UTF-8, or not valid Python.

    >>> source = Source("p.py", b"x = 1  # one")
    >>> source.edited([Edit(4, 5, b"2")])
    b'x = 2  # one'
    """

    def __init__(self, path: str, data: bytes) -> None:
        self.path, self.data = path, data
        try:
            self.tree = ast.parse(data.decode("utf-8").removeprefix(_MARK))
        except UnicodeDecodeError as error:
            raise UnreadableSourceError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise UnreadableSourceError(f"{path} is not Python{where}: {reason}") from error
        # Of a byte order mark, neither the syntax tree nor the tokens know.
        first = len(_MARK.encode("utf-8")) if data.startswith(_MARK.encode("utf-8")) else 0
        self.line_starts = [first, *(match.end() for match in _NEWLINE.finditer(data))]

    def offset(self, line: int, column: int) -> int:
        """Of a line (from 1) and a column in bytes, as the syntax tree has them."""
        return self.line_starts[line - 1] + column

    def start(self, node: ast.AST) -> int:
        """Where a node begins."""
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Where a node ends."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def text(self, node: ast.AST) -> bytes:
        """The text of a node, without parentheses around it."""
        return self.data[self.start(node) : self.end(node)]

    def line_of(self, offset: int) -> int:
        """The number of the line, from 1, in which a byte stands."""
        return sum(start <= offset for start in self.line_starts)

    def edited(self, edits: Sequence[Edit]) -> bytes:
        """The contents after edits that do not overlap."""
        data = self.data
        for edit in sorted(edits, reverse=True):
            data = data[: edit.start] + edit.text + data[edit.end :]
        return data

    def find_symbol(self, symbol: str, start: int, end: int) -> tuple[int, int] | None:
        """Where an operator's symbol stands between two offsets; of `not in` and `is not`, all of it."""
        pattern = rb"\s+".join(re.escape(word.encode()) for word in symbol.split())
        if symbol[0].isalpha():
            pattern = rb"\b" + pattern + rb"\b"
        gap = re.sub(rb"#[^\r\n]*", lambda match: b" " * len(match.group()), self.data[start:end])
        match = re.search(pattern, gap)
        return None if match is None else (start + match.start(), start + match.end())

    @cached_property
    def keywords(self) -> dict[int, str]:
        """Offset -> word, of each `else`, `elif`, `finally` and `except`."""
        words = {}
        for token in _tokens(self.data):
            if token.type == tokenize.NAME and token.string in {"else", "elif", "finally", "except"}:
                line, column = token.start
                prefix = len(token.line[:column].encode("utf-8"))
                words[self.offset(line, prefix)] = token.string
        return words

    def keyword_before(self, offset: int, word: str, after: int) -> int | None:
        """The last place of a word between two offsets."""
        places = [place for place, found in self.keywords.items() if found == word and after <= place < offset]
        return max(places, default=None)


def _tokens(data: bytes) -> Iterator[tokenize.TokenInfo]:
    text = data.decode("utf-8").removeprefix(_MARK)
    return tokenize.generate_tokens(io.StringIO(text, newline="").readline)
