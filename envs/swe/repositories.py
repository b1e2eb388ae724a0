"""Repositories that lie in container images: copied out once, without their history, and read as they are needed."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from shlex import quote

from turnwise.envs.swe.trees import new_folder, swe_cache
from turnwise.sandboxes import Sandbox, SandboxError

_COPY_SECONDS = 600.0
_COPY_BYTES = 4 << 30


def repository_of(image: str, commit: str, where: str, open_image: Callable[[str], Sandbox]) -> Path:
    """A folder of this machine with a repository that lies in an image; copied once and kept in the cache.

    Version control, and nothing else, is left behind: an agent that had the history would have the fix.

    Args:
        image: Its name.
        commit: Where the repository stands, so that another commit in an image of the same name is another folder.
        where: The repository's path in the image.
        open_image: Opens a sandbox of an image.

    Raises:
        SandboxError: There is no such image, or no such folder in it.
    """
    key = hashlib.blake2b(f"{image}\0{commit}\0{where}".encode(), digest_size=8).hexdigest()
    target = swe_cache() / "repositories" / key
    if not target.exists():
        with open_image(image) as sandbox:
            pack = "tar --create --exclude=.git --exclude=.hg --exclude=.svn --file=- ."
            copied = sandbox.run(
                f"set -o pipefail; cd {quote(where)} && {pack} | base64 -w0",
                timeout=_COPY_SECONDS,
                output_bytes=_COPY_BYTES,
            )
        if not copied.ok or copied.output_truncated or not copied.stdout:
            raise SandboxError(f"{where} cannot be copied out of the image {image!r}: {copied.stderr.strip()[-300:]}")
        with new_folder(target) as part, tarfile.open(fileobj=io.BytesIO(base64.b64decode(copied.stdout))) as archive:
            archive.extractall(part, filter=_safe)
    return target


def _safe(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """A member that stays inside the folder, readable by all; None for one that would not."""
    try:
        safe = tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None
    return safe.replace(mode=0o755 if safe.isdir() else (safe.mode or 0) | 0o644, deep=False)


class FolderFiles(Mapping[str, bytes]):
    """The regular files of a folder, by their relative path; read when they are asked for.

    Args:
        folder: The folder. Links are not followed.
        keep: Which paths are there; all by default.
    """

    def __init__(self, folder: Path, keep: Callable[[str], bool] | None = None) -> None:
        self._folder = folder
        self._keep = keep

    def only(self, keep: Callable[[str], bool]) -> FolderFiles:
        """Those files for which a condition holds."""
        return FolderFiles(self._folder, keep)

    @cached_property
    def _paths(self) -> frozenset[str]:
        found = set()
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self._folder)
                whole = self._folder / path
                if whole.is_file() and not whole.is_symlink() and (self._keep is None or self._keep(path)):
                    found.add(path)
        return frozenset(found)

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        return (self._folder / path).read_bytes()

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._paths))

    def __len__(self) -> int:
        return len(self._paths)
