"""Where a bug may be put: the nodes of functions that run, with the function that each belongs to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# What no bug is put into: texts that people read, and what only type checkers see.
_SPARED_FUNCTIONS = {"__repr__", "__str__", "__sizeof__", "__del__"}
_SPARED_CALLS = {"cast", "TypeVar", "NewType", "warn", "warning", "debug", "info", "print"}


@dataclass(frozen=True, slots=True)
class Site:
    """A node in a function.

    Attributes:
        node: The node.
        parent: What holds it.
        function: The innermost function around it.
        outer: The outermost function around it.
        name: That function's name, with its class: `LRU.get`.
    """

    node: ast.AST
    parent: ast.AST
    function: Function
    outer: Function
    name: str

    @property
    def line(self) -> int:
        """The line on which the function's code begins: its first decorator's, as a code object has it."""
        return min([self.function.lineno, *(decorator.lineno for decorator in self.function.decorator_list)])


def sites(tree: ast.Module) -> Iterator[Site]:
    """All sites of a file, in the order of the text."""
    yield from _children(tree, _Place("", None, None))


@dataclass(frozen=True, slots=True)
class _Place:
    """The functions and the name around what is visited."""

    name: str
    function: Function | None
    outer: Function | None

    def within(self, node: ast.ClassDef | Function) -> _Place:
        name = f"{self.name}.{node.name}" if self.name else node.name
        if isinstance(node, ast.ClassDef):
            return replace(self, name=name)
        return _Place(name, node, self.outer or node)

    def site(self, node: ast.AST, parent: ast.AST) -> Iterator[Site]:
        if self.function is not None and self.outer is not None:
            yield Site(node, parent, self.function, self.outer, self.name)


def _children(node: ast.AST, place: _Place) -> Iterator[Site]:
    for child in ast.iter_child_nodes(node):
        yield from _visit(child, node, place)


def _visit(node: ast.AST, parent: ast.AST, place: _Place) -> Iterator[Site]:
    if _is_spared(node, parent):
        return
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            yield from _visit(part, node, place.within(node))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.name in _SPARED_FUNCTIONS or _is_overload(node):
            return
        inner = place.within(node)
        # A default is evaluated where the function is defined, and shows where it is called.
        yield from inner.site(node.args, node)
        for part in node.body:
            yield from _visit(part, node, inner)
    else:
        yield from place.site(node, parent)
        yield from _children(node, place)


def _is_spared(node: ast.AST, parent: ast.AST) -> bool:
    if isinstance(parent, ast.AnnAssign) and node is parent.annotation:
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return True
    if isinstance(node, ast.If) and "__main__" in ast.dump(node.test):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Global | ast.Nonlocal | ast.Import | ast.ImportFrom):
        return True
    if isinstance(parent, ast.Raise):
        return True  # the text of an error
    if isinstance(node, ast.Expr):
        node = node.value
    return isinstance(node, ast.Call) and called_name(node) in _SPARED_CALLS


def _is_overload(node: Function) -> bool:
    return any(ast.unparse(decorator).split(".")[-1] == "overload" for decorator in node.decorator_list)


def called_name(call: ast.Call) -> str:
    """The last part of what is called: `append` for `x.append(1)`, and nothing for `f()()`.

    >>> called_name(ast.parse("a.b.c(1)", mode="eval").body)
    'c'
    """
    function = call.func
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
