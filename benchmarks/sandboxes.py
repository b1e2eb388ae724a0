"""Bubblewrap sandboxes: what a command, a new sandbox, a reset and a fork cost, and how many can live at once.

    python benchmarks/sandboxes.py                  # a minute or two
    python benchmarks/sandboxes.py --cycles 1000    # and a thousand sandboxes opened and closed

Times are medians in milliseconds, with the 10th percentile, which tells more on a busy machine. For scale, the same run
times a plain `bwrap` that starts `true`. `benchmarks/sandboxes_docker.py` has the same for Docker.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from turnwise.sandboxes.base import MIB, Limits, Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.pool import SandboxPool

CHANGED = "for i in {10..19}; do echo changed >>folder$i/file$i; done"
SPAWN = ("--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--die-with-parent", "true")


def timed(action: Callable[[], object], times: int, before: Callable[[], object] = lambda: None) -> list[float]:
    """Seconds that each of some calls took; `before` is not in them."""
    seconds = []
    for _ in range(times):
        before()
        begun = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begun)
    return sorted(seconds)


def row(what: str, seconds: list[float], bar: str = "", scale: float | None = None) -> float:
    """Print a line of the table; gives the median."""
    median = statistics.median(seconds)
    against = "" if scale is None else f"{scale / median:8.1f} x faster than a spawn"
    low = seconds[len(seconds) // 10]
    print(f"{what:<52}{median * 1e3:>9.3f} ms  (p10 {low * 1e3:.3f}){against}  {bar}".rstrip(), flush=True)
    return median


def spawns() -> float:
    """What each command costs without a long-lived shell."""
    bwrap = shutil.which("bwrap") or "bwrap"
    command = [bwrap, *SPAWN]
    return row("for scale: bwrap that starts `true`", timed(lambda: subprocess.run(command, check=True), 40))


def commands(spawn: float) -> None:
    """A trivial command in a live sandbox."""
    with BubblewrapSandbox(Spec()) as sandbox:
        session = timed(lambda: sandbox.run("true", session=True), 2000)
        row("run('true', session=True)", session, "bar: 0.3 ms", spawn)
        row("run('true')", timed(lambda: sandbox.run("true"), 1000), scale=spawn)
        row("run('/bin/true')", timed(lambda: sandbox.run("/bin/true"), 300), scale=spawn)
        text = "x" * 10_000
        row("run of a command of 10 kB", timed(lambda: sandbox.run(f": {text}"), 300))
        row("write a file of 1 kB", timed(lambda: sandbox.write("file", bytes(1000)), 300))
        row("read a file of 1 kB", timed(lambda: sandbox.read("file"), 300))


def lives() -> None:
    """Opening, and taking from a warm pool."""
    row("open a sandbox, run a command, close it", timed(_one_life, 50))
    with SandboxPool(Spec(), BubblewrapSandbox, size=4) as pool:

        def ready() -> None:
            while pool.ready < pool.size:
                time.sleep(0.01)

        taken: list[BubblewrapSandbox] = []

        def take() -> None:
            sandbox = pool.take()
            assert isinstance(sandbox, BubblewrapSandbox)
            sandbox.run("true")
            taken.append(sandbox)

        row("take a clean sandbox from a warm pool, run a command", timed(take, 30, ready), "bar: 10 ms")
        for sandbox in taken:
            sandbox.close()


def _one_life() -> None:
    with BubblewrapSandbox(Spec()) as sandbox:
        sandbox.run("true")


@contextmanager
def large_folder(megabytes: int) -> Iterator[Path]:
    """As many megabytes in files of 100 kB."""
    with tempfile.TemporaryDirectory() as name:
        data = os.urandom(100_000)
        for number in range(megabytes * 10):
            path = Path(name, f"folder{number % 100}", f"file{number}")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        yield Path(name)


def states() -> None:
    """Reset, fork and the rest, of 400 MB with 10 changed files. Each returns when its shell has said that it runs."""
    with large_folder(400) as folder, BubblewrapSandbox(Spec(folder=folder)) as sandbox:

        def change() -> None:
            sandbox.run(CHANGED).check()

        twins: list[BubblewrapSandbox] = []

        def fork() -> None:
            twins.append(sandbox.fork())

        row("open on 400 MB, run a command", timed(lambda: _open_on(folder), 20))
        row("reset of 400 MB, 10 files changed", timed(sandbox.restore, 50, change), "bar: 10 ms")
        row("the same, and a command", timed(lambda: (sandbox.restore(), sandbox.run("true")), 50, change))
        change()
        row("fork of 400 MB, 10 files changed", timed(fork, 50), "bar: 10 ms")
        row("the same, and a command in it", timed(lambda: (fork(), twins[-1].run("true")), 50))
        for twin in twins:
            twin.close()
        row("digest of 400 MB, 10 files changed", timed(sandbox.digest, 50, change))
        row("snapshot of 400 MB, 10 files changed", timed(sandbox.snapshot, 50))
        files = sandbox.snapshot()
        row("restore of 400 MB, 10 files changed", timed(lambda: (sandbox.restore(files), sandbox.run("true")), 50))


def _open_on(folder: Path) -> None:
    with BubblewrapSandbox(Spec(folder=folder)) as sandbox:
        sandbox.run("true")


def many(count: int) -> None:
    """So many live sandboxes: all busy at once, then all with short commands for some seconds."""
    limits = Limits(memory_bytes=128 * MIB, disk_bytes=32 * MIB, timeout=120)
    begun = time.perf_counter()
    sandboxes = [BubblewrapSandbox(Spec(limits=limits)) for _ in range(count)]
    took, cores = time.perf_counter() - begun, len(os.sched_getaffinity(0))
    print(f"\n{count} live sandboxes on {cores} cores, opened in {took:.2f} s")
    try:
        with ThreadPoolExecutor(count) as threads:
            busy = "for ((i = 0; i < 100000; i++)); do :; done; echo done"
            begun = time.perf_counter()
            answers = [*threads.map(lambda sandbox: (sandbox.run(busy), time.perf_counter() - begun), sandboxes)]
        seconds = sorted(took for _, took in answers)
        good = sum(done.ok for done, _ in answers)
        print(f"  a busy loop in each: {good} of {count} answer, after {_spread(seconds)} s")
        counts = [0] * count
        stop = threading.Event()

        def work(number: int) -> None:
            while not stop.is_set():
                sandboxes[number].run("true").check()
                counts[number] += 1

        with ThreadPoolExecutor(count) as threads:
            for number in range(count):
                threads.submit(work, number)
            time.sleep(8)
            stop.set()
        total = f"{sum(counts) / 8:.0f} commands a second in all"
        print(f"  short commands for 8 s: {total}; in each sandbox {_spread(sorted(counts))}")
    finally:
        for sandbox in sandboxes:
            sandbox.close()


def _spread(values: list[float] | list[int]) -> str:
    at = [values[0], values[len(values) // 4], values[len(values) // 2], values[3 * len(values) // 4], values[-1]]
    return "min {} / quartiles {}, {}, {} / max {}".format(*(f"{value:.2f}".removesuffix(".00") for value in at))


def cycles(count: int) -> None:
    """A sandbox opened and closed, many times over."""
    begun = time.perf_counter()
    for _ in range(count):
        BubblewrapSandbox(Spec()).close()
    took = time.perf_counter() - begun
    print(f"\n{count} sandboxes opened and closed: {took:.1f} s, {took / count * 1e3:.2f} ms each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=64, help="live sandboxes at once")
    parser.add_argument("--cycles", type=int, default=0, help="sandboxes to open and close one after the other")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load of the machine before: {load:.1f}")
    _one_life()  # starts the launcher
    spawn = spawns()
    commands(spawn)
    lives()
    states()
    many(arguments.count)
    if arguments.cycles:
        cycles(arguments.cycles)


if __name__ == "__main__":
    main()
