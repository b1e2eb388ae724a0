from __future__ import annotations

import socket
import time

import pytest

from turnwise.sandboxes.docker_stream import DockerTransport
from turnwise.sandboxes.errors import SandboxLostError
from turnwise.sandboxes.shell import STDERR, STDOUT


class Pair:
    def __init__(self) -> None:
        self.daemon, ours = socket.socketpair()
        self.transport = DockerTransport(ours, lambda: None)

    def say(self, data: bytes) -> None:
        self.daemon.sendall(data)

    def hear(self, seconds: float = 5.0) -> tuple[int, bytes] | None:
        return self.transport.receive(time.monotonic() + seconds)


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def test_frames_of_both_streams_come_in_order() -> None:
    pair = Pair()
    pair.say(frame(1, b"out") + frame(2, b"err") + frame(1, b"") + frame(1, b"more"))
    assert [pair.hear() for _ in range(3)] == [(STDOUT, b"out"), (STDERR, b"err"), (STDOUT, b"more")]


def test_a_frame_that_comes_in_pieces() -> None:
    pair = Pair()
    whole = frame(2, b"abcdef")
    pair.say(whole[:5])
    assert pair.hear(0.01) is None
    pair.say(whole[5:10])
    assert pair.hear() == (STDERR, b"ab")
    pair.say(whole[10:] + frame(1, b"x")[:3])
    assert pair.hear() == (STDERR, b"cdef")
    assert pair.hear(0.01) is None


def test_deadline_in_the_past_takes_what_is_there() -> None:
    pair = Pair()
    assert pair.hear(-1) is None
    pair.say(frame(1, b"x"))
    assert pair.hear(-1) == (STDOUT, b"x")


def test_end_of_the_connection_is_a_lost_sandbox() -> None:
    pair = Pair()
    pair.daemon.close()
    with pytest.raises(SandboxLostError, match="has ended"):
        pair.hear()
    with pytest.raises(SandboxLostError, match="gone"):
        pair.transport.send(b"x" * 1_000_000, time.monotonic() + 5)


def test_unknown_frame_is_a_lost_sandbox() -> None:
    pair = Pair()
    pair.say(frame(7, b"x"))
    with pytest.raises(SandboxLostError, match="kind 7"):
        pair.hear()


def test_input_that_nobody_reads_is_a_lost_sandbox() -> None:
    pair = Pair()
    with pytest.raises(SandboxLostError, match="does not read"):
        pair.transport.send(b"x" * 10_000_000, time.monotonic() + 0.2)
