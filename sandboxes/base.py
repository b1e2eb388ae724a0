"""The interface of every sandbox: `Sandbox`, what it returns, what limits it keeps, and what it really enforces."""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, TypeAlias

from turnwise.sandboxes.errors import CommandFailedError, CommandTimeoutError, IsolationError

MIB = 1024 * 1024

OUTPUT_LIMIT = 1 * MIB
"""Default number of bytes kept of each of stdout and stderr."""
FILE_LIMIT = 64 * MIB
"""Most bytes that `read` returns and `write` takes."""
OUTPUT_KILL_FACTOR = 64
"""A command that prints this many times its output limit is killed."""

Enforcement: TypeAlias = Literal["sandbox", "process", "none"]
"""How a limit holds: for the sandbox as a whole, only for each process by itself, or not at all."""


@dataclass(frozen=True, slots=True)
class Completed:
    r"""What a command did.

    Attributes:
        exit_code: 0 to 255; 128 + n where signal n ended it (137 where it was killed).
        stdout: What it printed, up to the output limit; bytes that are no UTF-8 are replaced.
        stderr: The same of its error stream.
        seconds: Wall-clock time. Not for observations: it differs from run to run.
        timed_out: It ran out of time and was killed, with all that it had started.
        output_truncated: It printed more than the limit; the rest is lost.

    >>> Completed(0, "hi\n").check().stdout
    'hi\n'
    """

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    timed_out: bool = False
    output_truncated: bool = False

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0 and not self.timed_out

    def check(self) -> Completed:
        """Itself, if the command succeeded.

        Raises:
            CommandTimeoutError: It ran out of time.
            CommandFailedError: Its exit code is not 0; the message ends with its last words.
        """
        last_words = (self.stderr.strip() or self.stdout.strip())[-500:]
        if self.timed_out:
            raise CommandTimeoutError(f"the command ran out of time after {self.seconds:.1f} s: {last_words}", self)
        if self.exit_code != 0:
            raise CommandFailedError(f"the command failed with exit code {self.exit_code}: {last_words}", self)
        return self


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sandbox may use. None means no limit, and then none is asked of the backend.

    Attributes:
        memory_bytes: Memory of all its processes together; what goes beyond is killed.
        cpus: CPU cores' worth of time.
        processes: Processes and threads at any one time.
        disk_bytes: What its writable folders hold together.
        output_bytes: What is kept of each of a command's stdout and stderr.
        timeout: Default seconds for one command.

    >>> Limits(cpus=0.5).memory_bytes // 2**20
    1024
    """

    memory_bytes: int | None = 1024 * MIB
    cpus: float | None = 1.0
    processes: int | None = 256
    disk_bytes: int | None = 512 * MIB
    output_bytes: int = OUTPUT_LIMIT
    timeout: float = 60.0

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if value is not None and value <= 0:
                raise ValueError(f"Limits.{limit.name} must be above 0, got {value}")


@dataclass(frozen=True, slots=True)
class Spec:
    """How a sandbox is to be made; the same for every backend.

    Attributes:
        image: docker: an image's name. bubblewrap: a folder that holds a root file system, or None for a read-only
            view of this machine's own /usr. Others: None.
        folder: A folder of this machine with what the work folder holds at first. It is read, never written.
        limits: What the sandbox may use.
        network: Whether it may reach the network.
        env: Environment variables of every command, beside HOME, PATH, LANG and TMPDIR.
        mounts: Folders and files of this machine to be seen, read-only: absolute path inside -> path here.
        hide: Absolute paths of folders inside that are to be empty.
        workdir: The work folder's absolute path.
    """

    image: str | None = None
    folder: Path | None = None
    limits: Limits = field(default_factory=Limits)
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    mounts: Mapping[str, Path] = field(default_factory=dict, hash=False)
    hide: tuple[str, ...] = ()
    workdir: str = "/work"

    def __post_init__(self) -> None:
        for path in (self.workdir, *self.mounts, *self.hide):
            if not path.startswith("/") or posixpath.normpath(path) != path or path == "/":
                raise ValueError(f"a path inside a sandbox must be absolute, normal and not /: got {path!r}")
        for source in (*([self.folder] if self.folder else []), *self.mounts.values()):
            if not source.exists():
                raise FileNotFoundError(f"no such file or folder to show in the sandbox: {str(source)!r}")


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a sandbox really enforces.

    Attributes:
        backend: `docker`, `bubblewrap`, `process` or `fake`.
        network: No address can be reached, but for the sandbox's own loopback.
        filesystem: Only the work folder and /tmp can be written, and no file of the host that was not given is seen.
        processes: Processes outside are neither seen nor signalled, and none outlives the sandbox.
        user: Commands run without root's powers, and cannot gain any.
        memory, cpus, pids, disk: How each of the `Limits` holds.
        notes: What a reader should know beside that, for example why a limit holds only for each process.
    """

    backend: str
    network: bool
    filesystem: bool
    processes: bool
    user: bool
    memory: Enforcement
    cpus: Enforcement
    pids: Enforcement
    disk: Enforcement
    notes: tuple[str, ...] = ()

    def lacks(self, require: Sequence[str]) -> list[str]:
        """Which of the named things are not enforced, or only for each process.

        Raises:
            ValueError: A name is unknown.

        >>> Isolation("process", False, False, False, False, "none", "none", "none", "none").lacks(["network"])
        ['network']
        """
        if unknown := [name for name in require if name not in ISOLATION_NAMES]:
            raise ValueError(f"unknown isolation {unknown}; known: {list(ISOLATION_NAMES)}")
        return [name for name in require if getattr(self, name) not in (True, "sandbox")]

    def check(self, require: Sequence[str], limits: Limits) -> None:
        """Refuse where less is enforced than was asked for.

        Args:
            require: Names that must hold for the sandbox as a whole.
            limits: Each limit that is set must hold at least for each process.

        Raises:
            IsolationError: The message names what is lacking, and how to do without.
        """
        lacking = self.lacks(require)
        asked = [name for name, limit in _LIMITED_BY.items() if getattr(limits, limit) is not None]
        unlimited = [name for name in asked if getattr(self, name) == "none"]
        if not lacking and not unlimited:
            return
        parts = []
        if lacking:
            parts.append(f"it does not enforce {lacking}, which `require` asks for")
        if unlimited:
            unset = ", ".join(f"{_LIMITED_BY[name]}=None" for name in unlimited)
            parts.append(f"it cannot limit {unlimited} (Limits({unset}) does without)")
        notes = f" Notes: {'; '.join(self.notes)}." if self.notes else ""
        raise IsolationError(f"the {self.backend} sandbox gives too little here: {'; '.join(parts)}.{notes}")


_LIMITED_BY = {"memory": "memory_bytes", "cpus": "cpus", "pids": "processes", "disk": "disk_bytes"}
ISOLATION_NAMES = ("network", "filesystem", "processes", "user", "memory", "cpus", "pids", "disk")
DEFAULT_REQUIRE = ("network", "filesystem", "processes", "user")
"""What `open_sandbox` asks of every backend but `process`, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Files:
    """The writable files of a sandbox at one moment. Picklable; good for any sandbox of the same backend and `Spec`.

    Attributes:
        archive: The backend's own form of them: modes, times of change and links are kept, owners are not.
        digest: What `Sandbox.digest` gave at that moment.
    """

    archive: bytes
    digest: str


class Sandbox(ABC):
    """A place where untrusted commands run. Nothing that runs in it outlives `close`.

    Commands run in one long-lived bash over one stream, so a trivial one takes microseconds. What a command leaves
    running is killed when it ends: between two commands, a sandbox is nothing but its files and its shell.

    The files are a read-only root, and two writable places that share the disk limit: the work folder, where commands
    begin, and /tmp. Use it as a context manager, or call `close`.

    Attributes:
        workdir: The absolute path of the work folder inside the sandbox.
        limits: What it may use.
    """

    backend: ClassVar[str]
    workdir: str
    limits: Limits

    @property
    @abstractmethod
    def isolation(self) -> Isolation:
        """What is really enforced."""

    @abstractmethod
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
        """Run a bash command to its end, and kill whatever it has left running.

        Args:
            command: Bash source, of any number of lines.
            timeout: Seconds; default `limits.timeout`. When they are over, all of the sandbox's processes are killed.
            session: False: the command runs in a subshell that begins in the work folder, and only files outlive it.
                True: it runs in the sandbox's shell itself, where `cd`, variables and functions last until a command
                exits the shell or runs out of time; then a new shell begins. Without a fork it is ten times faster.
            cwd: Folder to begin in, absolute or relative to the work folder. Not with `session`.
            env: Variables to add. Not with `session`.
            stdin: What the command can read; without it, standard input is empty.
            output_bytes: What is kept of each stream; default `limits.output_bytes`. A command that prints
                `OUTPUT_KILL_FACTOR` times as much is killed.

        Raises:
            ValueError: The command holds a NUL character, or an argument does not go with `session`.
            SandboxError: The sandbox itself failed.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """A file's contents, as the sandbox's user may read it.

        Args:
            path: Absolute or relative to the work folder. At most `FILE_LIMIT` bytes.

        Raises:
            FileNotFoundError, PermissionError, IsADirectoryError, FileTooLargeError: It cannot be read.
            SandboxError: The sandbox itself failed.
        """

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file, as the sandbox's user may write it; missing folders are made.

        Args:
            path: Absolute or relative to the work folder.
            data: At most `FILE_LIMIT` bytes.

        Raises:
            PermissionError, IsADirectoryError, NotADirectoryError, OSError: It cannot be written (OSError: disk full).
            ValueError: The data is too large, or the path holds a NUL character.
            SandboxError: The sandbox itself failed.
        """

    @abstractmethod
    def digest(self) -> str:
        """16 hex digits of the writable files: paths, types, modes of execution, link targets and contents.

        Equal for equal files, whatever led to them; times and owners do not count. Compare it within one backend only.
        """

    @abstractmethod
    def snapshot(self) -> Files:
        """The work folder's and /tmp's files at this moment. The shell's variables are not part of it."""

    @abstractmethod
    def restore(self, files: Files | None = None) -> None:
        """Replace the writable files, and begin a new shell.

        Args:
            files: A snapshot, of this sandbox or of another of the same backend and `Spec`. None: the files with which
                this sandbox was opened.

        Raises:
            SandboxError: The sandbox itself failed; it is closed then, for its files may be half replaced.
        """

    @abstractmethod
    def fork(self) -> Sandbox:
        """A new, independent sandbox with the same files; both go on from here."""

    @abstractmethod
    def close(self) -> None:
        """End all processes and free everything. May be called again."""

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
