"""The Docker daemon: one client for each process, its faults as ours, and what it enforces."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from turnwise.sandboxes.base import Enforcement, Isolation
from turnwise.sandboxes.errors import SandboxError, SandboxUnavailableError
from turnwise.sandboxes.reaper import reap

_CALL_SECONDS = 60.0
"""How long the daemon may take to answer one call. It is never waited for without end."""


class _Clients:
    """The client of this process. A fork begins without one: two processes cannot share its connections."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.client: Any = None
        self.info: dict[str, Any] | None = None
        self.reaped = False


_clients = _Clients()
os.register_at_fork(after_in_child=lambda: _clients.__init__())  # type: ignore[misc]


def client() -> Any:
    """docker-py's `APIClient` for the daemon that the environment names (DOCKER_HOST and its like).

    Raises:
        SandboxUnavailableError: docker-py is missing, or there is no daemon that answers; the message says what to do.
    """
    with _clients.lock:
        if _clients.client is None:
            _clients.client = connect(_CALL_SECONDS)
        return _clients.client


def info() -> dict[str, Any]:
    """What the daemon says about itself; asked once.

    Raises:
        SandboxUnavailableError: There is no daemon that answers.
    """
    api = client()
    with _clients.lock, daemon_faults("asking the Docker daemon about itself", SandboxUnavailableError):
        if _clients.info is None:
            _clients.info = api.info()
        return _clients.info


def reap_once() -> None:
    """Remove what dead processes have left on the daemon, once in the life of this process.

    Raises:
        SandboxUnavailableError: There is no daemon that answers.
    """
    api = client()
    with _clients.lock, daemon_faults("looking for abandoned containers", SandboxUnavailableError):
        if not _clients.reaped:
            reap(api)
            _clients.reaped = True


def forget() -> None:
    """Make the next call read the environment anew."""
    with _clients.lock:
        if _clients.client is not None:
            _clients.client.close()
        _clients.client, _clients.info, _clients.reaped = None, None, False


def connect(timeout: float) -> Any:
    """A new client, of which no call takes longer than `timeout` seconds.

    Raises:
        SandboxUnavailableError: docker-py is missing, or there is no daemon that answers.
    """
    try:
        import docker
    except ImportError as error:
        raise SandboxUnavailableError("docker-py is not installed: pip install 'turnwise[docker]'") from error
    from docker.utils import kwargs_from_env
    from requests.exceptions import RequestException

    try:
        return docker.APIClient(version="auto", timeout=timeout, **kwargs_from_env())
    except (docker.errors.DockerException, RequestException, OSError, ValueError) as error:
        raise SandboxUnavailableError(_why_no_daemon(str(error))) from error


def _why_no_daemon(message: str) -> str:
    where = os.environ.get("DOCKER_HOST", "/var/run/docker.sock")
    if "Permission denied" in message or "PermissionError" in message:
        return f"you may not use the Docker socket {where}: add yourself to the group docker, or run as root"
    return (
        f"no Docker daemon answers at {where}: start one with `dockerd` or `systemctl start docker`; on Debian, "
        f"`apt-get install docker.io` gives it (the client says: {message})"
    )


@contextmanager
def daemon_faults(doing: str, kind: type[SandboxError]) -> Iterator[None]:
    """Turn whatever the daemon or the connection to it does wrong into one of our errors."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except DockerException as error:
        raise kind(f"{doing} failed: {getattr(error, 'explanation', None) or error}") from error
    except (RequestException, OSError) as error:
        if issubclass(kind, SandboxUnavailableError):
            raise kind(_why_no_daemon(str(error))) from error
        raise kind(f"{doing} failed, for the Docker daemon does not answer: {error}") from error


def isolation(info: Mapping[str, Any], *, network: bool, warnings: tuple[str, ...] = ()) -> Isolation:
    """What a container of ours is held to by a daemon.

    Args:
        info: The daemon's own account of itself (`GET /info`).
        network: Whether the container was given one.
        warnings: What the daemon said when it made the container: limits that it dropped.
    """
    options = " ".join(info.get("SecurityOptions") or [])
    rootless = "name=rootless" in options
    no_cgroups = info.get("CgroupDriver") == "none"

    def held(*flags: str) -> Enforcement:
        return "sandbox" if not no_cgroups and all(info.get(flag) for flag in flags) else "none"

    notes = [
        "files in the work folder and /tmp are in memory, and count towards its limit",
        "a command has the user of the shell that runs it, so it can break its own sandbox",
        "the daemon is rootless"
        if rootless
        else "the daemon maps users"
        if "name=userns" in options
        else "the daemon runs as root, and the sandbox's user is number 1000 of the host",
    ]
    if no_cgroups:
        notes.append("the daemon has no control groups to limit memory, cpus and pids with")
    if "name=seccomp" not in options:
        notes.append("the daemon filters no system calls (seccomp is off)")
    if not info.get("SwapLimit"):
        notes.append("memory that is swapped out is not counted")
    return Isolation(
        backend="docker",
        network=not network,
        filesystem=True,
        processes=True,
        user=True,
        memory=held("MemoryLimit"),
        cpus=held("CpuCfsQuota", "CpuCfsPeriod"),
        pids=held("PidsLimit"),
        disk="sandbox",
        notes=(*notes, *warnings),
    )
