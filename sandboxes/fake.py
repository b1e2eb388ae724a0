"""`FakeSandbox`: a sandbox in memory, for tests of what uses one. Commands are looked up, not run."""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import pickle
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from turnwise.sandboxes.base import FILE_LIMIT, Completed, Files, Isolation, Sandbox, Spec
from turnwise.sandboxes.errors import FileTooLargeError, SandboxClosedError, SandboxError

Reply: TypeAlias = "str | Completed | SandboxError | Callable[[FakeSandbox, str, bytes], str | Completed]"
"""What a command comes to: its output, a whole `Completed`, a fault to raise, or a function of the sandbox, the command
and its standard input that gives one of the first two."""


class FakeSandbox(Sandbox):
    """Files in a dictionary, and commands with answers that were written beforehand.

    An episode against it takes no process, no daemon and no time, and every fault can be played.

    Args:
        spec: As for a real sandbox; files of `folder` are read, mounts are seen, limits are not kept.
        commands: Regular expressions that match a whole command, tried in order -> `Reply`. A command that none
            matches is not found: exit code 127.

    Attributes:
        files: Absolute path -> contents; may be read and changed by a test.
        ran: Every command so far.

    >>> with FakeSandbox(commands={"echo (.*)": lambda sandbox, command, stdin: command[5:]}) as sandbox:
    ...     sandbox.write("a.txt", b"x = 1")
    ...     sandbox.run("echo hi").stdout, sandbox.run("nonsense").exit_code, sandbox.read("/work/a.txt")
    ('hi', 127, b'x = 1')
    """

    backend = "fake"

    def __init__(self, spec: Spec | None = None, commands: Mapping[str, Reply] | None = None) -> None:
        self.spec = spec or Spec()
        self.limits = self.spec.limits
        self.workdir = self.spec.workdir
        self.commands = dict(commands or {})
        self.ran: list[str] = []
        self._first = _read_folder(self.spec.folder, self.workdir)
        self._mounted = {
            path: data
            for inside, source in self.spec.mounts.items()
            for path, data in _read_folder(source, inside).items()
        }
        self.files: dict[str, bytes] = dict(self._first)
        self._closed = False

    @property
    def isolation(self) -> Isolation:
        """Nothing runs, so nothing can reach anything."""
        return Isolation("fake", True, True, True, True, "sandbox", "sandbox", "sandbox", "sandbox")

    def run(
        self,
        command: str,
        timeout: float | None = None,
        *,
        session: bool = False,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        output_bytes: int | None = None,
    ) -> Completed:
        """Look the command up."""
        self._check_open()
        if "\0" in command:
            raise ValueError("a command, folder or variable cannot hold a NUL character")
        if session and (cwd is not None or env):
            raise ValueError("cwd and env do not go with session=True: the shell keeps its own")
        self.ran.append(command)
        for pattern, reply in self.commands.items():
            if re.fullmatch(pattern, command, flags=re.DOTALL):
                return self._completed(reply, command, stdin, output_bytes or self.limits.output_bytes)
        words = command.split(maxsplit=1)
        return Completed(127, stderr=f"bash: line 1: {words[0] if words else ''}: command not found\n")

    def read(self, path: str) -> bytes:
        """A file's contents."""
        self._check_open()
        absolute = self._absolute(path)
        files = {**self._mounted, **self.files}
        if absolute in files:
            if len(files[absolute]) > FILE_LIMIT:
                raise FileTooLargeError(errno.EFBIG, f"the file has more than {FILE_LIMIT:,} bytes", path)
            return files[absolute]
        if absolute in ("/", self.workdir, "/tmp") or any(known.startswith(absolute + "/") for known in files):
            raise IsADirectoryError(errno.EISDIR, "is a folder", path)
        raise FileNotFoundError(errno.ENOENT, "no such file", path)

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file."""
        self._check_open()
        if len(data) > FILE_LIMIT:
            raise ValueError(f"at most {FILE_LIMIT:,} bytes can be written to a file, got {len(data):,}")
        absolute = self._absolute(path)
        if absolute in (self.workdir, "/tmp") or any(known.startswith(absolute + "/") for known in self.files):
            raise IsADirectoryError(errno.EISDIR, "is a folder", path)
        if any(absolute.startswith(known + "/") for known in self.files):
            raise NotADirectoryError(errno.ENOTDIR, "a part of the path is not a folder", path)
        if not absolute.startswith((self.workdir + "/", "/tmp/")):
            raise PermissionError(errno.EACCES, "permission denied", path)
        self.files[absolute] = bytes(data)

    def digest(self) -> str:
        """16 hex digits of paths and contents."""
        self._check_open()
        digest = hashlib.blake2b(digest_size=8)
        for path, data in sorted(self.files.items()):
            digest.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
        return digest.hexdigest()

    def snapshot(self) -> Files:
        """The files at this moment."""
        return Files(pickle.dumps(self.files), self.digest())

    def restore(self, files: Files | None = None) -> None:
        """Replace the files."""
        self._check_open()
        self.files = dict(self._first) if files is None else pickle.loads(files.archive)

    def fork(self) -> FakeSandbox:
        """A new fake with the same files and answers."""
        self._check_open()
        twin = FakeSandbox(self.spec, self.commands)
        twin.files = dict(self.files)
        return twin

    def close(self) -> None:
        """Forget the files."""
        self._closed = True
        self.files = {}

    def matching(self, pattern: str) -> list[str]:
        """Paths of the files that match a shell pattern, sorted; for use in replies."""
        return sorted(fnmatch.filter(self.files, pattern))

    def _completed(self, reply: Reply, command: str, stdin: bytes, limit: int) -> Completed:
        if callable(reply):
            reply = reply(self, command, stdin)
        if isinstance(reply, SandboxError):
            self.close()
            raise reply
        result = Completed(0, reply) if isinstance(reply, str) else reply
        if len(result.stdout) <= limit:
            return result
        return Completed(result.exit_code, result.stdout[:limit], result.stderr, result.seconds, result.timed_out, True)

    def _absolute(self, path: str) -> str:
        if "\0" in path:
            raise ValueError(f"a path cannot hold a NUL character: {path!r}")
        return posixpath.normpath(posixpath.join(self.workdir, path))

    def _check_open(self) -> None:
        if self._closed:
            raise SandboxClosedError("this sandbox is closed")


def _read_folder(source: Path | None, inside: str) -> dict[str, bytes]:
    if source is None:
        return {}
    if source.is_file():
        return {inside: source.read_bytes()}
    files = sorted(path for path in source.rglob("*") if path.is_file())
    return {posixpath.join(inside, path.relative_to(source).as_posix()): path.read_bytes() for path in files}
