"""A project of a few lines with tasks in it, small enough to be graded in half a second.

Import as `from swe_tasks import ...`.
"""

from __future__ import annotations

from typing import Any

from turnwise.envs.swe import Project, SWEEnv, Task, TaskSet
from turnwise.envs.swe.diffs import make_diff

CORE = b'''"""Sums and means."""


def add(a, b):
    return a + b


def mean(xs):
    if not xs:
        return 0.0
    return add(sum(xs), 0) / len(xs)


def first(xs):
    for x in xs:
        return x
    raise ValueError("there is no first of nothing")
'''
TESTS = b"""import unittest

import pytest

from sums import add, first, mean


@pytest.mark.parametrize("a", [1, 2])
def test_add(a):
    assert add(a, 2) == a + 2


def test_mean_of_nothing():
    assert mean([]) == 0.0


class MeanTests(unittest.TestCase):
    def test_mean(self):
        for xs, expected in (([1, 3], 2), ([5], 5)):
            with self.subTest(xs=xs):
                self.assertEqual(mean(xs), expected)


def test_first():
    assert first([3, 4]) == 3
    with pytest.raises(ValueError):
        first([])
"""
FILES = {
    "sums/__init__.py": b"from sums.core import add, first, mean\n",
    "sums/core.py": CORE,
    "tests/test_sums.py": TESTS,
    "setup.cfg": b"[metadata]\nname = sums\n",
}
PROJECT = Project("sums", "1.0", FILES, ("sums",), ("tests",), licence="MIT")
_TESTS = tuple(
    f"tests/test_sums.py::{name}"
    for name in ("test_add[1]", "test_add[2]", "test_mean_of_nothing", "MeanTests::test_mean", "test_first")
)


def _task(name: str, issue: str, old: bytes, new: bytes, broken: tuple[int, ...]) -> Task:
    after = {**FILES, "sums/core.py": CORE.replace(old, new)}
    assert after != FILES
    fail_to_pass = tuple(_TESTS[i] for i in broken)
    return Task(
        f"sums-{name}",
        issue,
        make_diff(FILES, after),
        fail_to_pass,
        tuple(test for test in _TESTS if test not in fail_to_pass),
        (name,),
    )


SUMS = TaskSet(
    PROJECT,
    (
        _task("add", "The sum of 1 and 2 is given as -1.", b"a + b", b"a - b", (0, 1)),
        _task("mean", "mean([]) fails.", b"    if not xs:\n        return 0.0\n", b"", (2,)),
        _task("average", "The mean of 1 and 3 is given as 4.", b" / len(xs)", b"", (3,)),
        _task(
            "first", "first([]) gives nothing.", b'raise ValueError("there is no first of nothing")', b"return", (4,)
        ),
    ),
)
BROKEN = CORE.replace(b"a + b", b"a - b")
"""The file of the task `sums-add`."""


def play(env: SWEEnv, actions: list[Any], task_id: str = "sums-add") -> tuple[str, float, dict[str, Any]]:
    """Play the actions, until the episode ends: the last observation, all reward, the last info."""
    observation, info = env.reset(seed=0, options={"task_id": task_id})
    total = 0.0
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        total += reward
        if terminated or truncated:
            break
    return observation, total, info
