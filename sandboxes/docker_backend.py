"""`DockerSandbox`: one container for each sandbox, whose process 1 is the shell itself.

The container has no network, no capability, a read-only root, a user without powers, and its writable folders in memory
with a size each, so that memory, processes, CPU and disk are all limited by the kernel. Nothing is ever run by `exec`:
commands go through the one attached stream (see `shell`), so a trivial one costs a fraction of a millisecond.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import socket
import weakref
from typing import Any

from turnwise.sandboxes import docker_daemon, images, reaper
from turnwise.sandboxes.base import MIB, Files, Isolation, Limits, Spec
from turnwise.sandboxes.docker_daemon import daemon_faults
from turnwise.sandboxes.docker_stream import DockerTransport
from turnwise.sandboxes.errors import SandboxError, SandboxLostError, SandboxUnavailableError
from turnwise.sandboxes.shell import BOOT, INTERRUPT
from turnwise.sandboxes.shell_sandbox import ShellSandbox

_USER = 1000
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHM = "/dev/shm"
_OPEN_FILES = 4096
_SHELL_PROCESSES = 2
"""Process 1 and its worker, which do not count as the command's."""

_live: dict[str, DockerTransport | None] = {}
"""Containers of this process, to be removed when it ends."""
_left: set[str] = set()
"""Containers that could not be removed with their sandbox, for the daemon was gone; the next start removes them."""


def _own_nothing() -> None:
    _live.clear()
    _left.clear()


os.register_at_fork(after_in_child=_own_nothing)


def unavailable(spec: Spec) -> str | None:
    """Why Docker cannot be used here for a `Spec`, and what to do about it; None where it can."""
    try:
        api = docker_daemon.client()
        with daemon_faults("asking the Docker daemon", SandboxUnavailableError):
            api.ping()
        _inspect(api, spec.image or images.default_image())
    except SandboxUnavailableError as error:
        return str(error)
    return None


class DockerSandbox(ShellSandbox):
    """A container on the Docker daemon that the environment names (DOCKER_HOST and its like).

    The work folder, /tmp and /dev/shm are file systems in memory. Together they hold `Limits.disk_bytes`: a sixteenth
    (at most 64 MiB) in /dev/shm, a quarter in /tmp, the rest in the work folder; and at most three quarters of
    `Limits.memory_bytes`, towards which they count. The work folder begins with what `Spec.folder` holds or, without
    it, with what the image holds there; all of it belongs to the sandbox's user. Volumes that the image declares are
    empty and read-only.

    Attributes:
        container: The container's number, or None where there is none.

    Args:
        spec: How it is to be made; `image` defaults to `images.default_image()`.
        files: Begin with these instead.

    Raises:
        SandboxUnavailableError: There is no daemon, or no such image.
        SandboxError: The container cannot be made, or its image lacks what a sandbox needs.
        ValueError: The work folder lies in /tmp or /dev, or something is mounted deep in a writable folder.
    """

    backend = "docker"

    def __init__(self, spec: Spec, files: Files | None = None) -> None:
        super().__init__(spec)
        if spec.workdir.split("/")[1] in ("tmp", "dev", "proc", "sys"):
            raise ValueError(f"the work folder of a Docker sandbox cannot be {spec.workdir!r}: take one outside /tmp")
        for path in self._apart:
            if path.rpartition("/")[0] not in self._roots:  # the folders between would belong to root
                raise ValueError(f"a mount or hidden folder in {self._roots} must lie directly in it: got {path!r}")
        self._roots = (*self._roots, _SHM)
        self.container: str | None = None
        self._stream: DockerTransport | None = None
        self._dropped: weakref.finalize[[], DockerSandbox] | None = None
        self._warnings: tuple[str, ...] = ()
        self._api = docker_daemon.client()
        self._image = spec.image or images.default_image()
        self._open(files)

    @property
    def isolation(self) -> Isolation:
        """What the daemon enforces."""
        info = docker_daemon.info()
        return docker_daemon.isolation(info, network=self.spec.network, warnings=self._warnings)

    def _first(self) -> bytes | None:
        if self.spec.folder is None:
            image = _inspect(self._api, self._image)
            found = images.folder_archive(image["Id"], self.workdir, self._apart)
            if found is not None:
                return found
        return super()._first()

    def fork(self) -> DockerSandbox:
        """A new container with the same files."""
        return DockerSandbox(self.spec, self.snapshot())

    def _start(self) -> DockerTransport:
        docker_daemon.reap_once()
        _remove_each(self._api, list(_left))
        image = _inspect(self._api, self._image)
        with daemon_faults("making a container", SandboxError):
            made = self._api.create_container_from_config(container_config(self._api, self.spec, image))
        container = self.container = made["Id"]
        self._warnings = tuple(made.get("Warnings") or ())
        _live[container] = None
        with daemon_faults("attaching to the container", SandboxError):
            connection = self._api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        interrupt = functools.partial(_interrupt, self._api, container)
        stream = DockerTransport(_socket(connection), interrupt, functools.partial(_release, connection))
        self._stream = _live[container] = stream
        # Where a sandbox is dropped without `close`, its shell reads to the end of its input, and the container ends.
        self._dropped = weakref.finalize(self, stream.close)
        self._dropped.atexit = False
        with _no_bash(self._image), daemon_faults("starting the container", SandboxError):
            self._api.start(container)
        return stream

    def _break_off(self) -> None:
        if (container := self.container) is not None:
            with contextlib.suppress(SandboxError), daemon_faults("ending the container", SandboxError):
                self._api.kill(container, "SIGKILL")

    def _stop(self) -> None:
        if self.container is not None:
            _remove(self._api, self.container, self._stream)
        if self._dropped is not None:
            self._dropped.detach()
        self.container = self._stream = self._dropped = None


def container_config(api: Any, spec: Spec, image: dict[str, Any]) -> dict[str, Any]:
    """The container of a `Spec`, as the Docker API wants it.

    Args:
        api: docker-py's `APIClient`.
        spec: What was asked for.
        image: What the daemon says about the image.
    """
    limits = spec.limits
    config = image.get("Config") or {}
    given = dict(entry.split("=", 1) for entry in config.get("Env") or [] if "=" in entry)
    environment = {"PATH": given.get("PATH", _PATH), "HOME": spec.workdir, "LANG": "C.UTF-8", "TMPDIR": "/tmp"}
    mounts = [
        {"Type": "bind", "Source": str(source), "Target": inside, "ReadOnly": True,
         "BindOptions": {"Propagation": "rprivate", "NonRecursive": True}}
        for inside, source in spec.mounts.items()
    ]  # fmt: skip
    # Volumes that an image declares would be writable, on the host's disk, and without a limit.
    # POSIX message queues would be state outside the files, as what System V keeps below.
    volumes = {*(config.get("Volumes") or {}), "/dev/mqueue"} - {spec.workdir, *spec.mounts, "/tmp", _SHM}
    mounts += [
        {"Type": "tmpfs", "Target": path, "ReadOnly": True, "TmpfsOptions": {"SizeBytes": 4096, "Mode": 0o755}}
        for path in sorted({*spec.hide, *volumes})
    ]
    host = api.create_host_config(
        auto_remove=True,
        cap_drop=["ALL"],
        dns=None if spec.network else ["127.0.0.1"],
        init=False,
        ipc_mode="private",
        log_config={"type": "none"},
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,
        mounts=mounts,
        nano_cpus=None if limits.cpus is None else _nano_cpus(limits.cpus),
        network_mode="bridge" if spec.network else "none",
        pids_limit=None if limits.processes is None else limits.processes + _SHELL_PROCESSES,
        read_only=True,
        security_opt=["no-new-privileges"],
        sysctls={"kernel.shm_rmid_forced": "1", "kernel.msgmni": "0", "kernel.sem": "32000 1024000000 500 0"},
        tmpfs=_tmpfs(spec),
        ulimits=[_ulimit("nofile", _OPEN_FILES), _ulimit("core", 0), _ulimit("msgqueue", 0)],
    )
    made: dict[str, Any] = api.create_container_config(
        image=image["Id"],
        command=[],
        entrypoint=list(BOOT),
        environment={**environment, **spec.env},
        healthcheck={"test": ["NONE"]},
        hostname="sandbox",
        labels={reaper.OWNER: reaper.owner()},
        stdin_open=True,
        stop_signal="SIGKILL",  # process 1 heeds no other, and a daemon that stops would wait for it
        user=f"{_USER}:{_USER}",
        working_dir=spec.workdir,
        host_config=host,
    )
    return made


def writable_sizes(limits: Limits) -> tuple[int, int, int] | None:
    """Bytes that the work folder, /tmp and /dev/shm can hold; None: as many as there is memory.

    >>> [size // 2**20 for size in writable_sizes(Limits())]
    [352, 128, 32]
    """
    in_memory = None if limits.memory_bytes is None else limits.memory_bytes * 3 // 4
    bounds = [bound for bound in (limits.disk_bytes, in_memory) if bound is not None]
    if not bounds:
        return None
    total = min(bounds)
    shm, tmp = min(total // 16, 64 * MIB), total // 4
    return total - tmp - shm, tmp, shm


def _ulimit(name: str, most: int) -> dict[str, Any]:
    return {"Name": name, "Soft": most, "Hard": most}


def _tmpfs(spec: Spec) -> dict[str, str]:
    sizes = writable_sizes(spec.limits)
    found = {}
    for at, (path, mode) in enumerate(((spec.workdir, "755"), ("/tmp", "1777"), (_SHM, "1777"))):
        size = "" if sizes is None else f",size={sizes[at]},nr_inodes={max(1024, sizes[at] // 8192)}"
        found[path] = f"rw,exec,nosuid,nodev,mode={mode},uid={_USER},gid={_USER}{size}"
    return found


def _nano_cpus(cpus: float) -> int:
    """The daemon refuses more than there are."""
    return int(min(cpus, docker_daemon.info()["NCPU"]) * 1e9)


def _inspect(api: Any, image: str) -> dict[str, Any]:
    from docker.errors import ImageNotFound

    try:
        with daemon_faults(f"looking for the image {image!r}", SandboxUnavailableError):
            found: dict[str, Any] = api.inspect_image(image)
            return found
    except SandboxUnavailableError as error:
        if not isinstance(error.__cause__, ImageNotFound):
            raise
        how = "`turnwise sandbox build` makes it" if image == images.default_image() else f"try `docker pull {image}`"
        raise SandboxUnavailableError(f"the Docker daemon has no image {image!r}: {how}") from error


@contextlib.contextmanager
def _no_bash(image: str) -> Any:
    try:
        yield
    except SandboxError as error:
        if BOOT[0] in str(error) and "no such file" in str(error):
            raise SandboxError(f"the image {image!r} has no {BOOT[0]}, which a sandbox needs") from error
        raise


def _socket(connection: Any) -> socket.socket:
    """The socket in docker-py's file-like wrapper."""
    found: socket.socket = getattr(connection, "_sock", connection)
    return found


def _release(connection: Any) -> None:
    """Close docker-py's own objects around the socket, which else stays open until they are collected."""
    response = getattr(connection, "_response", None)
    if response is not None:
        response.close()
    connection.close()


def _interrupt(api: Any, container: str) -> None:
    with daemon_faults("stopping a command", SandboxLostError):
        api.kill(container, INTERRUPT)


def _remove(api: Any, container: str, stream: DockerTransport | None) -> bool:
    """Kill a container and remove it; False where the daemon did not do it, and it is left for later."""
    from docker.errors import APIError

    _live.pop(container, None)
    _left.add(container)
    if stream is not None:
        stream.close()
    try:
        with daemon_faults("removing the container", SandboxError):
            api.remove_container(container, v=True, force=True)
    except SandboxError as error:
        # 404: it has ended by itself. 409: the daemon is removing it already.
        if not (isinstance(error.__cause__, APIError) and error.__cause__.status_code in (404, 409)):
            return False
    _left.discard(container)
    return True


def _remove_each(api: Any, containers: list[str]) -> None:
    """Remove containers until the daemon fails to: it would fail, or be waited for, with each of the rest too."""
    for container in containers:
        if not _remove(api, container, None):
            return


@atexit.register
def _remove_all() -> None:
    containers = list(_live.items())
    for _, stream in containers:
        if stream is not None:
            stream.close()  # idle ones end by themselves now, all at once
    # Even those of which a thread takes leave now: it may not come to its end.
    own = [*(container for container, _ in containers), *_left]
    with contextlib.suppress(SandboxUnavailableError):
        _remove_each(docker_daemon.client(), own)
