"""Cuts tests out of test files, so that nothing is left of them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from turnwise.envs.swe.mutation.source import Edit, Source, UnreadableSourceError

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def split_id(test: str) -> tuple[str, tuple[str, ...]]:
    """A test id's file, and the names that lead to its function; parameters are left off.

    >>> split_id("tests/test_a.py::TestA::test_b[x::y]")
    ('tests/test_a.py', ('TestA', 'test_b'))
    """
    path, *names = test.partition("[")[0].split("::")
    return path, tuple(names)


def hide_tests(files: Mapping[str, bytes], tests: Iterable[str], support: Sequence[str]) -> dict[str, bytes]:
    """The files without some tests: their functions are cut out, or else their whole files are left out.

    Parameters of a test go with its function. A method that its class inherits is cut out of every class of the
    supporting files that defines it. A class or block that becomes empty gets `pass`.

    Args:
        files: Contents by path.
        tests: Pytest ids.
        support: Paths of the files from which test classes may inherit.
    """
    wanted: dict[str, set[tuple[str, ...]]] = {}
    for path, names in map(split_id, tests):
        wanted.setdefault(path, set()).add(names)
    defined = {path: {place for place, _, _ in _functions(path, files.get(path, b""))} for path in wanted}
    strangers = {place[-1] for path, places in wanted.items() for place in places - defined[path] if len(place) > 1}
    inherited = [(path, place) for path, place in _methods(files, support) if place[-1] in strangers]
    told = {place[-1] for _, place in inherited}
    for path, places in wanted.items():
        wanted[path] = {place for place in places if place in defined[path] or place[-1] not in told}
    for path, place in inherited:
        wanted.setdefault(path, set()).add(place)
    result = dict(files)
    for path, places in wanted.items():
        if path in result and places:
            cut = cut_functions(path, result.pop(path), places)
            if cut is not None:
                result[path] = cut
    return result


def _methods(files: Mapping[str, bytes], paths: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path in paths:
        yield from ((path, place) for place, _, _ in _functions(path, files.get(path, b"")) if len(place) > 1)


def cut_functions(path: str, data: bytes, places: set[tuple[str, ...]]) -> bytes | None:
    r"""A file without some functions, or None where they cannot be cut out cleanly.

    Args:
        path: The file, for messages.
        data: Its contents.
        places: The names that lead to each function: `("TestA", "test_b")`.

    >>> cut_functions("t.py", b"class T:\n    @mark\n    def test_a(self):\n        1\n\nX = 2\n", {("T", "test_a")})
    b'class T:\n    pass\n\nX = 2\n'
    """
    found = [(place, node, block) for place, node, block in _functions(path, data) if place in places]
    if places - {place for place, _, _ in found}:
        return None
    source = Source(path, data)
    edits: list[Edit] = []
    cut = {id(node) for _, node, _ in found}
    for _, node, block in found:
        span = _span(source, node, block)
        if span is None:
            return None
        is_first = next(other for other in block if id(other) in cut) is node
        is_empty = all(id(other) in cut or _is_docstring(other) for other in block)
        text = b" " * node.col_offset + b"pass\n" if is_first and is_empty else b""
        edits.append(Edit(max(span[0], edits[-1].end if edits else 0), span[1], text))
    after = source.edited(edits)
    return after if _stands_alone(path, after, {place[-1] for place, _, _ in found}) else None


def _functions(path: str, data: bytes) -> Iterator[tuple[tuple[str, ...], Definition, list[ast.stmt]]]:
    """The functions of a file that pytest could collect: the names that lead there, the node, the block it is in."""
    try:
        tree = Source(path, data).tree
    except UnreadableSourceError:
        return
    yield from _in_block(tree.body, ())


def _in_block(
    block: list[ast.stmt], names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Definition, list[ast.stmt]]]:
    for node in block:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (*names, node.name), node, block
        elif isinstance(node, ast.ClassDef):
            yield from _in_block(node.body, (*names, node.name))
        else:
            for inner in ("body", "orelse", "finalbody"):
                yield from _in_block(getattr(node, inner, []), names)
            for handler in getattr(node, "handlers", []):
                yield from _in_block(handler.body, names)


def _span(source: Source, node: Definition, block: Sequence[ast.stmt]) -> tuple[int, int] | None:
    """The lines of a function with its decorators, the comment and the empty lines above; None where shared."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.end_lineno or node.lineno
    starts = [*source.line_starts, len(source.data)]
    lines = [source.data[start:end].strip() for start, end in itertools.pairwise(starts)]
    before = source.data[starts[first - 1] : source.offset(first, node.col_offset)]
    after = source.data[source.end(node) : starts[last]].strip()
    if before.strip() or (after and not after.startswith(b"#")):
        return None
    while first > 1 and lines[first - 2].startswith(b"#"):
        first -= 1
    if first > 1 and not lines[first - 2]:
        while first > 1 and not lines[first - 2]:
            first -= 1
    elif block[-1] is not node:
        # The first of its block: the empty lines below were those between it and the next.
        while last < len(lines) and not lines[last]:
            last += 1
    return starts[first - 1], starts[last]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _stands_alone(path: str, data: bytes, names: set[str]) -> bool:
    """Whether a file is still valid and refers to none of the functions that were cut out of it."""
    try:
        tree = Source(path, data).tree
    except UnreadableSourceError:
        return False
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return not used & names
