"""Each operator makes the edits that it says, and the rest of the file's text stays as it is."""

from __future__ import annotations

import ast

import pytest

from turnwise.envs.swe.mutation import OPERATORS, Source, mutate, mutations


def bugs(code: str, operator: str) -> list[str]:
    """What one operator makes of a file."""
    source = Source("p.py", code.encode())
    return [mutate(source, [m]).decode() for m in mutations(source) if m.operator == operator]


def lines(code: str, operator: str) -> list[str]:
    """What one operator makes of the last line of a function with these names."""
    head = "def f(a, b, c, g):\n    "
    return [bug.removeprefix(head).removesuffix("\n") for bug in bugs(f"{head}{code}\n", operator)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return a < b", ["return a <= b"]),
        ("return a<=b", ["return a<b"]),
        ("return a == b != c", ["return a != b != c", "return a == b == c"]),
        ("return a  is  not b", ["return a  is b"]),
        ("return a is b", ["return a is not b"]),
        ("return a not in b", ["return a in b"]),
        ("return (a) > (b)", ["return (a) >= (b)"]),
        ("return (a  # <\n      < b)", ["return (a  # <\n      <= b)"]),
    ],
)
def test_comparison(before: str, after: list[str]) -> None:
    assert lines(before, "comparison") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return a + b", ["return a - b"]),
        ("return a - b", ["return a + b", "return b - a"]),
        ("return a // b", ["return a / b", "return b // a"]),
        ("return a ** b", ["return a * b"]),
        ("a += b", ["a -= b"]),
        ("return '%s' % a", []),
        ("return 'x' + a", []),
        ("return f'{a}' + b", []),
    ],
)
def test_arithmetic(before: str, after: list[str]) -> None:
    assert lines(before, "arithmetic") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return a and b", ["return a or b", "return a", "return b"]),
        ("return a or b or c", ["return a and b or c", "return a or b and c"]),
        ("return not a", ["return a"]),
        ("return True", ["return False"]),
        ("return g(x=False)", ["return g(x=True)"]),
    ],
)
def test_boolean(before: str, after: list[str]) -> None:
    assert lines(before, "boolean") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return a[1]", ["return a[2]", "return a[0]"]),
        ("return a[b:c]", ["return a[b + 1:c]", "return a[b:c - 1]"]),
        ("return range(a)", ["return range(1, a)", "return range(a - 1)"]),
        ("return range(a, b)", ["return range(a + 1, b)", "return range(a, b - 1)"]),
        ("return a > 3", ["return a > 4", "return a > 2"]),
        ("return a > 0", ["return a > 1"]),
    ],
)
def test_off_by_one(before: str, after: list[str]) -> None:
    assert lines(before, "off-by-one") == after


def test_swap_arguments() -> None:
    assert lines("return g(a, b + 1,  c=2)", "swap-arguments") == ["return g(b + 1, a,  c=2)"]
    assert lines("return g(a, a)", "swap-arguments") == []
    assert lines("return g(*a, b)", "swap-arguments") == []
    assert lines("return isinstance(a, b)", "swap-arguments") == []


def test_wrong_default() -> None:
    code = "def f(a, b=1, *, c=True, d=None, e=''):\n    return a.get(b, 0)\n"
    assert [bug.split("\n")[0] for bug in bugs(code, "wrong-default")][:4] == [
        "def f(a, b=2, *, c=True, d=None, e=''):",
        "def f(a, b=0, *, c=True, d=None, e=''):",
        "def f(a, b=1, *, c=False, d=None, e=''):",
        "def f(a, b=1, *, c=True, d=None, e=' '):",
    ]
    assert bugs(code, "wrong-default")[4].endswith("return a.get(b, 1)\n")


def test_drop_branch() -> None:
    first, second = "    if a:\n        b = 1\n", "    elif a == 2:\n        b = 2\n"
    third = "    # why\n    else:\n        b = 3\n"
    assert bugs(f"def f(a):\n{first}{second}{third}    return b\n", "drop-branch") == [
        f"def f(a):\n{first}{third}    return b\n",
        f"def f(a):\n{first}{second}    return b\n",
    ]
    assert lines("return a if b else c", "drop-branch") == ["return a", "return c"]
    assert lines("if a: b = 1\n    return b", "drop-branch") == ["return b"]


def test_drop_branch_takes_one_of_several_handlers() -> None:
    head, first = "def f(a):\n    try:\n        a()\n", "    except KeyError:\n        return 1\n"
    second = "    except ValueError:\n        return 2\n"
    assert bugs(head + first + second, "drop-branch") == [head + second, head + first]


def test_remove_guard() -> None:
    code = "def f(a):\n    # Nothing to do.\n    if not a:\n        return 0\n    return 1\n"
    assert bugs(code, "remove-guard") == ["def f(a):\n    return 1\n"]
    assert lines("return [x for x in a if x]", "remove-guard") == ["return [x for x in a]"]
    assert lines("return max(a, 0)", "remove-guard") == ["return a"]


def test_the_only_statement_of_a_block_becomes_pass() -> None:
    assert bugs("def f(a):\n    for x in a:\n        a.append(x)\n", "drop-update") == [
        "def f(a):\n    for x in a:\n        pass\n"
    ]


def test_drop_update() -> None:
    code = "def f(self, a):\n    self.x = a  # kept\n    a.sort()\n    n = 1\n    n += a\n    return n\n"
    assert [set(code.split("\n")) - set(bug.split("\n")) for bug in bugs(code, "drop-update")] == [
        {"    self.x = a  # kept"}, {"    a.sort()"}, {"    n += a"},
    ]  # fmt: skip


SPARED = '''
from typing import TYPE_CHECKING, overload, cast
LIMIT = 3 + 4
if TYPE_CHECKING:
    def g(): return 1 + 2
@overload
def f(a: "int" = 1) -> int: ...
class C:
    """A class with 1 < 2 in its text."""
    def __repr__(self):
        return str(1 + 2)
    def f(self, a):
        """Adds 1 + 1."""
        assert a < 3
        x: "Literal[1]" = a
        print(a < 2)
        raise ValueError("a < %d" % 3)
if __name__ == "__main__":
    print(1 < 2)
'''


def test_texts_types_and_what_is_outside_of_functions_are_spared() -> None:
    assert mutations(Source("p.py", SPARED.encode())) == []


def test_what_compiles_to_the_same_is_no_bug() -> None:
    assert bugs("def f(a):\n    return a.x and a.x\n", "swap-arguments") == []
    assert bugs("def f(a):\n    if a:\n        pass\n    return 1\n", "drop-branch") != []
    assert bugs("def f():\n    return 0 * 1\n", "arithmetic") != []
    assert bugs("def f():\n    return 2 - 2 * 1\n", "arithmetic") == bugs(
        "def f():\n    return 2 - 2 * 1\n", "arithmetic"
    )


CODE = '''"""Module."""
import os


@os.wraps
def one(x, y=2):  # a comment
    """Doc."""
    if x < 1:  # guard
        return 0

    total = 0
    for i in range(x):
        total += i * y  # add
    return total if total > y else max(total, 1)


class Two:
    def three(self, a, b):
        return self.four(a, b) and not a

\tx = 1
'''.replace("\n\tx = 1\n", "\n")  # fmt: skip


def test_everything_else_of_the_file_stays_as_it_is() -> None:
    source = Source("p.py", CODE.encode())
    found = mutations(source)
    assert {mutation.operator for mutation in found} == set(OPERATORS)
    for mutation in found:
        after = mutate(source, [mutation])
        ast.parse(after)
        edit = mutation.edit
        assert after == source.data[: edit.start] + edit.text + source.data[edit.end :]
        assert source.data != after


def test_mutations_know_their_function_and_the_line_where_its_code_begins() -> None:
    found = mutations(Source("p.py", CODE.encode()))
    namespace: dict[str, object] = {}
    exec(compile(CODE.replace("@os.wraps", "@(lambda f: f)"), "p.py", "exec"), namespace)
    two = namespace["Two"]
    assert {(m.function, m.line) for m in found} == {
        ("one", namespace["one"].__code__.co_firstlineno),  # type: ignore[attr-defined]
        ("Two.three", two.three.__code__.co_firstlineno),  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_non_ascii_text_are_kept(newline: str) -> None:
    code = newline.join(["def f(größe):", "    # ü", "    if größe < 1:", "        return 'ß'", "    return größe", ""])
    assert bugs(code, "comparison") == [code.replace("<", "<=")]
    assert bugs(code, "remove-guard") == [newline.join(["def f(größe):", "    return größe", ""])]


def test_the_order_of_mutations_depends_on_the_seed_alone() -> None:
    def order(seed: int) -> list[str]:
        return [
            m.edit.text.decode() for m in sorted(mutations(Source("p.py", CODE.encode())), key=lambda m: m.key(seed))
        ]

    assert order(1) == order(1)
    assert order(1) != order(2)
