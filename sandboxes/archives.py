"""Archives of a sandbox's files: a folder of this machine made into one, and what is the same about two trees of files.

An archive is what `scripts.pack` prints: a list of modes, which is empty here, then a tar of the writable folders.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

_TIME = 946_684_800
"""Time of change of all first files, 2000-01-01: what an agent sees does not depend on when a task was checked out."""
_BLOCK = 512
_LARGE = 128 * _BLOCK
_ZEROS = bytes(_LARGE)


def first_archive(folder: Path | None, workdir: str, apart: Sequence[str] = ()) -> bytes:
    """An archive with which a sandbox begins: the work folder holds what a folder of this machine holds, /tmp nothing.

    Equal files give equal bytes. It is cached for as long as the folder does not change.

    Args:
        folder: What to pack, or None.
        workdir: The work folder's absolute path in the sandbox.
        apart: Absolute paths in the sandbox that are left out, for something else is mounted there.

    Raises:
        NotADirectoryError: It is no folder.
        ValueError: It holds something other than files, folders and links.
    """
    if folder is None:
        return _packed(None, (), workdir, tuple(apart))
    if not folder.is_dir():
        raise NotADirectoryError(f"the folder of first files is not a folder: {str(folder)!r}")
    return _packed(folder, tuple(_states(folder)), workdir, tuple(apart))


@functools.lru_cache(maxsize=8)
def _packed(folder: Path | None, states: tuple[object, ...], workdir: str, apart: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode in ((f".{workdir}", 0o755), ("./tmp", 0o1777)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.mtime = tarfile.DIRTYPE, mode, _TIME
            tar.addfile(member)
        for path in sorted(folder.iterdir()) if folder else []:
            tar.add(path, f".{workdir}/{path.name}", filter=functools.partial(_first, apart=apart))
    return b"\0" + buffer.getvalue()


def moved(tar: bytes, workdir: str, apart: Sequence[str] = ()) -> bytes | None:
    """An archive of a folder, from a tar in which all is below that folder's own name; None where it is empty."""
    buffer, old, found = io.BytesIO(), workdir.rpartition("/")[2], False
    with (
        tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape") as source,
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in source:
            data = source.extractfile(member) if member.isreg() else None
            member.name = f".{workdir}{member.name[len(old) :]}"
            if member.islnk():
                member.linkname = f".{workdir}{member.linkname[len(old) :]}"
            if any(member.name[1:] == path or member.name[1:].startswith(path + "/") for path in apart):
                continue
            found = found or member.name[1:] != workdir
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            target.addfile(member, data)
    return b"\0" + buffer.getvalue() if found else None


def _first(member: tarfile.TarInfo, apart: tuple[str, ...]) -> tarfile.TarInfo | None:
    """A member as it goes into the archive, or None where it is left out."""
    if member.name[1:] in apart:
        return None
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise ValueError(f"only files, folders and links can be copied into a sandbox, not {member.name!r}")
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = _TIME
    member.mode &= 0o777
    return member


def _states(folder: Path) -> Iterator[tuple[object, ...]]:
    """What changes when something in a folder changes."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        yield entry.name, status.st_mode, status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        if stat.S_ISDIR(status.st_mode):
            yield from _states(Path(entry.path))
            yield ()


def tar_of(archive: bytes) -> bytes:
    r"""The tar in an archive.

    >>> tar_of(b"000 ./work/closed\0" + b"000 ./work/closed/a\0" + b"\0" + b"the tar")
    b'the tar'
    """
    at = 0
    while (end := archive.index(b"\0", at)) > at:
        at = end + 1
    return archive[end + 1 :]


def content_hashes(tar: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, hash of the contents) of each file in a tar. A hole in a file counts as the zeros that it reads."""
    hashes: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape") as members:
        for member in members:
            if member.isreg():
                hashes[member.name] = _content_hash(member.size, _pieces(member, tar))
            elif member.islnk():
                hashes[member.name] = hashes[member.linkname]
            else:
                continue
            yield member.name.encode("utf-8", "surrogateescape"), hashes[member.name]


def _pieces(member: tarfile.TarInfo, tar: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset in the file, data) of all that is no hole."""
    at, extents = member.offset_data, [(0, member.size)]
    if member.sparse is not None:
        extents = list(cast("list[tuple[int, int]]", member.sparse))
    for offset, length in extents:
        yield offset, tar[at : at + length]
        at += length


def _content_hash(size: int, pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """A hash of a file's size and of those of its blocks that are not all zeros: a hole of a terabyte costs nothing."""
    data, layout, end = hashlib.blake2b(digest_size=16), hashlib.blake2b(str(size).encode(), digest_size=16), 0
    for offset, piece in pieces:
        for start, run in _runs(piece):
            if offset + start != end:
                layout.update(f" {end} {offset + start}".encode())
            data.update(run)
            end = offset + start + len(run)
    layout.update(f" {end} ".encode() + data.digest())
    return layout.digest()


def _runs(piece: bytes) -> Iterator[tuple[int, bytes]]:
    """(start, bytes) of each stretch of blocks that are not all zeros."""
    start = None
    for at, empty in _stretches(piece):
        if not empty:
            start = at if start is None else start
        elif start is not None:
            yield start, piece[start:at]
            start = None
    if start is not None:
        yield start, piece[start:]


def _stretches(piece: bytes) -> Iterator[tuple[int, bool]]:
    """(start, whether all are zeros) of consecutive stretches of blocks; large ones where that can be told at once."""
    for at in range(0, len(piece), _LARGE):
        large = piece[at : at + _LARGE]
        if large == _ZEROS[: len(large)]:
            yield at, True
        elif _ZEROS[:_BLOCK] not in large and large[-_BLOCK:].strip(b"\0"):
            yield at, False
        else:
            for block in range(0, len(large), _BLOCK):
                yield at + block, not large[block : block + _BLOCK].strip(b"\0")
