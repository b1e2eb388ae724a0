"""`LayerDigest`: what a sandbox's files are, as 16 hex digits, from what differs from the folder below."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import NamedTuple

from turnwise.sandboxes.layer_walk import Cursor, Node, opened, segments, walk

_SETTLED_NANOSECONDS = 100_000_000
"""A file's contents are remembered only if it was last changed this long ago: clocks of file systems are coarse."""
_WINDOW = 1 << 16
_Key = tuple[int, int, int, int, int]

_below: dict[_Key, bytes] = {}
"""Digests of files in folders below, for all sandboxes of this process."""


class _Folder(NamedTuple):
    """A folder that is being walked."""

    name: str
    hides: bool
    below: set[str] | None
    lines: list[bytes]
    seen: set[str]


class LayerDigest:
    """Remembers the contents of files between calls, so that a digest costs a walk over what has changed.

    Args:
        lower: The folder below the work folder, or None for none.
        copied: The work folder is no overlay, but began as a copy of it.

    Two equal trees give equal digests, however they came about: a file that was written anew with the same contents
    counts as unchanged, and so does a folder that was deleted and made again.
    """

    def __init__(self, lower: str | None, *, copied: bool = False) -> None:
        self._lower = lower
        self._copied = copied
        self._contents: dict[_Key, bytes] = {}

    def of(self, upper: int, tmp: int) -> str:
        """The digest of a work folder's upper layer and a /tmp, given as descriptors."""
        remembered, self._contents = self._contents, {}
        work = self._tree(upper, self._lower, remembered)
        rest = self._tree(tmp, None, remembered)
        return hashlib.blake2b(work + b"/" + rest, digest_size=8).hexdigest()

    def _tree(self, root: int, lower: str | None, remembered: dict[_Key, bytes]) -> bytes:
        below = _Below(lower)
        above: list[_Folder] = []
        result = b""
        for node in walk(root):
            if node is None:
                done = above.pop()
                if done.hides and done.below is not None:
                    done.lines.extend(_line(name, b"-") for name in done.below - done.seen)
                text = b"".join(sorted(done.lines))
                below.leave()
                result = hashlib.blake2b(text, digest_size=16).digest() if text else b""
                if above and (result or done.below is None):
                    above[-1].lines.append(_line(done.name, b"d", result))
                continue
            if above:
                above[-1].seen.add(node.name)
            if node.kind == "folder":
                hides = node.opaque or self._copied or bool(above and above[-1].hides)
                above.append(_Folder(node.name, hides, below.enter(node.name), [], set()))
            else:
                above[-1].lines.extend(self._leaf(node, below, remembered))
        below.close()
        return result

    def _leaf(self, node: Node, below: _Below, remembered: dict[_Key, bytes]) -> list[bytes]:
        if node.kind == "whiteout":
            return [_line(node.name, b"-")] if below.status(node.name) else []
        if node.kind == "link":
            target = os.fsencode(node.target)
            return [] if below.target(node.name) == target else [_line(node.name, b"l", target)]
        if node.kind == "special":
            return [_line(node.name, b"s", str(stat.S_IFMT(node.status.st_mode)).encode())]
        content = _content(node, remembered, self._contents)
        if content is None:
            return []
        executable = bool(node.status.st_mode & stat.S_IXUSR)
        if below.same(node, content, executable):
            return []
        return [_line(node.name, b"x" if executable else b"f", content)]


class _Below:
    """The folder below, walked along."""

    def __init__(self, root: str | None) -> None:
        self._cursor = None if root is None else Cursor(root)
        self._missing = 0 if self._cursor else 1

    def enter(self, name: str) -> set[str] | None:
        """Go along into a folder. The names in it, or None where there is none below."""
        if self._missing or self._cursor is None:
            self._missing += 1
            return None
        try:
            if name:
                self._cursor.enter(name)
        except OSError:
            self._missing += 1
            return None
        try:
            return set(os.listdir(self._cursor.folder))
        except OSError:
            return set()

    def leave(self) -> None:
        """Go back up."""
        if self._missing:
            self._missing -= 1
        elif self._cursor is not None and self._cursor.depth:
            os.close(self._cursor.leave())

    def status(self, name: str) -> os.stat_result | None:
        """What `lstat` says of a name in this folder."""
        if self._missing or self._cursor is None:
            return None
        try:
            return os.stat(name, dir_fd=self._cursor.folder, follow_symlinks=False)
        except OSError:
            return None

    def target(self, name: str) -> bytes | None:
        """Where the link of a name leads."""
        if self._missing or self._cursor is None:
            return None
        try:
            return os.fsencode(os.readlink(name, dir_fd=self._cursor.folder))
        except OSError:
            return None

    def same(self, node: Node, content: bytes, executable: bool) -> bool:
        """Whether there is an equal file below."""
        status = self.status(node.name)
        if status is None or self._cursor is None or not stat.S_ISREG(status.st_mode):
            return False
        if status.st_size != node.status.st_size or bool(status.st_mode & stat.S_IXUSR) != executable:
            return False
        return _content(Node(node.name, status, self._cursor.folder), _below, _below) == content

    def close(self) -> None:
        """Close the descriptor."""
        if self._cursor is not None:
            self._cursor.close()


def _content(node: Node, remembered: dict[_Key, bytes], remember: dict[_Key, bytes]) -> bytes | None:
    """A digest of a file's contents, or None if it cannot be read."""
    status = node.status
    key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    content = remembered.get(key)
    if content is None:
        now = time.time_ns()
        try:
            with opened(node) as descriptor:
                content = _hash(descriptor, status.st_size)
        except OSError:
            return None
        if now - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NANOSECONDS:
            return content
    remember[key] = content
    return content


def _hash(descriptor: int, size: int) -> bytes:
    """A digest of a file's contents that does not read holes, nor tell them from zeros."""
    digest = hashlib.blake2b(b"%d" % size, digest_size=16)
    done = 0
    for start, length in segments(descriptor):
        for at in range(max(done, start - start % _WINDOW), start + length, _WINDOW):
            window = os.pread(descriptor, _WINDOW, at)
            done = at + _WINDOW
            if window.strip(b"\0"):
                digest.update(b"%d:" % at)
                digest.update(window)
    return digest.digest()


def _line(name: str, kind: bytes, value: bytes = b"") -> bytes:
    encoded = os.fsencode(name)
    return b"%d:%b%b%d:%b" % (len(encoded), encoded, kind, len(value), value)
