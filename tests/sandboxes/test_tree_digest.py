from __future__ import annotations

import io
import tarfile

from turnwise.sandboxes.tree_digest import TreeDigest, parse_listing


class Tree:
    """Files of our own making, with the listings and tars that a sandbox would give of them."""

    def __init__(self) -> None:
        self.files: dict[bytes, tuple[bytes, bytes, float]] = {}
        self.now = 1000.0
        self.fetched: list[list[bytes]] = []

    def put(self, name: bytes, content: bytes, inode: bytes = b"") -> None:
        self.files[name] = (content, inode or b"1:" + name, self.now)

    def listing(self) -> bytes:
        fields = [b"%.6f" % self.now]
        for name, (content, inode, changed) in self.files.items():
            fields += [name, b"f", b"644", inode, b"%d" % len(content), b"5.0", b"%.6f" % changed, b""]
        return b"".join(field + b"\0" for field in fields)

    def fetch(self, names: list[bytes]) -> bytes:
        self.fetched.append(names)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name in names:
                content = self.files[name][0]
                member = tarfile.TarInfo(name.decode())
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return buffer.getvalue()


def test_only_what_has_changed_is_fetched_again() -> None:
    tree, digest = Tree(), TreeDigest()
    tree.put(b"./a", b"a")
    tree.put(b"./b", b"b")
    tree.now += 10
    first = digest.of(tree.listing(), tree.fetch)
    assert digest.of(tree.listing(), tree.fetch) == first
    tree.put(b"./b", b"c")
    assert digest.of(tree.listing(), tree.fetch) != first
    tree.put(b"./b", b"b")
    assert digest.of(tree.listing(), tree.fetch) == first
    assert tree.fetched == [[b"./a", b"./b"], [b"./b"], [b"./b"]]


def test_file_that_changed_just_now_is_fetched_again_for_the_clock_is_coarse() -> None:
    tree, digest = Tree(), TreeDigest()
    tree.put(b"./a", b"1")
    first = digest.of(tree.listing(), tree.fetch)
    tree.put(b"./a", b"2")
    assert digest.of(tree.listing(), tree.fetch) != first


def test_hard_links_are_fetched_once() -> None:
    tree, digest = Tree(), TreeDigest()
    tree.put(b"./a", b"same", b"1:7")
    tree.put(b"./b", b"same", b"1:7")
    linked = digest.of(tree.listing(), tree.fetch)
    assert len(tree.fetched[0]) == 1
    tree.put(b"./a", b"same", b"1:8")
    assert digest.of(tree.listing(), tree.fetch) == linked, "the number of links does not count"


def test_names_and_contents_cannot_run_into_each_other() -> None:
    digests = set()
    for files in ({b"./a": b"bc"}, {b"./ab": b"c"}, {b"./a": b"", b"./bc": b""}, {b"./a": b"b", b"./c": b""}):
        tree = Tree()
        for name, content in files.items():
            tree.put(name, content)
        digests.add(TreeDigest().of(tree.listing(), tree.fetch))
    assert len(digests) == 4


def test_listing_with_odd_names_and_no_files() -> None:
    assert parse_listing(b"12.5\0") == (12.5, [])
    odd = b"12.5|./new\nline|l|777|1:2|3|1.0|2.0|to\nnowhere|".replace(b"|", b"\0")
    now, entries = parse_listing(odd)
    assert now == 12.5 and entries[0].name == b"./new\nline" and entries[0].target == b"to\nnowhere"
    assert not entries[0].executable, "the mode of a link means nothing"
