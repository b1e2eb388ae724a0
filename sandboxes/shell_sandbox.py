"""`ShellSandbox`: files and commands through one `ShellSession`, for backends that can start a process 1."""

from __future__ import annotations

import errno
import posixpath
import threading
from abc import abstractmethod
from collections.abc import Mapping
from shlex import quote

from turnwise.sandboxes.archives import tree_digest
from turnwise.sandboxes.base import FILE_LIMIT, MIB, Completed, Files, Sandbox, Spec
from turnwise.sandboxes.errors import FileTooLargeError, SandboxClosedError, SandboxError, SandboxLostError
from turnwise.sandboxes.shell import ShellSession, Transport

_FILE_SECONDS = 60.0
_ARCHIVE_LIMIT = 2048 * MIB
_WORK, _TMP = "work", "tmp"

# Exit codes of the scripts below, and what they mean. They begin where neither bash nor coreutils have their own.
_MISSING, _FOLDER, _FORBIDDEN, _SPECIAL, _NO_FOLDER, _FULL = range(71, 77)

_READ = f"""
[[ -e $path ]] || {{ [[ -x $(dirname -- "$path") ]] || exit {_FORBIDDEN}; exit {_MISSING}; }}
[[ ! -d $path ]] || exit {_FOLDER}
[[ -f $path ]] || exit {_SPECIAL}
[[ -r $path ]] || exit {_FORBIDDEN}
exec cat -- "$path"
"""
# A new file takes the old one's place whole, so that a full disk loses nothing; where its folder is closed but the file
# itself is open, it is written in place.
_WRITE = f"""
[[ ! -d $path ]] || exit {_FOLDER}
[[ ! -e $path || -f $path ]] || exit {_SPECIAL}
path=$(realpath -m -- "$path") && folder=$(dirname -- "$path")
mkdir -p -- "$folder" 2>/dev/null || {{
  while [[ ! -e $folder ]]; do folder=$(dirname -- "$folder"); done
  [[ -d $folder ]] || exit {_NO_FOLDER}
  [[ -w $folder ]] || exit {_FORBIDDEN}
  exit {_FULL}
}}
[[ ! -e $path || -w $path ]] || exit {_FORBIDDEN}
if [[ -w $folder ]]; then
  part=$folder/.part-$$
  cat >"$part" && {{ [[ ! -e $path ]] || chmod --reference="$path" -- "$part"; }} && mv -fT -- "$part" "$path" && exit 0
  rm -f -- "$part"
  exit {_FULL}
fi
[[ -e $path ]] || exit {_FORBIDDEN}
cat >"$path" || exit {_FULL}
"""
_PACK = """
tar --create --sort=name --format=posix --numeric-owner --directory="$WORK" --file=- . &&
tar --create --sort=name --format=posix --numeric-owner --directory=/tmp --exclude='./.stdin-*' --file=- .
"""
_WIPE = """
chmod -R u+rwX "$folder" 2>/dev/null
find "$folder" -mindepth 1 -delete
"""


class ShellSandbox(Sandbox):
    """What backends share: commands, files, and snapshots by archive. Safe for use by several threads, one at a time.

    A backend defines `_start`, which brings up a process 1 that runs `shell.BOOT`, `_stop`, `_new` and `isolation`.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.limits = spec.limits
        self.workdir = spec.workdir
        self._lock = threading.RLock()
        self._shell: ShellSession | None = None
        self._ended: SandboxError | None = None

    @abstractmethod
    def _start(self) -> Transport:
        """Bring up process 1, with the work folder as its current folder and its first files in it."""

    @abstractmethod
    def _stop(self) -> None:
        """End all processes and free everything that belongs to this sandbox. May be called when it never started."""

    @abstractmethod
    def _new(self) -> ShellSandbox:
        """Another sandbox of the same `Spec`, open and with its first files."""

    def _open(self) -> None:
        """Begin: call it at the end of a backend's constructor."""
        try:
            self._shell = ShellSession(self._start(), self.workdir)
        except BaseException:
            self._stop()
            raise

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
        with self._lock:
            try:
                return self._live().run(
                    command,
                    timeout=timeout or self.limits.timeout,
                    output_bytes=output_bytes or self.limits.output_bytes,
                    session=session,
                    cwd=None if cwd is None else posixpath.join(self.workdir, cwd),
                    env=env,
                    stdin=stdin,
                )
            except SandboxError as error:
                self._fail(error)
                raise

    def read(self, path: str) -> bytes:
        """A file's contents."""
        code, data, _ = self._script(_READ, path, limit=FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise FileTooLargeError(errno.EFBIG, f"the file has more than {FILE_LIMIT:,} bytes", path)
        if code != 0:
            raise _file_error(code, path)
        return data

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file."""
        if len(data) > FILE_LIMIT:
            raise ValueError(f"at most {FILE_LIMIT:,} bytes can be written to a file, got {len(data):,}")
        code, _, _ = self._script(_WRITE if data else _WRITE.replace("cat >", ": >"), path, stdin=data)
        if code != 0:
            raise _file_error(code, path)

    def digest(self) -> str:
        """16 hex digits of the writable files."""
        return tree_digest(self._pack())

    def snapshot(self) -> Files:
        """The writable files at this moment."""
        archive = self._pack()
        return Files(archive, tree_digest(archive))

    def restore(self, files: Files | None = None) -> None:
        """Replace the writable files, and begin a new shell."""
        with self._lock:
            self._live()
            try:
                self._stop()
                self._shell = ShellSession(self._start(), self.workdir)
                if files is not None:
                    self._unpack(files.archive)
            except SandboxError as error:
                self._fail(error)
                raise

    def fork(self) -> Sandbox:
        """A new, independent sandbox with the same files."""
        with self._lock:
            archive = self._pack()
            twin = self._new()
            try:
                twin._unpack(archive)
            except BaseException:
                twin.close()
                raise
            return twin

    def close(self) -> None:
        """End all processes and free everything."""
        with self._lock:
            self._shell = None
            self._ended = self._ended or SandboxClosedError("this sandbox is closed")
            self._stop()

    # Inside

    def _live(self) -> ShellSession:
        if self._shell is None:
            raise self._ended or SandboxClosedError("this sandbox is closed")
        return self._shell

    def _fail(self, error: SandboxError) -> None:
        """A sandbox that failed once is never used again: nobody knows what state it is in."""
        if self._ended is None:
            self._ended = error
            self._shell = None
            self._stop()

    def _script(
        self, script: str, path: str, *, stdin: bytes = b"", limit: int = 65536, timeout: float = _FILE_SECONDS
    ) -> tuple[int, bytes, bytes]:
        if "\\0" in path:
            raise ValueError(f"a path cannot hold a NUL character: {path!r}")
        command = f"path={quote(posixpath.join(self.workdir, path))}\\n{script}"
        with self._lock:
            try:
                stdout, stderr, result = self._live().run_bytes(
                    command, timeout=timeout, output_bytes=limit, stdin=stdin
                )
            except SandboxError as error:
                self._fail(error)
                raise
        if result.timed_out:
            raise TimeoutError(errno.ETIMEDOUT, f"the sandbox did not finish within {timeout:.0f} s", path)
        return result.exit_code, stdout, stderr

    def _pack(self) -> bytes:
        code, data, message = self._script(f"WORK={quote(self.workdir)}{_PACK}", self.workdir, limit=_ARCHIVE_LIMIT)
        if code != 0:
            raise SandboxError(f"the files could not be read: {message.decode('utf-8', 'replace').strip()[-300:]}")
        return data

    def _unpack(self, archive: bytes) -> None:
        raise NotImplementedError


def _file_error(code: int, path: str) -> OSError:
    known: dict[int, tuple[type[OSError], int, str]] = {
        _MISSING: (FileNotFoundError, errno.ENOENT, "no such file"),
        _FOLDER: (IsADirectoryError, errno.EISDIR, "is a folder"),
        _FORBIDDEN: (PermissionError, errno.EACCES, "permission denied"),
        _SPECIAL: (OSError, errno.EINVAL, "not a regular file"),
        _NO_FOLDER: (NotADirectoryError, errno.ENOTDIR, "a part of the path is not a folder"),
        _FULL: (OSError, errno.ENOSPC, "no space left for it"),
    }
    kind, number, text = known.get(code, (OSError, errno.EIO, f"cannot be used (exit code {code})"))
    return kind(number, text, path)
