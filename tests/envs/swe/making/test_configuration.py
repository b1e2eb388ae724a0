"""Pytest's options are kept where they work without plugins."""

from __future__ import annotations

import pytest

from turnwise.envs.swe.making.configuration import plugins, without_unknown_options


def kept(path: str, text: str, **others: bytes) -> str:
    return without_unknown_options({path: text.encode(), **others}, ())[path].decode()


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "pytest.ini",
            "[pytest]\naddopts = -x --cov=p -ra\nxfail_strict = true\n",
            "addopts = -ra\nxfail_strict = true\n",
        ),
        ("setup.cfg", "[tool:pytest]\naddopts =\n    --cov\n    -W error\nx = 1\n", "addopts = -W error\nx = 1\n"),
        ("pyproject.toml", 'addopts = [\n  "--cov", # why\n  "-k", "not slow",\n]\n', "addopts = \"-k 'not slow'\"\n"),
        ("pyproject.toml", 'addopts = "--import-mode=importlib -n 4"\n', 'addopts = "--import-mode=importlib"\n'),
        ("pyproject.toml", 'required_plugins = ["pytest-cov"]\nx = 1\n', 'required_plugins = ""\nx = 1\n'),
        ("tox.ini", "[pytest]\naddopts = -p tests.plugin -p xdist\n", "addopts = -p tests.plugin\n"),
        ("tox.ini", "[pytest]\naddopts = -ra --strict-markers\n", "addopts = -ra --strict-markers\n"),
    ],
)
def test_options(path: str, before: str, after: str) -> None:
    assert kept(path, before, **{"tests/plugin.py": b""}).endswith(after)


def test_other_files_stay_as_they_are() -> None:
    files = {"docs/setup.cfg": b"addopts = --cov\n", "setup.cfg": b"\xff addopts = --cov\n"}
    assert without_unknown_options(files, ()) == files


def test_options_of_a_named_plugin_stay() -> None:
    files = {"pytest.ini": b"[pytest]\naddopts = --timeout=3\n"}
    assert without_unknown_options(files, ["pytest-timeout"]) == files
    assert plugins(["pytest-timeout", "typer"]) == ["timeout"]


def test_a_distribution_that_is_not_installed() -> None:
    with pytest.raises(ValueError, match="'no-such-plugin' is not installed here: pip install no-such-plugin"):
        plugins(["no-such-plugin"])
