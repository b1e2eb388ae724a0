from __future__ import annotations

import os
import subprocess

import pytest

from turnwise.sandboxes.reaper import is_orphan, owner


def test_living_processes_own_their_sandboxes() -> None:
    assert not is_orphan(owner())
    assert not is_orphan(owner(os.getppid()))
    assert owner() != owner(os.getppid())


def test_dead_process_leaves_orphans() -> None:
    process = subprocess.Popen(["sleep", "60"])
    label = owner(process.pid)
    assert not is_orphan(label)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_orphan(label), "a zombie holds nothing any more"
    process.wait()
    assert is_orphan(label)
    with pytest.raises(ProcessLookupError):
        owner(process.pid)


def test_number_that_another_process_has_taken_over() -> None:
    place, pid, started = owner().split("/")
    assert is_orphan(f"{place}/{pid}/{int(started) - 1}")


def test_what_cannot_be_looked_up_is_left_alone() -> None:
    place, pid, _ = owner().split("/")
    boot, namespace = place.split(":")
    for label in (
        f"{boot}:{int(namespace) + 1}/{pid}/1",
        f"other:{namespace}/999999/1",
        "",
        "junk",
        f"{place}/x/1",
        place,
    ):
        assert not is_orphan(label)
