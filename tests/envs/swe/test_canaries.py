"""Canaries: they look like the tests around them, and fail."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise.envs.swe.canaries import add_canaries

SOURCE = '''
import unittest
import pytest


class CaseTests(unittest.TestCase):
\tdef test_equal(self):
\t\tfor x in (1, 2):
\t\t\twith self.subTest(x=x):
\t\t\t\tself.assertEqual(x, x)

\tdef test_almost(self): self.assertAlmostEqual(0.1 + 0.2, 0.3)

\tdef test_true(self):
\t\tself.assertTrue(1)

\tdef test_in(self):
\t\tself.assertIn(1, [1])

\tdef test_raises(self):
\t\tself.assertRaises(ValueError, int, "x")

\tdef test_raises_in(self):
\t\twith self.assertRaises(ValueError):
\t\t\tint("x")


class TestPlain:
    """Text
    in a class."""

    @pytest.mark.parametrize("x", [1, 2], ids=["one", "two::three"])
    def test_kinds(self, x):
        assert x == x
        assert x


def test_not_equal():
    assert 1 < 2


def test_raises():
    with pytest.raises(ValueError):
        int("x")


def test_no_assertion():
    int("3")'''
IDS = [
    *(f"CaseTests::test_{name}" for name in ("equal", "almost", "true", "in", "raises", "raises_in")),
    "TestPlain::test_kinds[one]",
    "TestPlain::test_kinds[two::three]",
    "test_not_equal",
    "test_raises",
]


@pytest.mark.parametrize("seed", range(3))
def test_every_twin_and_every_plain_canary_fails_and_all_else_passes(seed: int, tmp_path: Path) -> None:
    broken = [f"test_it.py::{name}" for name in IDS]
    tests: list[str] = []
    # A few at a time: there is a bound on the twins of one run.
    for some in (broken[:5], broken[5:]):
        canaries = add_canaries({"test_it.py": SOURCE.encode()}, some, random.Random(seed))
        (tmp_path / "test_it.py").write_bytes(canaries.files["test_it.py"])
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--rootdir", ".", "test_it.py"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = run.stdout.splitlines()
        # A test with a failed `subTest` in it is reported as passed besides.
        failed = {line.split(" - ")[0].split(" ", 1)[1] for line in lines if re.match(r"(SUB)?FAILED\b", line)}
        passed = {line.removeprefix("PASSED ") for line in lines if line.startswith("PASSED ")} - failed
        assert failed == set(canaries.tests), run.stdout
        assert passed == {*broken, "test_it.py::test_no_assertion"}
        twins = len(canaries.tests) - 4
        assert twins == len(some)
        tests += canaries.tests
    assert len(tests) == len(IDS) + 8


def test_names_are_made_of_the_files_own_and_differ_from_run_to_run() -> None:
    runs = {add_canaries({"t.py": SOURCE.encode()}, [], random.Random(seed)).tests for seed in range(5)}
    assert len(runs) > 1
    names = {node.name for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.FunctionDef)}
    for test in next(iter(runs)):
        assert any(test.split("::")[-1].startswith(name + "_") for name in names)


def test_a_file_that_cannot_be_read_as_python_is_left_alone() -> None:
    assert add_canaries({"t.py": b"def x(:\n", "u.py": b"\xff"}, ["t.py::test"], random.Random(0)).tests == ()


def test_a_test_that_is_defined_elsewhere_has_no_twin() -> None:
    data = b"from base import *\n\n\ndef test_here():\n    assert 1\n"
    assert len(add_canaries({"t.py": data}, ["t.py::test_there", "t.py::C::test_x"], random.Random(0)).tests) == 1
