"""What a child of the launcher does to itself before it becomes bwrap: control groups, mounts, limits, user.

The launcher imports this: keep it light. All happens in a mount namespace of the launcher's, in which `STAGE` is covered
by a small tmpfs, and in one of the child's own below it, in which `BOX` is covered by the tmpfs that holds the sandbox's
files. Nothing is written to any disk, and both vanish with the last process that sees them.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import socket
from typing import Any

from turnwise.sandboxes import cgroups, kernel

STAGE = "/sys"
"""A folder that every Linux has, and that no file to be shown lies in."""
BOX = STAGE + "/box"
LOWER, UPPER, MERGED = BOX + "/lower", BOX + "/upper", BOX + "/merged"
TMP, ROOT, SHOWN, LINKS = BOX + "/tmp", BOX + "/root", BOX + "/shown", BOX + "/links"
ETC, EMPTY = STAGE + "/etc", STAGE + "/empty"
USER = 0x74770000
"""The user, where the launcher is root, that a sandbox's processes are outside of it: nobody's."""
OWNERS = 1 << 16


def enter_stage(etc: dict[str, str]) -> None:
    """Move the launcher into namespaces of its own, with `STAGE` covered.

    Args:
        etc: The files of a sandbox's /etc: name -> text.
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


def become_sandbox(control: socket.socket, parent: int, hierarchies: list[cgroups.Hierarchy], group: str) -> None:
    """Wait as a spare for a request on `control`, then become the bwrap that it asks for. Never returns.

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
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("tmpfs", BOX, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
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
        host.send(json.dumps({"error": str(error)}).encode())


def _become(
    request: dict[str, Any],
    host: socket.socket,
    descriptors: list[int],
    hierarchies: list[cgroups.Hierarchy],
    group: str,
) -> None:
    stdin, stdout, stderr, info, rules, *owners = descriptors
    privileged = os.geteuid() == 0
    limits = request["limits"]
    cgroups.limit(hierarchies, group, limits["memory"], limits["cpus"], limits["processes"])
    size = f"size={request['disk']},nr_inodes={request['inodes']}"
    kernel.mount("tmpfs", BOX, "tmpfs", kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV, size)
    user = USER if privileged else os.geteuid()
    maps = dict(zip(map(tuple, request["owners"]), owners, strict=True)) if privileged else {}
    _fill(request, maps, user)
    for number, path in enumerate(request["shown"]):
        _show(path, f"{SHOWN}/{number}", maps)
    _hand_back(host)
    if request["hold"] and not host.recv(1):
        return  # the host has changed its mind, or is gone
    options = f"upperdir={UPPER},workdir={BOX}/work,index=off,metacopy=off,redirect_dir=off,xino=off"
    options += "" if privileged else ",userxattr"
    kernel.mount("overlay", MERGED, "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, f"lowerdir={LOWER},{options}")
    if request["image"]:
        kernel.mount("overlay", ROOT, "overlay", kernel.MS_RDONLY, f"lowerdir={ROOT}:{request['image']},xino=off")
    for name, (soft, hard) in request["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    kernel.leave_keyrings()
    for target, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, target)
    info, rules = _keep_only(info, rules)
    if privileged:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        kernel.die_with_parent(signal.SIGKILL)
    arguments = ["bwrap", "--info-fd", str(info), "--seccomp", str(rules), *request["arguments"]]
    os.execve(request["bwrap"], arguments, {})


def _keep_only(*descriptors: int) -> range:
    """Close all other descriptors but the standard streams, and leave these open for the next program."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 512) for descriptor in descriptors]
    kept = range(3, 3 + len(high))
    for descriptor, target in zip(high, kept, strict=True):
        os.dup2(descriptor, target)
    os.closerange(kept.stop, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return kept


def _fill(request: dict[str, Any], maps: dict[Any, int], user: int) -> None:
    """The folders of the box: the work folder's layers, /tmp, and a root with a place for everything to be shown."""
    for folder in (LOWER, UPPER, MERGED, TMP, ROOT, SHOWN, LINKS, BOX + "/work"):
        os.mkdir(folder, 0o755)
    if request["lower"]:
        _show(request["lower"], LOWER, maps)
        os.chmod(UPPER, os.stat(request["lower"]).st_mode & 0o777 | 0o700)
    os.chmod(TMP, 0o1777)
    for folder in (UPPER, TMP):
        os.chown(folder, user, user if os.geteuid() == 0 else -1)
    for path in request["folders"]:
        os.makedirs(ROOT + path, 0o755, exist_ok=True)
    for path in request["files"]:
        os.makedirs(os.path.dirname(ROOT + path), 0o755, exist_ok=True)
        os.close(os.open(ROOT + path, os.O_CREAT | os.O_WRONLY, 0o644))
    for path, target in request["links"].items():
        os.symlink(target, ROOT + path)


def _show(path: str, at: str, maps: dict[Any, int]) -> None:
    """Bind a file or folder of the host, read-only, as the sandbox's user's own."""
    status = os.stat(path)
    if at != LOWER:
        if os.path.isdir(path):
            os.mkdir(at)
        else:
            os.close(os.open(at, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.show_as(path, at, maps.get((status.st_uid, status.st_gid)), read_only=True)


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
