"""What a run of a suite tells, and what is said about suites that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from swe_projects import CORE, TESTS, full_project, write

from turnwise.envs.swe.making.discovery import read_project, test_files
from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.making.red_suites import explain, refuse_red
from turnwise.envs.swe.making.suites import SuiteRun, run_suite
from turnwise.envs.swe.making.workplaces import Workplace, open_workplaces
from turnwise.sandboxes.opening import unavailable

BACKEND = "process" if unavailable("bubblewrap") else "bubblewrap"
CORE_FILE, TEST_FILE = "src/words/core.py", "tests/test_words.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    project = read_project(str(full_project(tmp_path_factory.mktemp("words"))))
    with open_workplaces(project, BACKEND, 1) as places:
        yield places[0]


def run(place: Workplace, *tests: str, changed: str | None = None, trace: bool = False) -> SuiteRun:
    files = None if changed is None else {CORE_FILE: changed.encode()}
    wanted = [f"{TEST_FILE}::{test}" for test in tests] or None
    found = run_suite(place, test_files(place.project), files=files, tests=wanted, trace=trace, test_timeout=1.0)
    place.reset()
    return found


def test_every_test_says_which_functions_it_called(place: Workplace) -> None:
    found = run(place, trace=True)
    lines = {name: CORE[: CORE.index(f"def {name}(")].count("\n") + 1 for name in ("count", "most_common", "until")}
    called = {
        test.split("::")[1]: {line for path, line in functions if path == CORE_FILE and line in lines.values()}
        for test, functions in found.reached.items()
    }
    assert called["test_count"] == {lines["count"]}
    assert called["test_most_common"] == {lines["count"], lines["most_common"]}
    assert called["test_until_by_steps"] == {lines["until"]}
    assert set(found.outcomes.values()) == {"passed"}
    assert not any(path == CORE_FILE and line > 1 for path, line in found.at_import)


def test_only_what_is_asked_for_runs(place: Workplace) -> None:
    assert list(run(place, "test_count", "test_until[1-expected1]").outcomes) == [
        f"{TEST_FILE}::test_count", f"{TEST_FILE}::test_until[1-expected1]",
    ]  # fmt: skip


def test_failures_tell_line_values_and_both_sides(place: Workplace) -> None:
    found = run(place, changed=CORE.replace("number < limit", "number <= limit"))
    failure = found.failures[f"{TEST_FILE}::test_until[1-expected1]"]
    assert (failure.type, failure.compared) == ("AssertionError", ("[0, 1]", "==", "[0]"))
    assert failure.values == {"limit": "1", "expected": "[0]"}
    assert TESTS.split("\n")[failure.line - 1] == "    assert until(limit) == expected"


def test_a_test_that_hangs_is_named_and_ends_the_run(place: Workplace) -> None:
    found = run(place, changed=CORE.replace("number += step", "pass"))
    assert found.stopped == f"{TEST_FILE}::test_until[1-expected1]"
    assert f"{TEST_FILE}::test_slow" not in found.outcomes


def test_a_test_that_fills_the_memory_is_named(place: Workplace) -> None:
    found = run(place, "test_until[3-expected2]", changed=CORE.replace("found = []", "found = [0] * 10**10"))
    assert found.stopped == f"{TEST_FILE}::test_until[3-expected2]"


def test_a_bug_that_cannot_be_imported(place: Workplace) -> None:
    found = run(place, changed="import nowhere\n")
    assert not found.outcomes
    assert found.errors[0][0] == TEST_FILE
    with pytest.raises(ProjectError, match="the tests of words need nowhere, which is not installed here"):
        refuse_red(found, "words")


def test_a_red_suite_says_which_tests(place: Workplace) -> None:
    found = run(place, changed=CORE.replace("word.lower()", "x").replace("if n < 1:", "if n < 0:"))
    with pytest.raises(ProjectError) as caught:
        refuse_red(found, "words")
    assert "red before anything was changed: 1 of 10 tests fail" in str(caught.value)
    assert f"{TEST_FILE}::test_most_common_needs_a_number: Failed: DID NOT RAISE" in str(caught.value)
    refuse_red(found, "words", allow_failing=True)


def test_a_process_that_ends_itself_is_no_run(place: Workplace) -> None:
    found = run(place, changed="import os\nos._exit(0)\n")
    assert not found.finished
    assert "did not come to its end" in str(explain(found))


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("x = (\n", "tests/test_a.py of words cannot be collected:.*SyntaxError"),
        ("x = 1\n", "the suite of words cannot be used: pytest found no tests"),
        ("import not_installed_anywhere\n", "need not_installed_anywhere, which is not installed here"),
    ],
)
def test_a_suite_that_cannot_be_used(tmp_path: Path, tests: str, message: str) -> None:
    project = read_project(str(write(tmp_path / "words", {"words.py": CORE, "tests/test_a.py": tests})))
    with open_workplaces(project, BACKEND, 1) as [place]:
        found = run_suite(place, test_files(project))
    with pytest.raises(ProjectError, match=f"(?s){message}"):
        refuse_red(found, project.name)


def test_a_conftest_that_cannot_be_imported(tmp_path: Path) -> None:
    files = {"words.py": CORE, "tests/conftest.py": "raise RuntimeError('no')\n", "tests/test_a.py": TESTS}
    project = read_project(str(write(tmp_path / "words", files)))
    with open_workplaces(project, BACKEND, 1) as [place]:
        found = run_suite(place, test_files(project))
    with pytest.raises(ProjectError, match=r"(?s)pytest found no tests.*RuntimeError: no"):
        refuse_red(found, project.name)


def test_what_the_tests_need_must_be_installed(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="'no-such-thing' is not installed here: pip install no-such-thing"):
        read_project(str(full_project(tmp_path)), requires=["no-such-thing"])


def test_an_unknown_sandbox(place: Workplace) -> None:
    with pytest.raises(ValueError, match="--sandbox must be one of"), open_workplaces(place.project, "chroot", 1):
        pass
