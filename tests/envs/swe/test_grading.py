"""Grades, from runs that are written down: what a canary that passes means, and what counts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from swe_tasks import CORE, SUMS

from turnwise.envs.swe.assignments import Changes
from turnwise.envs.swe.grades import Grades, digest_of
from turnwise.envs.swe.grading import Grade, grade
from turnwise.envs.swe.task_lists import SetTasks
from turnwise.envs.swe.testing import TestRun

TASK = SetTasks(SUMS).assignment("sums-add")
MENDED = {"sums/core.py": CORE}
OTHER = {"sums/core.py": CORE + b"# mended\n"}


class Runs:
    """Runs in which the task's own tests pass, but for some, and canaries fail, unless the run is fooled."""

    def __init__(self, failing: Sequence[str] = (), *, fooled: bool = False, fooled_by_gold: bool = False) -> None:
        self.failing = failing
        self.fooled = {True: fooled_by_gold, False: fooled}
        self.seen: list[tuple[Sequence[str], Changes]] = []

    def __call__(self, tests: Sequence[str], files: Changes) -> TestRun:
        self.seen.append((tests, files))
        canary = "passed" if self.fooled[files["sums/core.py"] == CORE] else "failed"
        own = {test: "failed" if test in self.failing else "passed" for test in TASK.tests}
        return TestRun({test: own.get(test, canary) for test in tests}, True)


def test_no_change_is_graded_without_a_run() -> None:
    runs = Runs()
    result = grade(TASK, {}, True, runs)
    assert (result.level, result.fail_to_pass, result.pass_to_pass, result.tests_passed) == ("empty_patch", 0, 1, 0.6)
    assert not runs.seen


def test_all_tests_and_canaries_are_asked_for_together_and_hidden_files_put_back() -> None:
    runs = Runs()
    result = grade(TASK, MENDED, True, runs)
    assert result.resolved and result.tests_passed == 1.0 and not result.remarks
    ((tests, files),) = runs.seen
    assert set(TASK.tests) < set(tests)
    assert list(tests) == sorted(tests)
    canaries = set(tests) - set(TASK.tests)
    assert {test.split("::")[0] for test in canaries} == {"tests/test_sums.py"}
    assert len(canaries) >= 5
    text = files["tests/test_sums.py"]
    assert text is not None and b"def test_add(" in text
    assert all(test.split("[")[0].split("::")[-1].encode() in text for test in canaries)


@pytest.mark.parametrize("failing", TASK.tests)
def test_one_failing_test_is_enough(failing: str) -> None:
    result = grade(TASK, OTHER, True, Runs([failing]))
    assert (result.level, result.resolved, result.tests_passed) == ("failing_patch", False, 0.8)
    assert result.results[failing] is False


def test_where_a_canary_passes_nothing_counts() -> None:
    runs = Runs(fooled=True)
    result = grade(TASK, OTHER, True, runs)
    assert (result.level, result.tests_passed) == ("failing_patch", 0.0)
    assert "a test that cannot pass did" in result.remarks[0]
    assert len(runs.seen) == 2, "the gold patch is asked whether the canary is to blame"


def test_a_canary_that_passes_with_the_gold_patch_too_accuses_nobody() -> None:
    result = grade(TASK, OTHER, True, Runs(fooled=True, fooled_by_gold=True))
    assert result.resolved and not result.remarks


def test_a_file_whose_canaries_are_silent_counts_for_nothing() -> None:
    def run(tests: Sequence[str], files: Changes) -> TestRun:
        return TestRun(dict.fromkeys(TASK.tests, "passed"), True)

    assert grade(TASK, OTHER, True, run).tests_passed == 0.0


def test_a_session_that_is_not_sound_counts_for_nothing() -> None:
    def run(tests: Sequence[str], files: Changes) -> TestRun:
        outcomes = {test: "passed" if test in TASK.tests else "failed" for test in tests}
        return TestRun(outcomes, False, timed_out=True, output="killed")

    result = grade(TASK, OTHER, True, run)
    assert (result.level, result.tests_passed, result.final) == ("failing_patch", 0.0, False)
    assert "killed" in result.remarks[-1]


def test_grades_are_remembered_unless_time_ran_out() -> None:
    grades, made = Grades(), []

    def make(final: bool) -> Grade:
        made.append(final)
        return Grade("failing_patch", {}, 0.0, 0.0, final=final)

    for _ in range(2):
        grades.get("a", lambda: make(True))
    for _ in range(2):
        grades.get("b", lambda: make(False))
    assert made == [True, False, False]
    for number in range(600):
        grades.get(number, lambda: make(True))
    grades.get("a", lambda: make(True))
    assert made.count(True) == 602


def test_the_digest_of_changes_tells_them_apart() -> None:
    digests = {digest_of(c) for c in ({}, {"a": b""}, {"a": None}, {"a": b"b", "c": b""}, {"a": b"bc"}, {"ab": b""})}
    assert len(digests) == 6
