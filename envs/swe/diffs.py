r"""Unified diffs of trees of files: make, read, apply and reverse them, strictly.

The format is git's: `diff --git` lines and extended headers for new, deleted and renamed files, then hunks. A tree is a
mapping from relative paths to contents. A hunk applies only at the very lines that it names, and only where they are
what it says; anything else is a `DiffError` that names the file and the hunk. File modes are read and ignored; binary
patches and copies are refused.

>>> before, after = {"a.py": b"x = 1\n", "b.py": b""}, {"a.py": b"x = 2\n"}
>>> diff = make_diff(before, after)
>>> print(diff, end="")
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x = 1
+x = 2
diff --git a/b.py b/b.py
deleted file mode 100644
>>> apply_diff(before, diff) == after, apply_diff(after, reverse_diff(diff)) == before
(True, True)
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from turnwise.envs.swe.diff_reader import DiffError, FileDiff, Hunk, parse_diff, quote_path

__all__ = [
    "DiffError",
    "FileDiff",
    "Hunk",
    "apply_diff",
    "changed_paths",
    "format_diff",
    "make_diff",
    "parse_diff",
    "reverse_diff",
]

CONTEXT = 3


def changed_paths(diff: str) -> tuple[str, ...]:
    r"""The paths that a diff creates, changes or deletes, sorted.

    Raises:
        DiffError: It is no diff.

    >>> changed_paths("--- a/p/x.py\n+++ b/p/x.py\n@@ -1 +1 @@\n-1\n+2\n")
    ('p/x.py',)
    """
    return tuple(sorted({path for file in parse_diff(diff) for path in (file.old, file.new) if path is not None}))


def apply_diff(files: Mapping[str, bytes], diff: str | Sequence[FileDiff]) -> dict[str, bytes]:
    """The tree after the diff; the one given is not changed.

    Args:
        files: Contents by path.
        diff: Its text, or what `parse_diff` made of it.

    Raises:
        DiffError: A file is missing, exists already, or is not what a hunk says.
    """
    result = dict(files)
    for file in parse_diff(diff) if isinstance(diff, str) else diff:
        path = file.old if file.old is not None else file.new
        assert path is not None, "a file's diff names at least one side"
        if file.old is None and path in result:
            raise DiffError("it is to be created, but exists", path)
        if file.old is not None and path not in result:
            raise DiffError("there is no such file", path)
        data = _patched(b"" if file.old is None else result.pop(path), file, path)
        if file.new is None:
            if data:
                raise DiffError("it is to be deleted, but has lines that the diff does not remove", path)
            continue
        if file.new in result:
            raise DiffError("it is to be created, but exists", file.new)
        result[file.new] = data
    return result


def _patched(data: bytes, file: FileDiff, path: str) -> bytes:
    lines = _split(data)
    result: list[bytes] = []
    position = 0
    for number, hunk in enumerate(file.hunks, 1):
        before = [_encode(line[1:], path) for line in hunk.lines if line[0] != "+"]
        start = hunk.old_start - 1 if before else hunk.old_start
        if start < position or start > len(lines):
            raise DiffError(f"line {hunk.old_start} is not there to be changed ({len(lines)} lines)", path, number)
        for offset, line in enumerate(before):
            found = lines[start + offset] if start + offset < len(lines) else None
            if found != line:
                raise DiffError(_mismatch(start + offset + 1, line, found), path, number)
        result += lines[position:start]
        result += [_encode(line[1:], path) for line in hunk.lines if line[0] != "-"]
        position = start + len(before)
    result += lines[position:]
    if any(not line.endswith(b"\n") for line in result[:-1]):
        raise DiffError("a line in the middle of the file would have no newline", path)
    return b"".join(result)


def _mismatch(number: int, expected: bytes, found: bytes | None) -> str:
    there = "the file ends before it" if found is None else f"it is {_shown(found)}"
    return f"line {number} should be {_shown(expected)}; {there}"


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= 100 else text[:97] + "...")


def reverse_diff(diff: str) -> str:
    r"""The diff that undoes a diff.

    >>> print(reverse_diff("--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-1\n+2\n+3\n"), end="")
    diff --git a/x b/x
    --- a/x
    +++ b/x
    @@ -1,2 +1 @@
    -2
    -3
    +1
    """
    return format_diff([_reversed(file) for file in reversed(parse_diff(diff))])


def _reversed(file: FileDiff) -> FileDiff:
    return FileDiff(file.new, file.old, tuple(_reversed_hunk(hunk) for hunk in file.hunks))


def _reversed_hunk(hunk: Hunk) -> Hunk:
    lines = [_TURNED[line[0]] + line[1:] for line in hunk.lines]
    return replace(hunk, old_start=hunk.new_start, new_start=hunk.old_start, lines=tuple(_minus_first(lines)))


_TURNED = {"+": "-", "-": "+", " ": " "}


def _minus_first(lines: Sequence[str]) -> list[str]:
    """In each run of changes, what is removed before what is added."""
    ordered: list[str] = []
    added: list[str] = []
    for line in lines:
        if line[0] == "+":
            added.append(line)
        else:
            if line[0] == " ":
                ordered += added
                added = []
            ordered.append(line)
    return ordered + added


def make_diff(before: Mapping[str, bytes], after: Mapping[str, bytes], *, context: int = CONTEXT) -> str:
    """The diff from one tree to another, files in the order of their paths.

    Args:
        before: Contents by path.
        after: The same; a path that is only here is a new file, one that is missing here a deleted file.
        context: Unchanged lines around each change.

    Raises:
        DiffError: A changed file is not UTF-8 text, or a path cannot be written in a diff.
    """
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return format_diff([_file_diff(path, before.get(path), after.get(path), context) for path in changed])


def _file_diff(path: str, before: bytes | None, after: bytes | None, context: int) -> FileDiff:
    old, new = (_split_text(data or b"", path) for data in (before, after))
    names = (None if before is None else path, None if after is None else path)
    return FileDiff(*names, tuple(_hunks(old, new, context)))


def _hunks(old: Sequence[str], new: Sequence[str], context: int) -> list[Hunk]:
    # Lines that both begin and end with are set aside first: the matcher's time grows with the square of the rest.
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    head, tail = max(0, head - context), max(0, tail - context)
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    hunks = []
    for group in difflib.SequenceMatcher(None, a, b, autojunk=False).get_grouped_opcodes(context):
        lines: list[str] = []
        for kind, a1, a2, b1, b2 in group:
            if kind == "equal":
                lines += [" " + line for line in a[a1:a2]]
            else:
                lines += ["-" + line for line in a[a1:a2]] + ["+" + line for line in b[b1:b2]]
        (_, a1, _, b1, _), (_, _, a2, _, b2) = group[0], group[-1]
        hunks.append(Hunk(head + a1 + (a2 > a1), head + b1 + (b2 > b1), tuple(lines)))
    return hunks


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    length = min(len(a), len(b))
    return next((i for i in range(length) if a[i] != b[i]), length)


def format_diff(files: Sequence[FileDiff]) -> str:
    """The text of a diff; `parse_diff` reads it back."""
    return "".join(part for file in files for part in _formatted(file))


def _formatted(file: FileDiff) -> list[str]:
    path = file.new if file.new is not None else file.old
    assert path is not None, "a file's diff names at least one side"
    old = file.old if file.old is not None else path
    parts = [f"diff --git {quote_path('a/' + old)} {quote_path('b/' + path)}\n"]
    if file.old is None:
        parts.append("new file mode 100644\n")
    elif file.new is None:
        parts.append("deleted file mode 100644\n")
    elif file.old != file.new:
        parts.append(f"rename from {quote_path(file.old)}\nrename to {quote_path(file.new)}\n")
    if file.hunks:
        sides = (None if file.old is None else "a/" + file.old, None if file.new is None else "b/" + file.new)
        for mark, side in zip(("---", "+++"), sides, strict=True):
            # As git does: a tab ends a name that holds a space, so that patch(1) finds the name's end.
            parts.append(f"{mark} {'/dev/null' if side is None else quote_path(side) + '	' * (' ' in side)}\n")
    for hunk in file.hunks:
        removed = sum(line[0] != "+" for line in hunk.lines)
        added = sum(line[0] != "-" for line in hunk.lines)
        parts.append(f"@@ -{_range(hunk.old_start, removed)} +{_range(hunk.new_start, added)} @@\n")
        parts += [line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in hunk.lines]
    return parts


def _range(start: int, length: int) -> str:
    return str(start) if length == 1 else f"{start},{length}"


def _split(data: bytes) -> list[bytes]:
    """Lines with their newlines. Only a line feed ends one: a lone carriage return or form feed is a character."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _split_text(data: bytes, path: str) -> list[str]:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DiffError(f"it is not UTF-8 text ({error.reason} at byte {error.start})", path) from error
    if b"\0" in data:
        raise DiffError("it is binary: it holds a NUL", path)
    return [line.decode("utf-8") for line in _split(data)]


def _encode(text: str, path: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DiffError(f"the diff holds a character that is no text: {error.object[error.start]!r}", path) from error
