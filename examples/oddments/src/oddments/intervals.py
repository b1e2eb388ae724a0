"""Sets of half-open intervals `[start, end)` of numbers."""

from __future__ import annotations

from bisect import bisect_right


class IntervalSet:
    """Disjoint intervals in ascending order; those that touch are one.

    Args:
        pairs: (start, end) each; the start must lie below the end.

    >>> IntervalSet([(5, 8), (1, 3), (3, 4)])
    IntervalSet([(1, 4), (5, 8)])
    """

    def __init__(self, pairs=()):
        merged = []
        for start, end in sorted(pairs):
            if start >= end:
                raise ValueError(f"an interval must end after its start, got ({start}, {end})")
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._pairs = merged

    def __iter__(self):
        return iter(self._pairs)

    def __len__(self):
        return len(self._pairs)

    def __eq__(self, other):
        if not isinstance(other, IntervalSet):
            return NotImplemented
        return self._pairs == other._pairs

    __hash__ = None

    def __repr__(self):
        return f"IntervalSet({self._pairs})"

    def __contains__(self, point):
        return self.find(point) is not None

    def find(self, point):
        """The interval that holds a point, or None."""
        index = bisect_right(self._pairs, (point, float("inf"))) - 1
        if index < 0:
            return None
        start, end = self._pairs[index]
        return (start, end) if point < end else None

    def total(self):
        """The length of all intervals together."""
        return sum(end - start for start, end in self._pairs)

    def span(self):
        """The smallest interval that holds all of them, or None where there is none."""
        if not self._pairs:
            return None
        return (self._pairs[0][0], self._pairs[-1][1])

    def union(self, other):
        """What lies in either."""
        return IntervalSet([*self._pairs, *other])

    def intersection(self, other):
        """What lies in both."""
        found = []
        left, right = list(self._pairs), list(other)
        i = j = 0
        while i < len(left) and j < len(right):
            start = max(left[i][0], right[j][0])
            end = min(left[i][1], right[j][1])
            if start < end:
                found.append((start, end))
            if left[i][1] < right[j][1]:
                i += 1
            else:
                j += 1
        return IntervalSet(found)

    def difference(self, other):
        """What lies in this one only."""
        rest = []
        for start, end in self._pairs:
            for cut_start, cut_end in other:
                if cut_end <= start:
                    continue
                if cut_start >= end:
                    break
                if cut_start > start:
                    rest.append((start, cut_start))
                start = cut_end
            if start < end:
                rest.append((start, end))
        return IntervalSet(rest)

    def gaps(self, within=None):
        """What lies between the intervals.

        Args:
            within: (start, end) of what to look at; default: from the first interval to the last.
        """
        bounds = within or self.span()
        if bounds is None:
            return IntervalSet()
        return IntervalSet([bounds]).difference(self)

    def shifted(self, offset):
        """All intervals moved by a number."""
        return IntervalSet([(start + offset, end + offset) for start, end in self._pairs])

    def padded(self, before, after=None):
        """All intervals made longer at both ends; those that meet become one.

        Args:
            before: By how much each begins earlier.
            after: By how much each ends later; default: the same.
        """
        if after is None:
            after = before
        if before < 0 or after < 0:
            raise ValueError("padding cannot be negative")
        return IntervalSet([(start - before, end + after) for start, end in self._pairs])

    def at_least(self, length):
        """Without the intervals that are shorter."""
        return IntervalSet([(start, end) for start, end in self._pairs if end - start >= length])
