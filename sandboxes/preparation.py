"""What a child of the launcher does to itself before it becomes bwrap: control groups, mounts, limits, user.

The launcher imports this: keep it light. All happens in a mount namespace of the launcher's, in which `STAGE` is
covered by a small tmpfs, and in one of the child's own below it, in which `BOX` is covered by the tmpfs that holds the
sandbox's files. Nothing is written to any disk, and both vanish with the last process that sees them.

The child builds the whole root; bwrap then takes it as it is, and adds the other namespaces and /proc.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import socket
import stat
from typing import Any

from turnwise.sandboxes import cgroups, kernel

STAGE = "/sys"
"""A folder that every Linux has, and that no file to be shown lies in."""
ETC, EMPTY, BOX = f"{STAGE}/etc", f"{STAGE}/empty", f"{STAGE}/box"
LOWER, UPPER, MERGED, TMP = f"{BOX}/lower", f"{BOX}/upper", f"{BOX}/merged", f"{BOX}/tmp"
PLACES, ROOT = f"{BOX}/places", f"{BOX}/root"
"""An empty root with a place for everything that will be mounted, and the root itself: the first, read-only."""
_DEVICES, _DEV, _IMAGE = f"{BOX}/devices", f"{BOX}/dev", f"{BOX}/image"
_FOLDERS = (LOWER, UPPER, MERGED, TMP, PLACES, ROOT, _DEVICES, _DEV, _IMAGE, f"{BOX}/work", f"{BOX}/links")
_DEVICE_NAMES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


class NoOverlayError(OSError):
    """The work folder cannot be an overlay here: its file system, or this kernel, does not allow it."""


class StaleViewError(OSError):
    """Something was mounted after the launcher began, and does not show in its mount namespace."""


HOSTNAME = "sandbox"
USER = 0x74770000
"""The user, where the launcher is root, that a sandbox's processes are outside of it: nobody's."""
OWNERS = 1 << 16


def enter_stage(etc: dict[str, str]) -> bool:
    """Move the launcher into namespaces of its own, with `STAGE` covered.

    Args:
        etc: The files of a sandbox's /etc: name -> text.

    Returns:
        Whether overlays can be made whose upper layer is in memory.
    """
    if os.geteuid() != 0:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    else:
        kernel.unshare(kernel.CLONE_NEWNS)
    # Mounts made outside later are seen here; those made here are not seen outside.
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    kernel.mount("tmpfs", STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=16m,mode=755")
    for folder in (ETC, EMPTY, BOX):
        os.mkdir(folder, 0o755)
    for name, text in etc.items():
        os.makedirs(os.path.dirname(f"{ETC}/{name}"), exist_ok=True)
        _write(f"{ETC}/{name}", text)
    try:
        os.setxattr(BOX, "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque", b"n")
    except OSError:  # before Linux 6.6, a tmpfs has no attributes of users
        return False
    return True


def user_namespace(uid: int, gid: int) -> int:
    """A user namespace, for showing files: those of the given owner become `USER`'s, all others somebody else's."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    ended, ending = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ending)
            kernel.unshare(kernel.CLONE_NEWUSER)
            os.write(writing, b"+")
            os.read(ended, 1)
        finally:
            os._exit(1)
    os.close(writing)
    os.close(ended)
    try:
        if not os.read(reading, 1):
            raise OSError("no user namespace can be made: is user.max_user_namespaces 0?")
        _write(f"/proc/{pid}/uid_map", owner_map(uid))
        _write(f"/proc/{pid}/gid_map", owner_map(gid))
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(reading)
        os.close(ending)
        os.waitpid(pid, 0)


def owner_map(owner: int) -> str:
    """The lines of an id map that make `owner` `USER`, and every other below `OWNERS` another.

    >>> print(owner_map(2).replace(str(USER), "U").replace(str(USER + 1), "U+1").replace(str(USER + 3), "U+3"))
    2 U 1
    0 U+1 2
    3 U+3 65533
    """
    parts = [(owner, USER, 1), (0, USER + 1, min(owner, OWNERS)), (owner + 1, USER + 1 + owner, OWNERS - owner - 1)]
    return "\n".join(f"{first} {shown} {count}" for first, shown, count in parts if count > 0)


def become_sandbox(
    control: socket.socket, parent: int, hierarchies: list[cgroups.Hierarchy], group: str, network: bool
) -> None:
    """Wait as a spare for a request on `control`, then become the bwrap that it asks for. Never returns.

    The namespaces that do not depend on a request are made beforehand; these then belong to nobody inside, so that not
    even with all capabilities of its own user namespace could a sandbox change its network or its name.

    The request is a JSON object (see `launcher.Launcher.start`) with these descriptors: a socket to the host, the
    sandbox's standard streams, bwrap's information pipe, seccomp rules, and user namespaces.
    """
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        return
    # A session of its own: `kill -9 0` inside would else reach the launcher and the host process.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    problem = ""
    try:
        cgroups.make(hierarchies, group)
        own = kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
        kernel.unshare(own if network else own | kernel.CLONE_NEWNET)
        socket.sethostname(HOSTNAME)
        if not network:
            kernel.raise_loopback()
        _make_box()
    except OSError as error:
        problem = str(error)
    message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 64, socket.MSG_CMSG_CLOEXEC)
    if not message:
        return
    host = socket.socket(fileno=descriptors[0])
    try:
        if problem:
            raise OSError(problem)
        _become(json.loads(message), host, descriptors[1:], hierarchies, group)
    except OSError as error:
        host.send(json.dumps({"error": str(error), "kind": type(error).__name__}).encode())


def _make_box() -> None:
    """What is the same for all sandboxes."""
    kernel.mount("tmpfs", BOX, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for folder in _FOLDERS:
        os.mkdir(folder, 0o755)
    os.chmod(TMP, 0o1777)
    _own(UPPER, TMP)
    kernel.show(PLACES, ROOT)
    for name in _DEVICE_NAMES:
        _touch(f"{_DEVICES}/{name}")
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{_DEVICES}/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{_DEVICES}/{name}")
    kernel.show(_DEVICES, _DEV)
    for name in _DEVICE_NAMES:
        kernel.mount(f"/dev/{name}", f"{_DEV}/{name}", flags=kernel.MS_BIND)
    kernel.mount("devpts", f"{_DEV}/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, "newinstance,ptmxmode=666")
    # Shared memory is among the files in /tmp: a sandbox has no other state than what a snapshot holds.
    kernel.show(TMP, f"{_DEV}/shm", read_only=False)


def _become(
    request: dict[str, Any],
    host: socket.socket,
    descriptors: list[int],
    hierarchies: list[cgroups.Hierarchy],
    group: str,
) -> None:
    stdin, stdout, stderr, info, rules, *owners = descriptors
    limits = request["limits"]
    cgroups.limit(hierarchies, group, limits["memory"], limits["cpus"], limits["processes"])
    size = f"size={request['disk']},nr_inodes={request['inodes']}"
    kernel.mount("tmpfs", BOX, "tmpfs", kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV, size)
    _hand_back(host)
    maps = {(uid, gid): owner for (uid, gid), owner in zip(request["owners"], owners, strict=True)}
    _check_view(request["identities"])
    _build_root(request)
    if request["hold"] and not host.recv(1):
        return  # the host has changed its mind, or is gone
    try:
        _mount_work(request, maps)
    except OSError as error:
        raise NoOverlayError(str(error)) from error
    _show_inside(request, maps)
    if request["cores"]:
        os.sched_setaffinity(0, request["cores"])
    for name, (soft, hard) in request["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    kernel.leave_keyrings()
    for target, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, target)
    info, rules = _keep_only(info, rules)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        kernel.die_with_parent(signal.SIGKILL)
    seccomp = ["--seccomp", str(rules)] if request["seccomp"] else []
    os.execve(request["bwrap"], ["bwrap", "--info-fd", str(info), *seccomp, *request["arguments"]], {})


def _check_view(identities: dict[str, list[int]]) -> None:
    """What the host sees at some paths, by device and inode, must be what is seen here."""
    for path, identity in identities.items():
        try:
            status = os.stat(path)
        except OSError as error:
            raise StaleViewError(str(error)) from error
        if [status.st_dev, status.st_ino] != identity:
            raise StaleViewError(f"the launcher sees something else at {path}")


def _build_root(request: dict[str, Any]) -> None:
    """The read-only part of the root, and /tmp."""
    for path in request["folders"]:
        os.makedirs(PLACES + path, 0o755, exist_ok=True)
    for path in request["files"]:
        os.makedirs(os.path.dirname(PLACES + path), 0o755, exist_ok=True)
        _touch(PLACES + path)
    for path, target in request["links"].items():
        os.symlink(target, PLACES + path)
    if request["image"]:
        kernel.show(request["image"], _IMAGE)  # a path of its own: the given one may hold what ends an option
        kernel.mount("overlay", ROOT, "overlay", kernel.MS_RDONLY, f"lowerdir={PLACES}:{_IMAGE},xino=off")
        kernel.show(ROOT, ROOT)
    for path, source in request["root"].items():
        kernel.show(source, ROOT + path, recursive=True)
    kernel.mount(_DEV, f"{ROOT}/dev", flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.show(TMP, f"{ROOT}/tmp", read_only=False)


def _mount_work(request: dict[str, Any], maps: dict[tuple[int, int], int]) -> None:
    """The work folder: an overlay, or, with nothing below it, just a folder."""
    if request["lower"] is None:
        kernel.show(UPPER, ROOT + request["workdir"], read_only=False)
        return
    kernel.show(request["lower"], LOWER, _owner(request["lower"], maps))
    if not request["hold"]:
        os.chmod(UPPER, stat.S_IMODE(os.stat(LOWER).st_mode))
    options = (
        f"lowerdir={LOWER},upperdir={UPPER},workdir={BOX}/work,index=off,metacopy=off,redirect_dir=nofollow,xino=off"
    )
    options += "" if os.geteuid() == 0 else ",userxattr"
    kernel.mount("overlay", MERGED, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    kernel.show(MERGED, ROOT + request["workdir"], read_only=False)


def _show_inside(request: dict[str, Any], maps: dict[tuple[int, int], int]) -> None:
    """The mounts that were asked for, and what is hidden."""
    root = os.open(ROOT, os.O_PATH | os.O_CLOEXEC)
    for path, source in request["shown"].items():
        place = _place(root, path, folder=os.path.isdir(source))
        try:
            kernel.show(source, place, _owner(source, maps))
        except OSError:  # owners cannot be mapped there: what others may read can still be seen
            kernel.show(source, place)
        os.close(place)
    for path in request["hidden"]:
        try:
            place = kernel.open_inside(root, path)
        except FileNotFoundError:
            continue
        kernel.show(EMPTY, place)
        os.close(place)
    os.close(root)


def _place(root: int, path: str, *, folder: bool) -> int:
    """Where to mount something; in the writable folders the place is made if need be."""
    try:
        return kernel.open_inside(root, path)
    except FileNotFoundError:
        above = _place(root, os.path.dirname(path), folder=True)
    name = f"/proc/self/fd/{above}/{os.path.basename(path)}"
    try:
        os.mkdir(name) if folder else _touch(name)
        _own(name)
    except OSError as error:
        raise OSError(
            f"there is no {path} in the sandbox's root to mount something on, and none can be made"
        ) from error
    finally:
        os.close(above)
    return kernel.open_inside(root, path)


def _owner(path: str, maps: dict[tuple[int, int], int]) -> int | None:
    """The id map for a file of the host, where the sandbox has another user than the launcher."""
    status = os.stat(path)
    return maps.get((status.st_uid, status.st_gid))


def _own(*paths: str) -> None:
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, USER, USER)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _keep_only(*descriptors: int) -> range:
    """Close all other descriptors but the standard streams, and leave these open for the next program."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 16) for descriptor in descriptors]
    kept = range(3, 3 + len(high))
    for descriptor, target in zip(high, kept, strict=True):
        os.dup2(descriptor, target)
    os.closerange(kept.stop, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return kept


def _hand_back(host: socket.socket) -> None:
    """Send the host this process and the box, to reach them whatever else sees them."""
    box = os.open(BOX, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    opened = [os.pidfd_open(os.getpid()), box]
    socket.send_fds(host, [b"{}"], opened)
    for descriptor in opened:
        os.close(descriptor)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
