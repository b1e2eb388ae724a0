"""A task as the environment needs it, wherever it comes from: what the agent begins with, and what grades it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from turnwise.envs.swe.diffs import reverse_diff
from turnwise.envs.swe.making import broken_files, visible_files
from turnwise.envs.swe.scope import Scope
from turnwise.envs.swe.tasks import Project, Task
from turnwise.envs.swe.trees import tree_folder

Changes = Mapping[str, "bytes | None"]
"""Path -> new contents, or None where the file is to go."""

WORKDIR = "/work"


@dataclass(frozen=True)
class Assignment:
    """One task.

    Attributes:
        task_id: As in its set.
        issue: What the agent is told.
        where: What the repository is, in a few words.
        scope: Which changes count.
        start: Contents of the files that count, as the agent finds them.
        folder: Gives the folder of this machine with all that the agent finds.
        hidden: What is put back before grading: whole test files, and whatever else differs from what the agent finds.
        test_files: The whole files that hold the task's tests.
        gold: The changes that solve it.
        gold_patch: The same as a unified diff.
        fail_to_pass, pass_to_pass: Test ids.
        operators: How the bug was made, if it was.
        import_paths: Folders on the import path.
        requires: Distributions beside pytest that the tests need.
        image: The container image, or None for the sandbox's default.
        python: The interpreter in that image; empty for the default.
        installed: Whether the image's interpreter has the project itself installed, from the work folder.
        workdir: Where the repository lies.
    """

    task_id: str
    issue: str
    where: str
    scope: Scope
    start: Mapping[str, bytes] = field(repr=False)
    folder: Callable[[], Path] = field(repr=False)
    hidden: Changes = field(repr=False)
    test_files: Mapping[str, bytes] = field(repr=False)
    gold: Changes = field(repr=False)
    gold_patch: str = field(repr=False)
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    operators: tuple[str, ...] = ()
    import_paths: tuple[str, ...] = (".",)
    requires: tuple[str, ...] = ()
    image: str | None = None
    python: str = ""
    installed: bool = False
    workdir: str = WORKDIR

    @property
    def tests(self) -> tuple[str, ...]:
        """All tests that must pass."""
        return self.fail_to_pass + self.pass_to_pass

    @cached_property
    def known(self) -> Mapping[str, str]:
        """16 hex digits of the contents of each file that counts, as the agent finds it."""
        return {path: hashlib.sha256(data).hexdigest()[:16] for path, data in self.start.items()}

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of what decides how a submission is graded."""
        parts = (self.task_id, self.gold_patch, self.tests, sorted(self.known.items()), self.image, self.python)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def assignment(project: Project, task: Task, image: str | None = None) -> Assignment:
    """A task of a `TaskSet`, to be worked on in an image, or in the sandbox's default."""
    scope = Scope(project.files, project.sources, project.tests)
    seen, broken, gold = visible_files(project, task), broken_files(project, task), project.files
    return Assignment(
        task_id=task.task_id,
        issue=task.issue,
        where=f"{project.name} {project.version}".strip(),
        scope=scope,
        start={path: data for path, data in seen.items() if scope.counts(path)},
        folder=lambda: tree_folder(seen),
        hidden={path: gold.get(path) for path in differing(seen, gold) if not scope.counts(path)},
        test_files={path: gold[path] for path in _files_of(task) if path in gold},
        gold={path: gold.get(path) for path in differing(broken, gold)},
        gold_patch=reverse_diff(task.bug),
        fail_to_pass=task.fail_to_pass,
        pass_to_pass=task.pass_to_pass,
        operators=task.operators,
        import_paths=project.import_paths,
        requires=project.requires,
        image=image,
    )


def _files_of(task: Task) -> list[str]:
    return sorted({test.split("::")[0] for test in (*task.fail_to_pass, *task.pass_to_pass)})


def differing(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """Paths at which two trees differ, sorted."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
