"""Folders that are costly to make and then only read: built once for all processes, whole or not at all.

The folder is made under a temporary name next to its final place, under a lock, and renamed when everything, the
marker last, is on the disk. What lies under the final name is therefore whole, however a builder ended.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

MARKER = "complete.json"


class BuildError(OSError):
    """A folder of the cache could not be written. Nothing of it is used, and a later attempt starts afresh.

    Args:
        what: What was to be built, for the message.
        cache_dir: Where.
        cause: Why not.
    """

    def __init__(self, what: str, cache_dir: Path, cause: OSError) -> None:
        super().__init__(
            f"cannot build {what} in {cache_dir}: {cause}. "
            "Make room there, or point TURNWISE_CACHE (or cache_dir) at a folder that can be written"
        )
        self.errno = cause.errno


def default_cache_dir() -> Path:
    """`$TURNWISE_CACHE`, else `$XDG_CACHE_HOME/turnwise`, else `~/.cache/turnwise`."""
    if folder := os.environ.get("TURNWISE_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "turnwise"


def ensure_built(folder: Path, write: Callable[[Path], None]) -> Path:
    """The folder, which is built first where it is not there or damaged; waits for another builder.

    Args:
        folder: Its final place. Whatever decides what is in it belongs into its name.
        write: Writes all files into an empty folder.

    Returns:
        `folder`.

    Raises:
        OSError: The disk is full, or the folder above cannot be written.

    >>> place = Path(tempfile.mkdtemp()) / "greeting-1"
    >>> folder = ensure_built(place, lambda empty: empty.joinpath("text").write_text("hello") and None)
    >>> (folder / "text").read_text(), is_complete(folder)
    ('hello', True)
    """
    if is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not is_complete(folder):
            _build_in_place(folder, write)
    return folder


def is_complete(folder: Path) -> bool:
    """Whether the folder has its marker, and every file the size that the marker states."""
    try:
        sizes: dict[str, int] = json.loads((folder / MARKER).read_bytes())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _build_in_place(folder: Path, write: Callable[[Path], None]) -> None:
    for leftover in folder.parent.glob(f"{folder.name}.tmp-*"):
        shutil.rmtree(leftover)
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.tmp-", dir=folder.parent))
    try:
        write(temporary)
        _write_marker(temporary)
        if folder.exists():
            shutil.rmtree(folder)  # damaged: is_complete() has said so
        os.replace(temporary, folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_marker(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in files:
        _sync(path)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    (folder / MARKER).write_text(json.dumps(sizes), encoding="utf-8")
    for path in (folder / MARKER, *(path for path in folder.rglob("*") if path.is_dir()), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
