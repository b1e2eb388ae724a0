"""Bubblewrap on this machine, for tests that need it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from components import skip_without

from turnwise.sandboxes import bubblewrap
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.launcher import launcher

ORDINARY_USER = 4321


def need_bubblewrap() -> None:
    """Skip the test where no bubblewrap sandbox can be made."""
    skip_without("bubblewrap", bubblewrap.unavailable(Spec()))


def process_1(sandbox: BubblewrapSandbox) -> int:
    assert sandbox.process is not None
    return sandbox.process


def launcher_process() -> int:
    """The number of this process's launcher."""
    return launcher().pid


def alive(process: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def children(process: int) -> list[int]:
    """Live processes whose parent is this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == process and alive(int(folder.name)):
            found.append(int(folder.name))
    return found


def groups(launcher_number: int) -> list[str]:
    """Control groups that a launcher has made."""
    tops = {line.split()[4] for line in _lines("/proc/self/mountinfo") if " - cgroup" in line}
    return [
        str(folder) for top in tops for folder in _folders(Path(top)) if f"turnwise-{launcher_number}-" in folder.name
    ]


def _folders(top: Path) -> Iterator[Path]:
    for path, names, _ in os.walk(top):
        yield from (Path(path, name) for name in names)


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def eventually(true: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it comes true: what was killed takes its time to go."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def python(source: str, *arguments: str, ordinary: bool = False) -> subprocess.Popen[str]:
    """A Python of its own that runs this source, with pipes.

    Args:
        source: What it runs.
        arguments: Its `sys.argv[1:]`.
        ordinary: As a user who is not root; the test is skipped where root cannot become one.
    """
    prefix = []
    if ordinary and os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("there is no setpriv to become an ordinary user with")
        # It may read everything, as an ordinary user could read a Python of its own; that gives no power over mounts.
        reading = "-all,+dac_read_search"
        prefix = [setpriv, f"--reuid={ORDINARY_USER}", f"--regid={ORDINARY_USER}", "--clear-groups"]
        prefix += [f"--inh-caps={reading}", f"--ambient-caps={reading}"]
    return subprocess.Popen(
        [*prefix, os.path.realpath(sys.executable), "-c", source, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def output(process: subprocess.Popen[str], seconds: float = 120.0) -> str:
    """What it prints until it ends, which must be well."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return out
