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
        self._unknown = 0
        self._entries: OrderedDict[str, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def take(self, key: str, ids: Sequence[int]) -> tuple[str, KeysAndValues]:
        """What is kept of the beginning of these tokens, and whose it was.

        A conversation's own cache leaves the store; that of another one is read and stays.

        Args:
            key: The conversation; "" where it is not known, then the best one counts as its own.
            ids: Its tokens. The last one is never returned: a model has to see one token to go on.
        """
        wanted = np.asarray(ids[:-1], dtype=np.int64)
        own = self._entries.get(key)
        if own is not None:
            return key, _first(self._remove(key).layers, _common(own.ids, wanted))
        start = wanted[: self.shortest]
        shared = [
            (_common(kept.ids, wanted), name)
            for name, kept in self._entries.items()
            if np.array_equal(kept.ids[: self.shortest], start)
        ]
        length, found = max(shared, default=(0, ""))
        if length < self.shortest:
            return key, []
        if not key and length == len(self._entries[found].ids):
            return found, self._remove(found).layers
        self._entries.move_to_end(found)
        return key, _first(self._entries[found].layers, length)

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

    def _remove(self, key: str) -> Kept:
        kept = self._entries.pop(key)
        self.held -= len(kept.ids)
        return kept


def _common(a: Ids, b: Ids) -> int:
    """Length of the common beginning."""
    shorter = min(len(a), len(b))
    differ = np.flatnonzero(a[:shorter] != b[:shorter])
    return int(differ[0]) if len(differ) else shorter


def _first(layers: KeysAndValues, length: int) -> KeysAndValues:
    return [(keys[:length], values[:length]) for keys, values in layers] if length else []
