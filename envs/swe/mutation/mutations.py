"""All mutations of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from turnwise.envs.swe.mutation.bytecode import behaviour
from turnwise.envs.swe.mutation.expressions import (
    arithmetic,
    boolean,
    comparison,
    off_by_one,
    swap_arguments,
    wrong_default,
)
from turnwise.envs.swe.mutation.sites import Function, Site, sites
from turnwise.envs.swe.mutation.source import Edit, Source
from turnwise.envs.swe.mutation.statements import drop_branch, drop_update, remove_guard

OPERATORS: Mapping[str, Callable[[Source, Site], Iterator[Edit]]] = {
    "comparison": comparison,
    "arithmetic": arithmetic,
    "boolean": boolean,
    "off-by-one": off_by_one,
    "swap-arguments": swap_arguments,
    "wrong-default": wrong_default,
    "drop-branch": drop_branch,
    "remove-guard": remove_guard,
    "drop-update": drop_update,
}
"""By name: a function from a place in a file to the edits it could make there."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One bug that could be put into a file.

    Attributes:
        path: The file.
        operator: A name of `OPERATORS`.
        function: The function it is in, with its class: `LRU.get`.
        line: The line on which that function's code begins, its first decorator's or its own.
        edit: The change of the file's bytes.
    """

    path: str
    operator: str
    function: str
    line: int
    edit: Edit

    def key(self, seed: int) -> str:
        """A text that puts mutations in an order which the seed decides, on every machine alike."""
        text = f"{seed}\0{self.path}\0{self.operator}\0{self.edit.start}\0{self.edit.end}\0".encode()
        return hashlib.blake2b(text + self.edit.text, digest_size=8).hexdigest()


def mutations(source: Source) -> list[Mutation]:
    r"""Every mutation of a file that compiles and changes what it does, in the order of the text.

    >>> source = Source("p.py", b"def f(a, b=1):\n    return a < b  # why\n")
    >>> for mutation in mutations(source):
    ...     print(mutation.operator, mutate(source, [mutation]).splitlines())
    wrong-default [b'def f(a, b=2):', b'    return a < b  # why']
    wrong-default [b'def f(a, b=0):', b'    return a < b  # why']
    comparison [b'def f(a, b=1):', b'    return a <= b  # why']
    """
    found: dict[Edit, Mutation] = {}
    parts: dict[Function, _Part] = {}
    for site in sites(source.tree):
        part = parts.setdefault(site.outer, _Part(source, site.outer))
        for operator, edits in OPERATORS.items():
            for edit in edits(source, site):
                if edit not in found and part.changes_with(edit):
                    found[edit] = Mutation(source.path, operator, site.name, site.line, edit)
    return list(found.values())


def mutate(source: Source, chosen: Iterable[Mutation]) -> bytes:
    """The file with mutations in it, which must not overlap."""
    return source.edited([mutation.edit for mutation in chosen])


class _Part:
    """One function, which compiles faster than its file: what an edit in it does shows in it alone."""

    def __init__(self, source: Source, function: Function) -> None:
        first = min([function, *function.decorator_list], key=source.start)
        self._start = source.offset(first.lineno, 0)
        self._text = source.data[self._start : source.end(function)]
        self._prefix = b"class _:\n" if function.col_offset else b""

    @cached_property
    def _behaviour(self) -> Any:
        return behaviour(self._prefix + self._text)

    def changes_with(self, edit: Edit) -> bool:
        """Whether the statement, with the edit in it, compiles to something else."""
        start, end = edit.start - self._start, edit.end - self._start
        text = self._text[:start] + edit.text + self._text[end:]
        try:
            return bool(behaviour(self._prefix + text) != self._behaviour)
        except (SyntaxError, ValueError):
            return False
