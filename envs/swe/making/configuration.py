"""A project's pytest options, kept to what works where only pytest and the named plugins are installed."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata

from turnwise.envs.swe.making.loading import ProjectError

_FILES = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
# Options that decide how tests are collected and read; what else there is changes the report, or needs a plugin.
_KEPT = ("--import-mode", "--strict", "--ignore", "--deselect", "-W", "-k", "-m", "-r")
_WITH_VALUE = {"-W", "-k", "-m", "--ignore", "--deselect", "--import-mode"}
_SETTING = re.compile(
    r"^(?P<indent>[ \t]*)(?P<key>addopts|required_plugins)[ \t]*=[ \t]*"
    r"(?P<value>\[[^\]]*\]|\"\"\".*?\"\"\"|'''.*?'''|[^\n]*(?:\n[ \t]+[^\n]+)*)",
    re.MULTILINE | re.DOTALL,
)


def without_unknown_options(files: Mapping[str, bytes], requires: Sequence[str]) -> dict[str, bytes]:
    """The files, with those of pytest's `addopts` taken out that could stop it where a plugin is not installed.

    Coverage, parallel runs and the like are for the project's own continuous integration; with them, neither an agent
    nor the grader could run one test. Where `requires` is given, its plugins' options stay.
    """
    if plugins(requires):
        return dict(files)
    changed = dict(files)
    for path in _FILES:
        if path in files and (text := _text(files[path])) is not None:
            changed[path] = _SETTING.sub(partial(_replaced, path=path, files=files), text).encode("utf-8")
    return changed


def plugins(requires: Sequence[str]) -> list[str]:
    """Names of the pytest plugins that distributions bring, for `-p`.

    Raises:
        ProjectError: One of the distributions is not installed.
    """
    names = []
    for name in requires:
        try:
            entries = metadata.distribution(name).entry_points
        except metadata.PackageNotFoundError:
            raise ProjectError(f"{name!r} is not installed here: pip install {name}") from None
        names += [entry.name for entry in entries if entry.group == "pytest11"]
    return names


def _replaced(match: re.Match[str], *, path: str, files: Mapping[str, bytes]) -> str:
    words = _words(match["value"])
    kept = _kept(words, files) if match["key"] == "addopts" else []
    if kept == words:
        return match.group()
    text = shlex.join(kept)
    value = json.dumps(text) if path.endswith(".toml") else text
    return f"{match['indent']}{match['key']} = {value}".rstrip()


def _words(value: str) -> list[str]:
    if value.startswith("["):
        without_comments = re.sub(r"#[^\n]*", "", value)
        try:
            return [str(word) for word in ast.literal_eval(without_comments)]
        except (ValueError, SyntaxError):
            return [value]
    try:
        return shlex.split(value.strip("\"'"), comments=True)
    except ValueError:
        return [value]


def _kept(words: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    kept: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        module = word.replace(".", "/") + ".py"
        if before in _WITH_VALUE or (word.startswith(_KEPT) and word != "-p"):
            kept.append(word)
        elif before == "-p" and any(path == module or path.endswith("/" + module) for path in files):
            kept += ["-p", word]
    return kept


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
