"""Which of an agent's changes count: those of the sources, and none by which tests could be led astray."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cached_property

from turnwise.envs.swe.tasks import under

PROTECTED_NAMES = frozenset(
    {
        "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
        "pyproject.toml", "sitecustomize.py", "usercustomize.py",
    }
)  # fmt: skip
"""Files that decide how tests run or how Python starts. Their first contents stand, wherever they lie."""
SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".hg", ".svn", ".pytest_cache", ".tox", ".eggs"})
"""Folders that hold no sources: compiled files would stand in for what the sources say."""
_SKIPPED_SUFFIXES = (".pyc", ".pyo", ".pth", ".egg-link")
_METADATA_SUFFIXES = (".egg-info", ".dist-info")
_INSTALLED = frozenset(
    {
        "pytest",
        "_pytest",
        "py",
        "pluggy",
        "iniconfig",
        "packaging",
        "pygments",
        "exceptiongroup",
        "tomli",
        "pkg_resources",
    }
)


class Scope:
    """What of a project's tree an agent may change, to effect.

    Args:
        originals: Every path of the project.
        sources: Files and folders that a fix may change.
        tests: Files and folders that it may not, wherever they lie.

    >>> scope = Scope(["pkg/__init__.py", "pkg/core.py", "pkg/tests/test_core.py"], ["pkg"], ["pkg/tests"])
    >>> [path for path in ("pkg/core.py", "pkg/new.py", "setup.py", "pkg/conftest.py") if scope.counts(path)]
    ['pkg/core.py', 'pkg/new.py']
    """

    def __init__(self, originals: Iterable[str], sources: Iterable[str], tests: Iterable[str]) -> None:
        self.originals = frozenset(originals)
        self.sources = tuple(sources)
        self.tests = tuple(tests)

    def counts(self, path: str) -> bool:
        """Whether a change to this path is part of a submission."""
        *folders, name = path.split("/")
        return (
            under(path, self.sources)
            and not under(path, self.tests)
            and name not in PROTECTED_NAMES
            and not name.endswith(_SKIPPED_SUFFIXES)
            and not any(folder in SKIPPED_FOLDERS or folder.endswith(_METADATA_SUFFIXES) for folder in folders)
            and not self._shadows(path)
        )

    @cached_property
    def _trees(self) -> frozenset[str]:
        """Every original path and all folders above one."""
        return frozenset(
            "/".join(path.split("/")[:length])
            for path in self.originals
            for length in range(1, path.count("/") + 2)
        )  # fmt: skip

    def _shadows(self, path: str) -> bool:
        """Whether it is a new module that `import` could find in the place of an installed one.

        It can where its folder is no package, and may hence be on the import path.
        """
        parts = path.split("/")
        for i, part in enumerate(parts):
            folder = "/".join(parts[:i])
            module = part.split(".")[0]
            if module not in sys.stdlib_module_names and module not in _INSTALLED:
                continue
            in_package = f"{folder}/__init__.py" in self.originals
            if not in_package and f"{folder}/{part}".lstrip("/") not in self._trees:
                return True
        return False
