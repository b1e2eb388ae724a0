"""Running a project's tests while making tasks of it: `run_suite`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnwise.envs.swe.inside import run_program
from turnwise.envs.swe.making.configuration import plugins
from turnwise.envs.swe.making.workplaces import Workplace

MEMORY_BYTES = 2 * 2**30
"""Address space of the tests' process: a bug that fills memory fails, and is no task."""
_REPORT_BYTES = 64 * 2**20
_SPARE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Failure:
    """How a test failed.

    Attributes:
        type: The exception's type.
        message: Its text.
        line: The line of the test where it came up, or 0 where that is outside the test.
        values: Name -> literal, of the test's variables at that line which can be written as one.
        compared: Both sides of a failed comparison with its operator in the middle, as text.
    """

    type: str
    message: str
    line: int
    values: Mapping[str, str]
    compared: tuple[str, str, str] | None


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What came of a suite.

    Attributes:
        outcomes: Test id -> `passed`, `failed`, `error`, `skipped` or `xfailed`, in the order in which they ran.
        seconds: Test id -> how long it took.
        reached: Test id -> the functions of the project that it called: file, first line.
        at_import: Functions that were called before any test ran.
        failures: Test id -> how it failed.
        errors: Where collection failed, and how.
        stopped: The test that ran into its time or memory limit, where the session ended.
        finished: Whether pytest came to its end and wrote its report.
        output: The end of what was printed.
    """

    outcomes: Mapping[str, str] = field(default_factory=dict, hash=False)
    seconds: Mapping[str, float] = field(default_factory=dict, hash=False)
    reached: Mapping[str, frozenset[tuple[str, int]]] = field(default_factory=dict, hash=False)
    at_import: frozenset[tuple[str, int]] = frozenset()
    failures: Mapping[str, Failure] = field(default_factory=dict, hash=False)
    errors: tuple[tuple[str, str], ...] = ()
    stopped: str | None = None
    finished: bool = True
    output: str = ""

    def with_outcome(self, *outcomes: str) -> list[str]:
        """The tests that came to one of these."""
        return [test for test, outcome in self.outcomes.items() if outcome in outcomes]


def run_suite(
    place: Workplace,
    paths: Sequence[str],
    *,
    files: Mapping[str, bytes] | None = None,
    tests: Iterable[str] | None = None,
    trace: bool = False,
    timeout: float = 600.0,
    test_timeout: float = 60.0,
) -> SuiteRun:
    """Run tests of a project.

    Args:
        place: Where.
        paths: Test files, in the order in which to run them.
        files: Files to write first.
        tests: Ids of those to run; default: all.
        trace: Whether to tell which functions each test calls.
        timeout: Seconds for all of it.
        test_timeout: Seconds for one test.

    Raises:
        SandboxError: The sandbox itself failed.
    """
    project = place.project
    order = {
        "root": place.sandbox.workdir,
        "files": {path: base64.b64encode(data).decode("ascii") for path, data in (files or {}).items()},
        "paths": list(paths),
        "tests": None if tests is None else list(tests),
        "import_paths": list(project.import_paths),
        "plugins": plugins(project.requires),
        "trace": trace,
        "test_timeout": test_timeout,
        "memory_bytes": MEMORY_BYTES,
        "env": dict(place.env),
    }
    completed = run_program(
        place.sandbox,
        "suite",
        order,
        python=place.python,
        timeout=timeout + _SPARE_SECONDS,
        output_bytes=_REPORT_BYTES,
        by_input=True,
    )
    if completed.timed_out:
        return SuiteRun(finished=False, stopped="", output=f"it took longer than {timeout:.0f} s")
    if not completed.stdout.startswith("{"):
        return SuiteRun(finished=False, output=(completed.stderr or completed.stdout)[-2000:])
    return _suite_run(json.loads(completed.stdout))


def _suite_run(report: Mapping[str, Any]) -> SuiteRun:
    if report["exit"] is None:
        return SuiteRun(finished=False, output=report["output"])
    functions = [(path, line) for path, line in report["functions"]]
    return SuiteRun(
        outcomes={test: outcome for test, outcome, _, _ in report["tests"]},
        seconds={test: seconds for test, _, seconds, _ in report["tests"]},
        reached={test: frozenset(functions[i] for i in indices) for test, _, _, indices in report["tests"]},
        at_import=frozenset(functions[i] for i in report["at_import"]),
        failures={test: _failure(record) for test, record in report["failures"].items()},
        errors=tuple((where, text) for where, text in report["errors"]),
        stopped=report["stopped"],
        output=report["output"],
    )


def _failure(record: Mapping[str, Any]) -> Failure:
    compared = record["compared"]
    return Failure(**{**record, "compared": None if compared is None else tuple(compared)})
