"""`ShellSandbox`: files and commands through one `ShellSession`, for backends that can start a process 1."""

from __future__ import annotations

import errno
import os
import posixpath
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from shlex import quote

from turnwise.sandboxes import scripts
from turnwise.sandboxes.archives import first_archive, tar_of
from turnwise.sandboxes.base import FILE_LIMIT, MIB, Completed, Files, Sandbox, Spec
from turnwise.sandboxes.errors import FileTooLargeError, SandboxClosedError, SandboxError, SandboxLostError
from turnwise.sandboxes.shell import STDOUT, ShellSession, Transport
from turnwise.sandboxes.tree_digest import TreeDigest

_FILE_SECONDS = 60.0
_TREE_SECONDS = 300.0
_BREAK_OFF_SECONDS = 0.1
_INLINE_BYTES = 16 * 1024
_ARCHIVE_LIMIT = 4096 * MIB
_MESSAGE_LIMIT = 65536
_SOME_FILES = 1000
"""Where more than this must be read, everything is."""
_READY = b"ready"
_CLEAN = "POSIXLY_CORRECT=1\numask 022\nexec -c /bin/bash --norc --noprofile -c"
"""In POSIX mode `exec` cannot be a function, so this leaves all behind that a session has defined."""


class ShellSandbox(Sandbox):
    """What backends share: commands, files, and snapshots by archive. Safe for use by several threads, one at a time.

    A backend defines `isolation`, `fork`, `_start`, which brings up a process 1 that runs `shell.BOOT`, and `_stop`; it
    calls `_open` at the end of its constructor.

    Attributes:
        spec: How it was made.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.limits = spec.limits
        self.workdir = spec.workdir
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._shell: ShellSession | None = None
        self._ended: SandboxError | None = None
        self._session_used = False
        self._tree = TreeDigest()
        self._digest: str | None = None
        self._roots: tuple[str, ...] = (spec.workdir, "/tmp")
        self._apart = tuple(
            path for path in (*spec.mounts, *spec.hide) if any(_inside(root, path) for root in self._roots)
        )

    @abstractmethod
    def _start(self) -> Transport:
        """Bring up process 1, with the work folder as its current folder."""

    @abstractmethod
    def _stop(self) -> None:
        """End all processes and free everything that belongs to this sandbox. May be called when it never started."""

    def _break_off(self) -> None:
        """End all processes while another thread is in the middle of something, so that it fails. Called repeatedly."""

    def _first(self) -> bytes | None:
        """The archive of the first files; None where `_start` provides them, or there are none."""
        return first_archive(self.spec.folder, self.workdir, self._apart)

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
        """Run a bash command to its end, and kill whatever it has left running."""
        timeout = self.limits.timeout if timeout is None else timeout
        if timeout <= 0:
            raise ValueError(f"a timeout must be above 0 seconds, got {timeout}")
        with self._using() as shell:
            self._digest = None
            self._session_used = self._session_used or session
            return shell.run(
                command,
                timeout=timeout,
                output_bytes=self.limits.output_bytes if output_bytes is None else output_bytes,
                session=session,
                cwd=None if cwd is None else posixpath.join(self.workdir, cwd),
                env=env,
                stdin=stdin,
            )

    def read(self, path: str) -> bytes:
        """A file's contents."""
        code, data, _ = self._script(scripts.read(self._absolute(path)), limit=FILE_LIMIT + 2)
        if len(data) > FILE_LIMIT:
            raise FileTooLargeError(errno.EFBIG, f"the file has more than {FILE_LIMIT:,} bytes", path)
        if code != 0:
            raise _file_error(code, path)
        return data

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file."""
        absolute = self._absolute(path)
        if len(data) > FILE_LIMIT:
            raise ValueError(f"at most {FILE_LIMIT:,} bytes can be written to a file, got {len(data):,}")
        self._digest = None
        if len(data) <= _INLINE_BYTES:
            code, _, _ = self._script(scripts.write(absolute, data))
        else:
            code, _, _ = self._script(scripts.write(absolute), stdin=data)
        if code != 0:
            raise _file_error(code, path)

    def digest(self) -> str:
        """16 hex digits of the writable files."""
        with self._using():
            if self._digest is None:
                listing = self._output(lambda opened: scripts.listing(self._roots, self._apart, opened=opened))
                self._digest = self._tree.of(listing, self._contents)
            return self._digest

    def snapshot(self) -> Files:
        """The writable files at this moment."""
        with self._using():
            return Files(self._pack(), self.digest())

    def restore(self, files: Files | None = None) -> None:
        """Replace the writable files, and begin a new shell."""
        archive = self._first() if files is None else files.archive
        with self._using() as shell:
            if not self._refill(shell, archive):
                self._stop()
                self._boot(archive)
            self._digest = None if files is None else files.digest

    def close(self) -> None:
        """End all processes and free everything, at once: a command that another thread waits for is lost.

        In a forked process it does nothing.
        """
        if os.getpid() != self._pid:
            return
        self._ended = self._ended or SandboxClosedError("this sandbox is closed")
        while not self._lock.acquire(timeout=_BREAK_OFF_SECONDS):
            self._break_off()
        try:
            self._shell = None
            self._stop()
        finally:
            self._lock.release()

    def check(self) -> None:
        """Look whether it still lives, without running anything in it.

        Raises:
            SandboxLostError: It is gone.
            SandboxClosedError: It was closed.
        """
        with self._using():
            if self._transport.receive(time.monotonic()) is not None:
                raise SandboxLostError("the sandbox says something that it was not asked")

    # Life

    def _open(self, files: Files | None = None) -> None:
        """Begin, with the first files or with others."""
        try:
            self._boot(self._first() if files is None else files.archive)
        except BaseException:
            self.close()
            raise
        self._digest = None if files is None else files.digest

    def _boot(self, archive: bytes | None) -> None:
        """Start process 1, let it check its image and unpack an archive, and hand it the driver."""
        transport = self._start()
        script = scripts.first_files(len(archive or b""))
        deadline = time.monotonic() + _TREE_SECONDS
        said, message = bytearray(), bytearray()
        try:
            transport.send(script.encode() + b"\0" + (archive or b""), deadline)
            while said != _READY:
                received = transport.receive(deadline)
                if received is None:
                    raise SandboxLostError(f"the sandbox did not begin within {_TREE_SECONDS:.0f} s")
                (said if received[0] == STDOUT else message).extend(received[1])
        except SandboxLostError as error:
            text = message.decode("utf-8", "replace").strip()
            if "Wrote only" in text or "No space left" in text:
                text += f"; the first files do not fit into Limits(disk_bytes={self.limits.disk_bytes})"
            if text:
                raise SandboxError(f"the sandbox cannot begin: {text}") from error
            raise
        self._transport = transport
        self._shell = ShellSession(transport)
        self._session_used = False
        self._tree = TreeDigest()

    def _refill(self, shell: ShellSession, archive: bytes | None) -> bool:
        """Replace the files in place, where that leaves nothing behind and there is room; whether it was done."""
        if archive is None:
            return False
        if self._session_used:
            shell.reset()
            self._session_used = False
        self._tree = TreeDigest()
        code, _, _ = self._script(
            scripts.wipe(self._roots, self._apart) + scripts.unpack(), stdin=archive, timeout=_TREE_SECONDS
        )
        return code == 0

    @contextmanager
    def _using(self) -> Iterator[ShellSession]:
        """The live shell, for one thread at a time. A sandbox that failed, or was left in mid-exchange, is closed."""
        if os.getpid() != self._pid:
            raise SandboxClosedError("this sandbox belongs to the process that opened it, which has forked since")
        with self._lock:
            if self._shell is None or self._ended is not None:
                ended = self._ended or SandboxClosedError("this sandbox is closed")
                raise type(ended)(str(ended))
            try:
                yield self._shell
            except ValueError:  # an argument that was refused before anything was sent
                raise
            except BaseException as error:
                if self._shell is not None:
                    broken = SandboxLostError(f"{type(error).__name__} broke off the exchange with the sandbox")
                    self._ended = self._ended or (error if isinstance(error, SandboxError) else broken)
                    self._shell = None
                    self._stop()
                raise

    # Inside

    def _absolute(self, path: str) -> str:
        if "\0" in path:
            raise ValueError(f"a path cannot hold a NUL character: {path!r}")
        return posixpath.join(self.workdir, path)

    def _script(
        self, script: str, *, stdin: bytes = b"", limit: int = _MESSAGE_LIMIT, timeout: float = _FILE_SECONDS
    ) -> tuple[int, bytes, bytes]:
        """Exit code, output and messages of one of our own scripts."""
        with self._using() as shell:
            # What a session has defined, set or unset must not change what our scripts do.
            command = f"{_CLEAN} {quote(script)} bash" if self._session_used else script
            stdout, stderr, result = shell.run_bytes(command, timeout=timeout, output_bytes=limit, cwd="/", stdin=stdin)
            if result.timed_out:
                raise SandboxLostError(f"the sandbox did not finish its own work on files within {timeout:.0f} s")
            if result.output_truncated and limit != _MESSAGE_LIMIT:
                raise SandboxError(f"the sandbox's files come to more than {limit:,} bytes")
            return result.exit_code, stdout, stderr

    def _output(self, script: Callable[[bool], str]) -> bytes:
        """What a script prints; where something cannot be read, it is opened first."""
        for opened in (False, True):
            code, output, message = self._script(script(opened), limit=_ARCHIVE_LIMIT, timeout=_TREE_SECONDS)
            if code == 0:
                return output
        raise SandboxError(f"the sandbox's files cannot be read: {message.decode('utf-8', 'replace').strip()[-500:]}")

    def _pack(self) -> bytes:
        return self._output(lambda opened: scripts.pack(self._roots, self._apart, opened=opened))

    def _contents(self, names: list[bytes]) -> bytes:
        """A tar with at least the files of these names."""
        if len(names) > _SOME_FILES:
            return tar_of(self._pack())
        return self._output(lambda opened: scripts.pack_some(names, self._roots, self._apart, opened=opened))


def _inside(root: str, path: str) -> bool:
    return posixpath.commonpath([root, path]) == root


def _file_error(code: int, path: str) -> OSError:
    known: dict[int, tuple[type[OSError], int, str]] = {
        scripts.MISSING: (FileNotFoundError, errno.ENOENT, "no such file"),
        scripts.FOLDER: (IsADirectoryError, errno.EISDIR, "is a folder"),
        scripts.FORBIDDEN: (PermissionError, errno.EACCES, "permission denied"),
        scripts.SPECIAL: (OSError, errno.EINVAL, "not a regular file"),
        scripts.NO_FOLDER: (NotADirectoryError, errno.ENOTDIR, "a part of the path is not a folder"),
        scripts.FULL: (OSError, errno.ENOSPC, "no space left for it"),
        28: (OSError, errno.ENOSPC, "no space left to take it in"),
    }
    kind, number, text = known.get(code, (OSError, errno.EIO, f"cannot be used (exit code {code})"))
    return kind(number, text, path)
