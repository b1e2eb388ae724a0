"""Small projects to make tasks of, written into folders. Import as `from swe_projects import ...`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CORE = '''"""Counting words."""


def count(text, ignore_case=False):
    """How often each word occurs."""
    if ignore_case:
        text = text.lower()
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def most_common(text, n=1):
    """The n most frequent words; of equal ones, the first by the alphabet."""
    if n < 1:
        raise ValueError("n must be at least 1")
    counts = count(text)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return ordered[:n]


def until(limit, step=1):
    """Numbers from 0, below a limit."""
    found = []
    number = 0
    while number < limit:
        found.append(number)
        number += step
    return found
'''
TESTS = """import time

import pytest

from words.core import count, most_common, until


def test_count():
    assert count("a b a") == {"a": 2, "b": 1}


def test_count_ignores_case():
    assert count("A a", ignore_case=True) == {"a": 2}
    assert count("A a") == {"A": 1, "a": 1}


def test_most_common(text):
    assert most_common(text, 2) == ["b", "a"]


def test_most_common_of_equal_words():
    assert most_common("z y x") == ["x"]


def test_most_common_needs_a_number():
    with pytest.raises(ValueError):
        most_common("a", 0)


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (1, [0]), (3, [0, 1, 2])])
def test_until(limit, expected):
    assert until(limit) == expected


@pytest.mark.quiet
def test_until_by_steps():
    assert until(5, 2) == [0, 2, 4]


def test_slow():
    time.sleep(0.5)
    assert count("") == {}
"""
CONFTEST = """import pytest

pytest_plugins = ["words_plugin"]


@pytest.fixture
def text():
    return "b a b c a b"
"""
PLUGIN = """def pytest_configure(config):
    config.addinivalue_line("markers", "quiet: nothing")
"""
PYPROJECT = """[project]
name = "words"
version = "2.1"
license = "MIT"

[tool.pytest.ini_options]
addopts = "--strict-markers --cov=words -n auto"
"""
FULL = {
    "pyproject.toml": PYPROJECT,
    "src/words/__init__.py": "",
    "src/words/core.py": CORE,
    "src/words/template.py": "print 'for Python 2'\n",
    "tests/conftest.py": CONFTEST,
    "tests/words_plugin.py": PLUGIN,
    "tests/test_words.py": TESTS,
    ".git/HEAD": "ref: refs/heads/main\n",
    "build/lib/words/core.py": CORE,
    "src/words/__pycache__/core.cpython-311.pyc": "compiled",
    "src/words.egg-info/PKG-INFO": "Name: words\n",
}
"""A src layout with a conftest, a plugin of its own, options of missing plugins, and remains of builds."""
MODULE = {
    "double.py": "def double(x):\n    return x + x\n",
    "test_double.py": """from double import double


def test_double():
    assert double(2) == 4


def test_something_else():
    assert double
""",
}
"""A single module with its tests beside it."""


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def full_project(root: Path) -> Path:
    """`FULL`, with a source that is no UTF-8."""
    write(root, FULL)
    (root / "src/words/latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nNAME = '\xe9'\n")
    return root
