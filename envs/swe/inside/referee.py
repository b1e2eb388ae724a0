"""Runs tests, and reports what came of them in a way that the code under test cannot forge from outside its process.

Two processes. The first (`main`) holds the secret that arrived on standard input. It writes the files, starts the
second, and signs its report with the secret. It imports nothing of the project, and makes its memory and its open files
unreadable to other processes of its user. The second (`play`) runs pytest, with the code under test in it, and sends
one line for each test through a pipe.

What is left is that code under test shares the second process with the tests. Hence canaries: see `grading`.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

_TAIL = 8192
_REPORT_LIMIT = 16 * 1024 * 1024
_CHUNK = 65536


def main(order: "dict[str, Any]") -> None:
    """Carry out the order and print one line: the signature, a space, the report as JSON.

    Args:
        order: `secret`; `root`; `files` (path -> base64, or None to remove); `tests`; `import_paths`; `env`; `timeout`
            and `test_timeout` in seconds; `program`, this very text.
    """
    secret = order.pop("secret").encode()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    _hide_process()
    try:
        _write_files(order["root"], order.pop("files"))
        report = _referee(order)
    except OSError as error:
        report = {"error": f"{error.strerror}: {error.filename}", "results": [], "ended": False}
    body = json.dumps(report)
    signature = hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
    sys.stdout.write("\n" + signature + " " + body + "\n")
    sys.stdout.flush()


def _hide_process() -> None:
    """Let no other process of this user read this one's memory or open its files."""
    import ctypes

    pr_set_dumpable = 4
    if ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0) != 0:
        raise SystemExit("the process cannot be made unreadable to others")


def _write_files(root: str, files: "dict[str, Any]") -> None:
    for path in files:
        where = os.path.join(root, path)
        if os.path.lexists(where) and not (os.path.isdir(where) and not os.path.islink(where)):
            os.remove(where)
    for path, data in files.items():
        if data is not None:
            where = os.path.join(root, path)
            if os.path.isdir(where):
                os.removedirs(where)
            os.makedirs(os.path.dirname(where), exist_ok=True)
            with open(where, "wb") as file:
                file.write(base64.b64decode(data))


def _referee(order: "dict[str, Any]") -> "dict[str, Any]":
    """Run the second process to its end, or to the end of the time."""
    deadline = time.monotonic() + order["timeout"]
    token = base64.b64encode(os.urandom(18)).decode()
    results_end, pipe = os.pipe()
    boot = (
        "import sys; sys.path[:] = [p for p in sys.path if p]; import json; _order = json.loads(sys.stdin.readline()); "
        "exec(_order['program']); play(_order)"
    )
    child = subprocess.Popen(
        [sys.executable, "-s", "-B", "-c", boot],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=order["root"],
        env=dict(order["env"]),
        pass_fds=(pipe,),
        start_new_session=True,
    )
    os.close(pipe)
    _hand_over(child, dict(order, token=token, pipe=pipe))
    lines, output, timed_out = _listen(child, results_end, deadline)
    results, ended = _read_lines(lines, token)
    return {
        "results": results,
        "ended": ended and not timed_out,
        "timed_out": timed_out,
        "output": output.decode("utf-8", "replace"),
    }


def _hand_over(child: Any, order: "dict[str, Any]") -> None:
    try:
        child.stdin.write(json.dumps(order).encode() + b"\n")
        child.stdin.close()
    except BrokenPipeError:  # it could not start: its output says why
        pass


def _listen(child: Any, results_end: int, deadline: float) -> "tuple[bytes, bytes, bool]":
    """What came through the pipe, the end of the output, and whether the time ran out."""
    received = {results_end: bytearray(), child.stdout.fileno(): bytearray()}
    selector = selectors.DefaultSelector()
    for stream in received:
        os.set_blocking(stream, False)
        selector.register(stream, selectors.EVENT_READ)
    while time.monotonic() < deadline:
        over = child.poll() is not None
        events = selector.select(0 if over else 0.05)
        for key, _ in events:
            _receive(key.fd, received[key.fd], selector, _REPORT_LIMIT if key.fd == results_end else None)
        if over and not events:
            break
    timed_out = child.poll() is None
    with contextlib.suppress(OSError):  # they have all ended
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return bytes(received[results_end]), bytes(received[child.stdout.fileno()]), timed_out


def _receive(stream: int, buffer: "bytearray", selector: "selectors.BaseSelector", limit: "int | None") -> None:
    try:
        data = os.read(stream, _CHUNK)
    except BlockingIOError:
        return
    if not data:
        selector.unregister(stream)
    buffer += data
    if limit is None:
        del buffer[:-_TAIL]
    else:
        del buffer[limit:]


def _read_lines(data: bytes, token: str) -> "tuple[list[Any], bool]":
    """The results in their order, and whether the session came to its proper end, with nothing after it."""
    results, ended, sound = [], False, True
    for line in data.decode("utf-8", "replace").splitlines():
        try:
            given, what, value = json.loads(line)
        except (ValueError, TypeError):
            given, what, value = "", "", ""
        sound = sound and given == token and not ended
        if what == "end":
            ended = True
        else:
            results.append([what, value])
    return results, ended and sound


def play(order: "dict[str, Any]") -> None:
    """Run pytest in this process and send what comes of each test."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    plugins = _installed_plugins()
    if plugins is not None:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    # After everything that is installed: a project cannot put anything in the place of pytest or the standard library.
    paths = [os.path.normpath(os.path.join(order["root"], path)) for path in order["import_paths"]]
    sys.path.extend(paths)
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    send = _sender(order["pipe"], order["token"])
    tests = order["tests"]
    files = sorted({test.split("::")[0] for test in tests})
    arguments = [os.path.join(order["root"], name) for name in files]
    options = ["-q", "--tb=line", "--continue-on-collection-errors", "-o", "cache_dir=/tmp/.pytest_cache"]
    options += ["--rootdir", order["root"]] + [word for name in plugins or () for word in ("-p", name)]
    recorder = _recorder(pytest, frozenset(tests), order["test_timeout"], send)
    sys.argv = ["pytest"]
    code = pytest.main(options + [path for path in arguments if os.path.exists(path)], plugins=[recorder])
    send("end", int(code))
    sys.stdout.flush()
    os._exit(0)


def _installed_plugins() -> "list[str] | None":
    """Names of pytest's installed plugins; None where this Python cannot list them."""
    try:
        from importlib.metadata import distributions
    except ImportError:
        return None
    found = (entry for installed in distributions() for entry in installed.entry_points)
    return sorted({entry.name for entry in found if entry.group == "pytest11"})


def _sender(pipe: int, token: str) -> Any:
    write, dumps = os.write, json.dumps

    def send(what: str, value: "str | int") -> None:
        data = dumps([token, what, value]).encode() + b"\n"
        while data:
            data = data[write(pipe, data) :]

    return send


def _recorder(pytest: Any, wanted: "frozenset[str]", seconds: float, send: Any) -> Any:
    """A plugin that runs the wanted tests only, stops those that take too long, and sends each outcome once."""

    def expire(number: int, frame: Any) -> None:
        pytest.fail(f"it took longer than {seconds} s", pytrace=False)

    class Recorder:
        def __init__(self) -> None:
            self.reports = {}  # type: dict[str, list[Any]]
            self.given_up = set()  # type: set[str]

        @pytest.hookimpl(trylast=True)  # type: ignore[untyped-decorator]
        def pytest_collection_modifyitems(self, items: "list[Any]") -> None:
            items[:] = [item for item in items if item.nodeid in wanted]

        @pytest.hookimpl(hookwrapper=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_call(self, item: Any) -> Any:
            signal.signal(signal.SIGALRM, expire)
            # Again and again: code under test may swallow what the first one raises.
            signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
            yield
            signal.setitimer(signal.ITIMER_REAL, 0)

        @pytest.hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
        def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
            if call.excinfo is not None and isinstance(call.excinfo.value, pytest.xfail.Exception):
                self.given_up.add(item.nodeid)

        def pytest_runtest_logreport(self, report: Any) -> None:
            reports = self.reports.setdefault(report.nodeid, [])
            reports.append(report)
            if report.when == "teardown":
                send(report.nodeid, _outcome(reports, report.nodeid in self.given_up))
                del self.reports[report.nodeid]

    return Recorder()


def _outcome(reports: "list[Any]", given_up: bool) -> str:
    """`passed`, `failed`, `error` (in its setup or teardown), `skipped`, or `xfailed` where its marker says so.

    A test that code stopped by `pytest.xfail()` counts as skipped: only a marker is the tests' own word.
    """
    for report in reports:
        if report.failed:
            return "failed" if report.when == "call" else "error"
    for report in reports:
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") and not given_up else "skipped"
    return "passed"
