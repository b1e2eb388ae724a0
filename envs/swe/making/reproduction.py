"""From a failing test to a few lines that show the same: what a user would paste into a report."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from turnwise.envs.swe.making.cutting import split_id
from turnwise.envs.swe.making.module_parts import MissingNameError, ModuleParts, is_from_elsewhere
from turnwise.envs.swe.making.names import (
    all_names,
    bound_anew,
    bound_names,
    called_chain,
    calls,
    changed_names,
    dotted_names,
    free_names,
    roots,
)
from turnwise.envs.swe.making.suites import Failure
from turnwise.envs.swe.mutation.sites import called_name

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Methods of unittest that compare their first two arguments, and those that look at the first.
_COMPARE = {
    "assertEqual", "assertEquals", "assertListEqual", "assertTupleEqual", "assertDictEqual", "assertSetEqual",
    "assertSequenceEqual", "assertMultiLineEqual", "assertAlmostEqual", "assertIs", "assertCountEqual",
    "assertNotEqual", "assertIsNot",
}  # fmt: skip
_RELATE = {
    "assertIn": "in", "assertNotIn": "not in", "assertLess": "<", "assertLessEqual": "<=", "assertGreater": ">",
    "assertGreaterEqual": ">=", "assertIsNot": "is not", "assertNotEqual": "!=", "assertIs": "is", "assertEqual": "==",
}  # fmt: skip
_LOOK = {"assertTrue", "assertFalse", "assertIsNone", "assertIsNotNone", "assertIsInstance", "assertNotIsInstance"}
_RAISES = {"raises", "assertRaises", "assertRaisesRegex"}
_SHORT = 60
_SELF = re.compile(r"\bself\.([A-Za-z_]\w*)")
_EXPECTED_NAMES = ("expected", "expect", "want", "wanted", "answer", "correct", "truth", "desired")


class NoReproductionError(ValueError):
    """A test does not lend itself to be told in a few lines."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A few lines that show a failure.

    Attributes:
        test: The test that they come from.
        code: Imports and what leads up to it, as lines.
        look: What to look at in the end, an expression; empty where the failure is that `code` itself raises something,
            or fails to.
        raises: The exception that is expected of `code`, or an empty text.
        callee: What was called, for example `chunked` or `cache.get`.
    """

    test: str
    code: tuple[str, ...]
    look: str
    raises: str
    callee: str


def reproduce(test: str, data: bytes, failure: Failure) -> list[Reproduction]:
    """Reproductions of a test's failure that may work, best first.

    Args:
        test: Its id.
        data: Contents of its file.
        failure: How it failed.

    Raises:
        NoReproductionError: It is too tied up with its surroundings: fixtures, other tests, an instance.
    """
    _, names = split_id(test)
    module = ModuleParts(data)
    function = module.function(names)
    if function is None or not failure.line:
        raise NoReproductionError("the test is not in its file")
    chain = _chain(function, failure.line)
    return _Builder(test, names, module, function, chain, failure).build()


def _chain(function: Definition, line: int) -> list[tuple[ast.stmt, list[ast.stmt]]]:
    """The statements around a line, outermost first, each with the block that it is in."""
    chain: list[tuple[ast.stmt, list[ast.stmt]]] = []
    block = function.body
    while True:
        inside = next((s for s in block if s.lineno <= line <= (s.end_lineno or s.lineno)), None)
        if inside is None:
            break
        chain.append((inside, block))
        blocks = [getattr(inside, name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [handler.body for handler in getattr(inside, "handlers", [])]
        if isinstance(inside, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        block = next((b for b in blocks if b and b[0].lineno <= line <= (b[-1].end_lineno or 0)), [])
    if not chain:
        raise NoReproductionError("the line is outside the test")
    return chain


class _Builder:
    """Gathers the lines of one reproduction."""

    def __init__(
        self,
        test: str,
        names: tuple[str, ...],
        module: ModuleParts,
        function: Definition,
        chain: list[tuple[ast.stmt, list[ast.stmt]]],
        failure: Failure,
    ) -> None:
        self._test, self._names, self._module, self._function = test, names, module, function
        self._chain, self._failure = chain, failure

    def build(self) -> list[Reproduction]:
        statement = self._chain[-1][0]
        raising = next((s for s, _ in self._chain if isinstance(s, ast.With) and _raised_by_with(s)), None)
        if raising is not None:
            depth = next(i for i, (s, _) in enumerate(self._chain) if s is raising)
            self._chain = self._chain[: depth + 1]
            return self._variants(raising.body, raises=_raised_by_with(raising))
        if isinstance(statement, ast.Assert):
            test = statement.test
            if isinstance(test, ast.Call) and called_name(test) in _RAISES and len(test.args) >= 2:
                return self._raising(test)
            return self._each(self._looks(test))
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            name = called_name(call)
            if name in _RAISES and len(call.args) >= 2:
                return self._raising(call)
            if name in _COMPARE | _RELATE.keys() and len(call.args) >= 2:
                return self._each(self._compared(call.args[0], call.args[1], _RELATE.get(name, "==")))
            if name in _LOOK and call.args:
                return self._each(self._looks(call.args[0]))
            if roots(call.func) & {"self", "cls"}:
                raise NoReproductionError("the test calls a method of its own class")
        if isinstance(statement, ast.For | ast.While | ast.If | ast.With | ast.Try | ast.FunctionDef | ast.ClassDef):
            raise NoReproductionError("the failure comes up in the head of a block")
        return self._variants([statement])

    def _raising(self, call: ast.Call) -> list[Reproduction]:
        """`raises(E, f, x)`: what is called is `f(x)`; `raises(E, lambda: x)`: it is `x`."""
        called = call.args[1]
        if isinstance(called, ast.Lambda) and not called.args.args:
            expression: ast.expr = called.body
        else:
            expression = ast.Call(called, call.args[2:], call.keywords)
        line = ast.copy_location(ast.Expr(expression), call)
        line = ast.fix_missing_locations(line)
        return self._variants([line], raises=_name_of_exception(call.args[0]), generated=True)

    def _each(self, looks: Sequence[tuple[str, ast.expr]]) -> list[Reproduction]:
        """A reproduction for each way of looking, as far as it can be told."""
        found: list[Reproduction] = []
        problem: ValueError | None = None
        for look in looks:
            try:
                found += self._variants([], look)
            except (NoReproductionError, MissingNameError) as error:
                problem = error
        if not found and problem is not None:
            raise problem
        return found

    def _looks(self, test: ast.expr) -> list[tuple[str, ast.expr]]:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._looks(test.operand)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return [*self._sides(test.left, test.comparators[0]), (self._module.text(test), test)]
        return [(self._module.text(test), test)]

    def _compared(self, left: ast.expr, right: ast.expr, symbol: str) -> list[tuple[str, ast.expr]]:
        whole = f"{self._module.text(left)} {symbol} {self._module.text(right)}"
        return [*self._sides(left, right), (whole, ast.Tuple([left, right], ast.Load()))]

    def _sides(self, left: ast.expr, right: ast.expr) -> list[tuple[str, ast.expr]]:
        """The sides of a comparison that come from the code under test, the likelier one first."""
        sides = [side for side in (left, right) if _is_computed(side)]
        if len(sides) == 2 and isinstance(left, ast.Name) and left.id.startswith(_EXPECTED_NAMES):
            sides.reverse()
        return [(self._module.text(side), side) for side in sides]

    def _variants(
        self,
        body: Sequence[ast.stmt],
        look: tuple[str, ast.expr] | None = None,
        raises: str = "",
        generated: bool = False,
    ) -> list[Reproduction]:
        """With no more than what gives names their values, then with all that may change them: running it will tell."""
        found = [self._finish(body, look, raises, generated, lean) for lean in (True, False)]
        return found[:1] if found[0] == found[1] else found

    def _finish(
        self, body: Sequence[ast.stmt], look: tuple[str, ast.expr] | None, raises: str, generated: bool, lean: bool
    ) -> Reproduction:
        ends: list[ast.AST] = [*body, *([look[1]] if look else [])]
        needed = set().union(*map(free_names, ends))
        kept: list[ast.stmt] = []
        texts: list[str] = []
        for statement in self._before():
            text = self._binding(statement, needed) or ("" if lean else self._changing(statement, needed))
            if text:
                texts.insert(0, text)
                kept.append(statement)
                needed |= free_names(ast.parse(text))
                needed -= bound_anew(statement)
        last = [ast.unparse(node) if generated else self._module.text(node) for node in body]
        shown = look[0] if look else ""
        given = {name: self._failure.values[name] for name in sorted(needed) if self._is_value(name)}
        needed -= given.keys()
        if look and not texts:
            shown, given = self._written_in(look, given)
        attributes, inner = self._attributes([*texts, *last, shown]) if "self" in needed else ({}, set())
        needed = (needed | inner) - {*dir(builtins), "self"}
        above = self._module.lines_for(needed, needed & self._own_names)
        values = [f"{name} = {value}" for name, value in (given | attributes).items()]
        lines = [_without_self(text) for text in (*values, *texts, *last)]
        code = tuple("\n".join([*above, *lines]).split("\n"))
        return Reproduction(self._test, code, _without_self(shown), raises, self._callee(ends, kept))

    def _attributes(self, texts: Sequence[str]) -> tuple[dict[str, str], set[str]]:
        """What `self.x` stands for in some lines, in the order in which it is set up; and the names that this needs."""
        known = self._module.attributes(self._names)
        wanted, waiting = set(), set(_SELF.findall("\n".join(texts)))
        while waiting:
            name = waiting.pop()
            if name not in known:
                raise NoReproductionError(f"the test uses its own {name!r}")
            wanted.add(name)
            waiting |= set(_SELF.findall(self._module.text(known[name]))) - wanted
        inner = set().union(*(free_names(known[name]) for name in wanted)) - {"self"}
        return {name: self._module.text(value) for name, value in known.items() if name in wanted}, inner - wanted

    def _written_in(self, look: tuple[str, ast.expr], given: dict[str, str]) -> tuple[str, dict[str, str]]:
        """An expression with short values in the place of names; and the values that are left."""
        text, node = look
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in given and len(given[n.id]) <= _SHORT]
        if text != self._module.text(node) or "\n" in text or not text.isascii():
            return text, given
        for name in sorted(names, key=lambda n: n.col_offset, reverse=True):
            start = name.col_offset - node.col_offset
            text = text[:start] + given[name.id] + text[start + len(name.id) :]
        written = {name.id for name in names}
        return text, {name: value for name, value in given.items() if name not in written}

    def _before(self) -> Iterator[ast.stmt]:
        """The statements that run before the failing one, the nearest first."""
        for statement, block in reversed(self._chain):
            yield from reversed(block[: next(i for i, s in enumerate(block) if s is statement)])

    def _binding(self, statement: ast.stmt, needed: set[str]) -> str:
        """A statement that gives something needed its value, or nothing."""
        return self._module.text(statement) if bound_names(statement) & needed else ""

    def _changing(self, statement: ast.stmt, needed: set[str]) -> str:
        """What of a statement may change something needed, or nothing. Imports and functions do not change."""
        changeable = needed - self._module.fixed
        if isinstance(statement, ast.Assert):
            return self._calls_in([statement.test], changeable)
        if isinstance(statement, ast.With) and _raised_by_with(statement):
            return ""
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            name = called_name(statement.value)
            if name in _COMPARE | _RELATE.keys() | _LOOK:
                return self._calls_in(statement.value.args, changeable)
            if name in _RAISES:
                return ""
        return self._module.text(statement) if changed_names(statement) & changeable else ""

    def _calls_in(self, expressions: Sequence[ast.expr], changeable: set[str]) -> str:
        """The calls that an assertion makes on something that they may change."""
        operands: list[ast.expr] = []
        for expression in expressions:
            if isinstance(expression, ast.Compare):
                operands += [expression.left, *expression.comparators]
            else:
                operands.append(expression)
        return "\n".join(self._module.text(operand) for operand in operands if changed_names(operand) & changeable)

    @cached_property
    def _own_names(self) -> set[str]:
        """Names that only the test's surroundings give: its parameters, the variables of the loops around, itself."""
        arguments = self._function.args
        parameters = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        loops = {n for s, _ in self._chain if isinstance(s, ast.For) for n in all_names(s.target)}
        return parameters | loops | {"self", "cls"}

    def _is_value(self, name: str) -> bool:
        return name in self._failure.values and name in self._own_names

    def _callee(self, ends: Sequence[ast.AST], kept: Sequence[ast.stmt]) -> str:
        """What of the project is called: a name that is imported from it, or a method of what such a name made."""
        inside = {name for statement in kept if is_from_elsewhere(statement) for name in bound_names(statement)}

        def is_imported(name: str) -> bool:
            return name in inside or self._module.is_imported(name)

        made = {}
        for node in (*ends, *kept):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.Subscript):
                maker = called_chain(node.value).split(".")
                if is_imported(maker[0]) and isinstance(node.targets[0], ast.Name):
                    # `Cache.from_file(…)` makes a Cache; what `open_cache(…)` makes has no better name.
                    made[node.targets[0].id] = maker[0] if maker[0][:1].isupper() else ".".join(maker)
        for node in (*ends, *kept):
            names = [called_chain(call) for call in calls(node)]
            for name in [*names, *(dotted_names(node) if node in ends else [])]:
                root, dot, rest = name.partition(".")
                if root in made:
                    return made[root] + dot + rest
                if is_imported(root):
                    return name
        return ""


def _without_self(text: str) -> str:
    return _SELF.sub(r"\1", text)


def _is_computed(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Name | ast.Call | ast.Attribute) for inner in ast.walk(node))


def _raised_by_with(statement: ast.With) -> str:
    """The exception that `with raises(E):` asks for, or nothing."""
    for item in statement.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and called_name(call) in _RAISES and call.args:
            return _name_of_exception(call.args[0])
    return ""


def _name_of_exception(node: ast.expr) -> str:
    if isinstance(node, ast.Tuple):
        return " or ".join(_name_of_exception(part) for part in node.elts)
    return ast.unparse(node).split(".")[-1]
