"""What is bubblewrap's own: owners, roots, places to mount on, and machines that allow less."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bubblewrap_here import ORDINARY_USER, need_bubblewrap, output, python

from turnwise.sandboxes import bubblewrap, visible
from turnwise.sandboxes.base import MIB, Files, Limits, Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.conformance import CHECKS
from turnwise.sandboxes.errors import IsolationError, SandboxError
from turnwise.sandboxes.launcher import Powers, launcher

BARE = Powers(controllers=(), overlay=False, seccomp=False)
FULL = Powers(controllers=("memory", "cpu", "pids"), overlay=True, seccomp=True)


@pytest.fixture(autouse=True)
def _bubblewrap() -> None:
    need_bubblewrap()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    (made / "private").write_text("private")
    (made / "private").chmod(0o600)
    (made / "sub" / "file").write_text("file")
    return made


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")


def test_files_of_the_folders_owner_are_the_users(folder: Path) -> None:
    as_root()
    for owner in (0, 1000, 65535, 200_000):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner)
        with BubblewrapSandbox(Spec(folder=folder)) as sandbox:
            assert sandbox.run("cat private; echo more >>private; cat private").stdout == "privateprivatemore\n", owner
            assert sandbox.run("stat -c '%U %G' private sub sub/file | sort -u").stdout == "agent agent\n", owner
        assert (folder / "private").stat().st_uid == owner


def test_files_of_others_stay_others(folder: Path) -> None:
    as_root()
    os.chown(folder / "private", 1234, 1234)
    with BubblewrapSandbox(Spec(folder=folder)) as sandbox:
        assert not sandbox.run("cat private").ok
        assert sandbox.run("mv private moved && stat -c %a moved").stdout == "600\n"
        with sandbox.fork() as twin:
            assert not twin.run("cat moved").ok, "a fork changes no owner"


def test_private_mounts_of_the_owner_can_be_read(folder: Path) -> None:
    with BubblewrapSandbox(Spec(mounts={"/opt/here": folder, "/work/in/side": folder / "private"})) as sandbox:
        assert sandbox.run("cat /opt/here/private in/side").stdout == "privateprivate"
        assert not sandbox.run("echo x >in/side").ok


def test_a_folder_mounted_later_is_seen(tmp_path: Path) -> None:
    """The launcher has a mount namespace of its own, in which it need not show."""
    as_root()
    with BubblewrapSandbox(Spec()) as early:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], check=True)
        try:
            (tmp_path / "file").write_text("later")
            with BubblewrapSandbox(Spec(folder=tmp_path, mounts={"/opt/here": tmp_path})) as late:
                assert late.run("cat file /opt/here/file").stdout == "laterlater"
                assert early.run("echo early").stdout == "early\n"
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_allows_no_overlay_is_copied(folder: Path, tmp_path: Path) -> None:
    """Owners cannot be mapped on an overlay, so one below an overlay is refused by the kernel."""
    as_root()
    merged, upper, work = (tmp_path / name for name in ("merged", "upper", "work"))
    for path in (merged, upper, work):
        path.mkdir()
    options = f"lowerdir={folder},upperdir={upper},workdir={work}"
    done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=False)
    if done.returncode != 0:
        pytest.skip("no overlay can be mounted on this machine's temporary folder")
    try:
        with BubblewrapSandbox(Spec(folder=merged)) as sandbox, BubblewrapSandbox(Spec(folder=folder)) as other:
            for each in (sandbox, other):
                assert each.run("cat private; rm private; echo x >>sub/file").stdout == "private"
                with each.fork() as twin:
                    assert twin.run("ls; cat sub/file").stdout == "sub\nfilex\n"
            assert sandbox.digest() == other.digest()
            sandbox.restore()
            assert sandbox.run("cat private sub/file").stdout == "privatefile"
    finally:
        subprocess.run(["umount", str(merged)], check=True)


def test_a_folder_too_large_to_be_copied_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "large").write_bytes(bytes(20 * MIB) + b"x" * 20 * MIB)
    monkeypatch.setattr(launcher(), "powers", launcher().powers._replace(overlay=False))
    with pytest.raises(SandboxError, match="folder do not fit into"):
        BubblewrapSandbox(Spec(folder=folder, limits=Limits(disk_bytes=16 * MIB)))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small root file system: bash and a few programs, with the libraries that they need."""
    root = tmp_path_factory.mktemp("image")
    for name in ("bin", "etc", "work", "home/agent"):
        (root / name).mkdir(parents=True)
    for program in ("bash", "cat", "ls", "mkdir", "mv", "rm", "chmod", "realpath", "head", "id", "touch"):
        path = shutil.which(program)
        assert path is not None
        shutil.copy(path, root / "bin" / program)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in {word for word in listed.split() if word.startswith("/")}:
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            if not (root / library[1:]).exists():
                shutil.copy(library, root / library[1:])
    (root / "etc" / "passwd").write_text("agent:x:1000:1000::/work:/bin/bash\n")
    (root / "etc" / "secret").write_text("root's")
    (root / "etc" / "secret").chmod(0o600)
    (root / "work" / "first").write_text("first")
    (root / "absolute").symlink_to("/etc/passwd")
    yield root


def test_a_snapshot_goes_where_it_fits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that holds all files goes anywhere; one that holds what differs needs an overlay, and says so."""
    with BubblewrapSandbox(Spec(folder=folder)) as sandbox:
        sandbox.run("rm private; echo x >>sub/file")
        layer = sandbox.snapshot()
        with BubblewrapSandbox(Spec(folder=folder), overlay=False) as copied:
            assert copied.run("rm private; echo x >>sub/file; ls").stdout == "sub\n"
            whole = copied.snapshot()
            assert whole.digest == layer.digest
            with pytest.raises(ValueError, match="no overlay"):
                copied.restore(layer)
            assert copied.run("cat sub/file").stdout == "filex\n", "what was refused has changed nothing"
        for files in (whole, layer) if sandbox._overlay else (whole,):
            with BubblewrapSandbox(Spec(folder=folder)) as other:
                other.restore(files)
                assert other.run("cat sub/file; ls").stdout == "filex\nsub\n"
                assert other.digest() == layer.digest
                other.restore()
                assert other.run("ls").stdout == "private\nsub\n"


def test_damaged_snapshots_are_refused() -> None:
    with BubblewrapSandbox(Spec()) as sandbox:
        sandbox.write("file", b"x")
        files = sandbox.snapshot()
        with pytest.raises(SandboxError, match="cut short"):
            sandbox.restore(Files(files.archive[:-1], files.digest))
        with pytest.raises(SandboxError):
            sandbox.run("true")


def test_a_fork_that_fails_leaves_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    with BubblewrapSandbox(Spec()) as sandbox:
        sandbox.write("file", bytes(MIB))
        sandbox.spec = Spec(limits=Limits(disk_bytes=MIB // 2))
        sandbox._request = None
        with pytest.raises(SandboxError, match="do not fit"):
            sandbox.fork()
        assert sandbox.run("stat -c %s file").stdout == f"{MIB}\n"


def test_a_folder_can_be_the_root(image: Path) -> None:
    with BubblewrapSandbox(Spec(image=str(image))) as sandbox:
        assert sandbox.run("cd / && echo *").stdout == "absolute bin dev etc home lib lib64 proc tmp work\n"
        assert sandbox.run("cat first; rm first; echo x >new; ls").stdout == "firstnew\n"
        assert sandbox.run("cat /absolute").stdout.startswith("agent:")
        assert not sandbox.run("touch /etc/new || touch /home/agent/new || rm /bin/ls").ok
        assert sandbox.run("cat /etc/secret").ok is (os.geteuid() != 0)
        sandbox.restore()
        assert sandbox.read("first") == b"first"
    assert (image / "work" / "first").read_text() == "first"


def test_a_root_takes_mounts_and_other_work_folders(image: Path, folder: Path) -> None:
    spec = Spec(
        image=str(image),
        workdir="/srv/code",
        folder=folder,
        mounts={"/opt/new": folder, "/etc/passwd": folder / "private"},
        hide=("/home", "/no/such/place"),
    )
    with BubblewrapSandbox(spec) as sandbox:
        assert sandbox.run("cat sub/file /opt/new/sub/file /etc/passwd; ls /home").stdout == "filefileprivate"
    assert not (image / "opt").exists() and not (image / "srv").exists()


def test_links_in_a_root_lead_to_nothing_outside(image: Path, folder: Path) -> None:
    """What is to be mounted behind a link goes where the link leads inside."""
    (image / "behind").symlink_to("/home/agent")
    try:
        with BubblewrapSandbox(Spec(image=str(image), hide=("/behind",), mounts={"/behind/x": folder})) as sandbox:
            pytest.fail(f"a place was made: {sandbox.run('ls -la / /home/agent').stdout}")
    except SandboxError as error:
        assert "/behind/x" in str(error)
    finally:
        (image / "behind").unlink()


def test_an_image_that_is_none_is_refused(tmp_path: Path) -> None:
    reason = bubblewrap.unavailable(Spec(image=str(tmp_path)))
    assert reason is not None and "root file system" in reason


def test_without_bwrap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "_proven", False)
    monkeypatch.setenv("PATH", "/nowhere")
    reason = bubblewrap.unavailable(Spec())
    assert reason is not None and "apt-get install bubblewrap" in reason


def test_the_network_is_there_if_asked_for() -> None:
    with BubblewrapSandbox(Spec(network=True)) as sandbox:
        assert sandbox.isolation.network is False
        host = Path("/proc/net/dev").read_text().count(":")
        assert int(sandbox.run("grep -c : /proc/net/dev").stdout) == host


def test_shared_memory_is_among_the_files() -> None:
    """A sandbox has no state that a snapshot would not hold."""
    with BubblewrapSandbox(Spec()) as sandbox:
        empty = sandbox.digest()
        sandbox.run("echo x >/dev/shm/segment")
        assert sandbox.digest() != empty and sandbox.read("/tmp/segment") == b"x\n"


def test_isolation_says_what_holds_here() -> None:
    spec = Spec()
    full = visible.isolation(spec, FULL)
    full.check(["network", "filesystem", "processes", "user", "memory", "cpus", "pids", "disk"], spec.limits)
    bare = visible.isolation(spec, BARE._replace(seccomp=True))
    assert (bare.memory, bare.cpus, bare.pids, bare.disk) == ("process", "sandbox", "sandbox", "sandbox")
    assert any("each process by itself" in note for note in bare.notes)
    with pytest.raises(IsolationError, match="memory"):
        bare.check(["memory"], spec.limits)


def test_files_leave_memory_for_a_shell() -> None:
    """Files are in memory: all of it cannot be theirs, and the notes say so."""
    spec = Spec(limits=Limits(memory_bytes=100 * MIB, disk_bytes=200 * MIB))
    assert visible.disk_bytes(spec, FULL) == 75 * MIB
    assert visible.disk_bytes(spec, BARE) == 200 * MIB
    assert any("78,643,200" in note for note in visible.isolation(spec, FULL).notes)


def test_cores_are_taken_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 3, 5, 7})
    turns = [visible.cores(1.0) for _ in range(4)]
    assert sorted(turns) == [[2], [3], [5], [7]]
    assert len(visible.cores(1.5)) == 2
    assert visible.cores(4.0) == [] and visible.cores(9.0) == []


ORDINARY = """
import os, signal, sys
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox, unavailable
from turnwise.sandboxes.conformance import check
reason = unavailable(Spec())
if reason is not None:
    print("unavailable:", reason)
    sys.exit()
assert os.geteuid() != 0
os.environ["HOME"] = "/"
print(check(BubblewrapSandbox, checks=sys.argv[1:], lose=lambda s: os.kill(s.process, signal.SIGKILL)))
"""
SLOW = ("a_memory_hog_is_stopped", "a_filler_of_small_files_is_stopped", "the_shell_survives_kills")


@pytest.mark.timeout(180)
def test_an_ordinary_user_has_the_same_sandbox() -> None:
    """Where the launcher is not root it works in a user namespace of its own."""
    told = output(python(ORDINARY, *(name for name in CHECKS if name not in SLOW), ordinary=True))
    if told.startswith("unavailable:"):
        pytest.skip(f"user {ORDINARY_USER}: {told}")
    assert ", 0 failed," in told.splitlines()[0], told
