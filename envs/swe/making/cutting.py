"""Cuts tests out of test files, so that nothing is left of them."""

from __future__ import annotations

import ast
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
    for path, names in _inherited(files, wanted, support):
        wanted.setdefault(path, set()).add(names)
    result = dict(files)
    for path, paths in wanted.items():
        if path in result:
            cut = cut_functions(path, result.pop(path), paths)
            if cut is not None:
                result[path] = cut
    return result


def _inherited(
    files: Mapping[str, bytes], wanted: Mapping[str, set[tuple[str, ...]]], support: Sequence[str]
) -> list[tuple[str, tuple[str, ...]]]:
    """Where the methods that a class does not define itself are defined."""
    names = set()
    for path, paths in wanted.items():
        defined = {place for place, _, _ in _functions(path, files.get(path, b""))}
        names |= {place[-1] for place in paths - defined if len(place) > 1}
    if not names:
        return []
    places = ((path, place) for path in support if path in files for place, _, _ in _functions(path, files[path]))
    return [(path, place) for path, place in places if len(place) > 1 and place[-1] in names]


def cut_functions(path: str, data: bytes, places: set[tuple[str, ...]]) -> bytes | None:
    r"""A file without some functions, or None where they cannot be cut out cleanly.

    Args:
        path: The file, for messages.
        data: Its contents.
        places: The names that lead to each function: `("TestA", "test_b")`. One that is not there is passed over where
            others of its name are cut, as an inherited method is.

    >>> cut_functions("t.py", b"class T:\n    @mark\n    def test_a(self):\n        1\n\nX = 2\n", {("T", "test_a")})
    b'class T:\n    pass\n\nX = 2\n'
    """
    found = [(place, node, block) for place, node, block in _functions(path, data) if place in places]
    if {place[-1] for place in places} - {place[-1] for place, _, _ in found}:
        return None
    source = Source(path, data)
    edits = []
    for _, node, block in found:
        span = _span(source, node)
        if span is None:
            return None
        rest = [other for other in block if not any(other is cut for _, cut, _ in found)]
        first = next(other for other in block if any(other is cut for _, cut, _ in found))
        stays_valid = any(not _is_docstring(other) for other in rest) or node is not first
        indent = b" " * node.col_offset
        edits.append(Edit(*span, b"" if stays_valid else indent + b"pass\n"))
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


def _span(source: Source, node: Definition) -> tuple[int, int] | None:
    """The lines of a function with its decorators, the comment above and the empty lines below; None where shared."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    starts = [*source.line_starts, len(source.data)]
    lines = [source.data[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    last = node.end_lineno or node.lineno
    rest = source.data[source.end(node) : starts[last]].strip()
    if lines[first - 1][: node.col_offset].strip() or (rest and not rest.startswith(b"#")):
        return None
    while first > 1 and lines[first - 2].strip().startswith(b"#"):
        first -= 1
    following = last
    while following < len(lines) and not lines[following].strip():
        following += 1
    # The empty lines below go along only where as many are left above.
    if first > 1 and not lines[first - 2].strip():
        last = following
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
