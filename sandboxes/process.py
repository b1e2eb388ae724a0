"""`ProcessSandbox`: plain processes in a temporary folder. It isolates nothing, and must be asked for by name."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import posixpath
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import IO

from turnwise.sandboxes.base import FILE_LIMIT, OUTPUT_KILL_FACTOR, Completed, Files, Isolation, Sandbox, Spec
from turnwise.sandboxes.errors import FileTooLargeError, SandboxClosedError, SandboxUnavailableError

_NOTES = ("commands run as you, with your files and your network", "limits other than time and output are not kept")
_POLL_SECONDS = 0.02
_ARGUMENT_LIMIT = 20_000
"""Characters; Linux takes 131,072 bytes in one argument."""


class ProcessSandbox(Sandbox):
    """Runs each command as a process of this user, in a temporary folder that is removed in the end.

    For machines without Docker and bubblewrap, and for code that you trust. `workdir` is the temporary folder's path,
    whatever the `Spec` says, so outputs that name it differ from run to run. A process that leaves its process group
    is not found again.

    Raises:
        SandboxUnavailableError: There is no bash.
        ValueError: The `Spec` asks for an image, mounts or hidden folders, which need a sandbox.
    """

    backend = "process"

    def __init__(self, spec: Spec) -> None:
        if spec.image is not None or spec.mounts or spec.hide:
            raise ValueError("the process sandbox shows this machine as it is: image, mounts and hide need another one")
        self._bash = shutil.which("bash") or ""
        if not self._bash:
            raise SandboxUnavailableError("the process sandbox needs bash, which is not on the path")
        self.spec = spec
        self.limits = spec.limits
        self._root = Path(tempfile.mkdtemp(prefix="turnwise-process-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._root, ignore_errors=True)
        self._work, self._tmp, self._state = self._root / "work", self._root / "tmp", self._root / "shell"
        self.workdir = str(self._work)
        self._fill()

    @property
    def isolation(self) -> Isolation:
        """Nothing is enforced."""
        return Isolation("process", False, False, False, False, "none", "none", "none", "none", _NOTES)

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
        """Run a bash command, then kill what is left of its process group."""
        self._check_open()
        if session and (cwd is not None or env):
            raise ValueError("cwd and env do not go with session=True: the shell keeps its own")
        if "\0" in command:
            raise ValueError("a command, folder or variable cannot hold a NUL character")
        source = self._in_session(command) if session else command
        if len(source) > _ARGUMENT_LIMIT:
            script = self._state / "command"
            script.write_text(source, encoding="utf-8", errors="surrogatepass")
            source = f'eval "$(<{quote(str(script))})"'
        folder = posixpath.join(self.workdir, cwd or "")
        if not os.path.isdir(folder):
            return Completed(126, stderr=f"bash: line 1: cd: {folder}: No such file or directory\n")
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            started = time.monotonic()
            process = subprocess.Popen(
                [self._bash, "--norc", "--noprofile", "-c", source, "bash"],
                stdin=given, stdout=out, stderr=err, cwd=folder, env=self._environment(env), start_new_session=True,
            )  # fmt: skip
            limit = output_bytes or self.limits.output_bytes
            try:
                timed_out = _await(process, started + (timeout or self.limits.timeout), (out, err), limit)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            seconds = time.monotonic() - started
            texts, cut = zip(*(_beginning(stream, limit) for stream in (out, err)), strict=True)
        return Completed(code if code >= 0 else 128 - code, texts[0], texts[1], seconds, timed_out, any(cut))

    def read(self, path: str) -> bytes:
        """A file's contents."""
        file = self._path(path)
        if file.exists() and not file.is_file() and not file.is_dir():
            raise OSError(errno.EINVAL, "not a regular file", path)
        with file.open("rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise FileTooLargeError(errno.EFBIG, f"the file has more than {FILE_LIMIT:,} bytes", path)
        return data

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file."""
        if len(data) > FILE_LIMIT:
            raise ValueError(f"at most {FILE_LIMIT:,} bytes can be written to a file, got {len(data):,}")
        file = self._path(path)
        if file.exists() and not file.is_file() and not file.is_dir():
            raise OSError(errno.EINVAL, "not a regular file", path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "a part of the path is not a folder", path) from error
        file.write_bytes(data)

    def digest(self) -> str:
        """16 hex digits of the files in both folders."""
        self._check_open()
        digest = hashlib.blake2b(digest_size=8)
        for folder in (self._work, self._tmp):
            for file in sorted(folder.rglob("*")):
                executable = int(os.lstat(file).st_mode & 0o100 != 0)
                kind = "link " + os.readlink(file) if file.is_symlink() else "folder" if file.is_dir() else "file"
                name = file.relative_to(self._root).as_posix()
                digest.update(f"{name}\0{kind}\0{executable}\0".encode("utf-8", "surrogateescape"))
                if kind == "file":
                    digest.update(hashlib.blake2b(file.read_bytes()).digest())
        return digest.hexdigest()

    def snapshot(self) -> Files:
        """The files of both folders."""
        digest, buffer = self.digest(), io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(self._work, "work")
            archive.add(self._tmp, "tmp")
        return Files(buffer.getvalue(), digest)

    def restore(self, files: Files | None = None) -> None:
        """Replace the files."""
        self._check_open()
        for folder in (self._work, self._tmp, self._state):
            shutil.rmtree(folder, ignore_errors=True)
        if files is None:
            self._fill()
            return
        with tarfile.open(fileobj=io.BytesIO(files.archive)) as archive:
            # Links may point anywhere: they are the command's own, and it could have followed them itself.
            archive.extractall(self._root, filter="fully_trusted")
        self._state.mkdir()

    def fork(self) -> ProcessSandbox:
        """A new temporary folder with the same files."""
        files = self.snapshot()
        twin = ProcessSandbox(self.spec)
        twin.restore(files)
        return twin

    def close(self) -> None:
        """Remove the temporary folder."""
        self._remove()

    # Inside

    def _fill(self) -> None:
        if self.spec.folder is None:
            self._work.mkdir()
        else:
            shutil.copytree(self.spec.folder, self._work, symlinks=True)
        self._tmp.mkdir()
        self._state.mkdir()

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        for name in extra or {}:
            if not (name.isidentifier() and name.isascii()):
                raise ValueError(f"no name for an environment variable: {name!r}")
        path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
        base = {"PATH": path, "HOME": self.workdir, "LANG": "C.UTF-8", "TMPDIR": str(self._tmp)}
        return {**base, **self.spec.env, **(extra or {})}

    def _in_session(self, command: str) -> str:
        """The command between two lines that take up and keep the shell's variables, functions and folder."""
        kept = quote(str(self._state / "kept"))
        keep = f"{{ declare -p; declare -f; printf 'cd -- %q\\n' \"$PWD\"; }} >{kept}.part && mv -f {kept}.part {kept}"
        return f"[[ -e {kept} ]] && source {kept} 2>/dev/null\neval {quote(command)}\nset -- $?\n{keep}\nexit $1"

    def _path(self, path: str) -> Path:
        self._check_open()
        if "\0" in path:
            raise ValueError(f"a path cannot hold a NUL character: {path!r}")
        return Path(posixpath.join(self.workdir, path))

    def _check_open(self) -> None:
        if not self._remove.alive:
            raise SandboxClosedError("this sandbox is closed")


def _await(process: subprocess.Popen[bytes], deadline: float, streams: tuple[IO[bytes], IO[bytes]], limit: int) -> bool:
    """Wait for a process to end, and say whether it ran out of time. Returns early when it floods a stream."""
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            return False
        if max(os.fstat(stream.fileno()).st_size for stream in streams) > limit * OUTPUT_KILL_FACTOR:
            return False
    return process.poll() is None


def _beginning(stream: IO[bytes], limit: int) -> tuple[str, bool]:
    size = os.fstat(stream.fileno()).st_size
    return os.pread(stream.fileno(), limit, 0).decode("utf-8", "replace"), size > limit
