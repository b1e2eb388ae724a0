"""The digest of a layer: the same for the same files, through whiteouts and copies, and no dearer than need be."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from turnwise.sandboxes import layer_digest
from turnwise.sandboxes.layer_digest import LayerDigest


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    folder = tmp_path / "lower"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "a").write_text("a")
    (folder / "sub" / "b").write_text("b")
    (folder / "sub" / "deep" / "c").write_text("c")
    (folder / "link").symlink_to("a")
    return folder


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    (tmp_path / "upper").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path / "upper"


def of(digest: LayerDigest, upper: Path) -> str:
    descriptors = [os.open(path, os.O_RDONLY) for path in (upper, upper.parent / "tmp")]
    try:
        return digest.of(*descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def test_copies_of_what_is_below_count_as_nothing(lower: Path, upper: Path) -> None:
    empty = of(LayerDigest(str(lower)), upper)
    shutil.copytree(lower, upper, symlinks=True, dirs_exist_ok=True)
    assert of(LayerDigest(str(lower)), upper) == empty


def test_a_copied_folder_has_the_digest_of_an_overlay(lower: Path, upper: Path, tmp_path: Path) -> None:
    """The same changes, once in an upper layer with whiteouts, once in a copy from which files are gone."""
    (upper / "new").write_text("new")
    (upper / "sub").mkdir()
    try:
        for name in ("a", "sub/b"):
            os.mknod(upper / name, 0o20000, 0)
    except OSError as error:
        pytest.skip(f"no whiteouts can be made here: {error}")
    copied = tmp_path / "copied"
    shutil.copytree(lower, copied, symlinks=True)
    (copied / "a").unlink()
    (copied / "sub" / "b").unlink()
    (copied / "new").write_text("new")
    assert of(LayerDigest(str(lower)), upper) == of(LayerDigest(str(lower), copied=True), copied)


CHANGES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "a").write_text("b"),
    lambda folder: (folder / "a").chmod(0o700),
    lambda folder: (folder / "a").rename(folder / "d"),
    lambda folder: (folder / "sub" / "b").unlink(),
    lambda folder: shutil.rmtree(folder / "sub"),
    lambda folder: (folder / "sub" / "new").mkdir(),
    lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("b")),
    lambda folder: ((folder / "link").unlink(), (folder / "link").write_text("a")),
    lambda folder: os.mkfifo(folder / "pipe"),
    lambda folder: os.truncate(folder / "a", 2),
    lambda folder: (folder.parent / "tmp" / "x").write_text("x"),
]


def test_each_change_has_a_digest_of_its_own(lower: Path, upper: Path) -> None:
    digests = set()
    for change in [lambda folder: None, *CHANGES]:
        for folder in (upper, upper.parent / "tmp"):
            shutil.rmtree(folder)
        (upper.parent / "tmp").mkdir()
        shutil.copytree(lower, upper, symlinks=True)
        change(upper)
        digests.add(of(LayerDigest(str(lower), copied=True), upper))
    assert len(digests) == 1 + len(CHANGES)


def test_holes_and_zeros_are_the_same(upper: Path) -> None:
    (upper / "zeros").write_bytes(bytes(300_000) + b"x")
    before = of(LayerDigest(None), upper)
    with (upper / "zeros").open("wb") as file:
        file.seek(300_000)
        file.write(b"x")
    assert of(LayerDigest(None), upper) == before


def test_unchanged_files_are_read_once(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    really = layer_digest._hash

    def counted(descriptor: int, size: int) -> bytes:
        read.append(size)
        return really(descriptor, size)

    monkeypatch.setattr(layer_digest, "_hash", counted)
    old = time.time() - 60
    for size in range(1, 11):
        (upper / str(size)).write_bytes(b"x" * size)
        os.utime(upper / str(size), (old, old))
    digest = LayerDigest(None)
    first = of(digest, upper)
    time.sleep(0.15)  # what has just been written is read again: the clock of a file system is coarse
    assert of(digest, upper) == first
    read.clear()
    assert of(digest, upper) == first and read == []
    (upper / "3").write_bytes(b"y")
    assert of(digest, upper) != first and read == [1]
