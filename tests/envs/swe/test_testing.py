"""Tests in a sandbox: what counts as passing, and what a report must be to be believed."""

from __future__ import annotations

import ast
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from swe_tasks import SUMS

from turnwise.envs.swe import inside
from turnwise.envs.swe.task_lists import SetTasks
from turnwise.envs.swe.testing import TestRun, run_tests
from turnwise.envs.swe.workshop import Workshop
from turnwise.sandboxes import Completed, FakeSandbox, Sandbox, SandboxUnavailableError, Spec
from turnwise.sandboxes.process import ProcessSandbox

KINDS = b"""
import sys, time, unittest
import pytest
import helped


def test_passes():
    assert helped.one() == 1

def test_fails():
    assert helped.one() == 2

@pytest.fixture
def broken():
    raise ValueError

def test_error(broken):
    pass

@pytest.fixture
def breaks_later():
    yield
    raise ValueError

def test_error_later(breaks_later):
    pass

@pytest.mark.skip
def test_skipped():
    pass

def test_skips():
    pytest.skip("no")

@pytest.mark.xfail
def test_expected_to_fail():
    assert 0

def test_says_it_expected_to_fail():
    pytest.xfail("no")

def test_takes_too_long():
    try:
        time.sleep(60)
    except Exception:
        pass

@pytest.mark.parametrize("x", ["a::b", "\\u00e9", "[1]"])
def test_parameters(x):
    assert x

def test_prints():
    print("x" * 100_000)
    sys.__stdout__.write("\\nnot a report\\n")

class Case(unittest.TestCase):
    def test_subtests(self):
        for x in (1, 2):
            with self.subTest(x=x):
                self.assertEqual(x, 1)

def test_unasked():
    raise SystemExit
"""
OUTCOMES = {
    "test_passes": "passed", "test_fails": "failed", "test_error": "error", "test_error_later": "error",
    "test_skipped": "skipped", "test_skips": "skipped", "test_expected_to_fail": "xfailed",
    "test_says_it_expected_to_fail": "skipped", "test_takes_too_long": "failed", "test_parameters[a::b]": "passed",
    "test_parameters[\\xe9]": "passed", "test_parameters[[1]]": "passed", "test_prints": "passed",
    "Case::test_subtests": "failed",
}  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A process of this machine: what is tested here is not the isolation."""
    with ProcessSandbox(Spec()) as sandbox:
        yield sandbox


def test_every_kind_of_outcome(sandbox: Sandbox) -> None:
    tests = [f"tests/test_kinds.py::{name}" for name in (*OUTCOMES, "test_missing")]
    files = {"tests/test_kinds.py": KINDS, "src/helped.py": b"def one():\n    return 1\n"}
    run = run_tests(sandbox, tests, python=sys.executable, files=files, import_paths=("src",), test_timeout=0.5)
    assert run.sound and not run.timed_out
    assert run.outcomes == {f"tests/test_kinds.py::{name}": outcome for name, outcome in OUTCOMES.items()}
    passed = {test for test in tests if run.passed(test)}
    assert passed == {test for test, outcome in run.outcomes.items() if outcome in ("passed", "xfailed")}


def test_a_file_that_cannot_be_imported_does_not_hinder_the_others(sandbox: Sandbox) -> None:
    files = {"test_a.py": b"import nothing_of_this_name\n", "test_b.py": b"def test_b():\n    pass\n"}
    run = run_tests(
        sandbox, ["test_a.py::test_a", "test_b.py::test_b", "gone.py::test_c"], python=sys.executable, files=files
    )
    assert (run.sound, run.outcomes) == (True, {"test_b.py::test_b": "passed"})


def test_what_does_not_end_is_ended(sandbox: Sandbox) -> None:
    files = {"test_a.py": b"import time\ndef test_a():\n    while 1:\n        try:\n            time.sleep(9)\n"
                          b"        except BaseException:\n            pass\n"}  # fmt: skip
    run = run_tests(sandbox, ["test_a.py::test_a"], python=sys.executable, files=files, timeout=3.0)
    assert (run.sound, run.timed_out, run.passed("test_a.py::test_a")) == (False, True, False)


def test_files_take_the_place_of_whatever_is_there(sandbox: Sandbox) -> None:
    sandbox.run("mkdir -p a/b c; touch a/b/x; ln -s /etc c/link; touch d").check()
    files = {"a/b/x": None, "a/b": b"1", "c/link": b"2", "d": None, "d/e": b"3", "gone": None}
    run_tests(sandbox, [], python=sys.executable, files=files)
    assert [sandbox.read(path) for path in ("a/b", "c/link", "d/e")] == [b"1", b"2", b"3"]


def test_files_that_cannot_be_written_make_a_run_unsound(sandbox: Sandbox) -> None:
    sandbox.run("mkdir -p a; touch a/x").check()
    run = run_tests(sandbox, ["t.py::t"], python=sys.executable, files={"a": b"1"})
    assert not run.sound
    assert run.output.startswith("Directory not empty")


def test_a_sandbox_without_the_interpreter_is_no_failed_test(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxUnavailableError, match=r"there is no Python '/no/python' in the sandbox"):
        run_tests(sandbox, ["t.py::t"], python="/no/python")


def _report(results: list[Any], ended: bool = True) -> str:
    return json.dumps({"results": results, "ended": ended, "timed_out": False, "output": ""})


def _signed(body: str, secret: str) -> str:
    return f"{hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()} {body}"


GOOD = _report([["t.py::t", "passed"]])


@pytest.mark.parametrize(
    ("prints", "sound"),
    [
        (lambda secret: _signed(GOOD, secret), True),
        (lambda secret: f"noise\n{_signed(GOOD, 'guess')}\n{_signed(GOOD, secret)}\nnoise", True),
        (lambda secret: _signed(GOOD, "guess"), False),
        (lambda secret: GOOD, False),
        (lambda secret: "", False),
        (lambda secret: _signed(_report([["t.py::t", "passed"]], ended=False), secret), False),
        (lambda secret: _signed(_report([["t.py::t", "failed"], ["t.py::t", "passed"]]), secret), False),
        (lambda secret: _signed(_report([["t.py::t", "passed"], ["t.py::other", "passed"]]), secret), False),
    ],
)  # fmt: skip
def test_only_a_signed_and_whole_report_is_believed(prints: Callable[[str], str], sound: bool) -> None:
    def reply(sandbox: FakeSandbox, command: str, stdin: bytes) -> Completed:
        return Completed(0, prints(json.loads(stdin)["secret"]))

    run = run_tests(FakeSandbox(commands={".*": reply}), ["t.py::t"])
    assert (run.sound, run.passed("t.py::t")) == (sound, sound)


def test_the_secret_is_in_no_argument() -> None:
    seen: list[str] = []

    def reply(sandbox: FakeSandbox, command: str, stdin: bytes) -> str:
        seen.append(json.loads(stdin)["secret"])
        assert seen[-1] not in command
        return ""

    for _ in range(2):
        run_tests(FakeSandbox(commands={".*": reply}), ["t.py::t"])
    assert len(set(seen)) == 2


def test_a_run_of_no_tests() -> None:
    assert not TestRun({}, True).passed("t")


@pytest.mark.parametrize("program", sorted(Path(inside.__file__).parent.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_programs_that_run_inside_know_only_old_python(program: Path) -> None:
    """An image may bring Python 3.6."""
    tree = ast.parse(program.read_text(encoding="utf-8"), feature_version=(3, 6))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert not imported & {"turnwise", "numpy", "__future__"}


def test_a_workshop_opens_what_can_run_tests(backend: str) -> None:
    task, workshop = SetTasks(SUMS).assignment("sums-add"), Workshop(backend)
    with workshop.open(task, workshop) as sandbox:
        found = sandbox.run(f"{workshop.python(task)} -I -c 'import sys, pytest; print(sys.version_info >= (3, 6))'")
        assert found.check().stdout == "True\n"
        shown = sandbox.run("python -c 'import sums; print(sums.__file__)'", env={"PYTHONPATH": sandbox.workdir})
        assert shown.check().stdout == f"{sandbox.workdir}/sums/__init__.py\n"
        assert not sandbox.run("cd /; python -c 'import sums'").ok
        assert not sandbox.run("cd /; python -c 'import numpy'").ok
