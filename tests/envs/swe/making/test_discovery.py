"""Where projects of all layouts keep their sources and tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from swe_projects import CORE, MODULE, TESTS, full_project, write

from turnwise.envs.swe.making.discovery import read_project, source_files, test_files
from turnwise.envs.swe.making.loading import ProjectError


def test_a_src_layout(tmp_path: Path) -> None:
    project = read_project(str(full_project(tmp_path)))
    assert (project.name, project.version, project.licence) == ("words", "2.1", "MIT")
    assert (project.sources, project.tests, project.import_paths) == (("src/words",), ("tests",), ("src",))
    assert source_files(project) == [f"src/words/{name}.py" for name in ("__init__", "core", "latin", "template")]
    assert test_files(project) == ["tests/test_words.py"]


def test_options_that_need_missing_plugins_are_taken_out(tmp_path: Path) -> None:
    project = read_project(str(full_project(tmp_path)))
    assert b'addopts = "--strict-markers"\n' in project.files["pyproject.toml"]


def test_a_single_module(tmp_path: Path) -> None:
    project = read_project(str(write(tmp_path / "double-3.0", {**MODULE, "setup.py": "x", "conftest.py": ""})))
    assert (project.name, project.version) == ("double", "3.0")
    assert (project.sources, project.tests, project.import_paths) == (("double.py",), ("test_double.py",), (".",))


def test_a_flat_layout_with_tests_inside_the_package(tmp_path: Path) -> None:
    files = {
        "words/__init__.py": "",
        "words/core.py": CORE,
        "words/tests/__init__.py": "",
        "words/tests/test_a.py": TESTS,
    }
    project = read_project(str(write(tmp_path, {**files, "docs/conf.py": "x = 1\n", "README": ""})))
    assert (project.sources, project.tests) == (("words",), ("words/tests",))
    assert source_files(project) == ["words/__init__.py", "words/core.py"]


def test_what_is_given_is_taken(tmp_path: Path) -> None:
    files = {"a/__init__.py": "", "b/__init__.py": "", "checks/test_a.py": TESTS}
    project = read_project(str(write(tmp_path, files)), name="mine", sources=["b"], tests=["checks"])
    assert (project.name, project.sources, project.tests) == ("mine", ("b",), ("checks",))
    with pytest.raises(ProjectError, match=r"there is no 'c' in .*; at its root are a/, b/, checks/"):
        read_project(str(tmp_path), sources=["c"])


def test_no_tests(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"has no pytest suite: no file is called test_\*\.py"):
        read_project(str(write(tmp_path, {"words.py": CORE})))


def test_no_sources(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no package or module in .*; name it with --sources"):
        read_project(str(write(tmp_path, {"tests/test_a.py": TESTS})))


def test_an_installed_distribution_without_tests() -> None:
    with pytest.raises(ProjectError, match="'typer' has no pytest suite"):
        read_project("typer")
