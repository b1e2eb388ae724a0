"""Operators that take something out: a branch, a guard, an update."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from turnwise.envs.swe.mutation.sites import Site
from turnwise.envs.swe.mutation.source import Edit, Source

_WITH_ELSE = (ast.If, ast.For, ast.While, ast.Try)
_LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)


def drop_branch(source: Source, site: Site) -> Iterator[Edit]:
    """An `elif`, `else` or `except` is forgotten, or an `if` with what it does, or one side of `a if b else c`."""
    node = site.node
    if isinstance(node, ast.IfExp):
        for value in (node.body, node.orelse):
            if not isinstance(value, ast.Lambda | ast.NamedExpr) and b"\n" not in source.text(value):
                yield Edit(source.start(node), source.end(node), source.text(value))
    if isinstance(node, ast.If):
        if _is_elif(source, node):
            # With a branch after it, that branch follows on directly.
            yield from _clause(source, source.start(node), node.body)
        elif not node.orelse and not _is_guard(node):
            yield from _without(source, site)
    if isinstance(node, _WITH_ELSE) and node.orelse and not _is_elif(source, node.orelse[0]):
        body = node.handlers[-1].body if isinstance(node, ast.Try) and node.handlers else node.body
        place = source.keyword_before(source.start(node.orelse[0]), "else", source.end(body[-1]))
        if place is not None:
            yield from _clause(source, place, node.orelse)
    if isinstance(node, ast.ExceptHandler) and isinstance(site.parent, ast.Try) and len(site.parent.handlers) > 1:
        yield from _clause(source, source.start(node), node.body)


def remove_guard(source: Source, site: Site) -> Iterator[Edit]:
    """A check that leaves early, a filter of a comprehension, or a bound by `min` or `max` is forgotten."""
    node = site.node
    if isinstance(node, ast.If) and _is_guard(node) and not _is_elif(source, node):
        yield from _without(source, site)
    if isinstance(node, ast.comprehension):
        for i, test in enumerate(node.ifs):
            before = node.ifs[i - 1] if i else node.iter
            place = source.find_symbol("if", source.end(before), source.start(test))
            rest = source.data[source.end(before) : place[0]] if place else b""
            if place is not None and not rest.strip():
                yield Edit(source.end(before), source.end(test), b"")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"min", "max"}:
        for value in node.args if len(node.args) == 2 and not node.keywords else ():
            if isinstance(value, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                yield Edit(source.start(node), source.end(node), source.text(value))


def drop_update(source: Source, site: Site) -> Iterator[Edit]:
    """A statement that changes something is forgotten: `n += 1`, `self.x = y`, `items.append(x)`."""
    node = site.node
    changes = isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    if isinstance(node, ast.Assign) and all(isinstance(t, ast.Attribute | ast.Subscript) for t in node.targets):
        changes = True
    if isinstance(node, ast.Delete):
        changes = True
    if changes:
        yield from _without(source, site)


def _is_guard(node: ast.If) -> bool:
    return not node.orelse and len(node.body) <= 2 and isinstance(node.body[-1], _LEAVES)


def _is_elif(source: Source, node: ast.AST) -> bool:
    return isinstance(node, ast.If) and source.keywords.get(source.start(node)) == "elif"


def _without(source: Source, site: Site) -> Iterator[Edit]:
    """The file without a statement: its lines go, with the comment above; a block's only statement becomes `pass`."""
    node = site.node
    span = _whole_lines(source, source.start(node), source.end(node))
    if span is None:
        return
    yield Edit(source.start(node), source.end(node), b"pass") if _is_only(site) else Edit(*span, b"")


def _clause(source: Source, start: int, body: Sequence[ast.stmt]) -> Iterator[Edit]:
    """The file without a clause, from its keyword to the end of its block."""
    span = _whole_lines(source, start, source.end(body[-1]))
    if span is not None:
        yield Edit(*span, b"")


def _is_only(site: Site) -> bool:
    blocks = [getattr(site.parent, name, None) for name in ("body", "orelse", "finalbody")]
    block = next((block for block in blocks if isinstance(block, list) and site.node in block), [])
    return len([statement for statement in block if not _is_docstring(statement)]) == 1


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _whole_lines(source: Source, start: int, end: int) -> tuple[int, int] | None:
    """The lines on which a span stands, with the comment above it; None where code beside it stands there too."""
    starts = [*source.line_starts, len(source.data)]
    first, last = source.line_of(start) - 1, source.line_of(max(start, end - 1))
    indent = source.data[starts[first] : start]
    rest = source.data[end : starts[last]].strip()
    if indent.strip(b" \t") or (rest and not rest.startswith(b"#")):
        return None
    while first and re.match(re.escape(indent) + rb"#", source.data[starts[first - 1] : starts[first]]):
        first -= 1
    return starts[first], starts[last]
