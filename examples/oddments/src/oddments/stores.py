"""A cache that forgets what was used least recently, and a priority queue whose entries can change."""

from __future__ import annotations

import heapq
from collections import OrderedDict

_MISSING = object()


class RecentCache:
    """A mapping that holds at most so many entries.

    Both reading and writing an entry count as using it. An entry may also grow too old.

    Args:
        size: Most entries.
        max_age: Most time since an entry was written; default: no limit.
        clock: Returns the time; needed where entries can grow too old.
        on_evict: Is called with key and value of each entry that had to make room.
    """

    def __init__(self, size, max_age=None, clock=None, on_evict=None):
        if size < 1:
            raise ValueError("a cache holds at least one entry")
        if max_age is not None and clock is None:
            raise ValueError("max_age needs a clock")
        self._size, self._max_age = size, max_age
        self._clock, self._on_evict = clock, on_evict
        self._entries = OrderedDict()
        self.hits = self.misses = 0

    def __len__(self):
        self._drop_old()
        return len(self._entries)

    def __contains__(self, key):
        return self.peek(key, _MISSING) is not _MISSING

    def keys(self):
        """The keys, the least recently used one first."""
        self._drop_old()
        return list(self._entries)

    def get(self, key, default=None):
        """An entry's value, which counts as using it."""
        value = self.peek(key, _MISSING)
        if value is _MISSING:
            self.misses += 1
            return default
        self.hits += 1
        self._entries.move_to_end(key)
        return value

    def peek(self, key, default=None):
        """An entry's value, which does not count as using it."""
        entry = self._entries.get(key)
        if entry is None:
            return default
        value, written = entry
        if self._is_old(written):
            del self._entries[key]
            return default
        return value

    def put(self, key, value):
        """Write an entry; where there are too many, the least recently used one goes."""
        self._entries[key] = (value, self._now())
        self._entries.move_to_end(key)
        self._drop_old()
        while len(self._entries) > self._size:
            old_key, (old_value, _) = self._entries.popitem(last=False)
            if self._on_evict is not None:
                self._on_evict(old_key, old_value)

    def get_or_make(self, key, make):
        """An entry's value; where there is none, what `make` returns, which is written first."""
        value = self.get(key, _MISSING)
        if value is _MISSING:
            value = make(key)
            self.put(key, value)
        return value

    def discard(self, key):
        """Remove an entry, if it is there, and say whether it was."""
        return self._entries.pop(key, None) is not None

    def hit_rate(self):
        """The share of reads that found something; 0 where nothing was read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0

    def _now(self):
        return self._clock() if self._clock is not None else 0

    def _is_old(self, written):
        return self._max_age is not None and self._now() - written > self._max_age

    def _drop_old(self):
        for key in [key for key, (_, written) in self._entries.items() if self._is_old(written)]:
            del self._entries[key]


class PriorityQueue:
    """Items that come out by priority, the smallest first; of equal ones, the earliest.

    An item is in it once: adding it again changes its priority.
    """

    def __init__(self, items=()):
        self._heap, self._live = [], {}
        self._count = 0
        for item, priority in items:
            self.add(item, priority)

    def __len__(self):
        return len(self._live)

    def __contains__(self, item):
        return item in self._live

    def add(self, item, priority=0):
        """Put an item in, or change its priority. With the same priority it keeps its place."""
        if item in self._live and self._live[item][0] == priority:
            return
        entry = (priority, self._count, item)
        self._count += 1
        self._live[item] = entry
        heapq.heappush(self._heap, entry)

    def remove(self, item):
        """Take an item out.

        Raises:
            KeyError: It is not there.
        """
        del self._live[item]

    def priority(self, item, default=None):
        """An item's priority."""
        return self._live[item][0] if item in self._live else default

    def peek(self):
        """The item that comes next.

        Raises:
            IndexError: The queue is empty.
        """
        self._settle()
        if not self._heap:
            raise IndexError("the queue is empty")
        return self._heap[0][2]

    def pop(self):
        """Take out the item that comes next.

        Raises:
            IndexError: The queue is empty.
        """
        item = self.peek()
        heapq.heappop(self._heap)
        del self._live[item]
        return item

    def pop_until(self, limit):
        """Take out all items whose priority is at most `limit`, in their order."""
        items = []
        while self._live and self.priority(self.peek()) <= limit:
            items.append(self.pop())
        return items

    def _settle(self):
        """Drop entries of items that were removed or given another priority."""
        while self._heap and self._live.get(self._heap[0][2]) is not self._heap[0]:
            heapq.heappop(self._heap)
