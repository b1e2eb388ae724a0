"""What a bubblewrap sandbox sees: from a `Spec` to the request that the launcher carries out."""

from __future__ import annotations

import itertools
import math
import os
import posixpath
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from turnwise.sandboxes import preparation
from turnwise.sandboxes.base import Enforcement, Isolation, Spec
from turnwise.sandboxes.errors import SandboxUnavailableError
from turnwise.sandboxes.launcher import Powers
from turnwise.sandboxes.shell import DRIVEN_BOOT, DRIVER

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READY = b"ready"
"""What process 1 prints when it begins."""
_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_HOST_ETC = ("ld.so.cache", "alternatives", "localtime")
_NETWORK_ETC = ("ssl",)
_BYTES_AN_INODE = 8192
_OWN_PROCESSES = 2
"""Of the processes in a sandbox, those that are not its commands': process 1 and its worker."""
_turn = itertools.count()


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


def request(spec: Spec, powers: Powers, *, overlay: bool) -> dict[str, Any]:
    """What the launcher is asked for; `preparation` says what becomes of it.

    Args:
        spec: The sandbox.
        powers: What this machine lets the launcher do.
        overlay: Whether the work folder is an overlay; if not, it is filled by copying.
    """
    limits = spec.limits
    root, links = _host_root(spec) if spec.image is None else ({}, {})
    folders = {spec.workdir, "/tmp", "/proc", "/dev"}
    if spec.network and os.path.exists("/etc/resolv.conf"):
        root["/etc/resolv.conf"] = os.path.realpath("/etc/resolv.conf")
    given = {path for path in (*spec.mounts, *root) if not _writable(spec, path) and not _behind_link(spec, path)}
    sources = {**root, **{inside: str(source) for inside, source in spec.mounts.items()}}
    files = {path for path in given if os.path.isfile(sources[path])}
    shown = {inside: os.path.realpath(source) for inside, source in spec.mounts.items()}
    below = lower(spec) if overlay else None
    image = None if spec.image is None else os.path.realpath(spec.image)
    statuses = {path: os.stat(path) for path in (*shown.values(), below, image) if path is not None}
    disk = disk_bytes(spec, powers)
    return {
        "bwrap": bwrap_path(),
        "image": image,
        "workdir": spec.workdir,
        "lower": below,
        "root": root,
        "links": links,
        "folders": sorted(folders | (given - files)),
        "files": sorted(files),
        "shown": shown,
        "hidden": list(spec.hide),
        "network": spec.network,
        "seccomp": powers.seccomp,
        "owners": sorted({(status.st_uid, status.st_gid) for status in statuses.values()}) if os.geteuid() == 0 else [],
        "identities": {path: (status.st_dev, status.st_ino) for path, status in statuses.items()},
        "disk": disk or 0,
        "inodes": 0 if disk is None else disk // _BYTES_AN_INODE + 1000,
        "limits": {"memory": limits.memory_bytes, "cpus": limits.cpus, "processes": limits.processes},
        "rlimits": _rlimits(spec, powers),
        "cores": cores(limits.cpus) if limits.cpus is not None and "cpu" not in powers.controllers else [],
        "arguments": _arguments(spec, powers),
    }


def disk_bytes(spec: Spec, powers: Powers) -> int | None:
    """The size of the file system that holds the writable folders.

    It is in memory. Where memory is limited for the sandbox as a whole, files may take three quarters of it: else a
    full disk would leave no memory for a shell.
    """
    disk, memory = spec.limits.disk_bytes, spec.limits.memory_bytes
    if memory is None or "memory" not in powers.controllers:
        return disk
    return memory * 3 // 4 if disk is None else min(disk, memory * 3 // 4)


def isolation(spec: Spec, powers: Powers) -> Isolation:
    """What is enforced for a sandbox."""
    notes = ["files are kept in memory"]
    memory: Enforcement = "sandbox"
    cpus: Enforcement = "sandbox"
    if "memory" in powers.controllers:
        notes[0] += ", and count towards memory_bytes"
        disk, wanted = disk_bytes(spec, powers), spec.limits.disk_bytes
        if disk is not None and (wanted is None or disk < wanted):
            notes.append(f"files may take {disk:,} bytes, for more would leave too little memory")
    else:
        memory = "process"
        notes.append("no control group for memory can be made here: it is limited for each process by itself")
    if "cpu" not in powers.controllers:
        cpus = "sandbox" if powers.seccomp else "process"
        notes.append("no control group for CPU time can be made here: it is limited to whole cores")
    return Isolation(
        backend="bubblewrap",
        network=not spec.network,
        filesystem=True,
        processes=True,
        user=True,
        memory=memory,
        cpus=cpus,
        pids="sandbox",
        disk="sandbox",
        notes=tuple(notes),
    )


def cores(cpus: float) -> list[int]:
    """Cores for a sandbox whose CPU time cannot be limited otherwise; none if there are no more than it may use.

    Sandboxes take turns on the cores that this process may use.
    """
    mine = sorted(os.sched_getaffinity(0))
    count = math.ceil(cpus)
    if count >= len(mine):
        return []
    first = next(_turn) * count
    return [mine[(first + i) % len(mine)] for i in range(count)]


def _arguments(spec: Spec, powers: Powers) -> list[str]:
    boot = list(DRIVEN_BOOT)
    if spec.limits.processes is not None and "pids" not in powers.controllers:
        # Set in the sandbox's own user namespace, this counts its processes only.
        boot[-2] = f"ulimit -u {spec.limits.processes + _OWN_PROCESSES}; {boot[-2]}"
    variables = {"HOME": spec.workdir, "PATH": PATH, "LANG": "C.UTF-8", "TMPDIR": "/tmp", **spec.env}
    variables["_tw_driver"] = f"printf {READY.decode()}; {DRIVER}"
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-cgroup-try", "--as-pid-1", "--new-session"),
        *([] if powers.seccomp else ["--disable-userns"]),
        *("--die-with-parent", "--uid", "1000", "--gid", "1000"),
        *(word for name, value in variables.items() for word in ("--setenv", name, value)),
        *("--dev-bind", preparation.ROOT, "/", "--proc", "/proc", "--ro-bind", preparation.EMPTY, "/proc/1"),
        *("--chdir", spec.workdir, "--", *boot),
    ]


def _host_root(spec: Spec) -> tuple[dict[str, str], dict[str, str]]:
    """This machine's own programs: path inside -> path here, and links."""
    root = {"/usr": "/usr", "/etc": preparation.ETC}
    links: dict[str, str] = {}
    for name in _ROOT_LINKS:
        if os.path.islink(f"/{name}"):
            links[f"/{name}"] = os.readlink(f"/{name}")
        elif os.path.isdir(f"/{name}"):
            root[f"/{name}"] = f"/{name}"
    for name in (*_HOST_ETC, *(_NETWORK_ETC if spec.network else ())):
        if os.path.exists(f"/etc/{name}"):
            root[f"/etc/{name}"] = os.path.realpath(f"/etc/{name}")
    return root, links


def _writable(spec: Spec, path: str) -> bool:
    return any(posixpath.commonpath([path, folder]) == folder for folder in (spec.workdir, "/tmp"))


def _behind_link(spec: Spec, path: str) -> bool:
    """Whether a place for it would hide a link of the image's."""
    above = PurePosixPath(path).parents
    return spec.image is not None and any(os.path.islink(spec.image + str(folder)) for folder in above)


def lower(spec: Spec) -> str | None:
    """The folder below the work folder's overlay."""
    if spec.folder is not None:
        return os.path.realpath(spec.folder)
    if spec.image is not None and (own := Path(spec.image + spec.workdir)).is_dir():
        return os.path.realpath(own)
    return None


def _rlimits(spec: Spec, powers: Powers) -> dict[str, tuple[int, int]]:
    limits = {"RLIMIT_CORE": (0, 0), "RLIMIT_MSGQUEUE": (0, 0)}
    if spec.limits.memory_bytes is not None and "memory" not in powers.controllers:
        limits["RLIMIT_AS"] = (spec.limits.memory_bytes, spec.limits.memory_bytes)
    return limits
