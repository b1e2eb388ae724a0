from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from turnwise.sandboxes.archives import content_hashes, first_archive, moved, tar_of


def members(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar_of(archive))) as tar:
        return {member.name: member for member in tar}


def make_tree(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/run.sh").write_text("echo hi\n")
    (folder / "sub/run.sh").chmod(0o755)
    (folder / "link").symlink_to("sub/run.sh")
    os.link(folder / "sub/run.sh", folder / "twin.sh")
    (folder / "with space\nand line").write_bytes(b"\0\xff")
    return folder


def test_equal_folders_give_equal_archives(tmp_path: Path) -> None:
    one, two = make_tree(tmp_path / "one"), make_tree(tmp_path / "two")
    os.utime(two / "sub/run.sh", (1, 1))
    assert first_archive(one, "/work") == first_archive(two, "/work")


def test_archive_of_a_folder(tmp_path: Path) -> None:
    found = members(first_archive(make_tree(tmp_path / "one"), "/deep/work"))
    assert set(found) == {
        "./deep/work", "./tmp", "./deep/work/sub", "./deep/work/sub/run.sh", "./deep/work/link", "./deep/work/twin.sh",
        "./deep/work/with space\nand line",
    }  # fmt: skip
    assert found["./deep/work/sub/run.sh"].mode == 0o755
    assert found["./deep/work/link"].linkname == "sub/run.sh"
    assert found["./deep/work/twin.sh"].islnk()
    assert {(member.uid, member.uname, member.mtime) for member in found.values()} == {(0, "", 946684800)}


def test_cache_sees_every_change(tmp_path: Path) -> None:
    folder = make_tree(tmp_path / "one")
    before = first_archive(folder, "/work")
    assert first_archive(folder, "/work") is before
    (folder / "sub/run.sh").write_text("echo ho\n")
    changed = first_archive(folder, "/work")
    assert changed != before
    (folder / "sub/empty").mkdir()
    assert first_archive(folder, "/work") != changed


def test_what_is_apart_is_left_out(tmp_path: Path) -> None:
    found = members(first_archive(make_tree(tmp_path / "one"), "/work", ("/work/sub",)))
    assert not any(name.startswith("./work/sub") for name in found)
    assert "./work/link" in found


def test_no_folder_and_wrong_folder(tmp_path: Path) -> None:
    assert set(members(first_archive(None, "/work"))) == {"./work", "./tmp"}
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        first_archive(tmp_path / "file", "/work")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe"):
        first_archive(tmp_path, "/work")


def test_moved_puts_a_folder_in_its_place(tmp_path: Path) -> None:
    folder = make_tree(tmp_path / "testbed")
    tar = subprocess.run(["tar", "-c", "-C", tmp_path, "testbed"], stdout=subprocess.PIPE, check=True).stdout
    archive = moved(tar, "/deep/testbed", ("/deep/testbed/link",))
    assert archive is not None
    found = members(archive)
    assert "./deep/testbed/sub/run.sh" in found and "./deep/testbed/link" not in found
    assert {member.linkname for member in found.values() if member.islnk()} < set(found)
    for child in ("link", "twin.sh", "with space\nand line", "sub/run.sh"):
        (folder / child).unlink()
    (folder / "sub").rmdir()
    empty = subprocess.run(["tar", "-c", "-C", tmp_path, "testbed"], stdout=subprocess.PIPE, check=True).stdout
    assert moved(empty, "/deep/testbed") is None


def hashes(folder: Path, *, sparse: bool) -> dict[bytes, bytes]:
    options = ["--sparse"] if sparse else []
    command = ["tar", "--create", "--format=posix", "--sort=name", *options, "-C", str(folder), "."]
    return dict(content_hashes(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def test_contents_hash_alike_with_and_without_holes(tmp_path: Path) -> None:
    zeros, data = bytes(100_000), os.urandom(70_000)
    contents = {
        "empty": b"", "small": b"x", "zeros": zeros, "both": data + zeros + data, "ends": zeros + data + zeros[:777],
        "begins": data[:513] + zeros, "trailing": data[:511] + b"\0",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    full = hashes(tmp_path, sparse=False)
    for name in contents:
        subprocess.run(["fallocate", "--dig-holes", tmp_path / name], check=True)
    with (tmp_path / "zeros").open("r+b") as file:
        file.truncate(0)
        file.truncate(len(zeros))
    assert hashes(tmp_path, sparse=True) == full
    assert len(set(full.values())) == len(contents)


def test_hash_tells_size_place_and_content_apart(tmp_path: Path) -> None:
    block, zeros = b"x" * 512, bytes(512)
    contents = [zeros + block, block + zeros, block, block + b"\0", zeros, zeros * 2, block * 2, block + zeros + block]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    assert len(set(hashes(tmp_path, sparse=False).values())) == len(contents)


def test_hole_of_a_terabyte_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"x")
    assert len(hashes(tmp_path, sparse=True)) == 1


def test_hard_links_hash_as_their_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("same")
    os.link(tmp_path / "a", tmp_path / "b")
    found = hashes(tmp_path, sparse=True)
    assert found[b"./a"] == found[b"./b"]
