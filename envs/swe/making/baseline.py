"""What the suite does before anything is broken: which tests can be relied on, and what each of them reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from turnwise.envs.swe.making.bounds import Bounds
from turnwise.envs.swe.making.discovery import test_files
from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.making.red_suites import refuse_red
from turnwise.envs.swe.making.suites import SuiteRun, run_suite
from turnwise.envs.swe.making.workplaces import Workplace


@dataclass(frozen=True)
class Baseline:
    """The original suite.

    Attributes:
        tests: Those that can be relied on, in the order of the suite: they passed twice, the second time with the files
            in another order, and are not slow.
        seconds: How long each took.
        reached: The functions of the project that each called: file, first line.
        at_import: Functions that are called before any test runs: a bug there would break all tests at once.
        left_out: Reason -> tests that cannot be relied on.
    """

    tests: tuple[str, ...]
    seconds: Mapping[str, float]
    reached: Mapping[str, frozenset[tuple[str, int]]]
    at_import: frozenset[tuple[str, int]]
    left_out: Mapping[str, tuple[str, ...]]

    def reaching(self, function: tuple[str, int]) -> tuple[str, ...]:
        """The tests that call a function."""
        return tuple(test for test in self.tests if function in self.reached[test])


def take_baseline(place: Workplace, bounds: Bounds, seed: int, *, skip_red: bool = False) -> Baseline:
    """Run the original suite twice.

    Args:
        place: Where.
        bounds: What is slow.
        seed: Decides the order of the files in the second run.
        skip_red: Leave out tests that fail, and files that cannot be collected, instead of refusing the project.

    Raises:
        ProjectError: The suite did not run, is red, or has no test that can be relied on.
    """
    paths = test_files(place.project)
    first = run_suite(place, paths, timeout=bounds.suite_seconds, test_timeout=bounds.suite_seconds)
    refuse_red(first, place.project.name, allow_failing=skip_red)
    passed = first.with_outcome("passed")
    quick = [test for test in passed if first.seconds[test] <= bounds.test_seconds]
    place.reset()
    # Tracing makes tests several times slower.
    seconds = 10 * bounds.suite_seconds
    shuffled = _shuffled(paths, seed)
    second = run_suite(place, shuffled, tests=quick, trace=True, timeout=seconds, test_timeout=seconds)
    tests = tuple(test for test in quick if second.outcomes.get(test) == "passed")
    if not tests:
        raise ProjectError(
            f"the suite of {place.project.name} has no test that passes twice within {bounds.test_seconds} s"
        )
    left_out = {
        "failed": tuple(first.with_outcome("failed", "error")),
        "skipped": tuple(first.with_outcome("skipped", "xfailed")),
        "slow": tuple(test for test in passed if first.seconds[test] > bounds.test_seconds),
        "flaky": tuple(test for test in quick if second.outcomes.get(test) != "passed"),
    }
    reached = {test: second.reached[test] for test in tests}
    return Baseline(tests, _seconds(first, tests), reached, second.at_import, left_out)


def _seconds(run: SuiteRun, tests: tuple[str, ...]) -> dict[str, float]:
    return {test: run.seconds[test] for test in tests}


def _shuffled(paths: list[str], seed: int) -> list[str]:
    return sorted(paths, key=lambda path: hashlib.blake2b(f"{seed}\0{path}".encode(), digest_size=8).digest())
