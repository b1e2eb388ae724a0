"""A project's files from a folder, an archive, or an installed distribution."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from swe_projects import MODULE, full_project, write

from turnwise.envs.swe.making import loading
from turnwise.envs.swe.making.loading import ProjectError, load_files


def test_a_folder_without_what_could_hold_the_original(tmp_path: Path) -> None:
    files, name = load_files(str(full_project(tmp_path / "words")))
    assert name == "words"
    assert sorted(files) == [
        "pyproject.toml", "src/words/__init__.py", "src/words/core.py", "src/words/latin.py", "src/words/template.py",
        "tests/conftest.py", "tests/test_words.py", "tests/words_plugin.py",
    ]  # fmt: skip


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("x = 1")
    root = write(tmp_path / "project", MODULE)
    (root / "leak.py").symlink_to(tmp_path / "secret.py")
    assert "leak.py" not in load_files(str(root))[0]


def test_a_source_archive_has_one_folder_on_top(tmp_path: Path) -> None:
    archive = tmp_path / "double-1.5.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(write(tmp_path / "double-1.5", MODULE), "double-1.5")
    files, name = load_files(str(archive))
    assert (sorted(files), name) == (["double.py", "test_double.py"], "double-1.5")


def test_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "double.zip", "w") as archive:
        for path, text in MODULE.items():
            archive.writestr(f"double/{path}", text)
    assert sorted(load_files(str(tmp_path / "double.zip"))[0]) == ["double.py", "test_double.py"]


def test_an_installed_distribution() -> None:
    files, name = load_files("typer")
    assert "typer/__init__.py" in files
    assert name.startswith("typer-")
    assert not any(path.endswith((".pyc", "RECORD")) for path in files)


def test_a_package_on_top_is_no_folder_to_be_taken_away(tmp_path: Path) -> None:
    root = write(tmp_path, {"words/__init__.py": "", "words/test_a.py": "def test_a(): pass\n"})
    assert sorted(load_files(str(root))[0]) == ["words/__init__.py", "words/test_a.py"]


def test_an_archive_that_leads_out_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("../outside.py")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(ProjectError, match=r"leads out of it: '\.\./outside\.py'"):
        load_files(str(tmp_path / "bad.tar.gz"))


def test_what_is_nothing_says_what_would_be(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no folder, archive or installed distribution 'no-such-thing'"):
        load_files("no-such-thing")
    (tmp_path / "x.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(ProjectError, match="cannot be read as an archive"):
        load_files(str(tmp_path / "x.tar.gz"))
    (tmp_path / "x.rar").write_bytes(b"")
    with pytest.raises(ProjectError, match=r"neither a folder nor an archive; known: \.tar\.gz"):
        load_files(str(tmp_path / "x.rar"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProjectError, match="holds no files"):
        load_files(str(tmp_path / "empty"))


def test_a_project_that_is_too_large_names_its_largest_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_PROJECT_BYTES", 100)
    write(tmp_path, {"small.py": "x", "large.txt": "x" * 200})
    with pytest.raises(ProjectError, match=r"holds 201 bytes, at most 100 are taken; see \['large.txt'"):
        load_files(str(tmp_path))
