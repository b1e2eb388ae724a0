"""Snapshots, restoring, forks and digests: exact, and apart from each other."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from turnwise.sandboxes.base import Files, Sandbox
from turnwise.sandboxes.conformance.registry import Subject, expect, expect_output, requirement

# What a folder's files are: names, types, modes, link targets, link counts, times, then contents.
LISTING = r"""
for root in . /tmp; do
  cd "$root" && find . ! -type d -printf '%P|%y|%m|%l|%n|%T@|%s\n' | sort
  find . -type d -printf '%P|%y|%m|%T@\n' | sort
  find . -type f -readable -size -1000k -exec sha256sum {} + | sort
done
"""
CHANGES = r"""
echo changed >first.txt
rm second.txt
rm -r folder
mkdir folder; echo new >folder/new.txt
rm -r gone; echo file >gone
mkdir -p empty deep/er/est 'odd
name' ./-n
echo run >deep/er/run.sh; chmod 751 deep/er/run.sh
ln -s deep/er here; ln -s nowhere dangling; ln -sf dangling link.txt
echo twin >twin; ln twin deep/twin; ln twin deep/er/twin
truncate -s 1M sparse; printf end >>sparse
mkfifo pipe
echo secret >closed; chmod 000 closed
mkdir shut; echo in >shut/in; chmod 000 shut
chmod u+x kept.txt
chmod 1777 empty
head -c 300000 /dev/urandom >random
echo tmp >/tmp/file; mkdir /tmp/folder; ln -s /tmp/file /tmp/folder/link
touch -d '2001-02-03 04:05:06.789' twin deep folder
"""


@contextmanager
def first_files() -> Iterator[Path]:
    """A folder of this machine, for `Spec.folder`."""
    with tempfile.TemporaryDirectory(prefix="turnwise-conformance-") as name:
        folder = Path(name)
        for path in ("first.txt", "second.txt", "kept.txt", "folder/a.txt", "folder/b.txt", "gone/x.txt"):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(f"{path}\n", encoding="utf-8")
        (folder / "link.txt").symlink_to("first.txt")
        (folder / "tool.sh").write_text("#!/bin/bash\necho tool\n", encoding="utf-8")
        (folder / "tool.sh").chmod(0o755)
        yield folder


def _listing(sandbox: Sandbox) -> str:
    return sandbox.run(LISTING, output_bytes=1 << 20).stdout


@requirement
def it_begins_with_the_folder_given(subject: Subject) -> None:
    """The work folder begins with what `Spec.folder` holds, the user's own; the folder itself is never changed."""
    with first_files() as folder, subject.open(folder=folder) as sandbox:
        expect_output(
            sandbox, "cat first.txt folder/b.txt link.txt; ./tool.sh", "first.txt\nfolder/b.txt\nfirst.txt\ntool\n"
        )
        expect_output(sandbox, "find . ! -user $(id -u) -o -type f ! -writable", "")
        before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
        expect_output(sandbox, "echo more >>first.txt; chmod 600 second.txt; mv folder moved; rm -r gone; ls", _MOVED)
        sandbox.run("find . -mindepth 1 -delete")
        after = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
        expect(before == after, "the folder on this machine has changed")
        expect((folder / "first.txt").read_text() == "first.txt\n", "a file of the folder on this machine has changed")


_MOVED = "first.txt\nkept.txt\nlink.txt\nmoved\nsecond.txt\ntool.sh\n"


def _comes_back(subject: Subject, back: Callable[[Sandbox, Path], Sandbox], what: str) -> None:
    with first_files() as folder, subject.open(folder=folder) as sandbox:
        sandbox.run(CHANGES)
        wanted, digest = _listing(sandbox), sandbox.digest()
        expect("deep/er/run.sh|f|751" in wanted and "second.txt" not in wanted, f"the changes were not made: {wanted}")
        other = back(sandbox, folder)
        try:
            got = _listing(other)
            if got != wanted:
                lacking = set(wanted.splitlines()) - set(got.splitlines())
                added = set(got.splitlines()) - set(wanted.splitlines())
                expect(False, f"{what} lacks {sorted(lacking)[:8]} and has {sorted(added)[:8]} instead")
            expect(other.digest() == digest, f"{what} has the digest {other.digest()}, must have {digest}")
            same = "[[ deep/twin -ef twin && deep/er/twin -ef twin ]] && chmod 700 closed shut && cat closed shut/in"
            expect_output(other, same, "secret\nin\n")
            expect_output(other, "stat -c %b sparse | xargs test 1000 -gt && tail -c 3 sparse", "end")
        finally:
            if other is not sandbox:
                other.close()


@requirement
def a_snapshot_restores_everything(subject: Subject) -> None:
    """`restore` brings back names, types, modes, links, times, holes and contents; what is not in it is gone."""

    def back(sandbox: Sandbox, folder: Path) -> Sandbox:
        files = sandbox.snapshot()
        sandbox.run("chmod -R u+rwX . /tmp; find . /tmp -mindepth 1 -delete; echo other >first.txt; echo x >/tmp/x")
        sandbox.restore(files)
        return sandbox

    _comes_back(subject, back, "a restored sandbox")


@requirement
def a_snapshot_can_be_carried_elsewhere(subject: Subject) -> None:
    """A snapshot survives pickling, and any sandbox of the same `Spec` takes it."""

    def back(sandbox: Sandbox, folder: Path) -> Sandbox:
        files: Files = pickle.loads(pickle.dumps(sandbox.snapshot()))
        expect(files.digest == sandbox.digest(), "the snapshot's digest is not the sandbox's")
        other = subject.open_one(replace(subject.spec, folder=folder))
        other.run("echo x >in-the-way; mkdir closed")
        other.restore(files)
        return other

    _comes_back(subject, back, "another sandbox with this snapshot")


@requirement
def a_fork_has_everything(subject: Subject) -> None:
    """A fork has the same names, types, modes, links, times, holes and contents."""
    _comes_back(subject, lambda sandbox, _: sandbox.fork(), "a fork")


@requirement
def a_fork_goes_its_own_way(subject: Subject) -> None:
    """What happens in a fork does not show in the original, nor the other way round; either may be closed first."""
    with subject.open() as sandbox:
        sandbox.run("echo x >file; cd /tmp; A=1", session=True)
        twin = sandbox.fork()
        grandchild = twin.fork()
        twin.run(f"echo twin >>{sandbox.workdir}/file; rm -f /tmp/*")
        sandbox.write("file", b"original\n")
        expect_output(twin, "cat file; pwd", f"x\ntwin\n{sandbox.workdir}\n")
        expect_output(sandbox, "cat file", "original\n")
        expect_output(sandbox, "pwd; echo $A", "/tmp\n1\n", session=True)
        expect_output(twin, "echo $A", "\n", session=True)
        twin.close()
        expect_output(grandchild, "cat file", "x\n")
        expect_output(sandbox, "cat file", "original\n")
        grandchild.close()


@requirement
def restoring_nothing_begins_anew(subject: Subject) -> None:
    """`restore()` brings back the files with which the sandbox was opened, in a new shell, as often as one likes."""
    with first_files() as folder, subject.open(folder=folder) as sandbox:
        first, digest = _listing(sandbox), sandbox.digest()
        for _ in range(3):
            sandbox.run(CHANGES)
            sandbox.run("cd /tmp; A=1; f() { echo f; }", session=True)
            sandbox.run("sleep 60 & setsid sleep 60 & disown -a")
            sandbox.restore()
            expect(_without_times(_listing(sandbox)) == _without_times(first), "the first files are not what they were")
            expect(sandbox.digest() == digest, "the first files' digest is not what it was")
            expect_output(sandbox, "pwd; echo $A; type f || echo gone", f"{sandbox.workdir}\n\ngone\n", session=True)


@requirement
def a_snapshot_is_of_its_moment(subject: Subject) -> None:
    """A snapshot does not change with the sandbox, and can be restored more than once, in any order."""
    with subject.open() as sandbox:
        moments = []
        for text in ("one", "two", "three"):
            sandbox.write("file", text.encode())
            sandbox.write(f"/tmp/{text}", b"")
            moments.append((text, sandbox.snapshot()))
        for text, files in (*moments, *reversed(moments)):
            sandbox.run("echo other >file", session=True)
            sandbox.restore(files)
            expect(sandbox.read("file") == text.encode(), f"the snapshot {text!r} restored another file")
            expect(sandbox.digest() == files.digest, f"the digest after restoring {text!r} is not the snapshot's")


@requirement
def equal_files_have_equal_digests(subject: Subject) -> None:
    """The digest depends on paths, types, exec bits, link targets and contents, and on nothing else."""
    with first_files() as folder, subject.open(folder=folder) as sandbox:
        seen = {sandbox.digest(): "the first files"}
        expect(sandbox.digest() in seen, "the digest of files that nobody touched has changed")
        for detour in _DETOURS:
            sandbox.run(detour)
            expect(sandbox.digest() in seen, f"{detour!r} changes the digest, though the files are the same")
        for change in _EACH_DIFFERENT:
            done = sandbox.run(change)
            expect(done.ok, f"{change!r} failed: {done.stderr}")
            digest = sandbox.digest()
            expect(digest not in seen, f"after {change!r} the digest is that of {seen.get(digest)!r}")
            seen[digest] = change
        digest = sandbox.digest()
        with subject.open(folder=folder) as other:
            other.run(_EACH_DIFFERENT[0])
            for change in _EACH_DIFFERENT[1:]:
                other.run(change)
            expect(other.digest() == digest, "the same changes in another sandbox give another digest")


_DETOURS = (
    "touch first.txt folder; chmod o-r second.txt; cat first.txt >/dev/null",
    "echo x >new; rm new; mkdir d; rmdir d; echo y >/tmp/y; rm /tmp/y",
    "echo changed >first.txt; echo first.txt >first.txt",
    "cp first.txt copy; rm first.txt; mv copy first.txt",
    "mv folder moved; mv moved folder; cp -r folder other; rm -r folder; mv other folder",
    "rm -r gone; mkdir gone; echo gone/x.txt >gone/x.txt",
    "chmod +x first.txt; chmod -x first.txt; ln first.txt hard; rm hard",
    "rm link.txt; ln -s first.txt link.txt",
)
_EACH_DIFFERENT = (
    "echo x >new",
    "echo y >new",
    "chmod u+x new",
    "mv new newer",
    "rm newer; mkdir newer",
    "rmdir newer; ln -s a newer",
    "ln -sfn b newer",
    "rm first.txt",
    "rm -r folder",
    "mkdir folder",
    "mkdir folder/empty",
    "echo x >/tmp/new",
    "mv /tmp/new folder",
    "chmod u+x kept.txt",
    "truncate -s 1M sparse",
    "truncate -s 2M sparse",
    "chmod 000 sparse; mkdir shut; echo in >shut/in; chmod 000 shut",
    "chmod 700 shut; echo out >shut/in; chmod 000 shut",
    "printf 'a\\nb' >'odd\nname'",
)


@requirement
def a_digest_sees_every_change(subject: Subject) -> None:
    """However soon one change follows another, in place and of the same length, the digest shows it."""
    with subject.open() as sandbox:
        sandbox.run("printf 000 >file; echo >/tmp/log")
        seen = {sandbox.digest()}
        for i in range(1, 60):
            sandbox.run(f"printf {i:03d} 1<>file", session=True)
            seen.add(sandbox.digest())
        expect(len(seen) == 60, f"60 different contents had {len(seen)} different digests")


def _without_times(listing: str) -> list[str]:
    return [line for line in listing.splitlines() if "|d|" not in line]
