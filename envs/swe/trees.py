"""Folders of this machine that hold a tree of files, made once and kept in the cache: what a sandbox begins with."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from turnwise.envs.built_folder import default_cache_dir

_TIME = 946_684_800
"""Every file's time of change: `ls -l` is to show the same on every machine."""


def swe_cache() -> Path:
    """The folder in which this family keeps what it makes; made if it is not there."""
    folder = default_cache_dir() / "swe"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tree_folder(files: Mapping[str, bytes]) -> Path:
    """A folder with exactly these files, readable by everybody and not to be changed.

    Files of equal contents are one file on the disk, so that a hundred tasks of a project take little more room than
    one. Safe to call in several processes at once.

    Args:
        files: Path -> contents. Paths are relative, normal, and stay inside.

    Raises:
        ValueError: A path leaves the folder.
    """
    digest = hashlib.blake2b(digest_size=12)
    for path, data in sorted(files.items()):
        if path.startswith("/") or os.path.normpath(path) != path or path.split("/")[0] == "..":
            raise ValueError(f"a path in a tree must be relative, normal and stay inside, got {path!r}")
        digest.update(f"{path}\0{len(data)}\0".encode() + hashlib.blake2b(data).digest())
    target = swe_cache() / "trees" / digest.hexdigest()
    if not target.exists():
        with new_folder(target) as part:
            for path, data in files.items():
                where = part / path
                where.parent.mkdir(parents=True, exist_ok=True)
                os.link(_blob(data), where)
            for folder, _, _ in os.walk(part, topdown=False):
                os.utime(folder, (_TIME, _TIME))
    return target


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` at the end: whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".part-"))
    try:
        part.chmod(0o755)
        yield part
        with contextlib.suppress(OSError):  # another process was first
            part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _blob(data: bytes) -> Path:
    """The one file on the disk with these contents."""
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    target = swe_cache() / "blobs" / digest[:2] / digest
    # A file that is linked very often comes to the file system's limit; then another one begins.
    if not target.exists() or target.stat().st_nlink > 30_000:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent)
        with open(handle, "wb") as file:
            file.write(data)
        os.chmod(part, 0o644)
        os.utime(part, (_TIME, _TIME))
        os.replace(part, target)
    return target
