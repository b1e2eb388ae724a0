"""Which changes count."""

from __future__ import annotations

import pytest

from turnwise.envs.swe.scope import Scope

FLAT = Scope(
    ["pkg/__init__.py", "pkg/core.py", "pkg/conftest.py", "pkg/types.py", "pkg/tests/test_core.py", "setup.cfg"],
    ["pkg"],
    ["pkg/tests", "tests"],
)
SRC = Scope(
    ["src/pkg/__init__.py", "src/pkg/core.py", "src/queue/__init__.py", "tests/test_core.py"], ["src"], ["tests"]
)
ROOT = Scope(["mod.py", "test_mod.py", "setup.py"], ["."], ["test_mod.py"])


@pytest.mark.parametrize(
    "path",
    [
        "pkg/core.py", "pkg/new.py", "pkg/sub/new.py", "pkg/data.json", "pkg/json.py", "pkg/types.py", "pkg/a\nb.py",
        "pkg/sub/pytest_plugin.py",
    ],
)  # fmt: skip
def test_sources_count(path: str) -> None:
    assert FLAT.counts(path)


@pytest.mark.parametrize(
    "path",
    [
        "setup.cfg", "other.py", "pkg2/core.py", "pkg/tests/test_core.py", "pkg/tests/new.py", "tests/x.py",
        "pkg/conftest.py", "pkg/sub/conftest.py", "pkg/pytest.ini", "pkg/pyproject.toml", "pkg/tox.ini",
        "pkg/setup.cfg", "pkg/sitecustomize.py", "pkg/usercustomize.py", "pkg/x.pth", "pkg/__pycache__/core.pyc",
        "pkg/core.pyc", "pkg/pkg.egg-info/entry_points.txt", "pkg/x.dist-info/METADATA", "pkg/.git/HEAD",
    ],
)  # fmt: skip
def test_what_leads_tests_astray_does_not(path: str) -> None:
    assert not FLAT.counts(path)


@pytest.mark.parametrize("path", ["src/json.py", "src/pytest.py", "src/_pytest/x.py", "src/unittest/__init__.py",
                                  "src/sys.cpython-311-x86_64-linux-gnu.so", "src/pluggy/__init__.py"])  # fmt: skip
def test_a_new_module_on_the_import_path_may_not_shadow_an_installed_one(path: str) -> None:
    assert not SRC.counts(path)


def test_one_that_the_project_has_may_be_changed() -> None:
    assert SRC.counts("src/queue/__init__.py")
    assert SRC.counts("src/queue/more.py")
    assert SRC.counts("src/pkg/json.py")


def test_the_root_itself_as_sources() -> None:
    assert [p for p in ("mod.py", "new.py", "test_mod.py", "json.py", "conftest.py") if ROOT.counts(p)] == [
        "mod.py",
        "new.py",
    ]
