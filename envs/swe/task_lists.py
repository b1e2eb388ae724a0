"""Tasks of every kind by their id, and how they are split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from os import PathLike, fspath
from typing import Protocol

from turnwise.envs.swe.assignments import Assignment, assignment
from turnwise.envs.swe.swe_bench import ImageName, InstanceTasks, holds_instances, image_name
from turnwise.envs.swe.tasks import TaskSet
from turnwise.sandboxes import Sandbox

SPLITS = ("train", "val", "test", "panel", "all")
PANEL_SIZE = 20
"""Most tasks of a panel."""


class TaskList(Protocol):
    """Where tasks come from."""

    @property
    def task_ids(self) -> Sequence[str]:
        """All of them, in an order that does not change."""

    def assignment(self, task_id: str) -> Assignment:
        """The task of an id."""


class SetTasks:
    """The tasks of a `TaskSet`."""

    def __init__(self, tasks: TaskSet, image: ImageName = None) -> None:
        self._tasks = {task.task_id: task for task in tasks}
        self.task_ids = tuple(self._tasks)
        # Trees are parsed and tests cut out for each; episodes of one task follow upon each other.
        self.assignment: Callable[[str], Assignment] = lru_cache(maxsize=16)(
            lambda task_id: assignment(tasks.project, self._tasks[task_id], image and image_name(task_id, image))
        )


def open_tasks(
    tasks: TaskSet | str | PathLike[str] | None,
    open_image: Callable[[str], Sandbox],
    image: ImageName = None,
) -> TaskList:
    """The tasks that an environment was asked for.

    Args:
        tasks: None for those that come with the package; a `TaskSet`; or a file that holds one, or SWE-bench instances.
        open_image: SWE-bench only: opens a sandbox of a container image.
        image: Names the image of a task, see `swe_bench.image_name`; None for the usual one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is neither; the message names the file.
    """
    if tasks is None:
        from turnwise.envs.swe.bundled import bundled

        return SetTasks(bundled(), image)
    if isinstance(tasks, TaskSet):
        return SetTasks(tasks, image)
    if holds_instances(fspath(tasks)):
        return InstanceTasks.load(fspath(tasks), open_image, image)
    return SetTasks(TaskSet.load(tasks), image)


def split_tasks(task_ids: Sequence[str], split: str) -> tuple[str, ...]:
    """The tasks of a split: six tenths train, two val, two test, by a hash of the id, so that a task stays where it is.

    `panel` is the first of `test` in the order of their hashes, at most `PANEL_SIZE`; `all` is everything.

    Raises:
        ValueError: There is no such split, or it has no tasks.

    >>> [len(split_tasks([f"p-{i}" for i in range(100)], split)) for split in SPLITS]
    [61, 15, 24, 20, 100]
    """
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}; there are {list(SPLITS)}")
    if split == "all":
        chosen = list(task_ids)
    elif split == "panel":
        chosen = sorted(split_tasks(task_ids, "test"), key=_hash)[:PANEL_SIZE]
    else:
        chosen = [task_id for task_id in task_ids if _split_of(task_id) == split]
    if not chosen:
        raise ValueError(f"the split {split!r} has none of these {len(task_ids)} tasks; split='all' has all of them")
    return tuple(chosen)


def _split_of(task_id: str) -> str:
    tenth = _hash(task_id) % 10
    return "train" if tenth < 6 else "val" if tenth < 8 else "test"


def _hash(task_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(task_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
