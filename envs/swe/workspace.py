"""What an agent does in its sandbox, and what it has made of the files: commands, views, edits, changes."""

from __future__ import annotations

import base64
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from turnwise.envs.core import ToolError
from turnwise.envs.swe.assignments import Assignment
from turnwise.envs.swe.inside import run_program
from turnwise.envs.swe.scope import SKIPPED_FOLDERS
from turnwise.sandboxes import Completed, FileTooLargeError, Sandbox

MIB = 1024 * 1024
OUTPUT_CHARACTERS = 10_000
"""What is shown of a command's output, in all."""
VIEW_LINES = 200
"""Lines that one view shows at most."""
LINE_CHARACTERS = 500
"""Characters of one line that are shown at most."""
CONTEXT = 3
"""Lines that are shown around an edit."""
FILE_BYTES, TOTAL_BYTES, ENTRIES = 4 * MIB, 16 * MIB, 50_000
"""Most bytes of one changed file, of all together, and most files and folders that are looked at."""
_COLLECT_SECONDS = 60.0


# Commands


def run_command(sandbox: Sandbox, command: str, timeout: float, import_paths: Sequence[str] = (".",)) -> str:
    """Run a command in the work folder, and say what it did, as the agent is told.

    Args:
        sandbox: Where.
        command: Bash source.
        timeout: Seconds.
        import_paths: What Python finds beside what is installed, relative to the work folder.

    Raises:
        ToolError: The command is empty, or no command.
        SandboxError: The sandbox itself failed.
    """
    if not command.strip():
        raise ToolError("The command is empty.")
    folder = sandbox.workdir
    paths = ":".join(posixpath.normpath(posixpath.join(folder, path)) for path in import_paths)
    # From outside the work folder: an agent that has closed it to itself can open it again.
    text = f"exec 2>&1; cd {quote(folder)}; {command}"
    try:
        completed = sandbox.run(text, timeout=timeout, cwd="/", env={"PYTHONPATH": paths})
    except ValueError as error:  # a NUL, or a character that is no text
        raise ToolError("The command holds a character that bash cannot take.") from error
    return describe(completed, timeout)


def describe(completed: Completed, timeout: float) -> str:
    r"""What a command did, in words.

    >>> print(describe(Completed(1, "a.py:3: error\n"), 60))
    a.py:3: error
    [exit code 1]
    """
    output = cut(steady(completed.stdout + completed.stderr).rstrip("\n"), OUTPUT_CHARACTERS)
    remarks = []
    if completed.output_truncated:
        remarks.append("[it printed more than is kept; the end is lost]")
    if completed.timed_out:
        remarks.append(f"[it ran out of time after {timeout:g} s, and was killed with all that it had started]")
    else:
        remarks.append(f"[exit code {completed.exit_code}]")
    return "\n".join([output, *remarks] if output else remarks)


def cut(text: str, limit: int) -> str:
    """A text, or its beginning and end with a line between them that says how much is left out.

    >>> cut("a" * 50 + "b" * 50, 20).splitlines()
    ['aaaaaaaaaa', '[… 80 characters left out …]', 'bbbbbbbbbb']
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


_SECONDS = re.compile(r"(?m)^(=*[^\n]*\b(?:passed|failed|errors?|skipped|deselected|ran|x?failed|xpassed|warnings?)\b"
                      r"[^\n]*) in \d+\.\d\ds(?: \(\d+:\d\d:\d\d\))?( =*|)$")  # fmt: skip
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,16}\b")


def steady(text: str) -> str:
    """A text without what differs from run to run: pytest's seconds, and addresses of objects.

    >>> steady("=== 3 passed, 1 failed in 0.12s ===")
    '=== 3 passed, 1 failed ==='
    >>> steady("<pkg.Tree object at 0x7f3bd2c1a0d0>")
    '<pkg.Tree object at 0x…>'
    """
    return _ADDRESS.sub("at 0x…", _SECONDS.sub(r"\1\2", text))


# Files


def view_file(sandbox: Sandbox, path: str, start: int, end: int | None) -> str:
    """Some numbered lines of a file.

    Raises:
        ToolError: There is no such file, or there are no such lines.
        SandboxError: The sandbox itself failed.
    """
    lines = read_text(sandbox, path).split("\n")
    if lines[-1] == "":
        lines.pop()
    if start < 1 or (end is not None and end < start):
        raise ToolError(f"start must be at least 1 and end at least start, got {start} and {end}.")
    if start > max(1, len(lines)):
        raise ToolError(f"{path} has {len(lines):,} lines; there is no line {start:,}.")
    last = min(len(lines), start + VIEW_LINES - 1, len(lines) if end is None else end)
    parts = [_cut_line(path), numbered(lines, start, last)]
    if last < len(lines):
        parts.append(f"[lines {start} to {last} of {len(lines):,}]")
    return "\n".join(parts) if lines else f"{_cut_line(path)}\n[the file is empty]"


def edit_file(sandbox: Sandbox, path: str, old: str, new: str) -> str:
    """Replace the one occurrence of a text, or create a file, and show the place.

    Raises:
        ToolError: It cannot be done; the text says why, and nothing is changed.
        SandboxError: The sandbox itself failed.
    """
    if old == new:
        raise ToolError("old and new are the same: nothing would change.")
    if old == "":
        if file_exists(sandbox, path):
            raise ToolError(f"{_cut_line(path)} is there already; give the text to replace as old.")
        write_text(sandbox, path, new)
        return f"Created {_cut_line(path)} with {len(new.splitlines()):,} lines."
    text = read_text(sandbox, path)
    count = text.count(old)
    if count != 1:
        where = f"in {_cut_line(path)}. Nothing was changed"
        if count == 0:
            raise ToolError(f"The text to replace is not there {where}.")
        raise ToolError(f"The text to replace is there {count:,} times {where}; give more of the lines around it.")
    at = text.index(old)
    changed = text[:at] + new + text[at + len(old) :]
    write_text(sandbox, path, changed)
    first = text.count("\n", 0, at) + 1
    lines = changed.split("\n")
    shown = numbered(lines, max(1, first - CONTEXT), min(len(lines), first + new.count("\n") + CONTEXT))
    return f"Edited {_cut_line(path)}.\n{cut(shown, OUTPUT_CHARACTERS // 2)}"


def numbered(lines: list[str], first: int, last: int) -> str:
    """Lines first to last, counted from 1, each with its number.

    >>> print(numbered(["a", "b", "c"], 2, 3))
         2  b
         3  c
    """
    return "\n".join(f"{number:6}  {_cut_line(lines[number - 1])}" for number in range(first, last + 1))


def _cut_line(line: str) -> str:
    line = line.rstrip("\r")
    return line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}[… {len(line):,} characters]"


def read_text(sandbox: Sandbox, path: str) -> str:
    """A file as text; bytes that are no UTF-8 come back as they were when it is written again.

    Raises:
        ToolError: It cannot be read.
    """
    try:
        return sandbox.read(path).decode("utf-8", "surrogateescape")
    except (OSError, ValueError) as error:
        raise ToolError(_file_error(error, path)) from error


def write_text(sandbox: Sandbox, path: str, text: str) -> None:
    """Write a file.

    Raises:
        ToolError: It cannot be written.
    """
    try:
        sandbox.write(path, text.encode("utf-8", "surrogateescape"))
    except (OSError, ValueError) as error:
        raise ToolError(_file_error(error, path)) from error


def file_exists(sandbox: Sandbox, path: str) -> bool:
    """Whether there is a file or folder that can be seen."""
    try:
        sandbox.read(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise ToolError(_file_error(error, path)) from error
    return True


def _file_error(error: OSError | ValueError, path: str) -> str:
    """Why a file cannot be used. In words of our own: what a backend says may name a path of this machine."""
    reasons: dict[type[Exception], str] = {
        FileNotFoundError: "there is no such file",
        PermissionError: "permission denied",
        IsADirectoryError: "it is a folder; bash with ls shows what is in it",
        NotADirectoryError: "a part of the path is no folder",
        FileTooLargeError: "the file is too large",
        UnicodeEncodeError: "the text holds a character that cannot be written",
        ValueError: "that is no path or no text of a file",
    }
    reason = reasons.get(type(error), "it cannot be used; it may be no regular file, or the disk is full")
    return f"{_cut_line(path) or 'The empty path'}: {reason}."


# Changes


@dataclass(frozen=True)
class Collected:
    """What an agent has made of the files that count.

    Attributes:
        changes: Path -> contents, or None where a file that was there is gone, or is no regular file any more.
        left_out: (path, why) of what could not be taken over.
    """

    changes: Mapping[str, bytes | None] = field(hash=False)
    left_out: tuple[tuple[str, str], ...] = ()


def collect_changes(sandbox: Sandbox, task: Assignment, python: str) -> Collected:
    """Read back the changes that count.

    Links are not followed, special files are not opened, and what is very large is left out.

    Raises:
        SandboxError: The sandbox itself failed.
    """
    order = {
        "root": sandbox.workdir,
        "sources": list(task.scope.sources),
        "known": dict(task.known),
        "skip": sorted(SKIPPED_FOLDERS),
        "file_bytes": FILE_BYTES,
        "total_bytes": TOTAL_BYTES,
        "entries": ENTRIES,
    }
    completed = run_program(
        sandbox, "collector", order, python=python, timeout=_COLLECT_SECONDS, output_bytes=4 * TOTAL_BYTES
    )
    if not completed.ok or completed.output_truncated:
        # The work folder is in no state to be read: nothing of it can be graded.
        why = "it ran out of time" if completed.timed_out else f"exit code {completed.exit_code}"
        return Collected(dict.fromkeys(task.start), ((".", f"the files could not be read back: {why}"),))
    return _collected(task, json.loads(completed.stdout))


def _collected(task: Assignment, report: Mapping[str, Any]) -> Collected:
    counts = task.scope.counts
    changes: dict[str, bytes | None] = {path: None for path in report["gone"] if counts(path)}
    for path, data in report["changed"].items():
        if counts(path):
            changes[path] = base64.b64decode(data)
    left_out = [(path, why) for path, why in report["left_out"] if counts(path) or path in task.scope.sources]
    for path, _ in left_out:
        if path in task.start:
            changes[path] = None
    return Collected(dict(sorted(changes.items())), tuple(left_out))
