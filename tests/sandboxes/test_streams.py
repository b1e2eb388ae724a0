"""Three pipes as a transport: whole messages, deadlines, and ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from turnwise.sandboxes.errors import SandboxLostError
from turnwise.sandboxes.shell import STDERR, STDOUT
from turnwise.sandboxes.streams import PipeTransport


class Ends:
    """A transport, and the other ends of its pipes."""

    def __init__(self) -> None:
        self.stdin, send = os.pipe()
        receive, self.stdout = os.pipe()
        receive_error, self.stderr = os.pipe()
        self.transport = PipeTransport(send, receive, receive_error, lambda: None)
        self.closed: set[int] = set()

    def close(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            if descriptor not in self.closed:
                os.close(descriptor)
                self.closed.add(descriptor)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close(made.stdin, made.stdout, made.stderr)
    made.transport.close()


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def test_what_is_sent_arrives_whole(ends: Ends) -> None:
    data = os.urandom(1_000_000)
    arrived = bytearray()

    def read() -> None:
        while len(arrived) < len(data):
            arrived.extend(os.read(ends.stdin, 10_000))

    reader = threading.Thread(target=read)
    reader.start()
    ends.transport.send(data, soon())
    reader.join()
    assert arrived == data


def test_both_streams_are_told_apart(ends: Ends) -> None:
    os.write(ends.stderr, b"error")
    assert ends.transport.receive(soon()) == (STDERR, b"error")
    os.write(ends.stdout, b"output")
    assert ends.transport.receive(soon()) == (STDOUT, b"output")


def test_a_deadline_that_passes_gives_nothing(ends: Ends) -> None:
    assert ends.transport.receive(soon(0.05)) is None
    assert ends.transport.receive(soon(-1)) is None


def test_a_reader_that_reads_nothing_is_lost(ends: Ends) -> None:
    with pytest.raises(SandboxLostError, match="does not read"):
        ends.transport.send(bytes(1_000_000), soon(0.1))


def test_closed_ends_are_lost(ends: Ends) -> None:
    ends.close(ends.stdin, ends.stdout)
    with pytest.raises(SandboxLostError, match="gone"):
        ends.transport.send(b"x", soon())
    with pytest.raises(SandboxLostError, match="gone"):
        ends.transport.receive(soon())
