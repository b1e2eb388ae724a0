"""Whose a container is, and the removal of those whose owner has died without closing them.

Each container carries a label that names its owner: the machine since its last start, the pid namespace, the process
and when that began. A container goes only where its owner can be looked up from here and is gone, so several processes,
containers and machines may use one daemon.
"""

from __future__ import annotations

import contextlib
import os
import platform
import warnings
from pathlib import Path
from typing import Any

OWNER = "turnwise.owner"
"""The label's name."""


def owner(pid: int | None = None) -> str:
    """The label of a process, by default of this one.

    Raises:
        ProcessLookupError: There is no such process.
    """
    pid = os.getpid() if pid is None else pid
    return f"{_place()}/{pid}/{_started(pid)}"


def is_orphan(label: str) -> bool:
    """Whether the owner was a process that could be seen from here, and is gone.

    >>> is_orphan(owner()), is_orphan("another machine/1/1")
    (False, False)
    """
    place, _, rest = label.partition("/")
    pid, _, _ = rest.partition("/")
    if place != _place() or not pid.isdigit():
        return False
    try:
        return owner(int(pid)) != label
    except ProcessLookupError:
        return True


def reap(api: Any) -> int:
    """Remove the containers of owners that are gone.

    Args:
        api: docker-py's `APIClient`.

    Returns:
        How many were removed.
    """
    from docker.errors import APIError

    removed = 0
    for container in api.containers(all=True, filters={"label": OWNER}):
        if is_orphan(container["Labels"].get(OWNER, "")):
            try:
                api.remove_container(container["Id"], v=True, force=True)
                removed += 1
            except APIError as error:
                # 404 and 409: another process reaps at the same time, or the daemon removes it by itself.
                if error.status_code not in (404, 409):
                    warnings.warn(f"an abandoned container cannot be removed: {error}", RuntimeWarning, stacklevel=2)
    return removed


def _place() -> str:
    """This machine since its last start, and the pid namespace in which processes are seen."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return platform.node() or "unknown"


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine's start; empty where the system does not say."""
    if not Path("/proc/self/stat").exists():
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
        return ""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(f"there is no process {pid}") from None
    state, *fields = status.rpartition(")")[2].split()
    if state in "ZX":
        raise ProcessLookupError(f"process {pid} has ended")
    return fields[18]
