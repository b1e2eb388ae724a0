"""When a Docker sandbox ends: closed, dropped, forked, its parent killed, its daemon restarted."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from components import skip_without
from docker_here import container_id, eventually, need_docker, own_containers, python

from turnwise.sandboxes import docker_daemon, images, reaper
from turnwise.sandboxes.base import Completed, Limits, Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
from turnwise.sandboxes.errors import SandboxClosedError, SandboxLostError, SandboxUnavailableError

OPEN = """
import sys
from turnwise.sandboxes import reaper
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
sandboxes = [DockerSandbox(Spec()) for _ in range(2)]
print(reaper.owner(), flush=True)
"""
RUN_FOR_EVER = OPEN + "sandboxes[0].run('trap \"\" TERM; sleep 1000', timeout=2000)\n"
REAP = "from turnwise.sandboxes import docker_daemon\ndocker_daemon.reap_once()\n"


def open_files() -> set[str]:
    """Number and target of each file descriptor, but for the one with which they are listed."""
    links = [Path("/proc/self/fd") / fd for fd in os.listdir("/proc/self/fd")]
    return {f"{link.name}: {os.readlink(link)}" for link in links if os.path.lexists(link)}


@pytest.mark.parametrize("running", [False, True])
def test_nothing_is_left_of_a_killed_parent_after_the_next_start(running: bool) -> None:
    api = need_docker()
    with python(RUN_FOR_EVER if running else OPEN + "input()") as parent:
        assert parent.stdout is not None
        label = parent.stdout.readline().strip()
        assert len(own_containers(api, label)) == 2
        time.sleep(0.3 if running else 0)
        parent.kill()
    with python(REAP) as following:
        assert following.wait(60) == 0
    assert eventually(lambda: own_containers(api, label) == [])


def test_running_command_of_a_killed_parent_waits_for_the_reaper() -> None:
    """Otherwise the test above would show nothing about the reaper."""
    api = need_docker()
    with python(RUN_FOR_EVER) as parent:
        assert parent.stdout is not None
        label = parent.stdout.readline().strip()
        time.sleep(0.5)
        parent.kill()
    time.sleep(1)
    left = own_containers(api, label)
    assert len(left) == 1
    assert reaper.is_orphan(label)
    assert reaper.reap(api) >= 1
    assert eventually(lambda: own_containers(api, label) == [])


BUSY = "import threading\nthreading.Thread(target=sandboxes[0].run, args=('sleep 1000', 2000), daemon=True).start()"


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "raise RuntimeError", BUSY])
def test_end_of_the_process_closes_what_is_open(end: str) -> None:
    api = need_docker()
    done = subprocess.run(["python3", "-c", OPEN + end], stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    assert eventually(lambda: own_containers(api, done.stdout.strip()) == [])


def test_processes_do_not_reap_each_others() -> None:
    api = need_docker()
    with python(OPEN + "input()\nprint(sandboxes[1].run('echo alive').stdout)") as other:
        assert other.stdout is not None
        label = other.stdout.readline().strip()
        for reaping in [python(REAP) for _ in range(3)]:
            assert reaping.wait(60) == 0
        assert len(own_containers(api, label)) == 2
        answer, _ = other.communicate("\n", timeout=60)
        assert answer.strip() == "alive"
    assert eventually(lambda: own_containers(api, label) == [])


def test_dropped_sandbox_ends_by_itself() -> None:
    api = need_docker()
    before = set(own_containers(api))
    sandbox = DockerSandbox(Spec())
    sandbox.run("true")
    del sandbox
    gc.collect()
    assert eventually(lambda: set(own_containers(api)) == before)


def test_fork_of_the_process_leaves_the_sandbox_to_the_parent() -> None:
    need_docker()
    with DockerSandbox(Spec()) as sandbox:
        sandbox.write("a", b"a")
        child = os.fork()
        if child == 0:  # pragma: no cover
            code = 1
            try:
                sandbox.run("echo stolen")
            except SandboxClosedError:
                sandbox.close()
                with DockerSandbox(Spec()) as own:
                    code = 0 if own.run("echo mine").stdout == "mine\n" else 2
            finally:
                gc.collect()
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sandbox.run("cat a").stdout == "a"


def test_threads_share_a_sandbox_one_at_a_time() -> None:
    need_docker()
    with DockerSandbox(Spec()) as sandbox, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: sandbox.run(f"echo {number}").stdout, range(100)))
    assert answers == [f"{number}\n" for number in range(100)]


def test_container_of_the_sandbox_is_named_while_it_lives() -> None:
    need_docker()
    sandbox = DockerSandbox(Spec())
    first = container_id(sandbox)
    sandbox.restore()
    assert container_id(sandbox) == first, "the files are replaced in place"
    sandbox.close()
    assert sandbox.container is None


def test_many_cycles_leak_nothing() -> None:
    """A hundred here, four at a time; `benchmarks/sandboxes_docker.py --cycles 1000` does a thousand."""
    api = need_docker()

    def cycle(number: int) -> bool:
        with DockerSandbox(Spec()) as sandbox:
            return sandbox.run(f"echo {number}").stdout == f"{number}\n"

    def cycles(number: int) -> tuple[int, int]:
        """How many files and threads are open after so many."""
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(cycle, range(number)))
        assert eventually(lambda: own_containers(api) == [])
        # docker-py keeps connections, how many depends on who called at the same time: those are no leak.
        api.close()
        docker_daemon.client().close()
        gc.collect()
        return len(open_files()), threading.active_count()

    files, threads = cycles(30)
    more_files, more_threads = cycles(70)
    assert more_files <= files
    assert more_threads == threads


class Daemon:
    """A daemon of our own, which may be stopped: its data, its socket and its containerd are its own too."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix://{folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._folder = folder
        below = {"root": folder / "kept", "state": folder / "run", "address": folder / "containerd.sock"}
        self._containerd = self._spawn("containerd", options={**below, "config": "/dev/null"})

    def start(self) -> None:
        options = {
            "data-root": self._folder / "data", "exec-root": self._folder / "exec", "pidfile": self._folder / "pid",
            "host": self.address, "containerd": self._folder / "containerd.sock", "bridge": "none",
            "iptables": "false", "ip6tables": "false",
        }  # fmt: skip
        # In a network of its own: a daemon without a bridge removes the bridge of the daemon beside it.
        self.process = self._spawn("unshare", "--net", "dockerd", options=options)
        assert eventually(self._answers, 60), (self._folder / "log").read_text()[-2000:]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        if self.process is None:
            self.start()  # a daemon that was killed has left containers, which the next one ends
        self.stop()
        self._containerd.terminate()
        self._containerd.wait(60)
        mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for path in sorted((path for path in mounted if path.startswith(f"{self._folder}/")), reverse=True):
            subprocess.run(["umount", path], check=True)  # dockerd leaves its data folder mounted on itself
        shutil.rmtree(self._folder)

    def _spawn(self, *program: str, options: dict[str, object]) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            command = [*program, *(f"--{name}={value}" for name, value in options.items())]
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _answers(self) -> bool:
        docker_daemon.forget()
        try:
            docker_daemon.client()
        except SandboxUnavailableError:
            return False
        return True


@pytest.fixture(scope="module")
def own_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    api = need_docker()
    able = all(map(shutil.which, ("dockerd", "containerd", "unshare"))) and os.geteuid() == 0
    skip_without("docker", None if able else "a second daemon needs dockerd, containerd, unshare and root")
    image = b"".join(api.get_image(images.default_image()))
    with pytest.MonkeyPatch.context() as patch:
        found = Daemon(tmp_path_factory.mktemp("docker"))
        patch.setenv("DOCKER_HOST", found.address)
        try:
            found.start()
            docker_daemon.client().load_image(image)
            yield found
        finally:
            found.remove()
    docker_daemon.forget()


@pytest.fixture
def daemon(own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("DOCKER_HOST", own_daemon.address)
    if own_daemon.process is None:
        own_daemon.start()
    docker_daemon.forget()
    yield own_daemon
    monkeypatch.undo()
    docker_daemon.forget()


def run_and_lose(sandbox: DockerSandbox, trouble: object) -> float:
    """Seconds until a running command's sandbox counts as lost, after the trouble begins."""
    begun = 0.0
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(sandbox.run("echo begun; sleep 1000", timeout=2000))
        except SandboxLostError as error:
            outcome.append(error)

    running = threading.Thread(target=run)
    running.start()
    time.sleep(0.5)
    begun = time.monotonic()
    trouble()  # type: ignore[operator]
    running.join(60)
    assert outcome and not isinstance(outcome[0], Completed), outcome
    return time.monotonic() - begun


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_daemon_restarted_in_the_middle(daemon: Daemon, how: signal.Signals) -> None:
    busy, idle = DockerSandbox(Spec()), DockerSandbox(Spec())
    run_and_lose(busy, lambda: daemon.stop(how))
    for sandbox in (busy, idle):
        with pytest.raises(SandboxLostError):
            sandbox.run("echo still here")
    with pytest.raises(SandboxUnavailableError, match="start one with"):
        DockerSandbox(Spec())
    daemon.start()
    with DockerSandbox(Spec(limits=Limits(timeout=10))) as fresh:
        assert fresh.run("echo back").stdout == "back\n"
    for sandbox in (busy, idle):
        with pytest.raises(SandboxLostError):
            sandbox.digest()
        sandbox.close()
    assert eventually(lambda: own_containers(docker_daemon.client()) == [], 120)


def test_daemon_that_hangs_is_not_waited_for_without_end(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_daemon, "_CALL_SECONDS", 2.0)
    docker_daemon.forget()
    sandbox = DockerSandbox(Spec())
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(SandboxLostError, match="does not answer"):
            sandbox.run("sleep 1000", timeout=0.5)
        assert time.monotonic() - begun < 30
        with pytest.raises(SandboxUnavailableError):
            DockerSandbox(Spec())
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    sandbox.close()
