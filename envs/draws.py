"""Random draws from a key instead of a stream: the same key gives the same draws, wherever and in whatever order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_LOW_WATER = 1 << 64


class Draws:
    """A short sequence of draws that depends on `key` alone (BLAKE2b digests, read as one large integer).

    Much cheaper to start than a numpy Generator, which matters where every product has its own.

    >>> Draws("product", 0, 7).below(10) == Draws("product", 0, 7).below(10)
    True
    """

    __slots__ = ("_bits", "_key", "_round")

    def __init__(self, *key: object) -> None:
        self._key = repr(key).encode()
        self._round = 0
        self._bits = 0

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        if self._bits < _LOW_WATER:
            self._refill()
        self._bits, value = divmod(self._bits, n)
        return value

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """`k` different items in random order; all of them where there are fewer."""
        pool = list(items)
        for i in range(min(k, len(pool))):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]

    def _refill(self) -> None:
        digest = hashlib.blake2b(self._key, digest_size=64, salt=self._round.to_bytes(8, "little")).digest()
        self._bits = int.from_bytes(digest, "little")
        self._round += 1
