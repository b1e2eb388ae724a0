"""The writable layer of an overlay, copied, packed and unpacked from outside: everything in it, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import Any

from turnwise.sandboxes.layer_walk import OPAQUE, OVERLAY_PREFIXES, Cursor, Node, opened, segments, walk
from turnwise.sandboxes.preparation import OWNERS, USER

_HEADS = {True: b"turnwise layer 1 above\n", False: b"turnwise layer 1 whole\n"}
_CHUNK = 1 << 20


def copy(source: int, target: int, links: int) -> None:
    """Copy a layer into an empty folder.

    Args:
        source: Descriptor of the layer.
        target: Descriptor of the folder.
        links: Descriptor of an empty folder on the target's file system, for its hard links; left empty.
    """
    with _Writer(target, links) as writer:
        for node in walk(source):
            if node is None:
                writer.leave()
                continue
            record = _record(node)
            if node.kind != "file" or writer.link_again(record):
                writer.add(record)
                continue
            with contextlib.suppress(FileNotFoundError), opened(node) as content:
                record["attributes"] = _attributes(content)
                writer.add_file(record, content, segments(content))


def pack(*roots: int, above: bool = False) -> bytes:
    """An archive of layers.

    Args:
        roots: Their descriptors.
        above: The first lies above a folder that is not in the archive.
    """
    records: list[dict[str, Any] | None] = []
    blobs: list[bytes] = []
    seen: set[str] = set()
    for root in roots:
        for node in walk(root):
            if node is None:
                records.append(None)
                continue
            record = _record(node)
            if node.kind == "file" and record.get("same") not in seen:
                try:
                    with opened(node) as content:
                        record["attributes"] = _attributes(content)
                        record["segments"] = list(segments(content))
                        blobs += [_read(content, start, length) for start, length in record["segments"]]
                except FileNotFoundError:
                    continue
                if "same" in record:
                    seen.add(record["same"])
            records.append(record)
    head = json.dumps(records).encode()
    return b"".join([_HEADS[above], len(head).to_bytes(8, "big"), head, *blobs])


def lies_above(archive: bytes) -> bool:
    """Whether an archive holds only what differs from a folder below.

    Raises:
        ValueError: It is no such archive.
    """
    for above, head in _HEADS.items():
        if archive.startswith(head):
            return above
    raise ValueError("these files are no snapshot of a bubblewrap sandbox")


def unpack(archive: bytes, links: int, *roots: int) -> None:
    """Fill empty folders with the layers of an archive.

    Args:
        archive: What `pack` gave.
        links: See `copy`.
        roots: Descriptors of the folders, in the order given to `pack`.

    Raises:
        ValueError: It is no such archive.
    """
    length = len(_HEADS[lies_above(archive)])
    begin = length + 8
    end = begin + int.from_bytes(archive[length:begin], "big")
    listed = json.loads(archive[begin:end])
    if end + sum(size for record in listed if record for _, size in record.get("segments", ())) != len(archive):
        raise ValueError("the archive is cut short")
    records, at = iter(listed), end
    view = memoryview(archive)
    for root in roots:
        with _Writer(root, links) as writer:
            depth = 0
            for record in records:
                if record is None:
                    writer.leave()
                    depth -= 1
                    if depth == 0:
                        break
                    continue
                depth += record["kind"] == "folder"
                if record["kind"] != "file" or writer.link_again(record):
                    writer.add(record)
                    continue
                length = sum(size for _, size in record["segments"])
                writer.add_file(record, view[at : at + length], record["segments"])
                at += length


class _Writer:
    """Builds a tree in an empty folder that nobody else sees."""

    def __init__(self, root: int, links: int) -> None:
        self._cursor = Cursor(root)
        self._links = links
        self._linked: set[str] = set()
        self._open: list[dict[str, Any]] = []
        self._privileged = os.geteuid() == 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()
        for name in self._linked:
            os.unlink(name, dir_fd=self._links)

    def link_again(self, record: dict[str, Any]) -> bool:
        """Whether a file is another name of one that has been written."""
        return record.get("same") in self._linked

    def add(self, record: dict[str, Any]) -> None:
        """Make anything but a new file; a folder is entered."""
        name, kind, folder = _checked(record["name"]), record["kind"], self._cursor.folder
        if kind == "file":
            os.link(record["same"], name, src_dir_fd=self._links, dst_dir_fd=folder)
        elif kind == "folder":
            if name:
                os.mkdir(name, 0o700, dir_fd=folder)
                self._cursor.enter(name)
            self._open.append(record)
        elif kind == "link":
            os.symlink(record["target"], name, dir_fd=folder)
            self._finish(name, record, dir_fd=folder, follow_symlinks=False)
        elif kind == "whiteout":
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=folder)
        else:
            os.mknod(name, stat.S_IFMT(record["mode"]) | 0o600, 0, dir_fd=folder)
            os.chmod(name, stat.S_IMODE(record["mode"]), dir_fd=folder)
            self._finish(name, record, dir_fd=folder, follow_symlinks=False)

    def add_file(self, record: dict[str, Any], content: int | memoryview, parts: Any) -> None:
        """Make a regular file."""
        name, folder = _checked(record["name"]), self._cursor.folder
        descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            at = 0
            for start, length in parts:
                if isinstance(content, int):
                    _send(descriptor, content, start, length)
                else:
                    _write(descriptor, content[at : at + length], start)
                    at += length
            os.ftruncate(descriptor, record["size"])
            self._finish(descriptor, record)
        finally:
            os.close(descriptor)
        if "same" in record:
            os.link(name, record["same"], src_dir_fd=folder, dst_dir_fd=self._links)
            self._linked.add(record["same"])

    def leave(self) -> None:
        """Go up from a folder, which is complete."""
        record = self._open.pop()
        folder = self._cursor.leave() if self._open else self._cursor.folder
        if record["opaque"]:
            os.setxattr(folder, OVERLAY_PREFIXES[0 if self._privileged else 1] + OPAQUE, b"y")
        self._finish(folder, record)
        if self._open:
            os.close(folder)

    def _finish(self, what: int | str, record: dict[str, Any], **where: Any) -> None:
        """Owner, attributes, mode and time."""
        if self._privileged:
            owned = [number if USER <= number < USER + OWNERS + 1 else USER for number in record["owner"]]
            os.chown(what, *owned, **where)
        if isinstance(what, int):
            for name, value in record.get("attributes", {}).items():
                os.setxattr(what, name, bytes.fromhex(value))
            os.fchmod(what, stat.S_IMODE(record["mode"]))
        os.utime(what, ns=(record["time"], record["time"]), **where)


def _checked(name: str) -> str:
    if "/" in name or name in (".", ".."):
        raise ValueError(f"an archive's names are names in a folder, not paths: {name!r}")
    return name


def _record(node: Node) -> dict[str, Any]:
    status, kind = node.status, node.kind
    record: dict[str, Any] = {
        "name": node.name,
        "kind": kind,
        "mode": status.st_mode,
        "time": status.st_mtime_ns,
        "owner": [status.st_uid, status.st_gid],
    }
    if kind == "folder":
        record["opaque"] = node.opaque
        record["attributes"] = _attributes(node.folder)
    elif kind == "link":
        record["target"] = node.target
    elif kind == "file":
        record["size"] = status.st_size
        if status.st_nlink > 1:
            record["same"] = f"{status.st_dev}-{status.st_ino}"
    return record


def _attributes(descriptor: int) -> dict[str, str]:
    """The owner's extended attributes, without those of the overlay."""
    names = [n for n in os.listxattr(descriptor) if n.startswith("user.") and not n.startswith(OVERLAY_PREFIXES)]
    return {name: os.getxattr(descriptor, name).hex() for name in names}


def _read(descriptor: int, start: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(descriptor, min(length, _CHUNK), start)
        part = part or bytes(min(length, _CHUNK))  # it has become shorter meanwhile
        parts.append(part)
        start, length = start + len(part), length - len(part)
    return b"".join(parts)


def _write(descriptor: int, data: memoryview, start: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, start)
        data, start = data[written:], start + written


def _send(target: int, source: int, start: int, length: int) -> None:
    os.lseek(target, start, os.SEEK_SET)
    while length > 0:
        sent = os.sendfile(target, source, start, min(length, _CHUNK))
        if sent == 0:  # it has become shorter meanwhile
            return
        start, length = start + sent, length - sent
