"""The files of a project: from a folder, a source archive, or an installed distribution."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

MAX_FILE_BYTES = 4 * 2**20
"""Larger files are left out."""
MAX_PROJECT_BYTES = 64 * 2**20

_FOLDERS_LEFT_OUT = {
    "__pycache__", "build", "dist", "node_modules", "venv", "env", "site-packages", "htmlcov",
}  # fmt: skip
_FILES_LEFT_OUT = (".pyc", ".pyo", ".so", ".pyd", ".egg", ".whl", ".orig", ".rej")
_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")


class ProjectError(ValueError):
    """No tasks can be made of a project; the text says what is wrong with it, and what to do."""


def load_files(path: str) -> tuple[dict[str, bytes], str]:
    """Everything in a project that belongs to it, and the name that the place suggests.

    Caches, version control, built distributions, compiled files and hidden folders are left out: they could hold the
    original of what a task breaks.

    Args:
        path: A folder, a source archive (.tar.gz, .zip), or the name of an installed distribution.

    Raises:
        ProjectError: There is no such thing, it is no archive, or it is too large.
    """
    place = Path(path)
    found: Iterable[tuple[str, bytes]]
    if place.is_dir():
        found, name = _of_folder(place), place.resolve().name
    elif place.is_file():
        found, name = _of_archive(place), _stem(place.name)
    else:
        found, name = _of_distribution(path)
    files: dict[str, bytes] = {}
    for member, data in found:
        if belongs(member) and len(data) <= MAX_FILE_BYTES:
            files[member] = data
    files = _without_common_folder(files)
    if (total := sum(map(len, files.values()))) > MAX_PROJECT_BYTES:
        largest = sorted(files, key=lambda member: -len(files[member]))[:3]
        raise ProjectError(f"{path!r} holds {total:,} bytes, at most {MAX_PROJECT_BYTES:,} are taken; see {largest}")
    if not files:
        raise ProjectError(f"{path!r} holds no files")
    return {member: files[member] for member in sorted(files)}, name


def belongs(member: str) -> bool:
    """Whether a file belongs to a project's sources.

    >>> [belongs(name) for name in ("p/a.py", ".git/HEAD", "p/__pycache__/a.pyc", "p.egg-info/PKG-INFO", "build/a.py")]
    [True, False, False, False, False]
    """
    *folders, name = PurePosixPath(member).parts
    if name.endswith(_FILES_LEFT_OUT) or name.startswith("."):
        return False
    return not any(
        folder in _FOLDERS_LEFT_OUT or folder.startswith(".") or folder.endswith((".egg-info", ".dist-info"))
        for folder in folders
    )


def _of_folder(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        member = path.relative_to(root).as_posix()
        if belongs(member) and path.is_file() and path.resolve().is_relative_to(root.resolve()):
            yield member, path.read_bytes()


def _of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    if not path.name.endswith(_ARCHIVES):
        raise ProjectError(f"{str(path)!r} is neither a folder nor an archive; known: {', '.join(_ARCHIVES)}")
    try:
        if path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                members = [(info.filename, info) for info in archive.infolist() if not info.is_dir()]
                yield from ((_inside(name), archive.read(info)) for name, info in members)
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    stream = tar.extractfile(member) if member.isfile() else None
                    if stream is not None:
                        yield _inside(member.name), stream.read()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ProjectError(f"{str(path)!r} cannot be read as an archive: {error}") from error


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ProjectError(f"the archive holds a path that leads out of it: {name!r}")
    return path.as_posix()


def _of_distribution(name: str) -> tuple[list[tuple[str, bytes]], str]:
    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        raise ProjectError(
            f"there is no folder, archive or installed distribution {name!r}. Give a checked-out project, a source "
            f"archive such as one from: pip download --no-binary :all: --no-deps {name}"
        ) from None
    places = {file.as_posix(): Path(str(file.locate())) for file in distribution.files or () if ".." not in file.parts}
    files = [(member, place.read_bytes()) for member, place in places.items() if place.is_file()]
    return files, f"{name}-{distribution.version}"


def _without_common_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    """Archives have one folder on top that bears their name; a package of its own is no such folder."""
    tops = {member.split("/")[0] for member in files}
    top = next(iter(tops), "")
    if len(tops) != 1 or top in files or f"{top}/__init__.py" in files:
        return files
    return {member[len(top) + 1 :]: data for member, data in files.items()}


def _stem(name: str) -> str:
    return next((name[: -len(suffix)] for suffix in _ARCHIVES if name.endswith(suffix)), name)


def name_and_version(files: Iterable[tuple[str, bytes]], place: str) -> tuple[str, str, str]:
    r"""Name, version and licence of a project: from its own statements, else from the place's name.

    >>> name_and_version([("pyproject.toml", b'[project]\nname = "p"\nversion = "1.2"')], "folder")
    ('p', '1.2', '')
    >>> name_and_version([], "more_itertools-11.2.1")
    ('more_itertools', '11.2.1', '')
    """
    stated = {path: data.decode("utf-8", "replace") for path, data in files}
    name, version, licence = "", "", ""
    for path in ("PKG-INFO", "METADATA", "pyproject.toml", "setup.cfg"):
        text = stated.get(path, "")
        name = name or _setting(text, "name")
        version = version or _setting(text, "version")
        licence = licence or _setting(text, "license-expression") or _setting(text, "license")
    if not licence and (classifier := re.search(r"License :: OSI Approved :: ([^\n\"]+)", stated.get("PKG-INFO", ""))):
        licence = classifier[1].strip()
    match = re.fullmatch(r"(.+?)-(\d[\w.+!]*)", place)
    return name or (match[1] if match else place), version or (match[2] if match else "0"), licence


def _setting(text: str, key: str) -> str:
    """The value of `key: value`, `key = value` or `key = "value"` at the start of a line."""
    match = re.search(rf"^{key}\s*[:=]\s*[\"']?([^\"'{{\n]+?)[\"']?\s*$", text, re.MULTILINE | re.IGNORECASE)
    return "" if match is None or match[1].startswith(("attr:", "file:", "[")) else match[1].strip()
