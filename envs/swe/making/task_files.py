"""The files of a task: broken, mended, and as an agent sees them."""

from __future__ import annotations

from turnwise.envs.swe.diffs import apply_diff, reverse_diff
from turnwise.envs.swe.making.cutting import hide_tests
from turnwise.envs.swe.making.loading import belongs
from turnwise.envs.swe.tasks import Project, Task, under


def broken_files(project: Project, task: Task) -> dict[str, bytes]:
    """The project with the bug in it, and with all its tests."""
    return apply_diff(project.files, task.bug)


def gold_patch(task: Task) -> str:
    """The diff that mends the broken files: the bug's, reversed."""
    return reverse_diff(task.bug)


def gold_files(project: Project, task: Task) -> dict[str, bytes]:
    """The broken files with the gold patch applied: equal to the project's own."""
    return apply_diff(broken_files(project, task), gold_patch(task))


def visible_files(project: Project, task: Task) -> dict[str, bytes]:
    """What an agent sees: the broken files without the hidden tests, and nothing that could hold the original.

    Of a hidden test, its function goes, with all its parameters; where it cannot be cut out cleanly, its file goes.
    """
    support = [path for path in sorted(project.files) if under(path, project.tests) and path.endswith(".py")]
    files = {path: data for path, data in broken_files(project, task).items() if belongs(path)}
    return hide_tests(files, task.fail_to_pass, support)
