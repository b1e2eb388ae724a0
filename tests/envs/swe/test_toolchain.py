"""What of this machine a sandbox sees, and the folders that are made for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from swe_tasks import FILES, SUMS

from turnwise.envs.swe.task_lists import SetTasks, open_tasks, split_tasks
from turnwise.envs.swe.toolchain import VENV, host_toolchain, installed_closure
from turnwise.envs.swe.trees import new_folder, tree_folder
from turnwise.sandboxes import SandboxUnavailableError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "cache"))


def test_the_closure_holds_what_is_needed_and_no_more() -> None:
    names = set(installed_closure(["pytest"]))
    assert {"pytest", "pluggy", "iniconfig", "packaging"} <= names
    assert not names & {"numpy", "gymnasium", "hypothesis", "turnwise"}


def test_what_is_not_installed_is_named() -> None:
    with pytest.raises(SandboxUnavailableError, match="the tests need the distribution 'no-such-thing': pip install"):
        host_toolchain(["no-such-thing"])


def test_an_editable_install_cannot_be_copied() -> None:
    with pytest.raises(SandboxUnavailableError, match="turnwise cannot be copied into a sandbox"):
        host_toolchain(["turnwise"])


def test_the_environment_is_made_once_and_holds_pytest_alone() -> None:
    toolchain = host_toolchain()
    folder = toolchain.mounts[VENV]
    assert toolchain.python == f"{VENV}/bin/python"
    (site,) = folder.glob("lib/python*/site-packages")
    installed = {path.name for path in site.iterdir()}
    assert {"pytest", "_pytest", "pluggy"} <= installed
    assert not installed & {"numpy", "pip", "setuptools", "turnwise"}
    assert list(site.glob("_pytest/__pycache__/*.pyc")), "no bytecode: each start would compile pytest"
    assert host_toolchain().mounts[VENV] == folder


def test_equal_files_are_one_file_on_the_disk() -> None:
    one, two = tree_folder(FILES), tree_folder({**FILES, "new.py": b"x"})
    assert {str(p.relative_to(one)): p.read_bytes() for p in one.rglob("*") if p.is_file()} == FILES
    assert one != two
    assert (one / "setup.cfg").stat().st_ino == (two / "setup.cfg").stat().st_ino
    assert tree_folder(dict(reversed(FILES.items()))) == one
    assert {os.stat(path).st_mtime for path in one.rglob("*")} == {946_684_800}


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "./a", "a//b", ""])
def test_a_tree_stays_inside_its_folder(path: str) -> None:
    with pytest.raises(ValueError, match="relative, normal and stay inside"):
        tree_folder({path: b""})


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "x") as part:
        (part / "file").touch()
        raise RuntimeError
    assert list(tmp_path.glob("[!c]*")) == []
    for text in ("first", "second"):
        with new_folder(tmp_path / "x") as part:
            (part / "file").write_text(text)
    assert (tmp_path / "x/file").read_text() == "first"
    assert [path.name for path in tmp_path.glob("[!c]*")] == ["x"]


def test_tasks_come_from_a_file_too(tmp_path: Path) -> None:
    SUMS.save(tmp_path / "sums.tasks.json")
    tasks = open_tasks(tmp_path / "sums.tasks.json", lambda image: pytest.fail("no image is needed"))
    assert tasks.task_ids == SetTasks(SUMS).task_ids
    with pytest.raises(FileNotFoundError):
        open_tasks(tmp_path / "none.json", lambda image: pytest.fail("no image is needed"))


def test_splits_are_disjoint_and_do_not_depend_on_the_other_tasks() -> None:
    ids = [f"task-{i}" for i in range(200)]
    parts = [split_tasks(ids, split) for split in ("train", "val", "test")]
    assert sorted(sum(parts, ())) == sorted(ids)
    half = [split_tasks(ids[::2], split) for split in ("train", "val", "test")]
    assert all(set(some) <= set(every) for some, every in zip(half, parts, strict=True))
    assert set(split_tasks(ids, "panel")) <= set(parts[2])
