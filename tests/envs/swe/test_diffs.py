"""Diffs: round trips over random trees, agreement with git, and an error for whatever does not fit exactly."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.swe.diffs import (
    DiffError,
    apply_diff,
    changed_paths,
    format_diff,
    make_diff,
    parse_diff,
    reverse_diff,
)

TEXT = b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"

# Few different lines, so that files share context; and the characters that tempt a reader to split a line in two.
lines = st.sampled_from(
    ["", "a", "b", "  c", "+ d", "-- e", "--- f", "+++ g", "@@ h", "\\ i", "\r", "\x0c\u2028é", "ü😀"]
)
contents = st.builds(
    lambda parts, end: "\n".join(parts).encode() + (b"\n" if end and parts else b""), st.lists(lines), st.booleans()
)
names = st.sampled_from(
    ["a.py", "p/b.py", "p/q/c d.txt", "ä.py", 'q"uote.py', "tab\there", "back\\slash", "new\nline", "x b/x"]
)
trees = st.dictionaries(names, contents, max_size=4)


@settings(max_examples=300, deadline=None)
@given(trees, trees, st.integers(0, 4))
def test_a_diff_leads_there_and_back(before: dict[str, bytes], after: dict[str, bytes], context: int) -> None:
    diff = make_diff(before, after, context=context)
    assert apply_diff(before, diff) == after
    assert apply_diff(after, reverse_diff(diff)) == before
    assert reverse_diff(reverse_diff(diff)) == diff
    assert format_diff(parse_diff(diff)) == diff
    assert set(changed_paths(diff)) == {path for path in {*before, *after} if before.get(path) != after.get(path)}


@settings(max_examples=300, deadline=None)
@given(trees, trees, st.integers(min_value=0), st.sampled_from(["drop", "double", "change"]))
def test_a_damaged_diff_gives_a_tree_or_a_diff_error(
    before: dict[str, bytes], after: dict[str, bytes], at: int, how: str
) -> None:
    parts = make_diff(before, after).split("\n")
    index = at % len(parts)
    parts[index : index + 1] = {"drop": [], "double": [parts[index]] * 2, "change": [parts[index][::-1]]}[how]
    try:
        apply_diff(before, "\n".join(parts))
    except DiffError as error:
        assert str(error)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=15, deadline=None)
@given(trees, trees)
def test_git_applies_what_we_make_and_we_apply_what_git_makes(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _git(root, "init", "--quiet")
        _write(root, before)
        _git(root, "add", "--all", "--force")
        tree = _git(root, "write-tree").strip()
        _write(root, after)
        _git(root, "add", "--all", "--force")
        theirs = _git(root, "diff", "--cached", "--text", "--no-renames", tree)
        assert apply_diff(before, theirs) == after
        _write(root, before)
        if ours := make_diff(before, after):
            _git(root, "apply", "--whitespace=nowarn", "-", text=ours)
        assert _read(root) == after


def _git(root: Path, *arguments: str, text: str = "") -> str:
    command = ["git", "-c", "core.autocrlf=false", *arguments]
    return subprocess.run(command, cwd=root, input=text.encode(), capture_output=True, check=True).stdout.decode()


def _write(root: Path, files: dict[str, bytes]) -> None:
    """Make these the files of the work tree, and the only ones."""
    for path in _read(root):
        (root / path).unlink()
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def _read(root: Path) -> dict[str, bytes]:
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {str(path): (root / path).read_bytes() for path in paths if path.parts[0] != ".git"}


def test_files_are_created_deleted_and_renamed() -> None:
    before = {"gone": b"x", "same": b"1\n", "old": b"a\nb\n"}
    diff = (
        "diff --git a/gone b/gone\ndeleted file mode 100644\nindex 123..000\n--- a/gone\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n"
        "diff --git a/old b/new\nsimilarity index 50%\nrename from old\nrename to new\n"
        "--- a/old\n+++ b/new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        "diff --git a/empty b/empty\nnew file mode 100644\nindex 000..e69\n"
    )
    after = {"same": b"1\n", "new": b"a\nc\n", "empty": b""}
    assert apply_diff(before, diff) == after
    assert apply_diff(after, reverse_diff(diff)) == before
    assert changed_paths(diff) == ("empty", "gone", "new", "old")


def test_a_plain_diff_and_an_empty_context_line_without_its_space() -> None:
    diff = "--- a/f\t2024-01-01\n+++ b/f\n@@ -1,3 +1,3 @@ def f():\n a\n\n-b\n+c\n"
    assert apply_diff({"f": b"a\n\nb\n"}, diff) == {"f": b"a\n\nc\n"}


CHANGE = "--- a/f\n+++ b/f\n@@ -2,3 +2,3 @@\n two\n-three\n+3\n four\n"


@pytest.mark.parametrize(
    ("files", "diff", "message"),
    [
        ({}, CHANGE, "'f': there is no such file"),
        ({"f": b"x\n" + TEXT}, CHANGE, "'f', hunk 1: line 2 should be 'two\\n'; it is 'one\\n'"),
        ({"f": b"one\ntwo\n"}, CHANGE, "'f', hunk 1: line 3 should be 'three\\n'; the file ends before it"),
        ({"f": b"one\n"}, CHANGE, "the file ends before it"),
        ({"f": b""}, CHANGE, "line 2 is not there to be changed (0 lines)"),
        ({"f": TEXT.replace(b"four", b"four ")}, CHANGE, "line 4 should be 'four\\n'; it is 'four \\n'"),
        ({"f": TEXT}, CHANGE + CHANGE.split("\n", 2)[2], "'f', hunk 2: line 2 is not there"),
        ({"f": b"1\n"}, "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n", "'f': it is to be created, but exists"),
        ({"f": b"1\n2\n"}, "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n", "lines that the diff does not remove"),
        ({"f": b"1"}, "--- a/f\n+++ b/f\n@@ -1,0 +2 @@\n+2\n", "'f'"),
        ({"f": b"1\n"}, "--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n-1\n+1\n\\ No newline at end of file\n+2\n", "no newline"),
    ],
)
def test_what_does_not_fit_names_the_file_and_the_hunk(files: dict[str, bytes], diff: str, message: str) -> None:
    with pytest.raises(DiffError) as caught:
        apply_diff(files, diff)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("diff", "message"),
    [
        ("hello\n", "line 1 of the diff begins no file: 'hello'"),
        ("--- a/f\n", "the line after '---' must begin with '+++'"),
        ("--- a/f\n+++ b/f\n", "no hunk follows"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n", "'f', hunk 1: the diff ends in the middle of it"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n*2\n", "must begin with a space, '-' or '+'"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n+3\n", "more lines than its header says"),
        ("--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n-1\n-2\n+3\n", "more lines than its header says"),
        ("--- a/f\n+++ b/f\n@@ one @@\n", "no hunk header: '@@ one @@'"),
        ("--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n\\ No newline at end of file\n", "must follow a line"),
        ("--- a/f\n+++ b/g\n@@ -1 +1 @@\n-1\n+2\n", "'g': its old name 'f' is another"),
        ("--- a/../f\n+++ b/../f\n@@ -1 +1 @@\n-1\n+2\n", "must be relative and stay in the tree: got '../f'"),
        ("--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-1\n+2\n", "must be relative and stay in the tree"),
        ("diff --git a/i.png b/i.png\nindex 1..2\nBinary files a/i.png and b/i.png differ\n", "binary patches"),
        ("diff --git a/i b/i\nindex 1..2\nGIT binary patch\nliteral 3\n", "binary patches are not supported"),
        ("diff --git a/x b/y\nsimilarity index 100%\ncopy from x\ncopy to y\n", "copies are not supported"),
        ('--- "a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n', "a quoted name does not end"),
    ],
)
def test_what_is_no_diff_says_why(diff: str, message: str) -> None:
    with pytest.raises(DiffError) as caught:
        parse_diff(diff)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"), [(b"\xff\n", "not UTF-8 text (invalid start byte at byte 0)"), (b"a\0b", "binary")]
)
def test_only_text_can_be_in_a_diff(data: bytes, message: str) -> None:
    with pytest.raises(DiffError) as caught:
        make_diff({"f": b""}, {"f": data})
    assert message in str(caught.value)
    assert make_diff({"f": data}, {"f": data}) == ""
