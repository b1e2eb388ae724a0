"""What a submission is worth: its hidden tests, run in a fresh sandbox on the changes that count."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from turnwise.envs.swe.assignments import Assignment, Changes
from turnwise.envs.swe.canaries import Canaries, add_canaries
from turnwise.envs.swe.testing import PASSED, TestRun

Run = Callable[[Sequence[str], Changes], TestRun]
"""Runs tests in a fresh sandbox that holds what the agent found at first, after changes."""

LEVELS = ("nothing_submitted", "empty_patch", "failing_patch", "passing_patch")
"""How far an episode came, from the lowest to the highest."""


@dataclass(frozen=True)
class Grade:
    """What came of a submission.

    Attributes:
        level: Of `LEVELS`.
        results: Test id -> whether it passed.
        fail_to_pass, pass_to_pass: Shares of those tests that passed, in [0, 1].
        applies: Every change could be taken over: no special file, no link, nothing unreadable or too large.
        remarks: What people should know, for example that a canary passed. Not for an agent.
        final: Whether the same submission would be graded the same again: no time ran out.
    """

    level: str
    results: Mapping[str, bool] = field(hash=False)
    fail_to_pass: float
    pass_to_pass: float
    applies: bool = True
    remarks: tuple[str, ...] = ()
    final: bool = True

    @property
    def resolved(self) -> bool:
        """Whether every test passed."""
        return self.level == "passing_patch"

    @property
    def tests_passed(self) -> float:
        """The share of all tests that passed."""
        return sum(self.results.values()) / len(self.results) if self.results else 0.0


def grade(task: Assignment, changes: Changes, applies: bool, run: Run) -> Grade:
    """Grade a submission.

    Args:
        task: What is graded.
        changes: The changes that count, relative to what the agent found at first.
        applies: Whether they are all of them.
        run: See `Run`.

    Raises:
        SandboxError: The sandbox itself failed.
    """
    if not changes:
        # As every task was proven: the tests that the bug breaks fail, the others pass.
        results = {**dict.fromkeys(task.fail_to_pass, False), **dict.fromkeys(task.pass_to_pass, True)}
        return _grade(task, "empty_patch", results, applies, (), True)
    canaries = _canaries(task)
    tests = mixed(task.tests, canaries.tests)
    after = run(tests, {**changes, **task.hidden, **canaries.files})
    distrusted, remarks = _distrust(canaries, after)
    if distrusted:
        # A twin may pass rightly, in a library of things that equal everything: then it does with the gold patch too.
        solved = run(tests, {**task.gold, **task.hidden, **canaries.files})
        if all(solved.passed(test) for test in distrusted):
            distrusted, remarks = [], ()
    results = dict.fromkeys(task.tests, False) if distrusted else _results(task, canaries, after)
    if not after.sound:
        remarks = (*remarks, f"the session of the tests was not sound; its output ends: {after.output[-500:]}")
    level = "passing_patch" if all(results.values()) else "failing_patch"
    return _grade(task, level, results, applies, remarks, not after.timed_out)


def _grade(
    task: Assignment, level: str, results: Mapping[str, bool], applies: bool, remarks: tuple[str, ...], final: bool
) -> Grade:
    def share(tests: Sequence[str]) -> float:
        return sum(results[test] for test in tests) / len(tests) if tests else 1.0

    return Grade(level, results, share(task.fail_to_pass), share(task.pass_to_pass), applies, remarks, final)


def _canaries(task: Assignment) -> Canaries:
    """Canaries in every test file that holds one of the task's tests."""
    return add_canaries(task.test_files, task.fail_to_pass, random.Random(secrets.randbits(64)))


def mixed(tests: Sequence[str], canaries: Sequence[str]) -> list[str]:
    """Both, sorted: the order says nothing about which is which."""
    return sorted({*tests, *canaries})


def _distrust(canaries: Canaries, run: TestRun) -> tuple[list[str], tuple[str, ...]]:
    """The canaries that passed, and what to say about them."""
    passed = [test for test in canaries.tests if run.outcomes.get(test) in PASSED]
    return passed, tuple(f"a test that cannot pass did: {test}" for test in passed)


def _results(task: Assignment, canaries: Canaries, run: TestRun) -> dict[str, bool]:
    """Which tests passed. A file counts if all of its canaries were reported."""
    silent = {test.split("::")[0] for test in canaries.tests if test not in run.outcomes}
    return {test: run.passed(test) and test.split("::")[0] not in silent for test in task.tests}
