"""All limits of the maker, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What makes a bug a task, and how much of the suite grades it.

    Attributes:
        test_seconds: A test that takes longer is in no task.
        fail_to_pass: Most tests that a bug may break; one that breaks more is found by anyone.
        share: Most of all tests that a bug may break.
        reached: Most tests in `pass_to_pass` that call what was changed.
        others: Most tests in `pass_to_pass` that do not.
        grading_seconds: Most seconds that all tests of a task took together, before anything was changed.
        per_function: Most tasks in one function.
        attempts: Most mutations tried in one function, as a multiple of `per_function`.
        hang_seconds: A test that takes longer with a bug hangs, and the bug is no task.
        suite_seconds: The original suite may take this long.
        combined: The share of tasks that break several functions.
        symptoms: Most failing behaviours in one issue.
    """

    test_seconds: float = 2.0
    fail_to_pass: int = 100
    share: float = 0.5
    reached: int = 40
    others: int = 10
    grading_seconds: float = 10.0
    per_function: int = 4
    attempts: int = 5
    hang_seconds: float = 8.0
    suite_seconds: float = 900.0
    combined: float = 0.12
    symptoms: int = 2
