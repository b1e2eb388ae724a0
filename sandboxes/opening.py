"""`open_sandbox`: a sandbox by the name of its backend, refused where it would enforce less than was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from turnwise.sandboxes.base import DEFAULT_REQUIRE, Limits, Sandbox, Spec
from turnwise.sandboxes.errors import SandboxUnavailableError

BACKENDS = ("docker", "bubblewrap", "process")


def open_sandbox(
    backend: str = "auto",
    *,
    image: str | None = None,
    folder: str | PathLike[str] | None = None,
    limits: Limits | None = None,
    network: bool = False,
    env: Mapping[str, str] | None = None,
    mounts: Mapping[str, str | PathLike[str]] | None = None,
    hide: Sequence[str] = (),
    workdir: str = "/work",
    require: Sequence[str] | None = None,
) -> Sandbox:
    """Open a sandbox. Its network is off unless asked for; close it, or use it as a context manager.

    Args:
        backend: `docker`; `bubblewrap` (Linux namespaces, no daemon); `process`, which isolates nothing; or `auto`:
            Docker where its daemon and the image are there, else bubblewrap. `auto` never means `process`.
        image: docker: an image's name, default `turnwise.sandboxes.images.default_image()`. bubblewrap: a folder that
            holds a root file system, or None for a read-only view of this machine's /usr.
        folder: A folder of this machine with what the work folder holds at first. It is read, never written.
        limits: What the sandbox may use; default `Limits()`.
        network: Whether it may reach the network.
        env: Environment variables of every command.
        mounts: Folders and files of this machine to be seen read-only: absolute path inside -> path here.
        hide: Absolute paths of folders inside that are to be empty.
        workdir: The work folder's absolute path.
        require: What must hold for the sandbox as a whole, of `network`, `filesystem`, `processes`, `user`, `memory`,
            `cpus`, `pids` and `disk`. Default: the first four (network only where it is off); nothing for `process`.

    Raises:
        ValueError: There is no such backend, or an argument makes no sense.
        FileNotFoundError: `folder` or a mount is not there.
        SandboxUnavailableError: The backend cannot be used here; the message says why, and what to do.
        IsolationError: It would enforce less than `require` and `limits` ask for.

    >>> with open_sandbox("process") as sandbox:
    ...     sandbox.write("greeting.txt", b"hello")
    ...     sandbox.run("tr a-z A-Z <greeting.txt").stdout, sandbox.isolation.network
    ('HELLO', False)
    """
    spec = Spec(
        image=image,
        folder=None if folder is None else Path(folder).absolute(),
        limits=limits or Limits(),
        network=network,
        env=dict(env or {}),
        mounts={inside: Path(source).absolute() for inside, source in (mounts or {}).items()},
        hide=tuple(hide),
        workdir=workdir,
    )
    return opener(backend, spec, require)(spec)


def opener(backend: str, spec: Spec, require: Sequence[str] | None = None) -> Callable[[Spec], Sandbox]:
    """What opens sandboxes of a backend, having chosen one for `auto`; for pools and environments that open many.

    Args:
        backend: A backend's name or `auto`.
        spec: What will be opened: `auto` chooses by its image.
        require: See `open_sandbox`.

    Raises:
        ValueError: There is no such backend.
        SandboxUnavailableError: `auto` found none that can be used here.
    """
    if backend not in ("auto", *BACKENDS):
        raise ValueError(f"there is no sandbox backend {backend!r}; known: {['auto', *BACKENDS]}")
    name = _choose(spec) if backend == "auto" else backend
    if require is None:
        require = () if name == "process" else [r for r in DEFAULT_REQUIRE if r != "network" or not spec.network]
    wanted = tuple(require)

    def open_checked(spec: Spec) -> Sandbox:
        sandbox = _open(name, spec)
        try:
            if name != "process" or wanted:
                sandbox.isolation.check(wanted, spec.limits)
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    return open_checked


def unavailable(backend: str, spec: Spec | None = None) -> str | None:
    """Why a backend cannot be used here, and what to do about it; None where it can.

    >>> unavailable("process") is None
    True
    """
    if backend == "docker":
        from turnwise.sandboxes import docker_backend

        return docker_backend.unavailable(spec or Spec())
    if backend == "bubblewrap":
        from turnwise.sandboxes import bubblewrap

        return bubblewrap.unavailable(spec or Spec())
    return None


def _choose(spec: Spec) -> str:
    """Docker where it can be used for this image, else bubblewrap."""
    reasons = {}
    for backend in ("docker", "bubblewrap"):
        reason = reasons[backend] = unavailable(backend, spec)
        if reason is None:
            return backend
    raise SandboxUnavailableError(
        "no sandbox can be used here. "
        + " ".join(f"{backend}: {reason}" for backend, reason in reasons.items())
        + " For code that you trust, the backend 'process' runs without any isolation; name it to use it."
    )


def _open(backend: str, spec: Spec) -> Sandbox:
    if backend == "docker":
        from turnwise.sandboxes.docker_backend import DockerSandbox

        return DockerSandbox(spec)
    if backend == "bubblewrap":
        from turnwise.sandboxes.bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox(spec)
    from turnwise.sandboxes.process import ProcessSandbox

    return ProcessSandbox(spec)
