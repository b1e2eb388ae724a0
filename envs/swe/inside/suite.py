"""Runs a project's tests for whoever makes tasks of it: what each test came to, what it reached, how it failed.

Two processes. The first (`main`) writes the files and starts the second with a clean environment, so that the order of
sets is the same each time. The second (`play`) runs pytest and leaves its report in a file. This one trusts what it
runs; a submission is graded by `referee`.
"""

# mypy: ignore-errors

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

_TAIL = 6000
_VALUE_CHARACTERS = 400
_MESSAGE_CHARACTERS = 2000
_STOP = "a test ran into its time limit"


def main(order: "dict") -> None:
    """Carry out the order and print the report, JSON.

    Args:
        order: `root`; `files` (path -> base64), to be written first; `paths`, the test files in the order in which to
            run them; `tests`, ids, or None for all; `import_paths`; `plugins`, names for pytest's `-p`; `trace`,
            whether to tell which functions of the project each test calls; `test_timeout`, seconds; `memory_bytes`;
            `env`; `program`, this very text.

    The report: `tests` ([id, outcome, seconds, indices of `functions`] each), `functions` ([path, first line] each),
    `at_import` (indices), `failures` (id -> how it failed), `errors` ([where, text] each, of collection), `stopped`
    (the id of a test that ran into its time limit: the session ends there), `exit`, `output`.
    """
    for path, data in order.pop("files").items():
        where = os.path.join(order["root"], path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "wb") as file:
            file.write(base64.b64decode(data))
    handle, report = tempfile.mkstemp()
    os.close(handle)
    boot = "import sys, json; _order = json.loads(sys.stdin.readline()); exec(_order['program']); play(_order)"
    # Not isolated (-I), which would ignore PYTHONHASHSEED; -s and no current folder on the path, all the same.
    boot = "import sys; sys.path[:] = [p for p in sys.path if p]; " + boot
    child = subprocess.Popen(
        [sys.executable, "-s", "-B", "-c", boot],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=order["root"],
        env=_environment(order["env"]),
    )
    output, _ = child.communicate(json.dumps(dict(order, report=report)).encode() + b"\n")
    with open(report, "rb") as file:
        text = file.read()
    os.remove(report)
    found = json.loads(text.decode()) if text else {"exit": None}
    found["output"] = output[-_TAIL:].decode("utf-8", "replace")
    sys.stdout.write(json.dumps(found))


def _environment(given: "dict") -> "dict":
    """The variables that were asked for, and where this sandbox keeps temporary files."""
    temporary = os.environ.get("TMPDIR", "/tmp")
    return dict({"TMPDIR": temporary, "HOME": temporary}, **given)


def play(order: "dict") -> None:
    """Run pytest in this process and write the report."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if order["memory_bytes"]:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    paths = [os.path.normpath(os.path.join(order["root"], path)) for path in order["import_paths"]]
    # Before what is installed: the project may be installed too.
    sys.path[:0] = paths
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    options = ["-q", "--tb=short", "--maxfail=0", "--continue-on-collection-errors", "-p", "no:cacheprovider"]
    options += ["--rootdir", order["root"]] + [word for name in order["plugins"] for word in ("-p", name)]
    recorder = _recorder(pytest, order)
    sys.argv = ["pytest"]
    code = pytest.main(options + order["paths"], plugins=[recorder])
    recorder.calls.stop()
    with open(order["report"], "w") as file:
        json.dump(recorder.report(int(code)), file)
    sys.stdout.flush()
    os._exit(0)


class Calls:
    """Which functions of the project are called, by the file and the first line of their code.

    `sys.settrace` with no line events: one Python call for each call of a function, on every version of Python, and
    nothing to install. Coverage by lines would cost several times as much and say more than is asked for.
    """

    def __init__(self, root: str, wanted: bool) -> None:
        self._root = os.path.join(os.path.realpath(root), "")
        self._wanted = wanted
        self._files = {}
        self._seen = set()

    def start(self) -> None:
        """Forget what was seen, and watch."""
        self._seen.clear()
        if self._wanted:
            threading.settrace(self._called)
            sys.settrace(self._called)

    def stop(self) -> "list":
        """Watch no more; what was seen since the start."""
        if self._wanted:
            sys.settrace(None)
            threading.settrace(None)
        return sorted(self._seen)

    def _called(self, frame: object, event: str, argument: object) -> None:
        code = frame.f_code
        if code.co_name == "<module>":  # it begins on a line on which a function may begin
            return
        path = self._files.get(code.co_filename)
        if path is None:
            path = self._files[code.co_filename] = self._relative(code.co_filename)
        if path:
            self._seen.add((path, code.co_firstlineno))

    def _relative(self, name: str) -> str:
        real = os.path.realpath(name)
        return real[len(self._root) :] if real.startswith(self._root) else ""


def _recorder(pytest: object, order: "dict") -> object:
    """A plugin that runs the wanted tests and keeps what is to be reported."""
    wanted = None if order["tests"] is None else frozenset(order["tests"])

    class TookTooLong(BaseException):
        pass

    def expire(number: int, frame: object) -> None:
        raise TookTooLong(_STOP)

    class Recorder:
        def __init__(self) -> None:
            self.calls = Calls(order["root"], order["trace"])
            self.functions = {}
            self.at_import = []
            self.errors, self.tests, self.failures = [], [], {}
            self.phases, self.reached, self.compared = {}, {}, None
            self.stopped = None
            self.calls.start()

        def report(self, code: int) -> "dict":
            return {
                "exit": code,
                "errors": self.errors,
                "tests": self.tests,
                "failures": self.failures,
                "functions": list(self.functions),
                "at_import": self.at_import,
                "stopped": self.stopped,
            }

        def indices(self, seen: "list") -> "list":
            return [self.functions.setdefault(function, len(self.functions)) for function in seen]

        def pytest_collectreport(self, report: object) -> None:
            if report.failed:
                self.errors.append([report.nodeid, report.longreprtext[-_MESSAGE_CHARACTERS:]])

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, items: "list") -> None:
            self.at_import = self.indices(self.calls.stop())
            items[:] = [
                item
                for item in items
                if isinstance(item, pytest.Function) and (wanted is None or item.nodeid in wanted)
            ]

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_protocol(self, item: object) -> object:
            signal.signal(signal.SIGALRM, expire)
            # Again and again: code under test may swallow what the first one raises.
            signal.setitimer(signal.ITIMER_REAL, order["test_timeout"], 1.0)
            self.calls.start()
            try:
                yield
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                self.reached[item.nodeid] = self.indices(self.calls.stop())
                self.finish(item.nodeid)

        def finish(self, test: str) -> None:
            reports = self.phases.pop(test, [])
            seconds = sum(report.duration for report in reports)
            self.tests.append([test, _outcome(reports), round(seconds, 4), self.reached[test]])

        def pytest_runtest_logreport(self, report: object) -> None:
            self.phases.setdefault(report.nodeid, []).append(report)

        @pytest.hookimpl(tryfirst=True)
        def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
            self.compared = [_shown(left), op, _shown(right)]

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(self, item: object, call: object) -> object:
            outcome = yield
            if call.excinfo is None:
                return
            if isinstance(call.excinfo.value, (TookTooLong, MemoryError)):
                self.stopped = item.nodeid
                item.session.shouldstop = _STOP
            if outcome.get_result().failed and item.nodeid not in self.failures:
                self.failures[item.nodeid] = _failure(item, call.excinfo, self.compared)
                self.compared = None

    return Recorder()


def _outcome(reports: "list") -> str:
    """`passed`, `failed`, `error` (in its setup or teardown), `skipped`, or `xfailed`."""
    for report in reports:
        if report.failed:
            return "failed" if report.when == "call" else "error"
    for report in reports:
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    return "passed" if reports else "error"


def _failure(item: object, info: object, compared: "list | None") -> "dict":
    """How a test failed.

    `type` and `message` of the exception; `line`, the line of the test at which it came up, or 0; `values`, the text of
    those local variables there that can be written as literals; `compared`, both sides and the operator of a failed
    comparison.
    """
    import inspect

    function = inspect.unwrap(getattr(item.obj, "__func__", item.obj))
    code = getattr(function, "__code__", None)
    line, values, trace = 0, {}, info.value.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code is code:
            line = trace.tb_lineno
            values = {
                name: repr(value)
                for name, value in frame.f_locals.items()
                if name.isidentifier() and _is_literal(value) and len(repr(value)) <= _VALUE_CHARACTERS
            }
        elif "unittest" in frame.f_code.co_filename and "first" in frame.f_locals and "second" in frame.f_locals:
            compared = compared or [_shown(frame.f_locals["first"]), "==", _shown(frame.f_locals["second"])]
        trace = trace.tb_next
    return {
        "type": type(info.value).__name__,
        "message": _text(info.value)[:_MESSAGE_CHARACTERS],
        "line": line,
        "values": values,
        "compared": compared,
    }


def _is_literal(value: object, depth: int = 4) -> bool:
    """Whether `repr` of a value is a Python expression that gives it back."""
    if type(value) in (int, float, str, bytes, bool, type(None), complex, range):
        return value == value and "inf" not in repr(value)
    if depth and type(value) in (list, tuple, set, frozenset):
        return len(value) < 100 and all(_is_literal(part, depth - 1) for part in value)
    if depth and type(value) is dict:
        return len(value) < 100 and all(_is_literal(part, depth - 1) for pair in value.items() for part in pair)
    return False


def _shown(value: object) -> str:
    try:
        return repr(value)[:_VALUE_CHARACTERS]
    except Exception as error:  # a broken __repr__ may raise anything
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _text(error: object) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ may raise anything
        return ""
