"""Reading and writing files from outside."""

from __future__ import annotations

from functools import partial

from turnwise.sandboxes.base import FILE_LIMIT
from turnwise.sandboxes.conformance.registry import (
    NotApplicable,
    Subject,
    expect,
    expect_alive,
    expect_output,
    expect_raises,
    requirement,
)
from turnwise.sandboxes.errors import FileTooLargeError

ODD_NAMES = (
    "a b", " lead", "trail ", "new\nline", "end\n", "-n", "--help", "'", '"', "$HOME", "`id`", "*", "?", "\\", "\\n",
    "é☃𝄞", "~", "#", "{a,b}", "a;b", "tab\there", "%s", "!", "x" * 255,
)  # fmt: skip


@requirement
def files_come_back_as_written(subject: Subject) -> None:
    """`read` gives what `write` or a command wrote, byte by byte, whatever its size."""
    with subject.open() as sandbox:
        every_byte = bytes(range(256))
        sizes = (b"", b"\0", b"\n", b"x", every_byte, b"'\"$`\\%\n\0" * 3, every_byte * 70, every_byte * 20_000)
        for data in (*sizes, b"short again"):
            sandbox.write("file", data)
            expect(sandbox.read("file") == data, f"{len(data):,} bytes were written, others came back")
            expect_output(sandbox, "stat -c %s file", f"{len(data)}\n")
        sandbox.run("printf 'a\\0\\xff\\n' >made")
        expect(sandbox.read("made") == b"a\0\xff\n", "a file that a command made came back differently")


@requirement
def paths_may_be_odd(subject: Subject) -> None:
    """Paths may hold any character but NUL, be relative or absolute, and lead through folders that are made."""
    with subject.open() as sandbox:
        for name in ODD_NAMES:
            for path in (name, f"{sandbox.workdir}/deep {name[:200]}/er/{name}", f"/tmp/{name}"):
                data = path.encode()
                sandbox.write(path, data)
                expect(sandbox.read(path) == data, f"the file {path!r} came back differently")
        expect_output(sandbox, "find . -mindepth 1 -maxdepth 1 -printf x", "x" * 2 * len(ODD_NAMES))
        for action in (lambda: sandbox.read("a\0b"), lambda: sandbox.write("a\0b", b"")):
            expect_raises(ValueError, action, "a path with a NUL")
        expect_alive(sandbox, "a path with a NUL")


@requirement
def paths_are_relative_to_the_work_folder(subject: Subject) -> None:
    """Wherever a session's shell has gone, relative paths begin in the work folder."""
    with subject.open() as sandbox:
        sandbox.run(
            "mkdir d; cd d; cat() { echo forged; }; alias mv=false; PATH=/nowhere; umask 777; set -f", session=True
        )
        sandbox.write("file", b"x")
        expect(sandbox.read("file") == b"x", "a session's functions and PATH changed what `read` gives")
        expect_output(sandbox, "/bin/cat file; /bin/stat -c %a file", "x644\n", env={"PATH": "/usr/bin:/bin"})


@requirement
def file_errors_are_pythons(subject: Subject) -> None:
    """What cannot be read or written raises the error that Python's own `open` would."""
    with subject.open() as sandbox:
        sandbox.run("mkdir folder; echo x >file; mkfifo pipe; ln -s loop loop; ln -s nowhere/at/all dangling")
        expect_raises(FileNotFoundError, lambda: sandbox.read("missing"), "reading a file that is not there")
        expect_raises(
            FileNotFoundError, lambda: sandbox.read("no/such/file"), "reading below a folder that is not there"
        )
        expect_raises(FileNotFoundError, lambda: sandbox.read("dangling"), "reading through a link to nothing")
        expect_raises(IsADirectoryError, lambda: sandbox.read("folder"), "reading a folder")
        expect_raises(IsADirectoryError, lambda: sandbox.write("folder", b""), "writing to a folder")
        expect_raises(NotADirectoryError, lambda: sandbox.write("file/below", b""), "writing below a file")
        for path in ("pipe", "loop", "/dev/zero"):
            expect_raises(OSError, partial(sandbox.read, path), f"reading {path}")
        expect_raises(OSError, lambda: sandbox.write("pipe", b"x"), "writing to a named pipe")
        expect_output(sandbox, "cat file; ls", "x\ndangling\nfile\nfolder\nloop\npipe\n")


@requirement
def closed_files_stay_closed(subject: Subject) -> None:
    """What the sandbox's user may not read or write raises PermissionError, and stays as it was."""
    with subject.open() as sandbox:
        if sandbox.isolation.lacks(["user"]):
            raise NotApplicable(f"{sandbox.backend} does not say that its user has no powers")
        sandbox.run("echo x >unreadable; chmod 000 unreadable; echo y >unwritable; chmod 444 unwritable")
        sandbox.run("mkdir -p shut/in; chmod 000 shut")
        expect_raises(PermissionError, lambda: sandbox.read("unreadable"), "reading an unreadable file")
        expect_raises(PermissionError, lambda: sandbox.write("unreadable", b""), "writing to an unreadable file")
        expect_raises(PermissionError, lambda: sandbox.write("unwritable", b""), "writing to an unwritable file")
        expect_raises(PermissionError, lambda: sandbox.read("shut/in/file"), "reading in a closed folder")
        expect_raises(PermissionError, lambda: sandbox.write("shut/file", b""), "writing in a closed folder")
        for path in ("/usr/bin/new", "/new", "/etc/passwd"):
            expect_raises(OSError, partial(sandbox.write, path, b""), f"writing {path}")
        expect_output(sandbox, "chmod 600 unreadable; cat unreadable unwritable", "x\ny\n")


@requirement
def writing_keeps_what_a_file_is(subject: Subject) -> None:
    """Writing to a file keeps its mode, goes through a link to what it leads to, and leaves nothing else behind."""
    with subject.open() as sandbox:
        sandbox.run("mkdir d; echo old >d/script; chmod 755 d/script; ln -s d/script link; echo old >d/ro; chmod 555 d")
        sandbox.write("link", b"#!/bin/sh\necho new\n")
        expect_output(sandbox, "./link; readlink link; stat -c %a d/script", "new\nd/script\n755\n")
        sandbox.write("d/ro", b"in a folder that is closed\n")
        expect_output(sandbox, "cat d/ro; ls -A d; chmod 755 d", "in a folder that is closed\nro\nscript\n")


@requirement
def large_files_are_refused(subject: Subject) -> None:
    """More than `FILE_LIMIT` bytes are neither read nor written, and what there is of them is not lost."""
    with subject.open() as sandbox:
        sandbox.run(f"truncate -s {FILE_LIMIT + 1} large; echo x >file")
        expect_raises(FileTooLargeError, lambda: sandbox.read("large"), f"reading {FILE_LIMIT + 1:,} bytes")
        expect_raises(ValueError, lambda: sandbox.write("file", bytes(FILE_LIMIT + 1)), "writing as many")
        expect_output(sandbox, "cat file; stat -c %s large", f"x\n{FILE_LIMIT + 1}\n")
        sandbox.run(f"truncate -s {FILE_LIMIT} large")
        expect(len(sandbox.read("large")) == FILE_LIMIT, f"exactly {FILE_LIMIT:,} bytes could not be read")
