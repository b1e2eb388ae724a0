"""`PipeTransport`: process 1 as a child whose three standard streams are pipes of this process."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable

from turnwise.sandboxes.errors import SandboxLostError
from turnwise.sandboxes.shell import STDERR, STDOUT

_CHUNK = 1 << 16


class PipeTransport:
    """A `Transport` over three pipes.

    Args:
        stdin: File descriptor to write to; made non-blocking.
        stdout, stderr: File descriptors to read from.
        interrupt: Sends `INTERRUPT` to process 1.
    """

    def __init__(self, stdin: int, stdout: int, stderr: int, interrupt: Callable[[], None]) -> None:
        self._stdin = stdin
        self._streams = {stdout: STDOUT, stderr: STDERR}
        self.interrupt = interrupt
        os.set_blocking(stdin, False)
        self._readable = select.poll()
        for stream in self._streams:
            self._readable.register(stream, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(stdin, select.POLLOUT)

    def send(self, data: bytes, deadline: float) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BlockingIOError:
                if not self._writable.poll(_milliseconds(deadline)):
                    raise SandboxLostError("the sandbox's shell does not read its input") from None
            except OSError as error:
                raise SandboxLostError(f"the sandbox's shell is gone: {error.strerror}") from error

    def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """Some bytes of either stream, or None at the deadline."""
        for stream, _ in self._readable.poll(_milliseconds(deadline)):
            data = os.read(stream, _CHUNK)
            if not data:
                raise SandboxLostError("the sandbox's shell is gone: its output has ended")
            return self._streams[stream], data
        return None

    def close(self) -> None:
        """Close the three pipes."""
        for descriptor in (self._stdin, *self._streams):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _milliseconds(deadline: float) -> float:
    return max(0.0, (deadline - time.monotonic()) * 1000.0)
