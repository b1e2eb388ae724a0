from pathlib import Path

import pytest

from turnwise.sandboxes import Completed, FakeSandbox, SandboxClosedError, SandboxLostError, Spec


def test_files_come_from_the_folder_and_come_back_on_restore(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("x = 1")
    with FakeSandbox(Spec(folder=tmp_path)) as sandbox:
        assert sandbox.read("pkg/a.py") == b"x = 1"
        first = sandbox.snapshot()
        sandbox.write("pkg/a.py", b"x = 2")
        sandbox.write("/tmp/new", b"")
        assert sandbox.digest() != first.digest
        changed = sandbox.snapshot()
        sandbox.restore()
        assert sandbox.digest() == first.digest
        sandbox.restore(changed)
        assert sandbox.read("pkg/a.py") == b"x = 2"
    assert (tmp_path / "pkg" / "a.py").read_text() == "x = 1"


def test_a_fork_goes_its_own_way() -> None:
    with FakeSandbox() as sandbox:
        sandbox.write("a", b"1")
        with sandbox.fork() as twin:
            twin.write("a", b"2")
            assert (sandbox.read("a"), twin.read("a")) == (b"1", b"2")


def test_commands_are_looked_up_in_order_and_logged() -> None:
    commands = {
        "cat (.*)": lambda sandbox, command, stdin: sandbox.read(command[4:]).decode(),
        "sleep .*": Completed(137, timed_out=True),
        "wc -c": lambda sandbox, command, stdin: f"{len(stdin)}\n",
    }
    with FakeSandbox(commands=commands) as sandbox:
        sandbox.write("a", b"text")
        assert sandbox.run("cat a").stdout == "text"
        assert sandbox.run("sleep 100").timed_out
        assert sandbox.run("wc -c", stdin=b"abc").stdout == "3\n"
        unknown = sandbox.run("nonsense --flag")
        assert (unknown.exit_code, unknown.stderr) == (127, "bash: line 1: nonsense: command not found\n")
        assert sandbox.ran == ["cat a", "sleep 100", "wc -c", "nonsense --flag"]


def test_output_is_cut_at_the_limit() -> None:
    with FakeSandbox(commands={"yes": "y\n" * 100}) as sandbox:
        result = sandbox.run("yes", output_bytes=10)
    assert result.stdout == "y\n" * 5
    assert result.output_truncated


def test_a_fault_is_raised_and_ends_the_sandbox() -> None:
    sandbox = FakeSandbox(commands={"true": SandboxLostError("the daemon was restarted")})
    with pytest.raises(SandboxLostError, match="daemon"):
        sandbox.run("true")
    with pytest.raises(SandboxClosedError):
        sandbox.read("a")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/etc/passwd", PermissionError),
        ("../outside", PermissionError),
        ("folder", IsADirectoryError),
        ("folder/file/below", NotADirectoryError),
    ],
)
def test_paths_that_cannot_be_written(path: str, error: type[OSError]) -> None:
    with FakeSandbox() as sandbox:
        sandbox.write("folder/file", b"")
        with pytest.raises(error):
            sandbox.write(path, b"")


def test_paths_that_cannot_be_read() -> None:
    with FakeSandbox() as sandbox:
        sandbox.write("folder/file", b"")
        with pytest.raises(FileNotFoundError):
            sandbox.read("missing")
        with pytest.raises(IsADirectoryError):
            sandbox.read("folder")
        with pytest.raises(ValueError, match="NUL"):
            sandbox.read("a\0b")


def test_mounts_are_seen_and_closed_to_writing(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("tool")
    with FakeSandbox(Spec(mounts={"/opt/tools": tmp_path})) as sandbox:
        assert sandbox.read("/opt/tools/tool.py") == b"tool"
        with pytest.raises(PermissionError):
            sandbox.write("/opt/tools/tool.py", b"")
