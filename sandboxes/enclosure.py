"""`Enclosure`: one running process 1 in its namespaces, and the descriptors through which the host holds it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from turnwise.sandboxes import seccomp, visible
from turnwise.sandboxes.errors import SandboxError, SandboxLostError
from turnwise.sandboxes.launcher import start
from turnwise.sandboxes.shell import STDOUT
from turnwise.sandboxes.streams import PipeTransport

_START_SECONDS = 60.0
_END_SECONDS = 30.0


class NoOverlayError(SandboxError):
    """The work folder cannot be an overlay: its file system, or this kernel, does not allow it. It can be copied."""


class StaleViewError(SandboxError):
    """Something was mounted after the launcher began; a new one sees it."""


class Folders(NamedTuple):
    """Descriptors of a sandbox's writable folders, seen from outside.

    Attributes:
        upper: The upper layer of the work folder.
        tmp: /tmp.
        links: An empty folder on the same file system, for `layers.copy`.
    """

    upper: int
    tmp: int
    links: int


class Enclosure:
    """A running bubblewrap sandbox: nothing of it is left after `end`.

    Args:
        request: What the launcher is asked for; see `visible.request`.
        fill: Fills the writable folders before anything in the sandbox begins.

    Attributes:
        transport: The stream to process 1.
        process: The number of process 1 on this machine.

    Raises:
        SandboxError: It cannot be started; the message says why.
    """

    def __init__(self, request: dict[str, Any], fill: Callable[[Folders], None] | None = None) -> None:
        self._descriptors: list[int] = []
        self._ended = False
        self._ending = threading.Lock()
        self.init = self.outer = -1
        _LIVE.add(self)
        try:
            self._start({**request, "hold": fill is not None}, fill)
        except BaseException:
            self.end()
            raise

    def _start(self, request: dict[str, Any], fill: Callable[[Folders], None] | None) -> None:
        stdin, send = self._keep(*os.pipe2(os.O_CLOEXEC))
        receive, stdout = self._keep(*os.pipe2(os.O_CLOEXEC))
        receive_error, stderr = self._keep(*os.pipe2(os.O_CLOEXEC))
        info, inform = self._keep(*os.pipe2(os.O_CLOEXEC))
        theirs = [stdin, stdout, stderr, inform]
        with (
            _memory_file(seccomp.rules(keep_cores=bool(request["cores"]))) as rules,
            start(request, [*theirs, rules]) as control,
        ):
            self._drop(theirs)
            control.settimeout(_START_SECONDS)
            self.outer, box = self._keep(*_answer(control))
            self._box = box
            if fill is not None:
                with self.folders() as folders:
                    fill(folders)
                control.send(b"+")
            with contextlib.suppress(ConnectionResetError):
                if message := control.recv(1 << 16):
                    _raise(json.loads(message))
            self.transport = PipeTransport(send, receive, receive_error, self.interrupt)
            self.process = _process(info, receive_error)
        try:
            (self.init,) = self._keep(os.pidfd_open(self.process))
        except ProcessLookupError:
            raise SandboxError(f"bwrap failed: {_words(receive_error)}") from None
        self._drop([info])
        _await_shell(self.transport)

    @contextlib.contextmanager
    def folders(self) -> Iterator[Folders]:
        """The writable folders. A sandbox holds one descriptor for all, so that many can be open at once."""
        names = ("upper", "tmp", "links")
        opened = [os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._box) for name in names]
        try:
            yield Folders(*opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def interrupt(self) -> None:
        """Send `shell.INTERRUPT` to process 1."""
        try:
            signal.pidfd_send_signal(self.init, signal.SIGUSR1)
        except ProcessLookupError:
            raise SandboxLostError("the sandbox's process 1 is gone") from None

    def kill(self) -> None:
        """Kill everything in it. Any thread may call this at any time."""
        with self._ending:
            for process in (self.init, self.outer):
                if process >= 0 and not self._ended:
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(process, signal.SIGKILL)

    def end(self) -> None:
        """Kill everything in it, wait until it is gone, and close all descriptors. May be called again."""
        self.kill()
        with self._ending:
            if self._ended:
                return
            self._ended = True
        if self.outer >= 0:
            gone = select.poll()
            gone.register(self.outer, select.POLLIN)
            gone.poll(_END_SECONDS * 1000)
        self._drop(list(self._descriptors))

    def abandon(self) -> None:
        """In a forked child: close the descriptors, for the sandbox belongs to the parent."""
        self._ended = True
        self._drop(list(self._descriptors))

    def _keep(self, *descriptors: int) -> tuple[int, ...]:
        self._descriptors += descriptors
        return descriptors

    def _drop(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            self._descriptors.remove(descriptor)
            os.close(descriptor)


_LIVE: weakref.WeakSet[Enclosure] = weakref.WeakSet()


def _abandon_all() -> None:
    for enclosure in list(_LIVE):
        enclosure.abandon()


os.register_at_fork(after_in_child=_abandon_all)


@contextlib.contextmanager
def _memory_file(data: bytes | None) -> Iterator[int]:
    descriptor = os.memfd_create("rules", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data or b"")
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _answer(control: socket.socket) -> list[int]:
    """The descriptors that the child hands back."""
    try:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 8, socket.MSG_CMSG_CLOEXEC)
    except OSError as error:
        raise SandboxError(f"the sandbox launcher did not answer: {error}") from error
    if not message:
        raise SandboxError("the sandbox launcher ended while it was starting a sandbox")
    answer = json.loads(message)
    if "error" in answer:
        _raise(answer)
    return descriptors


def _raise(answer: dict[str, Any]) -> NoReturn:
    kinds: dict[str, type[SandboxError]] = {"NoOverlayError": NoOverlayError, "StaleViewError": StaleViewError}
    kind = kinds.get(answer["kind"], SandboxError)
    raise kind(f"the sandbox could not be prepared: {answer['error']}")


def _process(info: int, stderr: int) -> int:
    """The number of process 1, as bwrap tells it."""
    deadline = time.monotonic() + _START_SECONDS
    told = b""
    readable = select.poll()
    readable.register(info, select.POLLIN)
    while time.monotonic() < deadline:
        readable.poll(max(0.0, deadline - time.monotonic()) * 1000)
        part = os.read(info, 4096)
        told += part
        with contextlib.suppress(json.JSONDecodeError):
            return int(json.loads(told)["child-pid"])
        if not part:
            raise SandboxError(f"bwrap failed: {_words(stderr)}")
    raise SandboxError("bwrap did not start the sandbox in time")


def _await_shell(transport: PipeTransport) -> None:
    """Wait until process 1 says that it is there; until then, bwrap may still fail."""
    deadline = time.monotonic() + _START_SECONDS
    words = b""
    try:
        while (received := transport.receive(deadline)) != (STDOUT, visible.READY):
            if received is None:
                raise SandboxError(f"the sandbox's shell did not begin within {_START_SECONDS:.0f} s")
            words += received[1]
    except SandboxLostError as error:
        raise SandboxError(f"bwrap failed: {words.decode('utf-8', 'replace').strip()}") from error


def _words(stderr: int) -> str:
    readable = select.poll()
    readable.register(stderr, select.POLLIN)
    return os.read(stderr, 4096).decode("utf-8", "replace").strip() if readable.poll(1000) else "it said nothing"
