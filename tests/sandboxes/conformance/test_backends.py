"""Every check of the list, on every backend that isolates and that this machine has."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest
from bubblewrap_here import need_bubblewrap, process_1
from docker_here import container_id, need_docker

from turnwise.sandboxes.base import Sandbox
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.conformance import CHECKS, check
from turnwise.sandboxes.docker_backend import DockerSandbox


def kill_process_1(sandbox: Sandbox) -> None:
    assert isinstance(sandbox, BubblewrapSandbox)
    os.kill(process_1(sandbox), signal.SIGKILL)


def kill_container(sandbox: Sandbox) -> None:
    assert isinstance(sandbox, DockerSandbox)
    need_docker().kill(container_id(sandbox))


BACKENDS: dict[str, tuple[Callable[[], object], Callable[..., object]]] = {
    "bubblewrap": (need_bubblewrap, partial(check, BubblewrapSandbox, lose=kill_process_1)),
    "docker": (need_docker, partial(check, DockerSandbox, lose=kill_container)),
}
# What a backend is known not to keep, and why. A pass is news too: then it has to go from here.
KNOWN: dict[str, dict[str, str]] = {
    "bubblewrap": {},
    "docker": {
        "process_1_is_out_of_reach": "a container's process 1 has the commands' user, and its /proc cannot be covered",
    },
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend(backend: str, name: str) -> None:
    need, held_to = BACKENDS[backend]
    need()
    report = held_to(checks=[name])
    if (why := KNOWN[backend].get(name)) is not None:
        assert not report.ok, f"{backend} keeps {name!r} now; it was excused because {why}"
        pytest.xfail(why)
    report.raise_for_failures()
    (finding,) = report.findings
    if finding.skipped_reason:
        pytest.skip(finding.skipped_reason)
