"""The writable layer of an overlay, walked from outside, whatever its owner has put there.

An agent owns what is in a layer and may change it at any moment. So nothing here follows a link, opens a name twice, or
keeps more than a few descriptors: a walk holds one folder open, enters the next by name and comes back by `..`. What
the owner has closed even to itself is opened for the time that it is looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from turnwise.sandboxes.errors import SandboxError

OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.")
"""Of the attributes in which an overlay keeps its own notes: root's, and an ordinary user's."""
OPAQUE = "opaque"
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL)
"""It is not there any more, or something else is."""


class Node(NamedTuple):
    """One file, folder or link.

    Attributes:
        name: In its folder; empty for the layer's own folder.
        status: What `lstat` says.
        folder: An open descriptor of the folder that holds it; of itself, if it is a folder. Valid until the next step.
        opaque: A folder that hides the one below it.
        target: Where a link leads.
    """

    name: str
    status: os.stat_result
    folder: int
    opaque: bool = False
    target: str = ""

    @property
    def kind(self) -> str:
        """`folder`, `file`, `link`, `whiteout`, or `special`."""
        mode = self.status.st_mode
        if stat.S_ISDIR(mode):
            return "folder"
        if stat.S_ISREG(mode):
            return "file"
        if stat.S_ISLNK(mode):
            return "link"
        return "whiteout" if stat.S_ISCHR(mode) and self.status.st_rdev == 0 else "special"


class Cursor:
    """One open folder in a tree, that moves down by name and up again."""

    def __init__(self, root: int | str) -> None:
        if isinstance(root, str):
            self.folder = os.open(root, _FOLDER_FLAGS)
        else:
            self.folder = os.open(".", _FOLDER_FLAGS, dir_fd=root)
        self._above: list[tuple[int, int]] = []

    def enter(self, name: str) -> None:
        """Go into a folder of this name; a link is none.

        Raises:
            OSError: There is no such folder.
        """
        inside = os.open(name, _FOLDER_FLAGS, dir_fd=self.folder)
        self._above.append(_identity(self.folder))
        os.close(self.folder)
        self.folder = inside

    def leave(self) -> int:
        """Go back up. Gives the descriptor of the folder that was left; the caller closes it.

        Raises:
            SandboxError: The folder has been moved elsewhere meanwhile.
        """
        outside = os.open("..", _FOLDER_FLAGS, dir_fd=self.folder)
        inside, self.folder = self.folder, outside
        if _identity(outside) != self._above.pop():
            os.close(inside)
            raise SandboxError("the sandbox's folders are being moved about while they are read")
        return inside

    @property
    def depth(self) -> int:
        """How far below the root it is."""
        return len(self._above)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.folder)


def walk(root: int) -> Iterator[Node | None]:
    """Everything in a layer: a folder, then what it holds, then None when it is left. Names are in no special order."""
    cursor = Cursor(root)
    try:
        yield Node("", os.fstat(cursor.folder), cursor.folder, is_opaque(cursor.folder))
        pending = [(_names(cursor.folder), -1)]
        while pending:
            names, mode = pending[-1]
            if not names:
                pending.pop()
                yield None
                if pending:
                    left = cursor.leave()
                    if mode >= 0:
                        os.fchmod(left, mode)
                    os.close(left)
                continue
            name = names.pop()
            try:
                status = os.stat(name, dir_fd=cursor.folder, follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    target = os.readlink(name, dir_fd=cursor.folder) if stat.S_ISLNK(status.st_mode) else ""
                    yield Node(name, status, cursor.folder, target=target)
                    continue
                mode = _open_up(cursor.folder, name, status, stat.S_IRUSR | stat.S_IXUSR)
                cursor.enter(name)
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            yield Node(name, status, cursor.folder, is_opaque(cursor.folder))
            pending.append((_names(cursor.folder), mode))
    finally:
        cursor.close()


def is_opaque(folder: int) -> bool:
    """Whether an overlay folder hides the one below it."""
    for prefix in OVERLAY_PREFIXES:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, prefix + OPAQUE) == b"y":
                return True
    return False


@contextlib.contextmanager
def opened(node: Node) -> Iterator[int]:
    """A regular file's contents, as a descriptor.

    Raises:
        FileNotFoundError: It is gone, or something else is there now.
    """
    mode = _open_up(node.folder, node.name, node.status, stat.S_IRUSR)
    try:
        descriptor = os.open(node.name, _FILE_FLAGS, dir_fd=node.folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise FileNotFoundError(errno.ENOENT, "something else is there now", node.name) from None
        raise
    try:
        if mode >= 0:
            os.fchmod(descriptor, mode)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(errno.ENOENT, "something else is there now", node.name)
        yield descriptor
    finally:
        os.close(descriptor)


def segments(descriptor: int) -> Iterator[tuple[int, int]]:
    """(start, length) of each part of a file that is no hole."""
    end, at = os.fstat(descriptor).st_size, 0
    while at < end:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
            at = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError:  # nothing but a hole is left, or it has become shorter meanwhile
            return
        yield start, at - start


def _names(folder: int) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _identity(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _open_up(folder: int, name: str, status: os.stat_result, needed: int) -> int:
    """Give the owner the rights that are needed, where root does not look; the mode to be restored, or -1."""
    if os.geteuid() == 0 or status.st_mode & needed == needed:
        return -1
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISLNK(mode):
            return -1
        os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(mode) | needed)
        return stat.S_IMODE(mode)
    finally:
        os.close(handle)
