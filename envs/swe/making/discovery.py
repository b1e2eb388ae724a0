"""Where a project keeps its sources and tests: `read_project`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch

from turnwise.envs.swe.making.configuration import without_unknown_options
from turnwise.envs.swe.making.loading import ProjectError, load_files, name_and_version
from turnwise.envs.swe.tasks import Project, under

_TEST_FOLDERS = {"test", "tests", "testing"}
_NO_SOURCES = {
    "docs", "doc", "examples", "example", "samples", "benchmarks", "benchmark", "scripts", "tools", "tasks", "ci",
    "requirements", "conf", "setup", "conftest", "noxfile", "fabfile", "versioneer", "_version",
}  # fmt: skip


def read_project(
    path: str,
    *,
    name: str = "",
    sources: Sequence[str] = (),
    tests: Sequence[str] = (),
    requires: Sequence[str] = (),
) -> Project:
    """A project, with its sources, tests and import paths found where they are not given.

    Sources are packages and modules at the root, or below `src`. Tests are files `test_*.py` and `*_test.py`, in
    folders called `tests` or `test`, or at the root.

    Args:
        path: A folder, a source archive, or the name of an installed distribution.
        name: Its name; default: what it says of itself.
        sources: Files and folders that may be broken.
        tests: Files and folders that hold tests.
        requires: Distributions that the tests need beside pytest.

    Raises:
        ProjectError: There is no such project, it has no sources or no tests, or a given path is not in it.
    """
    files, place = load_files(path)
    found_name, version, licence = name_and_version(files.items(), place)
    files.pop("PKG-INFO", None)  # an archive's own; no file of the project
    for given in (*sources, *tests):
        if not any(under(file, [given]) for file in files):
            raise ProjectError(f"there is no {given!r} in {path!r}; at its root are {_roots(files)}")
    found_tests = tuple(tests) or _find_tests(files)
    if not found_tests:
        raise ProjectError(
            f"{path!r} has no pytest suite: no file is called test_*.py or *_test.py. Some source archives come "
            "without their tests; a checkout has them. Where they are called otherwise, name them with --tests."
        )
    found_sources = tuple(sources) or _find_sources(files, found_tests)
    if not found_sources:
        raise ProjectError(f"no package or module in {path!r}; name it with --sources. At its root: {_roots(files)}")
    return Project(
        name=name or found_name,
        version=version,
        files=without_unknown_options(files, requires),
        sources=found_sources,
        tests=found_tests,
        import_paths=_import_paths(found_sources),
        requires=tuple(requires),
        licence=licence,
    )


def source_files(project: Project) -> list[str]:
    """The Python files that a bug may be put into: under `sources`, not under `tests`."""
    return [
        path
        for path in sorted(project.files)
        if path.endswith(".py")
        and under(path, project.sources)
        and not under(path, project.tests)
        and not is_test(path)
    ]


def test_files(project: Project) -> list[str]:
    """The files that hold tests."""
    return [path for path in sorted(project.files) if under(path, project.tests) and is_test(path)]


test_files.__test__ = False  # type: ignore[attr-defined]  # pytest is not to collect it


def is_test(path: str) -> bool:
    """Whether a file's name says that it holds tests.

    >>> is_test("tests/test_a.py"), is_test("a_test.py"), is_test("tests/data.py")
    (True, True, False)
    """
    name = path.rsplit("/", 1)[-1]
    return fnmatch(name, "test_*.py") or fnmatch(name, "*_test.py") or name in {"test.py", "tests.py"}


def _find_tests(files: Iterable[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for path in filter(is_test, files):
        parts = path.split("/")
        folder = next((i for i, part in enumerate(parts[:-1]) if part in _TEST_FOLDERS), None)
        found.add(path if folder is None else "/".join(parts[: folder + 1]))
    return tuple(sorted(path for path in found if not any(path != other and under(path, [other]) for other in found)))


def _find_sources(files: Mapping[str, bytes], tests: Sequence[str]) -> tuple[str, ...]:
    for prefix in ("src/", "lib/", ""):
        found = set()
        for path in files:
            if not path.startswith(prefix) or not path.endswith(".py") or under(path, tests):
                continue
            top, slash, _ = path[len(prefix) :].partition("/")
            package = bool(slash) and (prefix == "src/" or f"{prefix}{top}/__init__.py" in files)
            module = not slash and not is_test(path)
            if (package or module) and _is_source(top.removesuffix(".py")):
                found.add(prefix + top)
        if found:
            return tuple(sorted(found))
    return ()


def _is_source(name: str) -> bool:
    return (
        name.isidentifier()
        and name not in _NO_SOURCES
        and name not in _TEST_FOLDERS
        and not re.match(r"__\w+__$", name)
    )


def _import_paths(sources: Sequence[str]) -> tuple[str, ...]:
    folders = {source.rpartition("/")[0] if source.startswith(("src/", "lib/")) else "." for source in sources}
    return tuple(sorted(folders - {"."})) + ((".",) if "." in folders else ())


def _roots(files: Iterable[str]) -> str:
    tops = sorted({path.split("/")[0] + "/" * ("/" in path) for path in files})
    return ", ".join(tops[:20]) + (" …" if len(tops) > 20 else "")
