"""Which names a piece of a syntax tree reads, binds and changes, as far as its text tells."""

from __future__ import annotations

import ast


def roots(node: ast.expr) -> set[str]:
    """The name with which a chain of attributes, indices and calls begins: `a` of `a.b[0].c()`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def all_names(node: ast.AST) -> set[str]:
    """Every name in a node."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def free_names(node: ast.AST) -> set[str]:
    """Names that a node reads, but for those that it binds itself."""
    if isinstance(node, ast.Module):
        return set().union(*map(free_names, node.body))
    reads = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    inner: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.comprehension):
            inner |= all_names(part.target)
        elif isinstance(part, ast.arg):
            inner.add(part.arg)
        elif isinstance(part, ast.NamedExpr):
            inner |= all_names(part.target)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.For | ast.With):
        inner |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        inner |= {node.name} if hasattr(node, "name") else set()
    if isinstance(node, ast.AugAssign):
        reads |= all_names(node.target)
    return reads - inner


def bound_names(statement: ast.stmt) -> set[str]:
    """Names that a statement binds."""
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store | ast.Del)}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        names |= {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    return names


def changed_names(part: ast.AST) -> set[str]:
    """Names whose objects a statement or expression may change: by assignment, a method, or a call that gets them."""
    found: set[str] = set()
    for node in ast.walk(part):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            found |= roots(node)
        if isinstance(node, ast.Call):
            found |= roots(node.func) if isinstance(node.func, ast.Attribute) else set()
            found |= {argument.id for argument in node.args if isinstance(argument, ast.Name)}
    return found


def bound_anew(statement: ast.stmt) -> set[str]:
    """Names for which nothing before a statement matters."""
    if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        return bound_names(statement) - free_names(statement.value)
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
        return bound_names(statement)
    return set()


def dotted_names(node: ast.AST) -> list[str]:
    """Names with all attributes after them, `a.b.c`, in a node."""
    chains = [inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute | ast.Name)]
    return [text for text in map(ast.unparse, chains) if text.replace(".", "").isidentifier()]


def called_chain(node: ast.expr) -> str:
    """`a.b` for `a.b(1)`, `a.b[int](1)`, `a(1).b()` and `a.b(1)(2)`; nothing where something else is called.

    >>> called_chain(ast.parse("Stats([1]).mean()", mode="eval").body)
    'Stats.mean'
    """
    if isinstance(node, ast.Call):
        return called_chain(node.func)
    if isinstance(node, ast.Subscript):
        return called_chain(node.value)
    if isinstance(node, ast.Attribute):
        root = called_chain(node.value)
        return f"{root}.{node.attr}" if root else ""
    return node.id if isinstance(node, ast.Name) else ""


def calls(node: ast.AST) -> list[ast.Call]:
    """The calls in a node, outermost first."""
    return [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]
