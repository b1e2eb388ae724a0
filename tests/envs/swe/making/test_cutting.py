"""Hidden tests leave nothing behind, and what is left still runs."""

from __future__ import annotations

import ast

import pytest

from turnwise.envs.swe.making.cutting import cut_functions, hide_tests, split_id

FILE = b'''import pytest

X = 1


# About one.
@pytest.mark.parametrize("a", [1, 2])
@pytest.mark.slow
def test_one(a):
    assert a


def test_two():
    assert X


class TestThree:
    """Three."""

    def test_four(self):
        assert 4

    @pytest.mark.slow
    def test_five(self):
        def inner():
            return 1
        assert inner()


if X:
    def test_six():
        pass
'''


@pytest.mark.parametrize(
    ("test", "path", "names"),
    [
        ("t.py::test_a", "t.py", ("test_a",)),
        ("d/t.py::T::test_a[x::y[0]]", "d/t.py", ("T", "test_a")),
    ],
)
def test_ids_are_split(test: str, path: str, names: tuple[str, ...]) -> None:
    assert split_id(test) == (path, names)


def cut(*places: tuple[str, ...]) -> str:
    data = cut_functions("t.py", FILE, set(places))
    assert data is not None
    ast.parse(data)
    return data.decode()


def test_a_function_goes_with_its_decorators_and_its_comment() -> None:
    after = cut(("test_one",))
    assert after.startswith("import pytest\n\nX = 1\n\n\ndef test_two():")
    assert "test_one" not in after


def test_a_method_goes() -> None:
    after = cut(("TestThree", "test_five"))
    assert "test_five" not in after
    assert "    def test_four(self):\n        assert 4\n\n\nif X:" in after


def test_a_class_that_becomes_empty_gets_pass() -> None:
    after = cut(("TestThree", "test_five"), ("TestThree", "test_four"))
    assert 'class TestThree:\n    """Three."""\n    pass\n\n\nif X:' in after


def test_a_block_that_becomes_empty_gets_pass() -> None:
    assert cut(("test_six",)).endswith("if X:\n    pass\n")


def test_several_at_once() -> None:
    after = cut(("test_one",), ("test_two",), ("TestThree", "test_four"), ("test_six",))
    names = [node.name for node in ast.walk(ast.parse(after)) if isinstance(node, ast.FunctionDef)]
    assert names == ["test_five", "inner"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"def test_a(): pass\n\ndef test_b(): test_a()\n", "another function calls it"),
        (b"class T:\n    def test_a(self): pass\nclass U:\n    test_b = T.test_a\n", "another class takes it over"),
        (b"x = 1; \\\ndef test_b(): pass\n", "it is no Python"),
        (b"for n in 'ab':\n    globals()['test_' + n] = lambda: None\n", "it is made while the file is read"),
    ],
)
def test_what_cannot_be_cut_cleanly_is_left_out_as_a_file(data: bytes, why: str) -> None:
    files = {"t.py": data, "u.py": b"x = 1\n"}
    test = "t.py::T::test_a" if b"class T" in data else "t.py::test_a"
    assert hide_tests(files, [test], []) == {"u.py": b"x = 1\n"}, why


BASE = b"class Base:\n    def test_a(self):\n        1\n\n    def test_b(self):\n        2\n"
CHILD = b"from base import Base\n\n\nclass TestChild(Base):\n    x = 1\n"


def test_an_inherited_method_is_cut_where_it_is_defined() -> None:
    files = {"tests/base.py": BASE, "tests/test_c.py": CHILD}
    after = hide_tests(files, ["tests/test_c.py::TestChild::test_a"], ["tests/base.py", "tests/test_c.py"])
    assert after == {"tests/base.py": b"class Base:\n    def test_b(self):\n        2\n", "tests/test_c.py": CHILD}


def test_an_inherited_method_in_the_same_file_is_cut() -> None:
    data = BASE + b"\n\nclass TestChild(Base):\n    x = 1\n"
    after = hide_tests({"t.py": data}, ["t.py::TestChild::test_a", "t.py::TestChild::test_b"], ["t.py"])
    assert after == {"t.py": b"class Base:\n    pass\n\n\nclass TestChild(Base):\n    x = 1\n"}


def test_files_without_hidden_tests_stay_as_they_are() -> None:
    files = {"t.py": FILE, "u.py": b"\xff"}
    assert hide_tests(files, [], ["t.py", "u.py"]) == files
