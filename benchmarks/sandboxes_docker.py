"""Docker sandboxes: what a command, a new sandbox, a fork and a digest cost, and how many can live at once.

    python benchmarks/sandboxes_docker.py                  # a minute or two
    python benchmarks/sandboxes_docker.py --cycles 1000    # and a thousand sandboxes opened and closed

Times are medians in milliseconds, and ratios are of medians within one run.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from turnwise.sandboxes import docker_daemon, reaper
from turnwise.sandboxes.base import MIB, Limits, Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
from turnwise.sandboxes.pool import SandboxPool


def median(action: Callable[[], object], times: int) -> float:
    """Milliseconds."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds) * 1e3


def row(what: str, milliseconds: float, more: str = "") -> None:
    print(f"{what:<58} {milliseconds:>10.3f} ms  {more}", flush=True)


def commands() -> None:
    """A trivial command by `exec_run`, and in the sandbox's own shell; in turns, so that noise falls on all alike."""
    import docker

    with DockerSandbox(Spec()) as sandbox:
        container = docker.from_env().containers.get(sandbox.container)
        by_exec, fresh, session = [], [], []
        for _ in range(10):
            by_exec.append(median(lambda: container.exec_run(["true"]), 2))
            fresh.append(median(lambda: sandbox.run("true"), 50))
            session.append(median(lambda: sandbox.run("true", session=True), 50))
        base = statistics.median(by_exec)
        row("docker-py exec_run(true)", base)
        for name, times in (("run('true')", fresh), ("run('true', session=True)", session)):
            row(name, statistics.median(times), f"{base / statistics.median(times):.0f} x faster than exec_run")


def lives() -> None:
    """Opening, closing, taking from a pool, forking."""
    row("open and close a sandbox", median(lambda: DockerSandbox(Spec()).close(), 10))
    with SandboxPool(Spec(), DockerSandbox, size=4) as pool:
        takes, commands_after, forks = [], [], []
        for _ in range(8):
            while pool.ready < pool.size:
                time.sleep(0.05)
            time.sleep(0.2)
            begun = time.perf_counter()
            sandbox = pool.take()
            taken = time.perf_counter()
            sandbox.run("true")
            takes.append(taken - begun)
            commands_after.append(time.perf_counter() - begun)
            sandbox.write("file", b"x")
            begun = time.perf_counter()
            twin = pool.fork(sandbox)
            forks.append(time.perf_counter() - begun)
            twin.close()
            sandbox.close()
        row("take a clean sandbox from a warm pool", statistics.median(takes) * 1e3)
        row("take one and run a command in it", statistics.median(commands_after) * 1e3)
        row("fork by way of a warm pool", statistics.median(forks) * 1e3)


def files() -> None:
    """A project of 300 files and 3 MB in the work folder."""
    with tempfile.TemporaryDirectory() as folder:
        rng = random.Random(0)
        for number in range(300):
            path = Path(folder, f"package{number % 10}", f"module{number}.py")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(rng.randbytes(10_000))
        with DockerSandbox(Spec(folder=Path(folder))) as sandbox:
            sandbox.run("sleep 2")
            sandbox.digest()

            def change_and_digest() -> None:
                sandbox.write("package1/module1.py", rng.randbytes(1000))
                sandbox.digest()

            small = rng.randbytes(1000)
            row("write a new file of 1 kB", median(lambda: sandbox.write(f"new{rng.random()}", small), 50))
            row("write it again", median(lambda: sandbox.write("package1/module1.py", small), 50))
            row("read it", median(lambda: sandbox.read("package1/module1.py"), 50))
            row("change a file of 300 and digest all", median(change_and_digest, 30))
            row("snapshot of 3 MB", median(sandbox.snapshot, 10))
            snapshot = sandbox.snapshot()
            row("restore of 3 MB", median(lambda: sandbox.restore(snapshot), 10))


def many(count: int) -> None:
    """So many live sandboxes, each with a busy command: all must answer, and none starve."""
    limits = Limits(memory_bytes=128 * MIB, disk_bytes=16 * MIB, timeout=120)
    begun = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        sandboxes = list(threads.map(lambda _: DockerSandbox(Spec(limits=limits)), range(count)))
    row(f"open {count} sandboxes, four at a time", (time.perf_counter() - begun) * 1e3)
    work = "python3 -c 'print(sum(i * i for i in range(300_000)))'"
    try:
        with ThreadPoolExecutor(count) as threads:
            begun = time.perf_counter()
            results = list(threads.map(lambda sandbox: sandbox.run(work), sandboxes))
            took = time.perf_counter() - begun
        answered = sum(result.ok for result in results)
        seconds = sorted(result.seconds for result in results)
        row(f"{answered} of {count} answered; all done after", took * 1e3, f"on {os.cpu_count()} cores")
        row("the first and the last of them took", seconds[0] * 1e3, f"and {seconds[-1] * 1e3:.0f} ms")
        row(f"then a trivial command in each of {count}", median(lambda: [s.run("true") for s in sandboxes], 5) / count)
    finally:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda sandbox: sandbox.close(), sandboxes))


def cycles(count: int) -> None:
    """Open and close so many, four at a time; what is left of them."""

    def cycle(_: int) -> bool:
        with DockerSandbox(Spec()) as sandbox:
            return sandbox.run("echo x").stdout == "x\n"

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(cycle, range(40)))
        before = len(os.listdir("/proc/self/fd"))
        begun = time.perf_counter()
        assert all(threads.map(cycle, range(count)))
        took = time.perf_counter() - begun
    api = docker_daemon.client()
    time.sleep(5)
    left = len(api.containers(all=True, filters={"label": f"{reaper.OWNER}={reaper.owner()}"}))
    more = len(os.listdir("/proc/self/fd")) - before
    row(f"each of {count} cycles", took / count * 1e3, f"left: {left} containers, {more} file descriptors")


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live", type=int, default=64, help="how many sandboxes are to live at once")
    parser.add_argument("--cycles", type=int, default=100, help="how many are to be opened and closed")
    arguments = parser.parse_args()
    commands()
    lives()
    files()
    many(arguments.live)
    cycles(arguments.cycles)


if __name__ == "__main__":
    main()
