"""The tasks that come with the package, so that the first episode needs nothing: `bundled`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from turnwise.envs.swe.tasks import SUFFIX, TaskSet

FILE = Path(__file__).with_name(f"oddments{SUFFIX}")


@cache
def bundled() -> TaskSet:
    """Tasks in `oddments`, a small library that was written for them; made by `turnwise swe make`.

    >>> tasks = bundled()
    >>> tasks.project.name, len(tasks)
    ('oddments', 30)
    """
    return TaskSet.load(FILE)
