"""System calls that Python's `os` has not, through the C library. The launcher imports this: keep it light."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET = 0x04000000, 0x08000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 19

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442  # the same on all architectures
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH, _RESOLVE_IN_ROOT = 1, 4, 0x40, 0x10
_AT_EMPTY_PATH, _AT_RECURSIVE, _AT_FDCWD = 0x1000, 0x8000, -100
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV, _MOUNT_ATTR_IDMAP = 1, 2, 4, 0x00100000
_KEYCTL_JOIN_SESSION_KEYRING = 1
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class _HowToOpen(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave some of the namespaces for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str = "") -> None:
    """Mount a file system, or change a mount."""
    result = _libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(result, f"mount {kind or source} on {target}")


def die_with_parent(signal: int) -> None:
    """Be sent a signal when the parent ends. A change of user undoes it."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def raise_loopback() -> None:
    """Make 127.0.0.1 work in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def adopt_orphans() -> None:
    """Be the parent of descendants whose own parents end."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def leave_keyrings() -> None:
    """Begin a session keyring of its own, where the system call is known: keyrings are in no namespace."""
    if number := _KEYCTL.get(os.uname().machine):
        _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def show(
    source: str, target: int | str, owners: int | None = None, *, read_only: bool = True, recursive: bool = False
) -> None:
    """Bind a file or folder to another place, without set-user bits and devices.

    Args:
        source: Path of what is to be seen.
        target: Path or descriptor of the place.
        owners: A user namespace through whose id map owners are shown.
        read_only: Whether it can only be read there.
        recursive: Whether what is mounted below is seen too.

    Raises:
        OSError: For one, its file system cannot map owners (an overlay, NFS, kernels before 5.12).
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    tree = _check(_libc.syscall(_OPEN_TREE, _AT_FDCWD, source.encode(), flags), f"open_tree {source}")
    try:
        wanted = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (_MOUNT_ATTR_RDONLY if read_only else 0)
        attributes = _MountAttributes(wanted | (0 if owners is None else _MOUNT_ATTR_IDMAP), 0, 0, owners or 0)
        flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        result = _libc.syscall(_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(attributes), size)
        _check(result, f"mount_setattr {source}")
        if isinstance(target, int):
            to, path, flags = target, b"", _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
        else:
            to, path, flags = _AT_FDCWD, target.encode(), _MOVE_MOUNT_F_EMPTY_PATH
        _check(_libc.syscall(_MOVE_MOUNT, tree, b"", to, path, flags), f"move_mount {source}")
    finally:
        os.close(tree)


def open_inside(root: int, path: str) -> int:
    """A descriptor of a path, where links lead as they would if `root` were the root.

    Raises:
        OSError: There is no such path.
    """
    how = _HowToOpen(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    return _check(_libc.syscall(_OPENAT2, root, path.encode(), ctypes.byref(how), size), path)
