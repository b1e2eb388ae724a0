"""Control groups, versions 1 and 2: where they can be made here, and a sandbox's limits in them.

The launcher imports this: keep it light. It works through open folders, for it covers /sys with a mount of its own.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

PREFIX = "turnwise-"
PERIOD = 100_000
"""Microseconds over which CPU time is shared out."""
_OWN_PROCESSES = 3
"""Of the processes of a sandbox, those that are not its commands': bwrap, process 1, its worker."""
_MARKS = {"memory": ("memory.limit_in_bytes", "memory.max"), "cpu": ("cpu.cfs_quota_us", "cpu.max")}
_MARKS["pids"] = ("pids.max", "pids.max")


class Hierarchy(NamedTuple):
    """A folder in which groups can be made.

    Attributes:
        folder: Its open file descriptor.
        version: 1 or 2.
        controllers: Which of `memory`, `cpu` and `pids` limit the groups made in it.
    """

    folder: int
    version: int
    controllers: tuple[str, ...]


def usable(proc: str = "/proc/self") -> list[Hierarchy]:
    """The hierarchies in which this process can make groups; of those, no two have a controller in common.

    Args:
        proc: The folder that holds `cgroup` and `mountinfo`.
    """
    found: list[Hierarchy] = []
    taken: set[str] = set()
    for version, names, candidates in _places(proc):
        wanted = [name for name in names if name not in taken]
        if wanted and (hierarchy := _best(version, wanted, candidates)):
            found.append(hierarchy)
            taken.update(hierarchy.controllers)
    return found


def make(hierarchies: list[Hierarchy], name: str) -> None:
    """Make a group in each hierarchy, and join it."""
    for hierarchy in hierarchies:
        os.mkdir(name, dir_fd=hierarchy.folder)
        _write(hierarchy, name, "cgroup.procs", "0")


def limit(
    hierarchies: list[Hierarchy], name: str, memory: int | None, cpus: float | None, processes: int | None
) -> None:
    """Set a group's limits, those that are not None and have a controller."""
    for hierarchy in hierarchies:
        for file, value in _settings(hierarchy, memory, cpus, processes):
            # Without swap accounting there is no such file, nor is swap limited then; the notes of a sandbox say so.
            with contextlib.suppress(FileNotFoundError) if "sw" in file else contextlib.nullcontext():
                _write(hierarchy, name, file, value)


def remove(hierarchies: list[Hierarchy], name: str) -> bool:
    """Remove a group. False where that must be tried again, because it has processes that are not gone yet."""
    gone = True
    for hierarchy in hierarchies:
        try:
            os.rmdir(name, dir_fd=hierarchy.folder)
        except FileNotFoundError:
            continue
        except OSError:
            gone = False
    return gone


def stale(hierarchies: list[Hierarchy]) -> list[str]:
    """The groups of launchers that were killed."""
    names = {name for hierarchy in hierarchies for name in os.listdir(hierarchy.folder)}
    return sorted(name for name in names if name.startswith(PREFIX) and not _alive(name))


def group_name(launcher: int, number: int) -> str:
    """The name of a launcher's group, from which `stale` can tell whether it still lives."""
    return f"{PREFIX}{launcher}-{start_time(launcher)}-{number}"


def start_time(process: int) -> str:
    """When a process began, in ticks since boot; with its number it is unique. Empty if it has ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in "ZX" else words[19]


def _alive(name: str) -> bool:
    process, _, rest = name[len(PREFIX) :].partition("-")
    return process.isdigit() and start_time(int(process)) == rest.partition("-")[0]


def _settings(
    hierarchy: Hierarchy, memory: int | None, cpus: float | None, processes: int | None
) -> list[tuple[str, str]]:
    settings: list[tuple[str, str]] = []
    first = hierarchy.version == 1
    if memory is not None and "memory" in hierarchy.controllers:
        settings.append(("memory.limit_in_bytes" if first else "memory.max", str(memory)))
        settings.append(("memory.memsw.limit_in_bytes", str(memory)) if first else ("memory.swap.max", "0"))
    if cpus is not None and "cpu" in hierarchy.controllers:
        quota = max(1000, round(cpus * PERIOD))
        settings.append(("cpu.cfs_quota_us", str(quota)) if first else ("cpu.max", f"{quota} {PERIOD}"))
    if processes is not None and "pids" in hierarchy.controllers:
        settings.append(("pids.max", str(processes + _OWN_PROCESSES)))
    return settings


def _write(hierarchy: Hierarchy, name: str, file: str, value: str) -> None:
    descriptor = os.open(f"{name}/{file}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=hierarchy.folder)
    try:
        os.write(descriptor, value.encode())
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: {value} to {file} of a control group") from error
    finally:
        os.close(descriptor)


def _places(proc: str) -> list[tuple[int, list[str], list[str]]]:
    """(version, controllers, folders to try) of each mounted hierarchy; version 1 first."""
    own: dict[str, str] = {}
    with open(f"{proc}/cgroup", encoding="utf-8") as file:
        for line in file:
            number, controllers, path = line.rstrip("\n").split(":", 2)
            for name in controllers.split(",") if number != "0" else ["unified"]:
                own[name] = path
    places = []
    with open(f"{proc}/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            root, point = before.split()[3:5]
            kind, _, options = after.split()[:3]
            if kind == "cgroup":
                names = [name for name in options.split(",") if name in _MARKS]
                if names:
                    places.append((1, names, [_inside(point, root, own.get(names[0], "/"))]))
            elif kind == "cgroup2":
                folder = _inside(point, root, own.get("unified", "/"))
                folders = [folder]
                while folder != point:
                    folder = os.path.dirname(folder)
                    folders.append(folder)
                places.append((2, list(_MARKS), folders))
    return sorted(places)


def _inside(point: str, root: str, path: str) -> str:
    """Where a group's folder is below a mount that shows the groups below `root`."""
    if ".." in path.split("/"):  # it is outside of what this namespace shows
        return point
    relative = os.path.relpath(path, root)
    return point if relative.startswith("..") else os.path.normpath(os.path.join(point, relative))


def _best(version: int, wanted: list[str], folders: list[str]) -> Hierarchy | None:
    best: Hierarchy | None = None
    for folder in folders:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        controllers = _controllers(descriptor, version, wanted)
        if len(controllers) <= len(best.controllers if best else ()):
            os.close(descriptor)
            continue
        if best:
            os.close(best.folder)
        best = Hierarchy(descriptor, version, controllers)
    return best


def _controllers(folder: int, version: int, wanted: list[str]) -> tuple[str, ...]:
    """Which controllers a group made in this folder has, and whether a process can join it: none if not."""
    if version == 2:
        for name in wanted:
            with contextlib.suppress(OSError):  # in force already, not ours to switch on, or processes are in the way
                _write(Hierarchy(folder, 2, ()), ".", "cgroup.subtree_control", f"+{name}")
    trial = group_name(os.getpid(), 0)
    try:
        os.mkdir(trial, dir_fd=folder)
    except OSError:
        return ()
    try:
        inside = os.listdir(f"/proc/self/fd/{folder}/{trial}")
        names = tuple(name for name in wanted if _MARKS[name][version - 1] in inside)
        return names if names and _can_join(folder, version, trial) else ()
    finally:
        os.rmdir(trial, dir_fd=folder)


def _can_join(folder: int, version: int, name: str) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            _write(Hierarchy(folder, version, ()), name, "cgroup.procs", "0")
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0
