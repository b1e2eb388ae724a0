r"""One long-lived bash in a sandbox, driven over one stream: how commands go in, and how results come out.

Process 1 of the sandbox is a bash that runs `DRIVER`. It keeps one worker, a forked bash that reads requests from
standard input and evaluates them in itself, so that a trivial command costs neither a fork nor an exec. When a request
is done, the worker kills everything else in the sandbox and writes an end mark to both streams. When the worker itself
ends (`exit`, `exec`, a kill), process 1 writes the end mark in its place and forks another. Nothing inside can signal
process 1 but with the one signal that it handles, which kills everything but process 1: that is also how the host ends
a command that ran out of time. No step of it needs a free process slot, memory, or disk.

A request is a head of five words, ended by a NUL: mode, number, and the bytes of folder, command and standard input,
which follow. No folder stands for the work folder. bash reads byte by byte up to a NUL, but in blocks where it knows
how many; only in a locale of single bytes does it count bytes, and to change to that takes as long as reading a
hundred. So a short command has the length 0 and is ended by a NUL.
An end mark is `\n<mark> <number> <exit code>\n`. The mark is a secret of the session: a command that prints something
like it does not confuse the host. A command in session mode could find it out, or redefine what the worker
uses; it could then forge its own output, and keep processes running, until the next command or interrupt.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from shlex import quote
from typing import Protocol

from turnwise.sandboxes.base import OUTPUT_KILL_FACTOR, Completed
from turnwise.sandboxes.errors import SandboxLostError

STDOUT, STDERR = 0, 1
INTERRUPT = "SIGUSR1"
"""The signal that, sent to process 1 from outside, kills everything else in the sandbox."""

_SHORT = 100
"""Commands of fewer bytes are ended by a NUL."""

_READ_INPUT = (
    "_tw_input=/tmp/.stdin-$_tw_number; "
    """head -c "$_tw_bytes" | { cat >"$_tw_input" || { cat >/dev/null; exit 1; }; } || { """
    """rm -f "$_tw_input"; _tw_input=/dev/null _tw_mode=fresh """
    """_tw_command='echo "no space for standard input" >&2; exit 28'; }; """
)
# When a command has ended, the host has sent nothing yet: what there is to read was put there by the command, which can
# open the pipe by way of /proc, and would be taken for a request.
_DISCARD = (
    "while IFS= read -r -t 0; do "
    "LC_ALL=C IFS= read -r -t 0.01 -d '' -N 65536 _tw_command || (($? > 128)) || break; done; "
)
# A process that was killed is still there until process 1 has buried it, and so are its memory and its number.
_KILL_ALL = "for ((_tw_tries = 0; _tw_tries < 20000; _tw_tries++)); do kill -KILL -1 || break; done; "
# All on one line, so that the line numbers in bash's messages are the command's own.
_EVAL_FRESH = (
    '( exec 0<"$_tw_input" 1>&8 2>&9 8>&- 9>&-; [[ $_tw_bytes == 0 ]] || rm -f "$_tw_input"; '
    'cd -- "$_tw_folder" || exit 126; set -- "$_tw_command"; unset OLDPWD "${!_tw_@}"; eval "shift; $1" ); '
)
_EVAL_IN_SESSION = '{ eval "$_tw_command"; } 0<"$_tw_input" 1>&8 2>&9 8>&- 9>&-; '
_WORKER = (
    "( trap - USR1; echo 1000 >/proc/self/oom_score_adj; "
    "while IFS=' ' read -r -d '' _tw_mode _tw_number _tw_folder _tw_length _tw_bytes; do "
    "_tw_mode=$_tw_first$_tw_mode _tw_first=; "
    "if ((_tw_folder)); then LC_ALL=C IFS= read -r -N $_tw_folder _tw_folder || exit 250; "
    "else _tw_folder=$_tw_home; fi; "
    "if ((_tw_length)); then LC_ALL=C IFS= read -r -N $_tw_length _tw_command || exit 250; "
    "else IFS= read -r -d '' _tw_command || exit 250; fi; "
    "_tw_input=/dev/null; if [[ $_tw_bytes != 0 ]]; then " + _READ_INPUT + "fi; "
    "if [[ $_tw_mode == fresh ]]; then " + _EVAL_FRESH + "else " + _EVAL_IN_SESSION + "fi; "
    "_tw_status=$?; " + _KILL_ALL + _DISCARD + '[[ $_tw_bytes == 0 ]] || rm -f "/tmp/.stdin-$_tw_number"; '
    "printf '\\n%s %s %d\\n' $_tw_mark $_tw_number $_tw_status >&8 || exit $_tw_status; "
    "printf '\\n%s %s %d\\n' $_tw_mark $_tw_number $_tw_status >&9 || exit $_tw_status; "
    "done; exit 250 ) <&0 & "
)
DRIVER = (
    "unset _tw_driver BASH_EXECUTION_STRING; _tw_home=$PWD; IFS= read -r -d '' _tw_mark || exit 1; "
    "trap '_tw_hit=1; kill -KILL -1' USR1; exec 8>&1 9>&2 1>/dev/null 2>/dev/null; _tw_hit=0 _tw_first=; "
    "while :; do " + _WORKER + "_tw_worker=$! _tw_first=; wait $_tw_worker; _tw_status=$?; "
    "while ((_tw_hit)); do _tw_hit=0; wait $_tw_worker; _tw_status=$?; done; " + _KILL_ALL + "rm -f /tmp/.stdin-*; "
    # 250 says that the worker could not read: exit where the stream has ended, else hand on the byte that was read.
    "if [[ $_tw_status == 250 ]]; then IFS= read -r -t 0.01 -d '' -n 1 _tw_first; [[ $? == 1 ]] && exit 0; "
    "else " + _DISCARD + "fi; "
    "printf '\\n%s ended %d\\n' $_tw_mark $_tw_status >&8; printf '\\n%s ended %d\\n' $_tw_mark $_tw_status >&9; "
    "done"
)

BOOT = ("/bin/bash", "--norc", "--noprofile", "-c", "IFS= read -r -d '' _tw_driver && eval \"$_tw_driver\"", "bash")
"""A command of process 1, to be started with the work folder as its current folder. The host sends it `DRIVER`."""
DRIVEN_BOOT = (*BOOT[:4], 'eval "$_tw_driver"', BOOT[5])
"""The same, for a backend that puts `DRIVER` into the environment variable `_tw_driver`: it need not be sent then."""

_START_SECONDS = 30.0
_GRACE_SECONDS = 20.0
"""How long process 1 may take to say that it has killed everything, before the sandbox counts as lost."""


class Transport(Protocol):
    """The stream to process 1. Deadlines are in `time.monotonic` seconds."""

    def send(self, data: bytes, deadline: float) -> None:
        """Write all of it to standard input.

        Raises:
            SandboxLostError: The other end is gone, or did not take it in time.
        """

    def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """Some bytes of `STDOUT` or `STDERR`, or None when the deadline has passed.

        Raises:
            SandboxLostError: The stream has ended.
        """

    def interrupt(self) -> None:
        """Send `INTERRUPT` to process 1.

        Raises:
            SandboxLostError: There is no process 1 any more.
        """


class ShellSession:
    """The host's end: sends requests to a `DRIVER` and gathers what comes back. Not for use by several threads at once.

    Args:
        transport: The stream to a process 1 that has just begun to run `DRIVER`.
        driven: It was started by `DRIVEN_BOOT` and has the driver.
    """

    def __init__(self, transport: Transport, *, driven: bool = False) -> None:
        self._transport = transport
        self._mark = secrets.token_hex(16).encode()
        self._number = 0
        driver = b"" if driven else DRIVER.encode() + b"\0"
        transport.send(driver + self._mark + b"\0", time.monotonic() + _START_SECONDS)

    def run(
        self,
        command: str,
        *,
        timeout: float,
        output_bytes: int,
        session: bool = False,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Completed:
        """Run one command; see `Sandbox.run`.

        Raises:
            ValueError: The command, the folder or a variable holds a NUL, or `cwd` or `env` come with `session`.
            SandboxLostError: The stream has ended, or process 1 does not answer.
        """
        stdout, stderr, result = self.run_bytes(
            command, timeout=timeout, output_bytes=output_bytes, session=session, cwd=cwd, env=env, stdin=stdin
        )
        return Completed(
            exit_code=result.exit_code,
            stdout=stdout.decode("utf-8", "replace"),
            stderr=stderr.decode("utf-8", "replace"),
            seconds=result.seconds,
            timed_out=result.timed_out,
            output_truncated=result.output_truncated,
        )

    def run_bytes(
        self,
        command: str,
        *,
        timeout: float,
        output_bytes: int,
        session: bool = False,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> tuple[bytes, bytes, Completed]:
        """The same with both streams as bytes; the `Completed` has no text."""
        if session and (cwd is not None or env):
            raise ValueError("cwd and env do not go with session=True: the shell keeps its own")
        exports = "".join(f"export {_variable(name)}={quote(value)}; " for name, value in (env or {}).items())
        started = time.monotonic()
        # Until its input is there the command has not begun: only a broken sandbox can make this wait.
        number = self._request(session, cwd or "", exports + command, stdin, timeout)
        gathered = self._gather(number, time.monotonic() + timeout, output_bytes)
        stdout, stderr = gathered.streams
        return (
            bytes(stdout.kept),
            bytes(stderr.kept),
            Completed(
                exit_code=gathered.exit_code,
                seconds=time.monotonic() - started,
                timed_out=gathered.interrupted == "timeout" and not gathered.finished,
                output_truncated=stdout.total > len(stdout.kept) or stderr.total > len(stderr.kept),
            ),
        )

    def reset(self) -> None:
        """Kill all that runs and begin a new worker, without what a session has left in the old one.

        Raises:
            SandboxLostError: The stream has ended, or process 1 does not answer.
        """
        self._gather(b"reset", time.monotonic(), 1)  # waits for a command that was never sent, so it is interrupted

    def _request(self, session: bool, folder: str, command: str, stdin: bytes, timeout: float) -> bytes:
        """Send a request and return its number."""
        number = str(self._number + 1).encode()
        where, what = (text.encode("utf-8", "surrogatepass") for text in (folder, command))
        if b"\0" in where or b"\0" in what:
            raise ValueError("a command, folder or variable cannot hold a NUL character")
        self._number += 1
        short = len(what) < _SHORT
        lengths = (len(where), 0 if short else len(what), len(stdin))
        head = b"%b %b %d %d %d\0" % (b"session" if session else b"fresh", number, *lengths)
        data = b"".join((head, where, what, b"\0" if short else b"", stdin))
        self._transport.send(data, time.monotonic() + max(timeout, _START_SECONDS))
        return number

    def _gather(self, number: bytes, deadline: float, output_bytes: int) -> _Gathered:
        gathered = _Gathered(number, _Stream(self._mark, output_bytes), _Stream(self._mark, output_bytes))
        while not gathered.done:
            received = self._transport.receive(deadline)
            if received is not None:
                gathered.feed(*received)
            expired = received is None or time.monotonic() >= deadline
            if gathered.interrupted is None and not gathered.finished:
                flooded = max(s.total for s in gathered.streams) > output_bytes * OUTPUT_KILL_FACTOR
                if expired or flooded:
                    gathered.interrupted = "flood" if flooded else "timeout"
                    deadline = time.monotonic() + _GRACE_SECONDS
                    self._transport.interrupt()
            elif expired:
                raise SandboxLostError(
                    f"the sandbox's shell did not answer within {_GRACE_SECONDS:.0f} s of being told to stop a command"
                )
            if gathered.sync is None and gathered.ended:
                # A worker may have ended before it read this request, which its successor then carries out. What comes
                # before the answer to one more request tells.
                gathered.sync = self._request(False, "", ":", b"", _START_SECONDS)
        return gathered


class _Stream:
    """One output stream: keeps its beginning, counts the rest, and picks out the end marks."""

    def __init__(self, mark: bytes, limit: int) -> None:
        self._prefix = b"\n" + mark + b" "
        self._limit = limit
        self._pending = bytearray()
        self.kept = bytearray()
        self.total = 0

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        """The (label, exit code) of each end mark that is complete now."""
        self._pending += data
        marks: list[tuple[bytes, int]] = []
        while (at := self._pending.find(self._prefix)) >= 0:
            end = self._pending.find(b"\n", at + len(self._prefix))
            if end < 0:
                self._keep(at)
                return marks
            label, _, code = bytes(self._pending[at + len(self._prefix) : end]).partition(b" ")
            self._keep(at)
            del self._pending[: end - at + 1]
            if code.isdigit():
                marks.append((label, int(code)))
        self._keep(max(0, len(self._pending) - len(self._prefix) + 1))
        return marks

    def _keep(self, length: int) -> None:
        self.total += length
        self.kept += self._pending[: min(length, self._limit - len(self.kept))]
        del self._pending[:length]


class _Gathered:
    """What has come back of one command. It is done when both streams have shown all end marks that are due.

    That is the command's own; or, where the worker ended, `ended` and the mark of the request that was sent after it.
    Every interrupt ends the worker, even one that came when the command had just finished.
    """

    def __init__(self, number: bytes, stdout: _Stream, stderr: _Stream) -> None:
        self.streams = (stdout, stderr)
        self.interrupted: str | None = None
        self.sync: bytes | None = None
        self._number = number
        self._seen: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})

    def feed(self, stream: int, data: bytes) -> None:
        for label, code in self.streams[stream].feed(data):
            self._seen[stream].setdefault(label, code)

    @property
    def finished(self) -> bool:
        """The command's own end mark is there: it ended by itself, whatever was sent to it."""
        return self._both(self._number)

    @property
    def ended(self) -> bool:
        """The worker has ended."""
        return self._both(b"ended")

    @property
    def done(self) -> bool:
        """Nothing more will come."""
        if self.sync is not None:
            return self._both(self.sync)
        return self.finished and self.interrupted is None

    @property
    def exit_code(self) -> int:
        """The command's, or that of the worker which it ended."""
        return self._seen[0].get(self._number, self._seen[0].get(b"ended", 0))

    def _both(self, label: bytes) -> bool:
        return label in self._seen[0] and label in self._seen[1]


def _variable(name: str) -> str:
    if not (name.isidentifier() and name.isascii()):
        raise ValueError(f"no name for an environment variable: {name!r}")
    return name
