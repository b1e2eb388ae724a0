"""`TreeDigest`: the digest of a sandbox's files, asked for every turn, which reads only what has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from turnwise.sandboxes.archives import content_hashes
from turnwise.sandboxes.scripts import LISTING_FIELDS

_SETTLED_SECONDS = 1.5
"""A file that changed less than this before it was listed may change again under the same time stamp."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of a listing.

    Attributes:
        name: As the listing gives it: `./work/a.txt`.
        kind: `f`, `d`, `l` and so on, as find's `%y`.
        executable: Its owner may execute it.
        inode: Device and number.
        state: Changes whenever its contents do, but for changes that come too quickly for the clock.
        changed: Seconds since the epoch of the last change of its status, which cannot be set at will.
        target: Of a link.
    """

    name: bytes
    kind: bytes
    executable: bool
    inode: bytes
    state: tuple[bytes, ...]
    changed: float
    target: bytes


class TreeDigest:
    """Keeps the hashes of contents between two digests of one sandbox's files."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[tuple[bytes, ...], bytes]] = {}

    def of(self, listing: bytes, fetch: Callable[[list[bytes]], bytes]) -> str:
        """16 hex digits of the files.

        Args:
            listing: What `scripts.listing` printed.
            fetch: Gives a tar of the files with these names.
        """
        now, entries = parse_listing(listing)
        files = {entry.inode: entry for entry in entries if entry.kind == b"f"}
        known = {inode: found for inode, found in self._known.items() if inode in files}
        wanted = {files[i].name: i for i in files if i not in known or known[i][0] != files[i].state}
        hashes = {inode: content for inode, (_, content) in known.items()}
        if wanted:
            fetched = content_hashes(fetch(sorted(wanted)))
            hashes.update((wanted[name], content) for name, content in fetched if name in wanted)
        settled = now - _SETTLED_SECONDS
        self._known = {i: (e.state, hashes[i]) for i, e in files.items() if e.changed < settled}
        return _combined(entries, hashes)


def parse_listing(listing: bytes) -> tuple[float, list[Entry]]:
    """The time of a listing, and its entries."""
    now, *fields = listing.split(b"\0")[:-1]
    entries = []
    for at in range(0, len(fields), LISTING_FIELDS):
        name, kind, mode, inode, size, modified, changed, target = fields[at : at + LISTING_FIELDS]
        executable = kind == b"f" and int(mode, 8) & 0o100 != 0
        entries.append(Entry(name, kind, executable, inode, (size, modified, changed), float(changed), target))
    return float(now), entries


def _combined(entries: Iterable[Entry], hashes: Mapping[bytes, bytes]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for entry in sorted(entries, key=lambda entry: entry.name):
        content = hashes[entry.inode] if entry.kind == b"f" else entry.target
        for part in (entry.name, entry.kind, b"x" if entry.executable else b"-", content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
