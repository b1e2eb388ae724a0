"""What a bubblewrap sandbox sees: from a `Spec` to the request that the launcher carries out."""

from __future__ import annotations

import os
import posixpath
import shutil
from pathlib import Path
from typing import Any

from turnwise.sandboxes import preparation
from turnwise.sandboxes.base import Enforcement, Isolation, Spec
from turnwise.sandboxes.errors import SandboxUnavailableError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_HOST_ETC = ("ld.so.cache", "alternatives", "localtime")
_NETWORK_ETC = ("resolv.conf", "ssl")
_KIB = 1024


def bwrap_path() -> str:
    """Where bwrap is.

    Raises:
        SandboxUnavailableError: It is not on the path.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxUnavailableError(
            "bwrap is not on the path: install it (Debian, Ubuntu: apt-get install bubblewrap)"
        )
    return os.path.realpath(path)


def request(spec: Spec, controllers: tuple[str, ...], boot: list[str]) -> dict[str, Any]:
    """What the launcher is asked for.

    Args:
        spec: The sandbox.
        controllers: Control groups that are there.
        boot: The command of process 1.
    """
    limits = spec.limits
    folders = {spec.workdir, "/tmp", "/proc", "/dev"}
    files: set[str] = set()
    links: dict[str, str] = {}
    binds: list[str] = []
    if spec.image is None:
        folders |= {"/usr", "/etc"}
        binds += ["--ro-bind", "/usr", "/usr", "--ro-bind", preparation.ETC, "/etc"]
        for name in (*_HOST_ETC, *(_NETWORK_ETC if spec.network else ())):
            if os.path.exists(f"/etc/{name}"):
                binds += ["--ro-bind", os.path.realpath(f"/etc/{name}"), f"/etc/{name}"]
        for name in _ROOT_LINKS:
            if os.path.islink(f"/{name}"):
                links[f"/{name}"] = os.readlink(f"/{name}")
            elif os.path.isdir(f"/{name}"):
                folders.add(f"/{name}")
                binds += ["--ro-bind", f"/{name}", f"/{name}"]
    shown: list[str] = []
    for inside, source in spec.mounts.items():
        if not _covered(spec, inside):
            (folders if source.is_dir() else files).add(inside)
        binds += ["--ro-bind", f"{preparation.SHOWN}/{len(shown)}", inside]
        shown.append(str(source))
    hidden = [path for path in spec.hide if _is_folder(spec, path)]
    below = lower(spec)
    owners = sorted({(status.st_uid, status.st_gid) for status in map(os.stat, [*shown, *([below] if below else [])])})
    memory = limits.memory_bytes if "memory" in controllers else None
    disk = disk_bytes(spec, controllers)
    return {
        "bwrap": bwrap_path(),
        "image": None if spec.image is None else os.path.realpath(spec.image),
        "lower": below,
        "shown": shown,
        "owners": owners,
        "folders": sorted(folders),
        "files": sorted(files),
        "links": links,
        "disk": disk or 0,
        "inodes": 0 if disk is None else disk // (4 * _KIB) + _KIB,
        "hold": False,
        "limits": {"memory": memory, "cpus": limits.cpus, "processes": limits.processes},
        "rlimits": _rlimits(spec, controllers),
        "arguments": [*_arguments(spec, binds, hidden), "--", *boot],
    }


def disk_bytes(spec: Spec, controllers: tuple[str, ...]) -> int | None:
    """The size of the file system that holds the writable folders.

    It is in memory. Where memory is limited for the sandbox as a whole, files may take half of it: else a full disk
    would leave no memory for a shell.
    """
    disk, memory = spec.limits.disk_bytes, spec.limits.memory_bytes
    if memory is None or "memory" not in controllers:
        return disk
    return memory // 2 if disk is None else min(disk, memory // 2)


def isolation(spec: Spec, controllers: tuple[str, ...]) -> Isolation:
    """What is enforced for a sandbox, given the control groups that are there."""
    notes = []
    memory: Enforcement = "sandbox"
    if "memory" not in controllers:
        memory = "process"
        notes.append("no control group can be made here: memory is limited for each process by itself")
    return Isolation(
        backend="bubblewrap",
        network=not spec.network,
        filesystem=True,
        processes=True,
        user=True,
        memory=memory,
        cpus="sandbox" if "cpu" in controllers else "none",
        pids="sandbox" if "pids" in controllers else "none",
        disk="sandbox",
        notes=tuple(notes),
    )


def _arguments(spec: Spec, binds: list[str], hidden: list[str]) -> list[str]:
    variables = {"HOME": spec.workdir, "PATH": PATH, "LANG": "C.UTF-8", "TMPDIR": "/tmp", **spec.env}
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1", "--new-session", "--die-with-parent"),
        *(["--share-net"] if spec.network else []),
        *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--clearenv"),
        *(word for name, value in variables.items() for word in ("--setenv", name, value)),
        *("--ro-bind", preparation.ROOT, "/"),
        *("--proc", "/proc", "--dev", "/dev", "--bind", preparation.TMP, "/dev/shm", "--remount-ro", "/dev"),
        *("--bind", preparation.TMP, "/tmp", "--bind", preparation.MERGED, spec.workdir),
        *binds,
        *(word for path in hidden for word in ("--ro-bind", preparation.EMPTY, path)),
        *("--ro-bind", preparation.EMPTY, "/proc/1"),
        *("--chdir", spec.workdir),
    ]


def lower(spec: Spec) -> str | None:
    """The folder below the work folder's overlay."""
    if spec.folder is not None:
        return os.path.realpath(spec.folder)
    if spec.image is not None and (own := Path(spec.image + spec.workdir)).is_dir():
        return os.path.realpath(own)
    return None


def _rlimits(spec: Spec, controllers: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    limits = {"RLIMIT_CORE": (0, 0), "RLIMIT_MSGQUEUE": (0, 0)}
    if spec.limits.memory_bytes is not None and "memory" not in controllers:
        limits["RLIMIT_AS"] = (spec.limits.memory_bytes, spec.limits.memory_bytes)
    return limits


def _covered(spec: Spec, path: str) -> bool:
    """Whether a path lies in something that is mounted itself, so that no place for it can be made in the root."""
    above = [*(["/usr"] if spec.image is None else []), spec.workdir, "/tmp", "/proc", "/dev", *spec.mounts]
    return any(path != folder and posixpath.commonpath([path, folder]) == folder for folder in above)


def _is_folder(spec: Spec, path: str) -> bool:
    """Whether there is such a folder inside, at first."""
    sources: dict[str, str] = {"/": spec.image or "/"}
    sources.update({inside: str(source) for inside, source in spec.mounts.items()})
    if below := lower(spec):
        sources[spec.workdir] = below
    above = max((p for p in sources if posixpath.commonpath([path, p]) == p), key=len)
    return os.path.isdir(os.path.join(sources[above], os.path.relpath(path, above)))
