"""Files of a sandbox by way of its shell, in a Docker sandbox: it uses all of `ShellSandbox`."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from docker_here import need_docker

from turnwise.sandboxes.base import FILE_LIMIT, MIB, Limits, Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
from turnwise.sandboxes.errors import FileTooLargeError, SandboxClosedError, SandboxLostError


@pytest.fixture(scope="module")
def opened() -> Iterator[DockerSandbox]:
    need_docker()
    with DockerSandbox(Spec(limits=Limits(disk_bytes=64 * MIB))) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(opened: DockerSandbox) -> DockerSandbox:
    opened.restore()
    return opened


ODD_PATHS = [
    "plain.txt", "deep/er/still", "with space", "two\nlines", "ends in newline\n", "-rf", "--help", "*?[a]", "é☃",
    "'\"`$x", "a\\b", " ", "/tmp/absolute", "./dot/../file", "~", "#x", "%s%d", "\x01\x7f", "x" * 250,
]  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS)
def test_odd_paths_come_back(sandbox: DockerSandbox, path: str) -> None:
    for data in (b"first", b"second, longer"):
        sandbox.write(path, data)
        assert sandbox.read(path) == data
    sandbox.write(f"{path}.d/inner", b"")
    assert sandbox.read(f"{path}.d/inner") == b""


@pytest.mark.parametrize("size", [0, 1, 100, 16 * 1024, 16 * 1024 + 1, 3_000_000])
def test_all_bytes_come_back(sandbox: DockerSandbox, size: int) -> None:
    data = random.Random(size).randbytes(size)
    sandbox.write("data", data)
    assert sandbox.read("data") == data
    assert sandbox.run("wc -c <data").stdout == f"{size}\n"


def test_texts_that_bash_could_take_for_something_else(sandbox: DockerSandbox) -> None:
    for data in (b"-n", b"--", b"%s %b \\n \\0101 \\c", b"'; exit 3; '", b"\n\n", b"\0\0", bytes(range(256))):
        sandbox.write("data", data)
        assert sandbox.read("data") == data


def test_missing_file_and_folder(sandbox: DockerSandbox) -> None:
    sandbox.write("file", b"")
    sandbox.run("ln -s nowhere dangling; ln -s loop loop")
    for path in ("missing", "no/such/folder", "dangling", "loop", "/nothing", ""):
        with pytest.raises((FileNotFoundError, IsADirectoryError)):
            sandbox.read(path)
    for path in ("file/below", "file/"):
        with pytest.raises(NotADirectoryError):
            sandbox.read(path)
    with pytest.raises(NotADirectoryError):
        sandbox.write("file/below", b"")


def test_folder_is_no_file(sandbox: DockerSandbox) -> None:
    sandbox.run("mkdir folder")
    for path in ("folder", "folder/", ".", "/", "new/"):
        with pytest.raises(IsADirectoryError):
            sandbox.write(path, b"")
    with pytest.raises(IsADirectoryError):
        sandbox.read("folder")


def test_special_files_are_refused_at_once(sandbox: DockerSandbox) -> None:
    sandbox.run("mkfifo pipe")
    for path in ("pipe", "/dev/zero"):
        with pytest.raises(OSError, match="not a regular file"):
            sandbox.read(path)
    with pytest.raises(OSError, match="not a regular file"):
        sandbox.write("pipe", b"x")


def test_permissions(sandbox: DockerSandbox) -> None:
    sandbox.run(
        "echo a >secret; chmod 000 secret; mkdir closed; echo b >closed/b; chmod 000 closed; echo c >ro; chmod 444 ro"
    )
    for path in ("secret", "closed/b", "closed/missing", "closed/deep/er", "/root/x", "/etc/shadow"):
        with pytest.raises(PermissionError):
            sandbox.read(path)
    for path in ("secret", "closed/b", "closed/new/er", "ro", "/etc/hosts", "/usr/x", "/x", "/proc/x"):
        with pytest.raises(PermissionError):
            sandbox.write(path, b"x")


def test_write_keeps_modes_and_follows_links(sandbox: DockerSandbox) -> None:
    sandbox.run(
        "mkdir d; echo old >d/tool; chmod 750 d/tool; ln -s d/tool link; ln -s d/new dangling; ln -s 'd/x\n' newline"
    )
    sandbox.write("link", b"new")
    sandbox.write("dangling", b"made")
    sandbox.write("newline", b"made")
    assert sandbox.run("stat -c %a d/tool; cat d/tool d/new; [[ -L link && -L dangling ]]; ls d | wc -l").stdout == (
        "750\nnewmade4\n"
    )


def test_write_in_a_closed_folder_changes_an_open_file_in_place(sandbox: DockerSandbox) -> None:
    sandbox.run("mkdir d; echo old >d/file; chmod 555 d")
    sandbox.write("d/file", b"new")
    assert sandbox.read("d/file") == b"new"
    with pytest.raises(PermissionError):
        sandbox.write("d/other", b"new")


def test_full_disk_loses_no_file(sandbox: DockerSandbox) -> None:
    sandbox.write("kept", b"the old content")
    sandbox.run("cat /dev/zero >filler; cat /dev/zero >/tmp/filler")
    for data in (b"x" * 10_000, b"x" * 1_000_000):
        with pytest.raises(OSError, match="no space"):
            sandbox.write("kept", data)
        with pytest.raises(OSError, match="no space"):
            sandbox.write("new", data)
    assert sandbox.read("kept") == b"the old content"
    assert sandbox.run("ls -A").stdout == "filler\nkept\n"
    files = sandbox.snapshot()
    sandbox.restore()
    sandbox.restore(files)
    assert sandbox.digest() == files.digest
    assert sandbox.read("kept") == b"the old content"


def test_bad_arguments(sandbox: DockerSandbox) -> None:
    with pytest.raises(ValueError, match="NUL"):
        sandbox.read("a\0b")
    with pytest.raises(ValueError, match="NUL"):
        sandbox.write("a\0b", b"")
    with pytest.raises(ValueError, match="at most"):
        sandbox.write("big", bytes(FILE_LIMIT + 1))
    with pytest.raises(ValueError, match="above 0"):
        sandbox.run("true", timeout=0)
    assert sandbox.run("echo still here").stdout == "still here\n"


def test_file_that_is_too_large_to_read(sandbox: DockerSandbox) -> None:
    sandbox.run(f"truncate -s {FILE_LIMIT + 1} large; truncate -s 1T huge")
    for path in ("large", "huge"):
        with pytest.raises(FileTooLargeError):
            sandbox.read(path)
    assert sandbox.run("echo still here").stdout == "still here\n"


MAKE_ODD_TREE = r"""
mkdir -p plain/deep closed/inner readonly
echo text >plain/text; echo tool >plain/tool; chmod 755 plain/tool; echo x >plain/deep/x
ln plain/text plain/twin; ln -s text plain/link; ln -s /nowhere dangling; mkfifo pipe
echo secret >closed/inner/file; chmod 000 closed/inner/file; chmod 000 closed/inner; chmod 100 closed
echo fixed >readonly/file; chmod 444 readonly/file; chmod 555 readonly
touch $'new\nline' ' ' -- -x '*' $'\xff\xfe' é; chmod 4000 '*'
truncate -s 1T sparse; printf data | dd of=sparse bs=1 seek=1000000 conv=notrunc status=none
touch -d '2001-02-03 04:05:06.123456789' plain/text; mkdir /tmp/more; echo t >/tmp/more/t; echo s >/dev/shm/s
touch -d 2002-01-01 plain
"""
DESCRIBE = r"""
describe() { find . /tmp /dev/shm -printf '%p %y %m %n %s %T@ %l\0' | sort -z | tr '\0' '\n'; }
before=$(describe 2>&1); chmod 700 closed closed/inner; chmod 400 closed/inner/file; chmod 500 '*'
inner=$(describe; cat closed/inner/file; grep -rc . plain; od -An -c -j 999998 -N 8 sparse); chmod 4000 '*'
chmod 000 closed/inner/file closed/inner; chmod 100 closed; echo "$before"; echo "$inner"; ls -A | od -c
"""


def without_times_of_the_closed(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line)


def test_snapshot_and_restore_keep_everything(sandbox: DockerSandbox) -> None:
    sandbox.run(MAKE_ODD_TREE).check()
    before, files = sandbox.run(DESCRIBE).check(), sandbox.snapshot()
    assert len(files.archive) < MIB
    assert sandbox.run(DESCRIBE).stdout == before.stdout, "a snapshot changes nothing"
    sandbox.restore()
    assert sandbox.run("find . /tmp /dev/shm -mindepth 1").stdout == ""
    sandbox.restore(files)
    assert sandbox.digest() == files.digest
    assert sandbox.run(DESCRIBE).stdout == before.stdout
    assert sandbox.digest() == files.digest
    with sandbox.fork() as twin:
        assert twin.digest() == files.digest
        assert twin.run(DESCRIBE).stdout == before.stdout
        twin.run("echo more >>plain/text")
        assert twin.digest() != files.digest
    assert sandbox.digest() == files.digest


def test_digest_is_of_names_kinds_modes_targets_and_contents(sandbox: DockerSandbox) -> None:
    empty = sandbox.digest()
    seen = {empty}
    for command in (
        "echo a >f", "echo b >f", "mv f g", "chmod +x g", "rm g; mkdir g", "rmdir g; ln -s x g", "ln -sfn y g",
        "rm g; mkfifo g", "rm g; truncate -s 1M g", "truncate -s 2M g", "echo x >/tmp/g", "echo x >/dev/shm/g",
    ):  # fmt: skip
        sandbox.run(command).check()
        seen.add(sandbox.digest())
    assert len(seen) == 13
    sandbox.run("rm -r g /tmp/g /dev/shm/g")
    assert sandbox.digest() == empty


def test_digest_forgets_history_times_and_layout(sandbox: DockerSandbox) -> None:
    sandbox.run("mkdir d; echo a >d/a; echo b >b; dd if=/dev/zero of=zeros bs=1M count=1 status=none")
    first = sandbox.digest()
    sandbox.run("rm -r d b zeros; truncate -s 1M zeros; echo b >b; mkdir d; echo other >d/a; touch -d 2001-01-01 b")
    assert sandbox.digest() != first
    sandbox.run("sleep 2; echo a >d/a; touch -d 2002-01-01 d/a")
    assert sandbox.digest() == first


def test_digest_sees_a_change_that_hides_its_time(sandbox: DockerSandbox) -> None:
    sandbox.run("echo aaaa >f; touch -d 2001-01-01 f; sleep 2")
    first = sandbox.digest()
    assert sandbox.digest() == first
    sandbox.run("echo bbbb >f; touch -d 2001-01-01 f")
    assert sandbox.digest() != first


def test_digest_of_many_files(sandbox: DockerSandbox) -> None:
    sandbox.run("for ((i = 0; i < 1500; i++)); do echo $i >file$i; done; ln file7 seven; chmod 000 file8")
    first = sandbox.digest()
    sandbox.run("echo other >>seven")
    assert sandbox.digest() != first
    sandbox.run("echo 7 >file7")
    assert sandbox.digest() == first


SPOILED = """
cat() { echo spoiled; }; tar() { echo spoiled; }; find() { echo spoiled; }; head() { echo spoiled; }
builtin() { :; }; command() { :; }; cd() { :; }; mv() { :; }; set -fuC; IFS=/; shopt -s nullglob failglob; umask 777
alias cat=false; PATH=/nowhere; cd /usr; LANG=x; declare -r path=1 part=2; /bin/bash() { echo spoiled; }
export -f cat tar find; export PATH TAR_OPTIONS=--help; BASH_ENV=/work/evil; export BASH_ENV
"""


def test_what_a_session_defines_does_not_reach_our_scripts(sandbox: DockerSandbox) -> None:
    sandbox.write("old", b"old")
    clean = sandbox.digest()
    sandbox.run(SPOILED, session=True)
    assert sandbox.read("old") == b"old"
    sandbox.write("old", b"new")
    sandbox.write("sub/made", b"x" * 10_000)
    assert sandbox.read("old") == b"new" and len(sandbox.read("sub/made")) == 10_000
    assert sandbox.digest() != clean
    files = sandbox.snapshot()
    sandbox.restore(files)
    assert sandbox.digest() == files.digest
    assert sandbox.run("cat old; umask; pwd; echo $-", session=True).stdout == "new0022\n/work\nhBc\n"


def test_restore_begins_a_new_shell(sandbox: DockerSandbox) -> None:
    sandbox.run("cd /tmp; kept=1; f() { echo f; }", session=True)
    sandbox.restore()
    assert sandbox.run("pwd; echo ${kept-unset}; type -t f", session=True).stdout == "/work\nunset\n"


def test_restore_works_where_all_is_closed(sandbox: DockerSandbox) -> None:
    sandbox.write("a/b/c", b"x")
    sandbox.run("chmod 000 a/b a /tmp /work")
    files = sandbox.snapshot()
    sandbox.restore()
    assert sandbox.run("ls -A; stat -c %a /work /tmp").stdout == "755\n1777\n"
    sandbox.restore(files)
    assert sandbox.run("stat -c %a /work /tmp", cwd="/").stdout == "0\n0\n"


def test_exchange_that_is_broken_off_closes_the_sandbox() -> None:
    need_docker()

    class Impatience(BaseException):
        pass

    sandbox = DockerSandbox(Spec())

    def interrupt() -> None:
        raise Impatience

    sandbox._transport.interrupt = interrupt  # type: ignore[method-assign]
    with pytest.raises(Impatience):
        sandbox.run("sleep 60", timeout=0.1)
    with pytest.raises(SandboxLostError, match="Impatience broke off"):
        sandbox.run("true")
    sandbox.close()


def test_closed_sandbox_says_so() -> None:
    need_docker()
    sandbox = DockerSandbox(Spec())
    sandbox.close()
    sandbox.close()
    calls = [lambda: sandbox.run("true"), lambda: sandbox.read("a"), sandbox.digest, sandbox.snapshot, sandbox.restore,
             sandbox.fork, sandbox.check]  # fmt: skip
    for call in calls:
        with pytest.raises(SandboxClosedError):
            call()
