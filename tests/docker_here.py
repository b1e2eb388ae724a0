"""The Docker daemon of this machine, for tests that need one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from components import skip_without

from turnwise.sandboxes import docker_backend, docker_daemon, reaper
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.docker_backend import DockerSandbox


def need_docker() -> Any:
    """docker-py's client, or skip the test."""
    skip_without("docker", docker_backend.unavailable(Spec()))
    return docker_daemon.client()


def container_id(sandbox: DockerSandbox) -> str:
    assert sandbox.container is not None
    return sandbox.container


def own_containers(api: Any, label: str | None = None) -> list[str]:
    """Containers of this process, or of the process with this label."""
    found = api.containers(all=True, filters={"label": f"{reaper.OWNER}={label or reaper.owner()}"})
    return [container["Id"] for container in found]


def eventually(true: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it comes true: the daemon takes its time to remove what has ended."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def python(source: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python of its own that runs this source, with pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
