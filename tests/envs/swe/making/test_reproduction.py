"""From failing tests to the lines that a user would paste."""

from __future__ import annotations

import pytest

from turnwise.envs.swe.making.module_parts import MissingNameError
from turnwise.envs.swe.making.reproduction import NoReproductionError, Reproduction, reproduce
from turnwise.envs.swe.making.suites import Failure

FILE = """import unittest
from collections import deque, OrderedDict

import pytest
import pack.lists as pl
from pack import Cache, raises, unused

LIMIT = 3
DEEP = [LIMIT] * 2


def double(x):
    return 2 * x


def test_plain():
    assert pl.chunk([1, 2], LIMIT) == [[1], [2]]  # here


@pytest.mark.parametrize("n", [1])
def test_values(n):
    unused(1)
    expected = [n]
    assert expected == pl.chunk(n, double(n))  # here


def test_steps():
    cache = Cache(2)
    other = Cache(9)
    cache.put("a", 1)
    assert cache.get("b") is None
    other.put("x", 1)
    cache.size = 3
    assert cache.keys() == ["a"]  # here


def test_loop():
    for a, b in [(1, 2), (3, 4)]:
        c = a + b
        assert pl.total(c, a) == 3  # here


def test_raises():
    with pytest.raises(ValueError, match="x"):  # here
        pl.chunk([], 0)


def test_own_raises():
    assert raises(TypeError, lambda: pl.chunk(1))  # here


def test_error():
    items = deque([1])
    pl.consume(items, DEEP)  # here


def test_fixture(thing):
    assert pl.use(thing) == 1  # here


class Tests(unittest.TestCase):
    def setUp(self):
        self.x = 1
        self.y = pl.make(self.x, self.size)

    size = 4

    def other(self):
        return 1

    def test_equal(self):
        it = iter([1, 2])
        self.assertEqual(next(it), 1)
        self.assertEqual(pl.rest(it), [2])  # here

    def test_in(self):
        self.assertIn(1, pl.all())  # here

    def test_self(self):
        self.assertEqual(pl.use(self.y), 1)  # here

    def test_own_method(self):
        self.assertEqual(pl.use(self.other()), 1)  # here

    def test_raising(self):
        self.assertRaises(ValueError, pl.chunk, [], n=0)  # here
"""


def told(name: str, values: dict[str, str] | None = None) -> list[Reproduction]:
    """What becomes of the test of this name, which fails at its line `# here`."""
    lines = FILE.split("\n")
    begin = next(i for i, line in enumerate(lines) if f"def {name}(" in line)
    line = next(i for i in range(begin, len(lines)) if lines[i].endswith("# here")) + 1
    places = f"Tests::{name}" if lines[begin].startswith(" ") else name
    return reproduce(f"t.py::{places}", FILE.encode(), Failure("AssertionError", "", line, values or {}, None))


def test_the_computed_side_is_looked_at_with_what_it_needs() -> None:
    first, *_ = told("test_plain")
    assert first.code == ("import pack.lists as pl", "LIMIT = 3")
    assert (first.look, first.raises, first.callee) == ("pl.chunk([1, 2], LIMIT)", "", "pl.chunk")


def test_values_of_parameters_are_written_in() -> None:
    first, second, *_ = told("test_values", {"n": "1"})
    assert first.code == ("import pack.lists as pl", "def double(x):", "    return 2 * x")
    assert first.look == "pl.chunk(1, double(1))"
    assert (second.code, second.look) == (("n = 1", "expected = [n]"), "expected")


def test_only_steps_that_matter_are_kept() -> None:
    lean, full, *_ = told("test_steps")
    assert lean.code == ("from pack import Cache", "cache = Cache(2)")
    assert full.code == (
        "from pack import Cache",
        "cache = Cache(2)",
        'cache.put("a", 1)',
        'cache.get("b")',
        "cache.size = 3",
    )
    assert {(each.look, each.callee) for each in (lean, full)} == {("cache.keys()", "Cache.keys")}


def test_variables_of_a_loop_have_their_values() -> None:
    first, *_ = told("test_loop", {"a": "3", "b": "4", "c": "7"})
    assert first.code == ("import pack.lists as pl", "a = 3", "b = 4", "c = a + b")
    assert first.look == "pl.total(c, a)"


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("test_raises", "pl.chunk([], 0)", "ValueError"),
        ("test_own_raises", "pl.chunk(1)", "TypeError"),
        ("test_raising", "pl.chunk([], n=0)", "ValueError"),
    ],
)
def test_an_expected_error(name: str, code: str, error: str) -> None:
    [only] = told(name)
    assert only.code == ("import pack.lists as pl", code)
    assert (only.look, only.raises, only.callee) == ("", error, "pl.chunk")


def test_an_error_that_comes_up() -> None:
    [only] = told("test_error")
    assert only.code == (
        "import pack.lists as pl",
        "from collections import deque",
        "LIMIT = 3",
        "DEEP = [LIMIT] * 2",
        "items = deque([1])",
        "pl.consume(items, DEEP)",
    )
    assert (only.look, only.raises) == ("", "")


def test_methods_of_unittest() -> None:
    lean, full, *_ = told("test_equal")
    assert lean.code == ("import pack.lists as pl", "it = iter([1, 2])")
    assert full.code == (*lean.code, "next(it)")
    assert full.look == "pl.rest(it)"
    side, whole = told("test_in")
    assert (side.look, whole.look) == ("pl.all()", "1 in pl.all()")


def test_what_an_instance_is_set_up_with_becomes_variables() -> None:
    first, *_ = told("test_self")
    assert first.code == ("import pack.lists as pl", "size = 4", "x = 1", "y = pl.make(x, size)")
    assert first.look == "pl.use(y)"


@pytest.mark.parametrize("name", ["test_fixture", "test_own_method"])
def test_what_only_the_surroundings_give_cannot_be_told(name: str) -> None:
    with pytest.raises((MissingNameError, NoReproductionError)):
        told(name)


def test_a_fixture_whose_value_is_known_can_be_told() -> None:
    assert told("test_fixture", {"thing": "'x'"})[0].look == "pl.use('x')"


def test_a_line_outside_of_the_test() -> None:
    with pytest.raises(NoReproductionError):
        reproduce("t.py::test_plain", FILE.encode(), Failure("E", "", 1, {}, None))
    with pytest.raises(NoReproductionError):
        reproduce("t.py::test_other", FILE.encode(), Failure("E", "", 5, {}, None))
