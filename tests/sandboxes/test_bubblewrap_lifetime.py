"""When bubblewrap sandboxes end: closed, dropped, forked, with their launcher, with the process that opened them."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bubblewrap_here import (
    alive,
    children,
    eventually,
    groups,
    launcher_process,
    need_bubblewrap,
    output,
    process_1,
    python,
)

from turnwise.sandboxes import preparation
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.errors import SandboxClosedError, SandboxError, SandboxLostError
from turnwise.sandboxes.launcher_main import SPARES

CYCLES = 1000


@pytest.fixture(autouse=True)
def _bubblewrap() -> None:
    need_bubblewrap()


def open_files() -> list[str]:
    """What the descriptors of this process are, without those that looking opens."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(entry).partition(":")[0])
    return sorted(found)


def own_mounts(process: int) -> list[str]:
    """Mounts that a process sees where sandboxes make theirs: other tests may mount elsewhere meanwhile."""
    points = [line.split()[4] for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()]
    return [point for point in points if point == preparation.STAGE or point.startswith(preparation.BOX)]


def settled() -> bool:
    """Only the launcher's spares are left."""
    return len(children(launcher_process())) <= SPARES and len(groups(launcher_process())) <= 3 * SPARES


@pytest.mark.timeout(300)
def test_a_thousand_cycles_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    spec = Spec(folder=tmp_path / "folder")
    with BubblewrapSandbox(spec) as sandbox:
        sandbox.run("true")
    gc.collect()
    assert eventually(settled)
    processes = os.getpid(), launcher_process()
    before = open_files(), [own_mounts(process) for process in processes], len(children(os.getpid()))
    for cycle in range(CYCLES):
        sandbox = BubblewrapSandbox(spec)
        if cycle % 50 == 0:
            sandbox.run("echo y >new; sleep 60 & setsid sleep 60 &")
        if cycle % 250 == 0:
            sandbox.fork().close()
            sandbox.restore()
        sandbox.close()
    gc.collect()
    assert eventually(settled), (children(launcher_process()), groups(launcher_process()))
    assert (open_files(), [own_mounts(process) for process in processes], len(children(os.getpid()))) == before
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_dropped_sandbox_ends() -> None:
    sandbox = BubblewrapSandbox(Spec())
    process = process_1(sandbox)
    del sandbox
    gc.collect()
    assert eventually(lambda: not alive(process))


def test_a_failed_start_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bash").write_text("no program")
    gc.collect()
    before = open_files()
    with pytest.raises(SandboxError, match=r"bwrap.*bash"):
        BubblewrapSandbox(Spec(image=str(tmp_path)))
    gc.collect()
    assert eventually(settled)
    assert open_files() == before


HOST = """
import sys, threading, time
from turnwise.sandboxes import preparation
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.launcher import launcher
sandboxes = [BubblewrapSandbox(Spec()) for _ in range(3)]
stubborn = "trap '' TERM; setsid sleep 600 & sleep 600"
threading.Thread(target=sandboxes[0].run, args=(stubborn, 900), daemon=True).start()
time.sleep(0.3)
print(launcher().pid, *(sandbox.process for sandbox in sandboxes), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("ordinary", [False, True])
@pytest.mark.parametrize("end", ["KILL", "TERM", "input"])
def test_nothing_is_left_of_a_process_that_ends(end: str, ordinary: bool) -> None:
    host = python(HOST, ordinary=ordinary)
    assert host.stdout is not None
    processes = [int(word) for word in host.stdout.readline().split()]
    assert len(processes) == 4 and all(alive(process) for process in processes)
    if end == "input":
        host.communicate("", timeout=60)
    else:
        host.send_signal(getattr(signal, f"SIG{end}"))
        host.communicate(timeout=60)
    assert eventually(lambda: not any(alive(process) for process in processes)), processes
    assert groups(processes[0]) == []


def test_killed_launchers_are_cleaned_up_after_by_the_next() -> None:
    host = python(HOST)
    assert host.stdout is not None
    launcher_number, *processes = (int(word) for word in host.stdout.readline().split())
    os.kill(launcher_number, signal.SIGKILL)
    assert eventually(lambda: not any(alive(process) for process in processes)), "sandboxes end with their launcher"
    host.kill()
    host.communicate(timeout=60)
    output(python("from turnwise.sandboxes.bubblewrap import *; BubblewrapSandbox(Spec()).close()"))
    assert groups(launcher_number) == []


def test_a_killed_launcher_is_a_lost_sandbox_and_is_replaced() -> None:
    sandbox = BubblewrapSandbox(Spec())
    old, process = launcher_process(), process_1(sandbox)
    os.kill(old, signal.SIGKILL)
    assert eventually(lambda: not alive(process))
    with pytest.raises(SandboxLostError):
        sandbox.run("echo x", 30)
    sandbox.close()
    with BubblewrapSandbox(Spec()) as other:
        assert other.run("echo y").stdout == "y\n"
        assert launcher_process() != old


def test_many_threads_open_and_use_sandboxes() -> None:
    def use(number: int) -> str:
        with BubblewrapSandbox(Spec()) as sandbox:
            sandbox.write("file", str(number).encode())
            with sandbox.fork() as twin:
                return twin.run("cat file").stdout

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(use, range(64))) == [str(number) for number in range(64)]


def test_a_thread_that_opened_a_sandbox_may_end() -> None:
    opened: list[BubblewrapSandbox] = []
    thread = threading.Thread(target=lambda: opened.append(BubblewrapSandbox(Spec())))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert opened[0].run("echo alive").stdout == "alive\n"
    opened[0].close()


def test_closing_does_not_wait_for_a_command() -> None:
    sandbox = BubblewrapSandbox(Spec())
    told: list[BaseException] = []

    def run() -> None:
        try:
            sandbox.run("sleep 600", 900)
        except SandboxLostError as error:
            told.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    sandbox.close()
    thread.join(30)
    assert len(told) == 1


FORKS = """
import os, sys
from turnwise.sandboxes import preparation
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.errors import SandboxClosedError
from turnwise.sandboxes.launcher import launcher
parents = BubblewrapSandbox(Spec())
parents.write("file", b"parent's")
first = launcher().pid
child = os.fork()
if child == 0:
    try:
        try:
            parents.run("rm file")
            os._exit(1)
        except SandboxClosedError as error:
            assert "fork" in str(error), error
        parents.close()
        with BubblewrapSandbox(Spec()) as own:
            assert own.run("cat file; echo own").stdout == "own\\n"
            assert launcher().pid != first
        os._exit(0)
    finally:
        os._exit(2)
assert os.waitpid(child, 0)[1] == 0
assert parents.run("cat file").stdout == "parent's"
assert launcher().pid == first
# A forked child that lives on must not keep the parent's sandboxes alive.
lasting = os.fork()
if lasting == 0:
    os.close(1)
    sys.stdin.read()
    os._exit(0)
print(parents.process, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_forked_child_has_a_launcher_of_its_own() -> None:
    host = python(FORKS)
    assert host.stdout is not None
    line = host.stdout.readline()
    assert line, host.communicate(timeout=60)[1]
    process = int(line)
    assert eventually(lambda: not alive(process)), "the sandbox outlives its parent, in whose child it was inherited"
    host.communicate("", timeout=60)


def _in_worker(number: int) -> str:
    with BubblewrapSandbox(Spec()) as sandbox:
        return sandbox.run(f"echo {number}").stdout


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_of_a_pool_open_their_own(method: str) -> None:
    if method == "fork" and threading.active_count() > 1 and sys.version_info >= (3, 12):
        pytest.skip("Python warns of forks of a process with threads")
    with BubblewrapSandbox(Spec()), multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_in_worker, range(4)) == [f"{number}\n" for number in range(4)]


def test_a_closed_sandbox_has_no_process() -> None:
    with BubblewrapSandbox(Spec()) as sandbox:
        assert alive(process_1(sandbox))
    assert sandbox.process is None
    with pytest.raises(SandboxClosedError):
        sandbox.run("true")


@pytest.fixture
def _standard_streams_closed() -> Iterator[None]:
    saved = [os.dup(number) for number in range(3)]
    for number in range(3):
        os.close(number)
    yield
    for number, copy in enumerate(saved):
        os.dup2(copy, number)
        os.close(copy)


def test_a_host_without_standard_streams_can_open_one(_standard_streams_closed: None) -> None:
    with BubblewrapSandbox(Spec()) as sandbox:
        assert sandbox.run("cat; echo x; echo y >&2").stdout == "x\n"
