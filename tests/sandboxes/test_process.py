import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnwise.sandboxes import Limits, SandboxClosedError, Spec
from turnwise.sandboxes.process import ProcessSandbox


@pytest.fixture
def sandbox() -> Iterator[ProcessSandbox]:
    with ProcessSandbox(Spec(limits=Limits(timeout=20))) as opened:
        yield opened


def test_it_says_that_it_isolates_nothing(sandbox: ProcessSandbox) -> None:
    isolation = sandbox.isolation
    assert isolation.lacks(["network", "filesystem", "processes", "user", "memory", "cpus", "pids", "disk"]) == [
        "network", "filesystem", "processes", "user", "memory", "cpus", "pids", "disk",
    ]  # fmt: skip


def test_commands_begin_in_the_work_folder_with_what_they_are_given(sandbox: ProcessSandbox) -> None:
    sandbox.write("sub/a.txt", "é\n".encode())
    assert sandbox.run("cat sub/a.txt").stdout == "é\n"
    assert sandbox.run("pwd", cwd="sub").stdout == sandbox.workdir + "/sub\n"
    assert sandbox.run('echo "$X"; cat', env={"X": "1"}, stdin=b"in").stdout == "1\nin"
    assert sandbox.run("cd sub").check().ok
    assert sandbox.run("pwd").stdout == sandbox.workdir + "\n"
    assert sandbox.run("exit 3").exit_code == 3
    assert sandbox.run("kill -TERM $$").exit_code == 143
    assert sandbox.run("pwd", cwd="missing").exit_code == 126


def test_a_command_of_any_length_runs_and_a_bad_variable_is_refused(sandbox: ProcessSandbox) -> None:
    assert sandbox.run(f"x={'y' * 300_000}; echo ${{#x}}").stdout == "300000\n"
    with pytest.raises(ValueError, match="'1 2'"):
        sandbox.run("true", env={"1 2": ""})


def test_a_session_keeps_folder_variables_and_functions(sandbox: ProcessSandbox) -> None:
    sandbox.run("mkdir sub; cd sub; X='a b'; f() { echo f; }", session=True).check()
    assert sandbox.run('pwd; echo "$X"; f', session=True).stdout == f"{sandbox.workdir}/sub\na b\nf\n"
    assert sandbox.run("false", session=True).exit_code == 1
    assert sandbox.run("echo $X").stdout == "\n"
    with pytest.raises(ValueError, match="session"):
        sandbox.run("true", session=True, cwd="/tmp")


def test_a_command_out_of_time_is_killed_with_its_children(sandbox: ProcessSandbox) -> None:
    result = sandbox.run("trap '' TERM; (sleep 300; echo late >late) & echo $!; wait", timeout=0.3)
    assert (result.timed_out, result.exit_code) == (True, 137)
    child = int(result.stdout)
    for _ in range(100):  # a killed orphan stays until process 1 has reaped it
        if not os.path.exists(f"/proc/{child}/cmdline") or not Path(f"/proc/{child}/cmdline").read_bytes():
            break
        time.sleep(0.02)
    else:
        pytest.fail("the child of a command that ran out of time is still alive")


def test_endless_output_is_cut_and_ended(sandbox: ProcessSandbox) -> None:
    result = sandbox.run("yes", output_bytes=1000)
    assert (len(result.stdout), result.output_truncated, result.timed_out) == (1000, True, False)


def test_restore_and_fork_are_exact(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("echo a")
    (tmp_path / "a.sh").chmod(0o755)
    with ProcessSandbox(Spec(folder=tmp_path)) as sandbox:
        first = sandbox.digest()
        sandbox.run("rm a.sh; ln -s /etc/passwd link; mkdir -p deep/empty; echo t >$TMPDIR/t").check()
        changed = sandbox.snapshot()
        with sandbox.fork() as twin:
            assert twin.digest() == changed.digest
            assert twin.run("readlink link; cat $TMPDIR/t; [[ -d deep/empty ]]").check().stdout == "/etc/passwd\nt\n"
        sandbox.restore()
        assert sandbox.digest() == first
        assert sandbox.run("./a.sh").stdout == "a\n"
        sandbox.restore(changed)
        assert sandbox.digest() == changed.digest


def test_files_have_pythons_own_errors(sandbox: ProcessSandbox) -> None:
    sandbox.write("folder/file", b"\0\xff")
    assert sandbox.read("folder/file") == b"\0\xff"
    with pytest.raises(FileNotFoundError):
        sandbox.read("missing")
    with pytest.raises(IsADirectoryError):
        sandbox.read("folder")
    with pytest.raises(NotADirectoryError):
        sandbox.write("folder/file/below", b"")
    sandbox.run("mkfifo pipe").check()
    with pytest.raises(OSError, match="regular"):
        sandbox.read("pipe")


def test_close_removes_the_folder_and_ends_all_use() -> None:
    sandbox = ProcessSandbox(Spec())
    folder = Path(sandbox.workdir)
    sandbox.close()
    sandbox.close()
    assert not folder.exists()
    with pytest.raises(SandboxClosedError):
        sandbox.run("true")


def test_what_needs_a_sandbox_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mounts"):
        ProcessSandbox(Spec(mounts={"/opt/x": tmp_path}))
