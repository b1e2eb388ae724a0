"""What a test file offers its tests: imports, constants, functions; as lines of a script of its own."""

from __future__ import annotations

import ast
import builtins
import sys
import threading
from functools import cached_property
from typing import TypeAlias

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

PARSER = threading.RLock()
"""Held while syntax trees are made: Python 3.11 counts their depth for all threads at once, and fails."""
_MAX_LINES = 14
"""A longer function or constant is no part of a short report."""


class MissingNameError(ValueError):
    """A name is not to be had outside the test's own surroundings."""


class ModuleParts:
    """A test file taken apart.

    Args:
        data: Its contents; UTF-8 and valid Python.
    """

    def __init__(self, data: bytes) -> None:
        self._text = data.decode("utf-8", "replace")
        self._lines = self._text.splitlines()
        self._tree = ast.parse(self._text)
        self._defined: dict[str, ast.stmt] = {}
        for statement in _flat(self._tree.body):
            for name in _defines(statement):
                self._defined.setdefault(name, statement)

    def function(self, names: tuple[str, ...]) -> Definition | None:
        """The function to which names lead: class, method; or one function."""
        owner = self._owner(names)
        block = self._tree.body if owner is None else owner.body
        functions = [s for s in _flat(block) if isinstance(s, ast.FunctionDef) and s.name == names[-1]]
        return functions[-1] if functions and (owner is not None or len(names) == 1) else None

    def attributes(self, names: tuple[str, ...]) -> dict[str, ast.expr]:
        """What an instance of a test's class has before the test: from the class, then from what sets it up."""
        found: dict[str, ast.expr] = {}
        owner = self._owner(names)
        for statement in owner.body if owner is not None else ():
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                found[statement.targets[0].id] = statement.value
        for name in ("setUp", "setup_method"):
            setup = self.function((*names[:-1], name)) if owner is not None else None
            for statement in setup.body if setup is not None else ():
                target = statement.targets[0] if isinstance(statement, ast.Assign) else None
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    found[target.attr] = statement.value  # type: ignore[attr-defined]
        return found

    def _owner(self, names: tuple[str, ...]) -> ast.ClassDef | None:
        block, owner = self._tree.body, None
        for name in names[:-1]:
            owner = next((s for s in _flat(block) if isinstance(s, ast.ClassDef) and s.name == name), None)
            if owner is None:
                return None
            block = owner.body
        return owner

    def text(self, node: ast.AST) -> str:
        """The source text of a node, without the indentation of its first line."""
        segment = ast.get_source_segment(self._text, node)
        if segment is None:
            return ast.unparse(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.decorator_list:
            first = min(decorator.lineno for decorator in node.decorator_list)
            segment = "\n".join(self._lines[first - 1 : node.end_lineno])[node.col_offset :]
        indent = " " * node.col_offset if isinstance(node, ast.stmt) else ""
        first_line, *rest = segment.split("\n")
        return "\n".join([first_line, *(line.removeprefix(indent) for line in rest)])

    @cached_property
    def fixed(self) -> set[str]:
        """Names of imports, functions and classes, which no statement of a test changes."""
        kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        return {name for name, statement in self._defined.items() if isinstance(statement, kinds)} | set(dir(builtins))

    def is_imported(self, name: str) -> bool:
        """Whether a name is imported, neither from the standard library nor from the tests' tools."""
        statement = self._defined.get(name)
        return statement is not None and is_from_elsewhere(statement)

    def lines_for(self, names: set[str], missing: set[str]) -> list[str]:
        """Lines that define names, with all that they need themselves.

        Args:
            names: What is needed.
            missing: Names among them that are not to be had.

        Raises:
            MissingNameError: One is not to be had, or takes too many lines.
        """
        imports: dict[str, None] = {}
        others: dict[int, str] = {}
        waiting, seen = sorted(names), set(names)
        while waiting:
            name = waiting.pop(0)
            statement = None if name in missing else self._defined.get(name)
            if statement is None:
                raise MissingNameError(f"{name!r} comes from the surroundings of the test")
            if isinstance(statement, ast.Import | ast.ImportFrom):
                imports[_import_line(statement, name)] = None
                continue
            text = self.text(statement)
            if text.count("\n") >= _MAX_LINES or name.startswith(("test", "Test")):
                raise MissingNameError(f"{name!r} is too long to be told, or a test itself")
            others[statement.lineno] = text
            inner = _reads(statement) - seen
            known = {each for each in inner if each in self._defined}
            seen |= known
            waiting += sorted(known)
        return [*_sorted_imports(imports), *(text for _, text in sorted(others.items()))]


def is_from_elsewhere(statement: ast.stmt) -> bool:
    """Whether a statement imports from neither the standard library nor the tests' tools."""
    if isinstance(statement, ast.ImportFrom):
        return not _is_tool(statement.module or "")
    return isinstance(statement, ast.Import) and not any(_is_tool(alias.name) for alias in statement.names)


def _is_tool(module: str) -> bool:
    return module.split(".")[0] in sys.stdlib_module_names or module.split(".")[0] in {"pytest", "hypothesis"}


def _flat(block: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block, and of the `if` and `try` blocks in it."""
    found: list[ast.stmt] = []
    for statement in block:
        found.append(statement)
        if isinstance(statement, ast.If | ast.Try):
            found += _flat(statement.body) + _flat(statement.orelse)
            for handler in getattr(statement, "handlers", []):
                found += _flat(handler.body)
    return found


def _defines(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()


def _reads(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _import_line(statement: ast.Import | ast.ImportFrom, name: str) -> str:
    if isinstance(statement, ast.ImportFrom) and statement.level:
        raise MissingNameError(f"{name!r} comes from the tests' own package")
    alias = next(a for a in statement.names if (a.asname or a.name).split(".")[0] == name)
    what = alias.name + (f" as {alias.asname}" if alias.asname else "")
    if isinstance(statement, ast.Import):
        return f"import {what}"
    if statement.module is None or statement.module.split(".")[0] in {"tests", "test"}:
        raise MissingNameError(f"{name!r} comes from the tests' own package")
    return f"from {statement.module} import {what}"


def _sorted_imports(lines: dict[str, None]) -> list[str]:
    """`import` before `from`, and the names of one module on one line."""
    modules: dict[str, list[str]] = {}
    for line in sorted(lines):
        if line.startswith("from "):
            module, _, what = line.removeprefix("from ").partition(" import ")
            modules.setdefault(module, []).append(what)
    plain = sorted(line for line in lines if line.startswith("import "))
    return [*plain, *(f"from {module} import {', '.join(names)}" for module, names in sorted(modules.items()))]
