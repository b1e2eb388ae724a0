"""Layers, walked, copied, packed and unpacked: exact, and unharmed by what an agent may put into one."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turnwise.sandboxes import layers
from turnwise.sandboxes.layer_digest import LayerDigest
from turnwise.sandboxes.layer_walk import Cursor, walk

Carry = Callable[[int, int, int], None]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "links").mkdir()
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def _copy(source: int, target: int, links: int) -> None:
    layers.copy(source, target, links)


def _by_archive(source: int, target: int, links: int) -> None:
    layers.unpack(layers.pack(source), links, target)


@pytest.fixture(params=[_copy, _by_archive], ids=["copied", "packed"])
def carry(request: pytest.FixtureRequest) -> Iterator[Callable[[Path, Path], None]]:
    """Carries a layer from one folder to another, in both ways that there are."""
    opened: list[int] = []

    def run(source: Path, target: Path) -> None:
        for path in (source, target, target.parent / "links"):
            opened.append(os.open(path, os.O_RDONLY))
        request.param(*opened[-3:])
        assert list((target.parent / "links").iterdir()) == []

    yield run
    for descriptor in opened:
        os.close(descriptor)


def listing(folder: Path) -> list[tuple[object, ...]]:
    """Everything about a tree that has to be the same."""
    found: list[tuple[object, ...]] = []
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        extra: object = None
        if stat.S_ISLNK(status.st_mode):
            extra = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            extra = (path.read_bytes(), status.st_nlink)
        elif stat.S_ISCHR(status.st_mode):
            extra = status.st_rdev
        time = None if stat.S_ISCHR(status.st_mode) else status.st_mtime_ns
        found.append((str(path.relative_to(folder)), oct(status.st_mode), time, extra))
    return found


def fill(folder: Path) -> None:
    for name in ("a b", "new\nline", "-n", "é☃", os.fsdecode(b"no utf-8 \xff")):
        (folder / name).write_text(name, encoding="utf-8", errors="surrogateescape")
    (folder / "deep" / "er" / "empty").mkdir(parents=True)
    (folder / "deep" / "run").write_text("run")
    (folder / "deep" / "run").chmod(0o4751)
    os.link(folder / "deep" / "run", folder / "deep" / "er" / "again")
    os.link(folder / "deep" / "run", folder / "and again")
    (folder / "link").symlink_to("deep/er")
    (folder / "nowhere").symlink_to("/no/such/place")
    os.mkfifo(folder / "pipe", 0o640)
    os.utime(folder / "a b", ns=(1, 987_654_321))
    (folder / "deep").chmod(0o1777)
    os.utime(folder / "deep", ns=(1, 123_456_789))
    os.utime(folder / "link", ns=(1, 5), follow_symlinks=False)
    folder.chmod(0o751)


def test_everything_is_the_same(tmp_path: Path, target: Path, carry: Callable[[Path, Path], None]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    fill(source)
    carry(source, target)
    assert listing(target) == listing(source)
    assert (target / "and again").samefile(target / "deep" / "er" / "again")


def test_whiteouts_and_opaque_folders_are_kept(
    tmp_path: Path, target: Path, carry: Callable[[Path, Path], None]
) -> None:
    source = tmp_path / "source"
    (source / "opaque").mkdir(parents=True)
    try:
        os.mknod(source / "gone", stat.S_IFCHR, 0)
        os.setxattr(source / "opaque", "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque", b"y")
    except OSError as error:
        pytest.skip(f"this file system has no whiteouts or attributes: {error}")
    carry(source, target)
    nodes = {node.name: node for node in walk(os.open(target, os.O_RDONLY)) if node is not None}
    assert nodes["gone"].kind == "whiteout"
    assert nodes["opaque"].opaque and not nodes[""].opaque


def test_holes_stay_holes(tmp_path: Path, target: Path, carry: Callable[[Path, Path], None]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
        file.truncate(1 << 40)
    carry(source, target)
    status = (target / "sparse").stat()
    assert status.st_size == 1 << 40 and status.st_blocks < 100
    with (target / "sparse").open("rb") as file:
        file.seek(1 << 30)
        assert file.read(4) == b"end\0"


def test_attributes_of_users_are_kept(tmp_path: Path, target: Path, carry: Callable[[Path, Path], None]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    try:
        os.setxattr(source / "file", "user.colour", b"\0red")
        os.setxattr(source, "user.colour", b"blue")
    except OSError as error:
        pytest.skip(f"this file system has no attributes of users: {error}")
    carry(source, target)
    assert os.getxattr(target / "file", "user.colour") == b"\0red"
    assert os.getxattr(target, "user.colour") == b"blue"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where thousands of folders are soon made and removed."""
    top = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="turnwise-test-", dir=top) as name:
        yield Path(name)


def test_folders_in_folders_without_end(memory: Path, carry: Callable[[Path, Path], None]) -> None:
    """Deeper than any path may be long."""
    for name in ("source", "target", "links"):
        (memory / name).mkdir()
    source, target = memory / "source", memory / "target"
    _dig(source, 3000)
    carry(source, target)
    assert _depth(target) == 3000
    assert _digest(source) == _digest(target)
    for folder in (source, target):
        _fill_in(folder)


def _dig(folder: Path, depth: int) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def _depth(folder: Path) -> int:
    depth, here = 0, os.open(folder, os.O_RDONLY)
    while "d" in os.listdir(here):
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, depth = below, depth + 1
    os.close(here)
    return depth


def _fill_in(folder: Path) -> None:
    """Remove what pytest could not: it would recurse."""
    cursor = Cursor(str(folder))
    while "d" in os.listdir(cursor.folder):
        cursor.enter("d")
    os.unlink("bottom", dir_fd=cursor.folder)
    while cursor.depth:
        os.close(cursor.leave())
        os.rmdir("d", dir_fd=cursor.folder)
    cursor.close()


def test_links_lead_nowhere(tmp_path: Path, target: Path, carry: Callable[[Path, Path], None]) -> None:
    """A layer full of links to the host shows nothing of the host, and changes nothing there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    source = tmp_path / "source"
    source.mkdir()
    (source / "folder").symlink_to(outside)
    (source / "file").symlink_to(outside / "secret")
    carry(source, target)
    assert sorted(path.name for path in target.rglob("*")) == ["file", "folder"]
    assert (target / "folder").is_symlink() and (target / "file").is_symlink()
    _digest(source)
    assert (outside / "secret").read_text() == "secret"


def test_sockets_and_pipes_do_not_block(tmp_path: Path, target: Path, carry: Callable[[Path, Path], None]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "socket"))
        carry(source, target)
        _digest(source)
    assert stat.S_ISSOCK((target / "socket").stat().st_mode) and stat.S_ISFIFO((target / "pipe").stat().st_mode)


def test_a_layer_that_changes_all_the_time_is_walked_to_its_end(tmp_path: Path) -> None:
    """Files, folders, links and pipes take each other's places meanwhile; nothing outside is touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    source = tmp_path / "source"
    source.mkdir()
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for make in (
                lambda path: path.write_text("x" * 10_000),
                lambda path: (path.write_bytes(b"x" * 100_000), os.truncate(path, 10)),
                lambda path: path.mkdir(),
                lambda path: path.symlink_to(outside),
                os.mkfifo,
            ):
                for name in ("a", "b"):
                    path = source / name
                    make(path)
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    thread = threading.Thread(target=change)
    thread.start()
    descriptor = os.open(source, os.O_RDONLY)
    try:
        for _ in range(300):
            assert b"secret" not in layers.pack(descriptor)
            LayerDigest(None).of(descriptor, descriptor)
    finally:
        stop.set()
        thread.join()
        os.close(descriptor)
    assert (outside / "secret").read_text() == "secret"


def test_archives_of_something_else_are_refused(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for archive in (b"", b"PK", b"turnwise layer 0\n" + bytes(100)):
        with pytest.raises(ValueError, match="no snapshot"):
            layers.unpack(archive, descriptor, descriptor)
    os.close(descriptor)


def test_an_archive_cannot_write_outside(tmp_path: Path, target: Path) -> None:
    """Names in an archive are names, not paths: one with a slash leads nowhere."""
    links, folder = os.open(target.parent / "links", os.O_RDONLY), os.open(target, os.O_RDONLY)
    root = {
        "name": "",
        "kind": "folder",
        "mode": 0o40755,
        "time": 0,
        "owner": [0, 0],
        "opaque": False,
        "attributes": {},
    }
    for name in ("../escaped", "..", "/tmp/escaped", "a/b"):
        file = {**root, "name": name, "kind": "file", "size": 1, "segments": [[0, 1]], "mode": 0o100644}
        head = json.dumps([root, file, None]).encode()
        archive = b"turnwise layer 1 whole\n" + len(head).to_bytes(8, "big") + head + b"x"
        with pytest.raises(ValueError, match="name"):
            layers.unpack(archive, links, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["links", "target"]
    for descriptor in (links, folder):
        os.close(descriptor)


def _digest(folder: Path) -> str:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return LayerDigest(None).of(descriptor, descriptor)
    finally:
        os.close(descriptor)
