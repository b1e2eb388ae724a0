"""Says what a sandbox's Python can import, and where copies of a project lie that its tasks must not show."""

import importlib.util
import json
import os
import sys
from typing import Any

_INSTALLED = ("site-packages", "dist-packages")
_ARCHIVE_FOLDERS = ("_bundled", "wheeldata", "python-wheels")
_ARCHIVES = (".whl", ".egg", ".pyz")
_NOT_FILES = ("/proc", "/sys", "/dev", "/tmp")


def main(order: "dict[str, Any]") -> None:
    """Print JSON: `python` and `pytest` (versions, or null), `importable` (modules), `missing` (distributions), and
    `folders` and `files` (copies).

    Args:
        order: `modules`, the project's own top-level modules; `requires`, names of distributions; `search`, whether to
            look for copies; `leave`, folders not to look into.
    """
    pytest = importlib.util.find_spec("pytest")
    version = None
    if pytest is not None:
        version = getattr(__import__("pytest"), "__version__", "unknown")
    folders = []  # type: list[str]
    files = []  # type: list[str]
    if order["search"]:
        own = {os.path.realpath(path) for path in sys.path if path}
        _search("/", frozenset(order["modules"]), own, frozenset(order["leave"]), folders, files)
    report = {
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "pytest": version,
        "importable": sorted(name for name in order["modules"] if importlib.util.find_spec(name) is not None),
        "missing": [name for name in order["requires"] if not _installed(name)],
        "folders": folders,
        "files": files,
    }
    sys.stdout.write(json.dumps(report))


def _installed(name: str) -> bool:
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # before Python 3.8 nobody can tell
        return True
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _search(
    folder: str,
    modules: "frozenset[str]",
    own: "set[str]",
    leave: "frozenset[str]",
    folders: "list[str]",
    files: "list[str]",
) -> None:
    """Add folders and files to be hidden: all that is installed for other interpreters, wheels, and modules by name."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.path in _NOT_FILES or entry.path in leave:
                continue
            elsewhere = entry.name in _INSTALLED and entry.path not in own
            package = entry.name in modules and os.path.exists(os.path.join(entry.path, "__init__.py"))
            if elsewhere or package or entry.name in _ARCHIVE_FOLDERS:
                folders.append(entry.path)
            else:
                _search(entry.path, modules, own, leave, folders, files)
        elif entry.name.endswith(_ARCHIVES) or (entry.name.endswith(".py") and entry.name[:-3] in modules):
            files.append(entry.path)
