"""The host's end of the shell: requests, end marks however they are cut up, and a process 1 that misbehaves."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.sandboxes.base import Completed
from turnwise.sandboxes.errors import SandboxLostError
from turnwise.sandboxes.shell import DRIVER, STDERR, STDOUT, ShellSession

HEAD = re.compile(rb"(session|fresh) (\d+) (\d+) (\d+) (\d+)\0")
Answer = Callable[["Scripted", bytes, bytes], list[tuple[int, bytes] | None]]


class Scripted:
    """A process 1 whose answer to each request is a function of its number and command."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent = b""
        self.mark = b""
        self.requests: list[tuple[str, bytes, bytes, bytes]] = []
        self.waiting: list[tuple[int, bytes] | None] = []
        self.interrupts = 0

    def send(self, data: bytes, deadline: float) -> None:
        if not self.mark:
            driver, self.mark, rest = data.split(b"\0")
            assert driver.decode() == DRIVER and rest == b""
            return
        head = HEAD.match(data)
        assert head is not None, data[:50]
        mode, number = head[1].decode(), head[2]
        folder, command, stdin = (int(head[group]) for group in (3, 4, 5))
        body = data[head.end() :]
        where, body = body[:folder], body[folder:]
        if command == 0:
            what, _, body = body.partition(b"\0")
        else:
            what, body = body[:command], body[command:]
        assert len(body) == stdin
        self.requests.append((mode, where, what, body))
        self.waiting += self.answer(self, number, what)

    def receive(self, deadline: float) -> tuple[int, bytes] | None:
        if not self.waiting:
            raise SandboxLostError("nothing more comes")
        return self.waiting.pop(0)

    def interrupt(self) -> None:
        self.interrupts += 1

    def end(self, label: bytes, code: int = 0) -> bytes:
        return b"\n%b %b %d\n" % (self.mark, label, code)

    def both(self, label: bytes, code: int = 0) -> list[tuple[int, bytes] | None]:
        return [(STDOUT, self.end(label, code)), (STDERR, self.end(label, code))]


def run(answer: Answer, command: str = "x", **arguments: object) -> tuple[Completed, Scripted]:
    transport = Scripted(answer)
    options = {"timeout": 10.0, "output_bytes": 1000, **arguments}
    return ShellSession(transport).run(command, **options), transport  # type: ignore[arg-type]


def echo(transport: Scripted, number: bytes, command: bytes) -> list[tuple[int, bytes] | None]:
    return [(STDOUT, command), *transport.both(number, 3)]


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 70_000])
def test_a_request_says_how_long_it_is(size: int) -> None:
    done, transport = run(echo, "é" * (size // 2) + "x" * (size % 2), stdin=b"\0in", cwd="/a b", output_bytes=100_000)
    mode, folder, command, stdin = transport.requests[0]
    assert (mode, folder, stdin) == ("fresh", b"/a b", b"\0in") and len(command) == size
    assert done.exit_code == 3 and done.stdout.encode() == command


def test_variables_are_quoted() -> None:
    _, transport = run(echo, "cmd", env={"A": "it's", "B": ""})
    assert transport.requests[0][2] == b"export A='it'\"'\"'s'; export B=''; cmd"


@pytest.mark.parametrize(
    "arguments", [{"command": "a\0b"}, {"cwd": "/a\0b"}, {"env": {"A": "a\0b"}}, {"env": {"A B": "x"}}]
)
def test_what_cannot_be_sent_is_refused_before_anything_is(arguments: dict[str, object]) -> None:
    transport = Scripted(echo)
    session = ShellSession(transport)
    with pytest.raises(ValueError, match=r"NUL|name"):
        session.run(**{"command": "x", "timeout": 1.0, "output_bytes": 10, **arguments})  # type: ignore[arg-type]
    assert transport.requests == []
    assert session.run("x", timeout=1.0, output_bytes=10).stdout == "x"


@given(text=st.binary(max_size=60), cuts=st.lists(st.integers(1, 40), max_size=20), limit=st.integers(1, 80))
def test_output_is_the_same_however_it_is_cut_up(text: bytes, cuts: list[int], limit: int) -> None:
    def answer(transport: Scripted, number: bytes, command: bytes) -> list[tuple[int, bytes] | None]:
        data = text + transport.end(number, 7)
        pieces, at = [], 0
        for cut in [*cuts, len(data)]:
            if data[at : at + cut]:
                pieces.append((STDOUT, data[at : at + cut]))
            at += cut
        return [*pieces, (STDERR, transport.end(number, 7))]

    done, _ = run(answer, output_bytes=limit)
    assert done.stdout == text[:limit].decode("utf-8", "replace")
    assert done.exit_code == 7 and done.output_truncated is (len(text) > limit)


def test_other_marks_are_output() -> None:
    forged = b"\n" + b"0" * 32 + b" 1 0\n"
    done, _ = run(lambda transport, number, command: [(STDOUT, forged), *transport.both(number, 5)])
    assert done.exit_code == 5 and done.stdout.encode() == forged


def test_what_takes_too_long_is_interrupted_once() -> None:
    def answer(transport: Scripted, number: bytes, command: bytes) -> list[tuple[int, bytes] | None]:
        if command == b":":
            return transport.both(number)
        return [(STDOUT, b"begun"), None, *transport.both(b"ended", 137)]

    done, transport = run(answer)
    assert (done.timed_out, done.exit_code, done.stdout, transport.interrupts) == (True, 137, "begun", 1)


def test_a_command_that_ends_just_then_did_not_run_out_of_time() -> None:
    """The interrupt still ends the worker, which is waited for; or it would end the next command."""

    def answer(transport: Scripted, number: bytes, command: bytes) -> list[tuple[int, bytes] | None]:
        if command == b":":
            return transport.both(number)
        return [None, *transport.both(number, 0), *transport.both(b"ended", 137)]

    done, transport = run(answer)
    assert (done.timed_out, done.exit_code, len(transport.requests)) == (False, 0, 2)


def test_a_flood_is_interrupted() -> None:
    def answer(transport: Scripted, number: bytes, command: bytes) -> list[tuple[int, bytes] | None]:
        if command == b":":
            return transport.both(number)
        return [*[(STDERR, b"y" * 1000)] * 70, *transport.both(b"ended", 137)]

    done, transport = run(answer)
    assert (done.timed_out, done.output_truncated, transport.interrupts, len(done.stderr)) == (False, True, 1, 1000)


def test_a_process_1_that_does_not_answer_is_lost() -> None:
    with pytest.raises(SandboxLostError, match="did not answer"):
        run(lambda transport, number, command: [None, None])


def test_a_worker_that_ended_before_it_read_a_request_is_asked_again() -> None:
    """Its successor carries out the request: what comes before the answer to one more request tells."""

    def answer(transport: Scripted, number: bytes, command: bytes) -> list[tuple[int, bytes] | None]:
        if command == b":":
            return [(STDOUT, b"late"), *transport.both(b"1", 4), *transport.both(number)]
        return transport.both(b"ended", 1)

    done, _ = run(answer)
    assert (done.exit_code, done.stdout) == (4, "late")


def test_the_driver_is_one_line() -> None:
    """Messages of bash name the lines of the command."""
    assert "\n" not in DRIVER
