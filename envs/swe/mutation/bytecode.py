"""What a source compiles to, without what does not change its behaviour."""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any


def behaviour(data: bytes) -> Any:
    r"""What a source compiles to, docstrings, annotations and line numbers aside: equal where the bytecode is.

    Raises:
        SyntaxError, ValueError: It does not compile.

    >>> behaviour(b'def f(x: int): "a"; return x + 1') == behaviour(b"def f(x: str):\n return x + 1")
    True
    >>> behaviour(b"x = 1") == behaviour(b"x = True")
    False
    """
    tree = _Bare().visit(ast.parse(data.decode("utf-8")))
    return _of_code(compile(ast.fix_missing_locations(tree), "source", "exec", dont_inherit=True))


def _of_code(code: CodeType) -> Any:
    constants = tuple(_of_code(c) if isinstance(c, CodeType) else (type(c).__name__, repr(c)) for c in code.co_consts)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return code.co_code, constants, names, counts, getattr(code, "co_exceptiontable", b"")


_DESCRIBED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


class _Bare(ast.NodeTransformer):
    """Takes docstrings and annotations out."""

    def visit(self, node: ast.AST) -> Any:
        self.generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, _DESCRIBED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        return node
