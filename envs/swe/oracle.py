"""The way from any state of the sources to the gold patch, as calls of the environment's own tools."""

from __future__ import annotations

import base64
import difflib
import posixpath
from collections.abc import Mapping, Sequence
from shlex import quote

from turnwise.envs.swe.assignments import Assignment
from turnwise.envs.swe.workspace import Collected
from turnwise.envs.tools import ToolCall

MOST_EDITS = 4
"""More changes than this are made by one command, so that the way is short from wherever it begins."""


def plan(task: Assignment, collected: Collected, workdir: str) -> list[ToolCall]:
    """Calls after which the sources are those of the gold patch.

    Args:
        task: What is to be solved.
        collected: What the agent has made of the sources.
        workdir: Where the repository lies.
    """
    present = _changed(task.start, collected.changes)
    wanted = _changed(task.start, task.gold)
    differing = sorted(path for path in {*present, *wanted} if present.get(path) != wanted.get(path))
    edits: list[ToolCall] = []
    for path in differing:
        changes = edits_between(present.get(path), wanted.get(path))
        if collected.left_out or changes is None or len(edits) + len(changes) > MOST_EDITS:
            script = _script({name: wanted.get(name) for name in differing})
            return [ToolCall("bash", {"command": f"chmod -R u+rwX {quote(workdir)}; cd {quote(workdir)}\n{script}"})]
        edits += [ToolCall("edit", {"path": path, "old": old, "new": new}) for old, new in changes]
    return edits


def _changed(files: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {path: data for path, data in {**files, **changes}.items() if data is not None}


def edits_between(before: bytes | None, after: bytes | None) -> list[tuple[str, str]] | None:
    r"""(old, new) of edits, each of a text that is there once when its turn comes; None where edits cannot do it.

    >>> edits_between(b"a\nb\na\n", b"a\nb\nc\n")
    [('b\na\n', 'b\nc\n')]
    """
    if not before or after is None:
        return None
    try:
        text, target = before.decode("utf-8"), after.decode("utf-8")
    except UnicodeDecodeError:
        return None
    lines, new_lines = text.splitlines(keepends=True), target.splitlines(keepends=True)
    edits = []
    # From the end to the beginning: what comes before a change is still as it was.
    for i1, i2, j1, j2 in reversed(_blocks(lines, new_lines)):
        first, last = i1, i2
        while first == last or text.count("".join(lines[first:last])) != 1:
            if (first, last) == (0, len(lines)):
                return None
            first, last = max(0, first - 1), min(len(lines), last + 1)
        changed = [*lines[first:i1], *new_lines[j1:j2], *lines[i2:last]]
        edits.append(("".join(lines[first:last]), "".join(changed)))
        lines[first:last] = changed
        text = "".join(lines)
    return edits


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """(i1, i2, j1, j2): lines i1 to i2 of the old become j1 to j2 of the new."""
    # What both begin and end with is set aside: the matcher's time grows with the square of the rest.
    short = min(len(old), len(new))
    head = next((i for i in range(short) if old[i] != new[i]), short)
    tail = next((i for i in range(short - head) if old[-1 - i] != new[-1 - i]), short - head)
    matcher = difflib.SequenceMatcher(None, old[head : len(old) - tail], new[head : len(new) - tail], autojunk=False)
    opcodes = [opcode for opcode in matcher.get_opcodes() if opcode[0] != "equal"]
    return [(head + i1, head + i2, head + j1, head + j2) for _, i1, i2, j1, j2 in opcodes]


def _script(files: Mapping[str, bytes | None]) -> str:
    """A command that writes files, whatever lies in their places."""
    lines = []
    for path, data in files.items():
        # A part of the path may have become a file or a link.
        parts = path.split("/")
        folders = ["/".join(parts[:length]) for length in range(1, len(parts))]
        lines += [f"[ -d {quote(f)} -a ! -L {quote(f)} ] || rm -f -- {quote(f)}" for f in folders]
        lines.append(f"rm -rf -- {quote(path)}")
        if data is not None:
            if folders:
                lines.append(f"mkdir -p -- {quote(posixpath.dirname(path))}")
            lines.append(_writing(path, data))
    return "\n".join(lines)


def _writing(path: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    mark = "END_OF_FILE"
    while mark in text:
        mark += "_"
    if "\0" in text or not text.endswith("\n"):
        return f"base64 -d >{quote(path)} <<'{mark}'\n{base64.b64encode(data).decode()}\n{mark}"
    return f"cat >{quote(path)} <<'{mark}'\n{text}{mark}"
