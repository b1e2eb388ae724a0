"""`DockerTransport`: the three standard streams of a container's process 1 over one attached connection."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable

from turnwise.sandboxes.errors import SandboxLostError
from turnwise.sandboxes.shell import STDERR, STDOUT

_CHUNK = 1 << 16
_HEADER = 8
_STREAMS = {1: STDOUT, 2: STDERR}


class DockerTransport:
    """A `Transport` over Docker's attach protocol.

    Input goes out as it is. Output comes in frames: a byte that names the stream, three of padding, the length in four
    bytes (big-endian), and the data.

    Args:
        connection: The hijacked connection.
        interrupt: Sends `INTERRUPT` to process 1.
        release: Called once when the connection is closed, to let go of what else holds it.
    """

    def __init__(
        self, connection: socket.socket, interrupt: Callable[[], None], release: Callable[[], None] = lambda: None
    ) -> None:
        self._pid = os.getpid()
        self._connection = connection
        self.interrupt = interrupt
        self._release = release
        self._received = bytearray()
        self._stream = STDOUT
        self._rest = 0

    def send(self, data: bytes, deadline: float) -> None:
        """Write all of it."""
        try:
            self._connection.settimeout(_remaining(deadline))
            self._connection.sendall(data)
        except TimeoutError:
            raise SandboxLostError("the sandbox's shell does not read its input") from None
        except OSError as error:
            raise SandboxLostError(f"the connection to the container is gone: {error}") from error

    def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """Some bytes of either stream, or None at the deadline."""
        while (part := self._take()) is None:
            try:
                self._connection.settimeout(_remaining(deadline))
                data = self._connection.recv(_CHUNK)
            except TimeoutError:
                return None
            except OSError as error:
                raise SandboxLostError(f"the connection to the container is gone: {error}") from error
            if not data:
                raise SandboxLostError("the container has ended, or the Docker daemon has")
            self._received += data
        return part

    def close(self) -> None:
        """End the connection, and with it the container's standard input."""
        if os.getpid() == self._pid:  # a forked process has a copy, whose shutdown would end the original
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        self._release()
        self._connection.close()

    def _take(self) -> tuple[int, bytes] | None:
        """What there is of the current frame, or None where nothing of it has come."""
        while self._rest == 0:
            if len(self._received) < _HEADER:
                return None
            kind = self._received[0]
            if kind not in _STREAMS:
                raise SandboxLostError(f"the Docker daemon sent a frame of unknown kind {kind}")
            self._stream = _STREAMS[kind]
            self._rest = int.from_bytes(self._received[4:_HEADER], "big")
            del self._received[:_HEADER]
        if not self._received:
            return None
        data = bytes(self._received[: self._rest])
        del self._received[: len(data)]
        self._rest -= len(data)
        return self._stream, data


def _remaining(deadline: float) -> float:
    """Seconds until then; never 0, which would make the socket non-blocking."""
    return max(deadline - time.monotonic(), 1e-4)
