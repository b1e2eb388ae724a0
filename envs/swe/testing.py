"""Tests of a project, run in a sandbox: `run_tests`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnwise.envs.swe.inside import run_program
from turnwise.sandboxes import Completed, Sandbox
from turnwise.sandboxes.errors import SandboxUnavailableError

PASSED = frozenset({"passed", "xfailed"})
"""Outcomes that count as passing: a test with an `xfail` marker does what it says when it fails."""
TEST_TIMEOUT = 10.0
"""Seconds after which one test fails."""
_REPORT_BYTES = 24 * 1024 * 1024
_SPARE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TestRun:
    """What came of tests.

    Attributes:
        outcomes: Test id -> `passed`, `failed`, `error` (its setup or teardown failed), `skipped` or `xfailed`. A test
            without a result is not there.
        sound: The report is genuine, the session came to its proper end, and no test was reported twice or unasked.
        timed_out: The time was over before the session's end.
        output: The end of what pytest printed. For people who mend a project; not for an agent.
    """

    __test__ = False  # pytest is not to collect it

    outcomes: Mapping[str, str] = field(hash=False)
    sound: bool
    timed_out: bool = False
    output: str = ""

    def passed(self, test: str) -> bool:
        """Whether a test passed, in a session that is sound."""
        return self.sound and self.outcomes.get(test) in PASSED


def run_tests(
    sandbox: Sandbox,
    tests: Iterable[str],
    *,
    python: str = "python3",
    files: Mapping[str, bytes | None] | None = None,
    import_paths: Sequence[str] = (".",),
    env: Mapping[str, str] | None = None,
    timeout: float = 120.0,
    test_timeout: float = TEST_TIMEOUT,
) -> TestRun:
    """Run tests of the project in a sandbox's work folder.

    Nothing is taken for granted that the code under test could have arranged: exit codes and printed text count for
    nothing, results come from a process that the code cannot read, and each expected test must report exactly once.
    Only what is installed, then the project, is imported; a module of the project cannot take the place of an installed
    one. Bytecode is not written, and `PYTHONHASHSEED` is 0.

    Args:
        sandbox: With the project in its work folder.
        tests: Pytest node ids relative to the work folder.
        python: An interpreter with pytest: its path in the sandbox, or a name on its PATH.
        files: Changes to make first: path relative to the work folder -> contents, or None to remove it.
        import_paths: Folders to put on the import path, relative to the work folder.
        env: Variables for the tests.
        timeout: Seconds for all of them. What has not passed by then has not passed.
        test_timeout: Seconds for one of them.

    Raises:
        SandboxError: The sandbox itself failed, or has no such interpreter.
    """
    wanted = tuple(dict.fromkeys(tests))
    secret = secrets.token_hex(16)
    order = {
        "secret": secret,
        "root": sandbox.workdir,
        "files": {path: None if data is None else _text(data) for path, data in (files or {}).items()},
        "tests": wanted,
        "import_paths": list(import_paths),
        "env": {**_ENVIRONMENT, **(env or {})},
        "timeout": timeout,
        "test_timeout": test_timeout,
    }
    completed = run_program(
        sandbox,
        "referee",
        order,
        python=python,
        timeout=timeout + _SPARE_SECONDS,
        output_bytes=_REPORT_BYTES,
        by_input=True,
    )
    if completed.exit_code in (126, 127):
        raise SandboxUnavailableError(
            f"there is no Python {python!r} in the sandbox: {completed.stderr.strip()[-300:]}"
        )
    return _read_report(completed, secret, frozenset(wanted))


_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _read_report(completed: Completed, secret: str, wanted: frozenset[str]) -> TestRun:
    """The report that the secret signs; anything else that was printed is no report."""
    for line in completed.stdout.splitlines():
        signature, _, body = line.partition(" ")
        expected = hmac.new(secret.encode(), body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        if hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
            return _test_run(json.loads(body), wanted)
    last_words = (completed.stderr or completed.stdout)[-2000:]
    return TestRun({}, False, completed.timed_out, last_words)


def _test_run(report: Mapping[str, Any], wanted: frozenset[str]) -> TestRun:
    results = report["results"]
    outcomes = {str(test): str(outcome) for test, outcome in results}
    once = len(outcomes) == len(results) and outcomes.keys() <= wanted
    output = report.get("output") or report.get("error", "")
    return TestRun(outcomes, bool(report["ended"]) and once, bool(report.get("timed_out")), output)
