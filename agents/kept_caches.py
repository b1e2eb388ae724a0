"""The key-value caches of conversations between their turns: found again by their tokens, bounded in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnwise.agents.kv_buffer import KeysAndValues

Ids = NDArray[np.int64]


class Kept(NamedTuple):
    """The cache of one conversation: its tokens, and what the model computed for them."""

    ids: Ids
    layers: KeysAndValues


class KeptCaches:
    """Caches by conversation, least recently used ones dropped first.

    What is found is always a common beginning of tokens: a conversation whose past was rewritten (a window, a
    template that drops old thinking) finds what is unchanged, and nothing more.

    Args:
        tokens: Most tokens kept, over all conversations; 0 keeps nothing.
        shortest: Beginnings of another conversation that are shorter than this are not worth a copy.
    """

    def __init__(self, tokens: int, shortest: int = 16) -> None:
        if tokens < 0:
            raise ValueError(f"cache_tokens must be 0 (keep nothing) or positive, got {tokens}")
        self.tokens = tokens
        self.shortest = shortest
        self.held = 0
        self.epoch = 0
        """How often all of them were dropped: what was begun before must not be kept."""
        self._unknown = 0
        self._entries: OrderedDict[str, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def take(self, key: str, ids: Sequence[int]) -> tuple[str, KeysAndValues]:
        """What is kept of the beginning of these tokens, and whose it was.

        A conversation's own cache leaves the store. That of another one stays and is copied from, if more of it fits.

        Args:
            key: The conversation; "" where it is not known, then the best one counts as its own.
            ids: Its tokens. The last one is never returned: a model has to see one token to go on.
        """
        wanted = np.asarray(ids[:-1], dtype=np.int64)
        own = self._remove(key) if key in self._entries else None
        length, layers = (0, []) if own is None else (_common(own.ids, wanted), own.layers)
        other = self._most_in_common(wanted, longer_than=max(length, self.shortest - 1))
        if other is not None:
            length, name = other
            layers = self._entries[name].layers
            if not key and length == len(self._entries[name].ids):
                return name, self._remove(name).layers
            self._entries.move_to_end(name)
        return key, [(keys[:length], values[:length]) for keys, values in layers] if length else []

    def _most_in_common(self, wanted: Ids, longer_than: int) -> tuple[int, str] | None:
        """Length and name of the cache that has the longest beginning in common, if it is long enough."""
        start = wanted[: self.shortest]
        alike = ((n, k) for n, k in self._entries.items() if np.array_equal(k.ids[: self.shortest], start))
        length, name = max(((_common(kept.ids, wanted), name) for name, kept in alike), default=(0, ""))
        return (length, name) if length > longer_than else None

    def put(self, key: str, ids: Sequence[int], layers: KeysAndValues, *, evict: bool = True) -> None:
        """Keep a cache.

        Args:
            key: Its conversation; "" where nobody knows it yet.
            ids: The tokens that it holds.
            layers: The cache.
            evict: Whether others may have to go for it.
        """
        if not key:
            self._unknown += 1
            key = f"\0{self._unknown}"
        self.forget(key)
        if len(ids) > self.tokens or (not evict and self.held + len(ids) > self.tokens):
            return
        while self.held + len(ids) > self.tokens:
            self._remove(next(iter(self._entries)))
        self._entries[key] = Kept(np.asarray(ids, dtype=np.int64), layers)
        self.held += len(ids)

    def forget(self, key: str) -> None:
        """Drop the cache of a conversation, if there is one."""
        if key in self._entries:
            self._remove(key)

    def clear(self) -> None:
        """Drop all of them: the weights that computed them are gone."""
        self._entries.clear()
        self.held = 0
        self.epoch += 1

    def _remove(self, key: str) -> Kept:
        kept = self._entries.pop(key)
        self.held -= len(kept.ids)
        return kept


def _common(a: Ids, b: Ids) -> int:
    """Length of the common beginning."""
    shorter = min(len(a), len(b))
    differ = np.flatnonzero(a[:shorter] != b[:shorter])
    return int(differ[0]) if len(differ) else shorter
