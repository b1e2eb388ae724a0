"""Grades of this process: the same submission to the same task is graded once."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

from turnwise.envs.swe.grading import Grade

_REMEMBERED = 512


class Grades:
    """Remembers the last grades. Safe for use by several threads.

    Rollouts of a group often submit the very same patch, and tests decide the same way every time. A grade that is not
    `final`, because time ran out, is not kept.
    """

    def __init__(self) -> None:
        self._grades: OrderedDict[Hashable, Grade] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, grade: Callable[[], Grade]) -> Grade:
        """The grade that is known for a key, or else what `grade` says."""
        with self._lock:
            if key in self._grades:
                self._grades.move_to_end(key)
                return self._grades[key]
        result = grade()
        if result.final:
            with self._lock:
                self._grades[key] = result
                while len(self._grades) > _REMEMBERED:
                    self._grades.popitem(last=False)
        return result


def digest_of(changes: Mapping[str, bytes | None]) -> str:
    """32 hex digits of changes, for a key."""
    digest = hashlib.blake2b(digest_size=16)
    for path, data in sorted(changes.items()):
        digest.update(f"{path}\0{-1 if data is None else len(data)}\0".encode("utf-8", "surrogateescape"))
        digest.update(data or b"")
    return digest.hexdigest()


GRADES = Grades()
