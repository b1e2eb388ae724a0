"""Tests that must fail, mixed among the hidden ones: where they pass, the tests were led astray and prove nothing.

Code under test shares its process with the tests, so it can change what `assert` and pytest do, or return objects that
equal everything. Two kinds of canary notice. *Plain* ones fail by themselves, each by another way of asserting. *Twins*
are copies of the tests that the bug breaks, in which the first assertion asks for something that cannot be: they call
the same code and look the same. All get names made of the file's own test names.
"""

from __future__ import annotations

import ast
import copy
import random
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_TWINS = 6
_WORDS = (
    "empty", "single", "twice", "nested", "reversed", "default", "large", "negative", "again", "mixed", "order",
    "boundary", "simple", "repeated", "partial", "extra", "types", "values", "input", "result",
)  # fmt: skip
_PLAIN = (
    "def {name}():\n    value = [{low}]\n    assert value == [{high}]\n",
    "def {name}():\n    import pytest\n    with pytest.raises(ValueError):\n        assert len([{low}]) == 1\n",
)
_PLAIN_UNITTEST = (
    "class {cls}(__import__('unittest').TestCase):\n"
    "    def {name}(self):\n        self.assertEqual([{low}], [{high}])\n\n"
    "    def {other}(self):\n        with self.assertRaises(ValueError):\n            self.assertTrue([{low}])\n\n"
    "    def {third}(self):\n        self.assertTrue({low} == {high})\n"
)


@dataclass(frozen=True)
class Canaries:
    """Canaries for one run.

    Attributes:
        files: Path -> the test file with its canaries.
        tests: Their ids; each must fail.
    """

    files: Mapping[str, bytes] = field(hash=False)
    tests: tuple[str, ...]


def add_canaries(files: Mapping[str, bytes], broken: Sequence[str], rng: random.Random) -> Canaries:
    """Write canaries into test files.

    Args:
        files: Path -> contents of test files. One that is no Python of this version gets none.
        broken: Ids of the tests that the bug breaks: they get twins.
        rng: Chooses names and numbers.
    """
    changed, tests = {}, []
    budget = MAX_TWINS
    for path, data in sorted(files.items()):
        try:
            source = data.decode("utf-8")
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        names = _Names(tree, rng)
        ids = [test for test in broken if test.startswith(path + "::")][:budget]
        budget -= len(ids)
        source, twins = _with_twins(source, tree, ids, names)
        plain, plain_ids = _plain(path, tree, names, rng)
        changed[path] = (source.rstrip("\n") + "\n\n\n" + plain).encode("utf-8")
        tests += twins + plain_ids
    return Canaries(changed, tuple(tests))


class _Names:
    """New names that look like the file's own."""

    def __init__(self, tree: ast.Module, rng: random.Random) -> None:
        self._taken = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        self._tests = sorted(name for name in self._taken if name.startswith("test")) or ["test_it"]
        self._rng = rng

    def test(self, like: str = "") -> str:
        base = like or self._rng.choice(self._tests)
        return self._new([f"{base}_{word}" for word in _WORDS])

    def case(self) -> str:
        return self._new([f"Test{first.title()}{second.title()}" for first in _WORDS for second in _WORDS])

    def _new(self, candidates: Sequence[str]) -> str:
        free = [name for name in candidates if name not in self._taken]
        name = self._rng.choice(free) if free else f"{candidates[0]}_{self._rng.randrange(10**6)}"
        self._taken.add(name)
        return name


def _plain(path: str, tree: ast.Module, names: _Names, rng: random.Random) -> tuple[str, list[str]]:
    low = rng.randrange(2, 50)
    numbers = {"low": low, "high": low + rng.randrange(1, 9)}
    name = names.test()
    text, ids = rng.choice(_PLAIN).format(name=name, **numbers), [f"{path}::{name}"]
    if any("TestCase" in (getattr(node, "attr", ""), getattr(node, "id", "")) for node in ast.walk(tree)):
        case, methods = names.case(), [names.test() for _ in range(3)]
        text += "\n\n" + _PLAIN_UNITTEST.format(
            cls=case, name=methods[0], other=methods[1], third=methods[2], **numbers
        )
        ids += [f"{path}::{case}::{method}" for method in methods]
    return text, ids


def _with_twins(source: str, tree: ast.Module, tests: Sequence[str], names: _Names) -> tuple[str, list[str]]:
    """The source with a twin behind each test that can have one, and the ids of the twins."""
    lines = source.splitlines(keepends=True)
    twins: dict[str, ast.FunctionDef] = {}
    ids = []
    insertions: list[tuple[int, str]] = []
    for test in tests:
        address, bracket, parameters = test.partition("[")
        path, *scopes = address.split("::")
        function = _find(tree, scopes)
        if function is None:
            continue
        if address not in twins:
            twin = _twin(function, names)
            if twin is None:
                continue
            twins[address] = twin
            margin = lines[function.lineno - 1][: function.col_offset]
            text = textwrap.indent(ast.unparse(twin), margin)
            insertions.append((function.end_lineno or 0, f"\n{text}\n\n"))
        ids.append("::".join([path, *scopes[:-1], twins[address].name]) + bracket + parameters)
    for line, text in sorted(insertions, reverse=True):
        if line and not lines[line - 1].endswith("\n"):
            lines[line - 1] += "\n"
        lines.insert(line, text)
    return "".join(lines), ids


def _find(tree: ast.Module, scopes: Sequence[str]) -> ast.FunctionDef | None:
    """The function of a name in a class of a name (in a class ...), the last one where it is defined again."""
    body: Sequence[ast.stmt] = tree.body
    for depth, name in enumerate(scopes):
        kind = ast.FunctionDef if depth == len(scopes) - 1 else ast.ClassDef
        found = [node for node in body if isinstance(node, kind) and node.name == name]
        if not found:
            return None
        if isinstance(found[-1], ast.FunctionDef):
            return found[-1]
        body = found[-1].body
    return None


def _twin(function: ast.FunctionDef, names: _Names) -> ast.FunctionDef | None:
    """A copy under a new name whose first assertion cannot hold; None where it has none that is known."""
    twin = copy.deepcopy(function)
    if not _spoil_first(twin.body):
        return None
    twin.name = names.test(function.name)
    return ast.fix_missing_locations(twin)


def _spoil_first(body: Sequence[ast.stmt]) -> bool:
    for statement in body:
        if isinstance(statement, ast.Assert):
            statement.test = _unholdable(statement.test)
            return True
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and _spoil_call(statement.value):
            return True
        if isinstance(statement, ast.With) and any(_expects_error(item.context_expr) for item in statement.items):
            statement.body = [ast.Pass()]
            return True
        if isinstance(statement, (ast.For, ast.With)) and _spoil_first(statement.body):
            return True
    return False


def _unholdable(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        return ast.Compare(test.left, [ast.Eq()], [_something_else()])
    return ast.UnaryOp(ast.Not(), test)


def _spoil_call(call: ast.Call) -> bool:
    """Whether it was a call of a known `self.assert...` method, which now asks for what cannot be."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    arguments = call.args
    if name in ("assertTrue", "assertFalse") and arguments:
        arguments[0] = ast.UnaryOp(ast.Not(), arguments[0])
    elif name in ("assertIn", "assertIsInstance") and len(arguments) > 1:
        arguments[1] = ast.Tuple([], ast.Load())
    elif name == "assertRaises" and len(arguments) > 1:
        call.args = [arguments[0], ast.Name("object", ast.Load())]
    elif name.startswith("assert") and (name.endswith("Equal") or name == "assertIs") and len(arguments) > 1:
        if name.startswith("assertNot"):
            return False
        arguments[1] = _something_else()
    else:
        return False
    return True


def _expects_error(call: ast.expr) -> bool:
    name = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
    return name in ("raises", "assertRaises")


def _something_else() -> ast.expr:
    return ast.Call(ast.Name("object", ast.Load()), [], [])
