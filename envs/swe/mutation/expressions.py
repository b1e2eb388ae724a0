"""Operators that change an expression. Each is a function from a site to the edits that it could make there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from turnwise.envs.swe.mutation.sites import Site, called_name
from turnwise.envs.swe.mutation.source import Edit, Source

_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.And: "and", ast.Or: "or",
}  # fmt: skip
_COMPARISONS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "is": "is not", "is not": "is", "in": "not in", "not in": "in",
}  # fmt: skip
_ARITHMETIC = {
    "+": "-", "-": "+", "*": "+", "/": "//", "//": "/", "%": "//", "**": "*",
    "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "|",
}  # fmt: skip
_ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod)
# Swapped, these fail at once and for everybody: no bug that anyone would ship.
_FIXED_ORDER = {"isinstance", "issubclass", "getattr", "setattr", "hasattr", "delattr", "super", "type", "slice"}
_DEFAULT_TAKERS = {"get": 1, "pop": 1, "setdefault": 1, "getattr": 2, "next": 1}


def comparison(source: Source, site: Site) -> Iterator[Edit]:
    """`<` becomes `<=`, `==` becomes `!=`, `in` becomes `not in`, and so on."""
    node = site.node
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for i, operator in enumerate(node.ops):
            yield from _new_symbol(source, operator, operands[i], operands[i + 1], _COMPARISONS)


def arithmetic(source: Source, site: Site) -> Iterator[Edit]:
    """`+` becomes `-`, `%` becomes `//`, and so on; or the operands of `-`, `/`, `//` and `%` change places."""
    node = site.node
    if isinstance(node, ast.AugAssign) and not _is_text(node.value):
        symbol = _SYMBOLS.get(type(node.op), "")
        place = source.find_symbol(symbol + "=", source.end(node.target), source.start(node.value))
        if place is not None and symbol in _ARITHMETIC:
            yield Edit(*place, f"{_ARITHMETIC[symbol]}=".encode())
    if isinstance(node, ast.BinOp) and not (_is_text(node.left) or _is_text(node.right)):
        yield from _new_symbol(source, node.op, node.left, node.right, _ARITHMETIC)
        if isinstance(node.op, _ORDERED) and _is_atom(node.left) and _is_atom(node.right):
            yield from _exchanged(source, node.left, node.right)


def boolean(source: Source, site: Site) -> Iterator[Edit]:
    """`and` becomes `or`, an operand or a `not` is forgotten, a truth value becomes the other one."""
    node = site.node
    if isinstance(node, ast.BoolOp):
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from _new_symbol(source, node.op, left, right, {"and": "or", "or": "and"})
        if len(node.values) == 2 and all(_is_plain(source, value) for value in node.values):
            for value in node.values:
                yield Edit(source.start(node), source.end(node), source.text(value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and _is_plain(source, node.operand):
        yield Edit(source.start(node), source.end(node), source.text(node.operand))
    told = isinstance(site.parent, ast.Return | ast.keyword | ast.Assign | ast.Call)
    if told and isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield Edit(source.start(node), source.end(node), str(not node.value).encode())


def off_by_one(source: Source, site: Site) -> Iterator[Edit]:
    """A number in an index, a sum, a comparison or a call is one too large or too small; so is a bound of a range."""
    node, parent = site.node, site.parent
    if isinstance(node, ast.Constant) and type(node.value) is int and not _is_format(parent):
        for value in (node.value + 1, node.value - 1):
            text = str(value) if value >= 0 or isinstance(parent, ast.Subscript | ast.Slice | ast.Call) else ""
            if text and not (isinstance(parent, ast.UnaryOp) and value == 0):
                yield Edit(source.start(node), source.end(node), text.encode())
    if isinstance(node, ast.Slice):
        yield from _moved(source, node.lower, "+")
        yield from _moved(source, node.upper, "-")
    if isinstance(node, ast.Call) and called_name(node) == "range" and not node.keywords:
        if len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
            start = source.start(node.args[0])
            yield Edit(start, start, b"1, ")
        for argument, sign in zip(node.args[-2:], "+-" if len(node.args) > 1 else "-", strict=False):
            yield from _moved(source, argument, sign)


def swap_arguments(source: Source, site: Site) -> Iterator[Edit]:
    """Two neighbouring arguments of a call change places."""
    node = site.node
    if isinstance(node, ast.Call) and called_name(node) not in _FIXED_ORDER:
        for left, right in zip(node.args, node.args[1:], strict=False):
            if not isinstance(left, ast.Starred) and not isinstance(right, ast.Starred):
                yield from _exchanged(source, left, right)


def wrong_default(source: Source, site: Site) -> Iterator[Edit]:
    """A parameter's default, or the default of `dict.get` and its like, is another."""
    node = site.node
    if isinstance(node, ast.arguments):
        for default in (*node.defaults, *(default for default in node.kw_defaults if default is not None)):
            yield from _another(source, default)
    if isinstance(node, ast.Call) and node.args and len(node.args) - 1 == _DEFAULT_TAKERS.get(called_name(node)):
        yield from _another(source, node.args[-1])


def _another(source: Source, node: ast.expr) -> Iterator[Edit]:
    if not isinstance(node, ast.Constant):
        return
    values: list[object] = []
    if isinstance(node.value, bool):
        values = [not node.value]
    elif type(node.value) is int:
        values = [node.value + 1, *([node.value - 1] if node.value else [])]
    elif node.value == "":
        values = [" "]
    elif node.value == " ":
        values = [""]
    for value in values:
        yield Edit(source.start(node), source.end(node), repr(value).encode())


def _new_symbol(
    source: Source, operator: ast.AST, left: ast.AST, right: ast.AST, table: dict[str, str]
) -> Iterator[Edit]:
    symbol = _SYMBOLS.get(type(operator), "")
    if symbol in table:
        place = source.find_symbol(symbol, source.end(left), source.start(right))
        if place is not None:
            yield Edit(*place, table[symbol].encode())


def _exchanged(source: Source, left: ast.expr, right: ast.expr) -> Iterator[Edit]:
    if ast.dump(left) != ast.dump(right):
        between = source.data[source.end(left) : source.start(right)]
        yield Edit(source.start(left), source.end(right), source.text(right) + between + source.text(left))


def _moved(source: Source, bound: ast.expr | None, sign: str) -> Iterator[Edit]:
    """A bound that is no number, plus or minus one."""
    if bound is not None and _is_atom(bound) and not isinstance(bound, ast.Constant):
        yield Edit(source.end(bound), source.end(bound), f" {sign} 1".encode())


def _is_atom(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant)


def _is_plain(source: Source, node: ast.expr) -> bool:
    """Whether the text can stand in place of an expression that holds it: no lambda, no line break."""
    return not isinstance(node, ast.Lambda | ast.NamedExpr | ast.IfExp) and b"\n" not in source.text(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _is_format(parent: ast.AST) -> bool:
    """Numbers that say how something looks or where a module is, not what is computed."""
    return isinstance(parent, ast.FormattedValue | ast.keyword) and getattr(parent, "arg", "") == "stacklevel"
