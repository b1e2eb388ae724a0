"""What a software-engineering task is, and the file that holds a set of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

FORMAT = 1
SUFFIX = ".tasks.json"


@dataclass(frozen=True, slots=True)
class Project:
    """A Python project in which tasks break something.

    Attributes:
        name: Its name, for example `more-itertools`.
        version: Its version, as text.
        files: Every file that agents and tests need, unbroken: path relative to the project's root -> contents. No
            caches, no version control, no built distributions.
        sources: Files and folders that a fix may change, for example `more_itertools`; everything else (tests,
            configuration) is restored before grading.
        tests: Files and folders that hold the tests. They may lie below `sources`, and are restored all the same.
        import_paths: Folders to put on the import path, `.` for the root, `src` for a src layout.
        requires: Names of distributions beside pytest that the tests need.
        licence: The licence's name, kept with the files.
    """

    name: str
    version: str
    files: Mapping[str, bytes] = field(hash=False)
    sources: tuple[str, ...]
    tests: tuple[str, ...]
    import_paths: tuple[str, ...] = (".",)
    requires: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One bug in a project.

    Attributes:
        task_id: Unique in its set; stable.
        issue: What a user would report: the failing behaviour, without naming the line.
        bug: Unified diff that turns the project's files into the broken ones. Reversed, it is the gold patch.
        fail_to_pass: Ids of the tests (pytest node ids relative to the root) that fail with the bug and pass without.
            They are hidden: no file that an agent sees holds them.
        pass_to_pass: Ids of tests that pass with and without the bug.
        operators: How the bug was made, for example `swap-arguments`.
    """

    task_id: str
    issue: str
    bug: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskSet:
    """A project and its tasks, one JSON file.

    >>> project = Project("p", "1", {"p.py": b"x = 1"}, ("p.py",), ("test_p.py",))
    >>> tasks = TaskSet(project, (Task("p-1", "x is wrong", "", ("test_p.py::test_x",), ()),))
    >>> TaskSet.from_json(tasks.to_json()) == tasks, tasks["p-1"].issue
    (True, 'x is wrong')
    """

    project: Project
    tasks: tuple[Task, ...]

    def __post_init__(self) -> None:
        if len({task.task_id for task in self.tasks}) != len(self.tasks):
            raise ValueError(f"the task ids of {self.project.name} are not unique")

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __getitem__(self, task_id: str) -> Task:
        """The task of this id.

        Raises:
            KeyError: There is none.
        """
        return next((task for task in self.tasks if task.task_id == task_id), None) or _no_task(task_id)

    def digest(self) -> str:
        """16 hex digits of everything in it: pins a panel."""
        text = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8"), digest_size=8).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` restores an equal set."""
        project = {
            "name": self.project.name,
            "version": self.project.version,
            "licence": self.project.licence,
            **{key: list(getattr(self.project, key)) for key in _PROJECT_LISTS},
            "files": {path: _to_text(data) for path, data in sorted(self.project.files.items())},
        }
        tasks = [
            {
                "task_id": t.task_id,
                "issue": t.issue,
                "bug": t.bug,
                **{key: list(getattr(t, key)) for key in _TASK_LISTS},
            }
            for t in self.tasks
        ]
        return {"format": FORMAT, "project": project, "tasks": tasks}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TaskSet:
        """Rebuild a set from `to_json`'s dictionary.

        Raises:
            ValueError: It has another format, or lacks something; the message names it.
        """
        if record.get("format") != FORMAT:
            raise ValueError(f"a task set has format {FORMAT}, this one {record.get('format')!r}")
        try:
            project = dict(record["project"])
            files = {path: _from_text(data) for path, data in project.pop("files").items()}
            lists: dict[str, Any] = {key: tuple(project.pop(key)) for key in _PROJECT_LISTS}
            tasks = tuple(Task(**{**t, **{key: tuple(t[key]) for key in _TASK_LISTS}}) for t in record["tasks"])
            return cls(Project(files=files, **lists, **project), tasks)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a task set: {error}") from error

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, whole or not at all."""
        target = Path(path)
        part = target.with_name(target.name + ".part")
        part.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        part.replace(target)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> TaskSet:
        """Read a file that `save` wrote.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is not a task set; the message names the file.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{str(path)!r}: {error}") from error


_PROJECT_LISTS = ("sources", "tests", "import_paths", "requires")
_TASK_LISTS = ("fail_to_pass", "pass_to_pass", "operators")


def _no_task(task_id: str) -> Task:
    raise KeyError(task_id)


def _to_text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _from_text(value: str | Mapping[str, str]) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value["base64"])


def under(path: str, folders: Sequence[str]) -> bool:
    """Whether a relative path is one of the files, or lies in one of the folders.

    >>> under("pkg/core.py", ["pkg"]), under("pkg2/core.py", ["pkg"]), under("a.py", ["."])
    (True, False, True)
    """
    return any(folder == "." or path == folder or path.startswith(folder + "/") for folder in folders)
