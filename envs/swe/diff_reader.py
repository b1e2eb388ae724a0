"""Reads the text of a unified diff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: .*)?")
_IGNORED = ("index ", "old mode ", "new mode ", "similarity index ", "dissimilarity index ")
_REFUSED = {"GIT binary patch": "binary patches", "Binary files ": "binary patches", "copy from ": "copies"}
_ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, "\\": 92, '"': 34}


class DiffError(ValueError):
    """A diff cannot be read, made or applied; the text names the file, and the hunk where it is about one.

    Attributes:
        path: The file, where known.
        hunk: Number of the hunk in that file, from 1.
    """

    def __init__(self, problem: str, path: str | None = None, hunk: int | None = None) -> None:
        where = "" if path is None else f"{path!r}" + ("" if hunk is None else f", hunk {hunk}") + ": "
        super().__init__(where + problem)
        self.path, self.hunk = path, hunk


@dataclass(frozen=True, slots=True)
class Hunk:
    r"""One changed place.

    Attributes:
        old_start: Its first line in the old file, from 1; where it has none there, the line after which it stands.
        new_start: The same in the new file.
        lines: Each with its mark (space, `-` or `+`) and its newline. Only a file's last line can lack the newline.
    """

    old_start: int
    new_start: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What happens to one file.

    Attributes:
        old: Its path before, or None where it is new.
        new: Its path after, or None where it is deleted.
        hunks: In the order of their lines.
    """

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()


def parse_diff(text: str) -> tuple[FileDiff, ...]:
    r"""Read a diff, with or without git's `diff --git` lines.

    Args:
        text: All of it. Empty text is a diff of nothing; text around or between the files' parts is an error.

    Raises:
        DiffError: It is no diff, or of a kind that is not supported.

    >>> [(file.old, len(file.hunks)) for file in parse_diff("--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+1\n")]
    [('x', 1)]
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    reader = _Reader(lines)
    files = []
    while reader.line is not None:
        if reader.line == "" and not any(lines[reader.at :]):
            break
        files.append(_file(reader))
    return tuple(files)


class _Reader:
    """The lines, and which comes next."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.at = 0

    @property
    def line(self) -> str | None:
        return self._lines[self.at] if self.at < len(self._lines) else None

    def starts(self, prefix: str) -> bool:
        return self.line is not None and self.line.startswith(prefix)

    def take(self) -> str:
        line = self._lines[self.at]
        self.at += 1
        return line


def _file(reader: _Reader) -> FileDiff:
    old: str | None = None
    new: str | None = None
    kind = ""
    git = reader.starts("diff --git ")
    if git:
        old, new = _git_names(reader.take()[len("diff --git ") :])
        for line in _extended_headers(reader):
            if line.startswith(("new file mode ", "deleted file mode ")):
                kind = line.split(" ")[0]
            elif line.startswith("rename from "):
                kind, old = "rename", _safe(_unquoted(line[len("rename from ") :]))
            elif line.startswith("rename to "):
                new = _safe(_unquoted(line[len("rename to ") :]))
    if reader.starts("--- "):
        old = _side(reader.take(), "a/")
        if not reader.starts("+++ "):
            raise DiffError("the line after '---' must begin with '+++'", old)
        new = _side(reader.take(), "b/")
        if not reader.starts("@@ "):
            raise DiffError("no hunk follows its '---' and '+++' lines", new or old)
    elif not git:
        raise DiffError(f"line {reader.at + 1} of the diff begins no file: {(reader.line or '')[:80]!r}")
    if kind == "new":
        old = None
    elif kind == "deleted":
        new = None
    path = new if new is not None else old
    if path is None:
        raise DiffError(f"line {reader.at} of the diff: a file's path is missing")
    if old is not None and new is not None and old != new and kind != "rename":
        raise DiffError(f"its old name {old!r} is another, and the diff does not say that it is renamed", path)
    return FileDiff(old, new, tuple(_hunks(reader, path)))


def _extended_headers(reader: _Reader) -> Iterator[str]:
    while reader.line is not None and not reader.starts("--- ") and not reader.starts("diff --git "):
        line = reader.line
        for prefix, what in _REFUSED.items():
            if line.startswith(prefix):
                raise DiffError(f"line {reader.at + 1} of the diff: {what} are not supported")
        if not line.startswith((*_IGNORED, "new file mode ", "deleted file mode ", "rename from ", "rename to ")):
            return
        yield reader.take()


def _hunks(reader: _Reader, path: str) -> Iterator[Hunk]:
    number = 0
    while reader.starts("@@ "):
        number += 1
        header = reader.take()
        match = _HUNK.fullmatch(header)
        if match is None:
            raise DiffError(f"no hunk header: {header[:80]!r}", path, number)
        start, length, new_start, new_length = (1 if group is None else int(group) for group in match.groups())
        lines: list[str] = []
        while length > 0 or new_length > 0 or reader.starts("\\"):
            line = reader.line
            if line is None:
                raise DiffError("the diff ends in the middle of it", path, number)
            reader.at += 1
            if line.startswith("\\"):
                _drop_newline(lines, path, number)
                continue
            # Editors and models strip the space of an empty context line; git takes it as it was meant.
            mark = line[:1] or " "
            if mark not in " -+":
                raise DiffError(f"a line must begin with a space, '-' or '+': {line[:80]!r}", path, number)
            length -= mark != "+"
            new_length -= mark != "-"
            if length < 0 or new_length < 0:
                raise DiffError("it has more lines than its header says", path, number)
            lines.append(mark + line[1:] + "\n")
        if reader.line is not None and reader.line[:1] in {" ", "+", "-"} and not reader.starts("--- "):
            raise DiffError("it has more lines than its header says", path, number)
        yield Hunk(start, new_start, tuple(lines))


def _drop_newline(lines: list[str], path: str, number: int) -> None:
    if not lines or not lines[-1].endswith("\n"):
        raise DiffError("'\\ No newline at end of file' must follow a line", path, number)
    lines[-1] = lines[-1][:-1]


def _side(line: str, prefix: str) -> str | None:
    name = _unquoted(line[4:].split("\t")[0]) if not line.startswith('"', 4) else _unquoted(line[4:].rstrip("\t"))
    if name == "/dev/null":
        return None
    return _safe(name[len(prefix) :] if name.startswith(prefix) else name)


def _git_names(text: str) -> tuple[str, str]:
    """The two names of a `diff --git` line. They are equal, but for renames, whose own lines come later."""
    if text.startswith('"'):
        end = re.match(r'"(?:[^"\\]|\\.)*"', text)
        if end is None:
            raise DiffError(f"a quoted name does not end: {text[:80]!r}")
        old, new = end.group(), text[end.end() + 1 :]
    else:
        half = (len(text) - 1) // 2
        same = text[:half][2:] == text[half + 1 :][2:] and text[half : half + 1] == " "
        old, _, new = (text[:half], " ", text[half + 1 :]) if same else text.partition(" b/")
        new = new if same or not new else "b/" + new
    names = [_unquoted(name) for name in (old, new)]
    if not (names[0].startswith("a/") and names[1].startswith("b/")):
        raise DiffError(f"no names a/… and b/… in 'diff --git {text[:80]}'")
    return _safe(names[0][2:]), _safe(names[1][2:])


def _safe(path: str) -> str:
    if not path or path.startswith("/") or "\0" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise DiffError(f"a path must be relative and stay in the tree: got {path!r}")
    return path


def quote_path(path: str) -> str:
    r"""A path as git writes it: in quotes where it holds a quote, a backslash or a control character.

    Raises:
        DiffError: It is no path, or not valid text.

    >>> quote_path("a/x.py"), quote_path('a/"x"\n')
    ('a/x.py', '"a/\\"x\\"\\n"')
    """
    _safe(path)
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise DiffError(f"a path must be UTF-8 text: got {path!r}") from None
    if not any(character < " " or character in '"\\\x7f' for character in path):
        return path
    by_code = {code: letter for letter, code in _ESCAPES.items()}
    parts = [
        "\\" + by_code[ord(c)] if ord(c) in by_code else f"\\{ord(c):03o}" if c < " " or c == "\x7f" else c
        for c in path
    ]
    return '"' + "".join(parts) + '"'


def _unquoted(name: str) -> str:
    if not name.startswith('"'):
        return name
    if len(name) < 2 or not name.endswith('"'):
        raise DiffError(f"a quoted name does not end: {name[:80]!r}")
    data = bytearray()
    body = name[1:-1]
    for piece in re.finditer(r"\\([0-7]{3})|\\(.)|([^\\]+)", body):
        octal, escape, plain = piece.groups()
        if octal:
            data.append(int(octal, 8) & 255)
        elif escape:
            if escape not in _ESCAPES:
                raise DiffError(f"unknown escape \\{escape} in the name {name[:80]}")
            data.append(_ESCAPES[escape])
        else:
            data += plain.encode("utf-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise DiffError(f"a path must be UTF-8 text: got {name[:80]}") from None
