"""How commands end: out of time, with children left behind, or by their own violence."""

from __future__ import annotations

import time

from turnwise.sandboxes.base import Completed, Sandbox
from turnwise.sandboxes.conformance.registry import (
    NotApplicable,
    Subject,
    expect,
    expect_alive,
    expect_output,
    has,
    requirement,
)

_BEAT = "while :; do echo x >>beat-{0}; sleep 0.02; done"
STUBBORN = {
    "a plain child": _BEAT.format("plain"),
    "one that ignores signals": f"trap '' TERM INT HUP QUIT; {_BEAT.format('deaf')}",
    "one in a session of its own": f"setsid bash -c '{_BEAT.format('session')}'",
    "a child of a child that has ended": f"( ( {_BEAT.format('orphan')} ) & ) ; sleep 60",
    "one under nohup": f"nohup bash -c '{_BEAT.format('nohup')}' >/dev/null 2>&1",
}


@requirement
def time_runs_out(subject: Subject) -> None:
    """A command that is not done in time is killed; what it printed and wrote is kept, and it is no exception."""
    with subject.open() as sandbox:
        done = sandbox.run("echo before; echo x >file; sleep 60; echo after", 0.5)
        expect(done.timed_out and not done.ok, f"`sleep 60` with half a second gave {done}")
        expect(done.stdout == "before\n", f"what was printed before the time was over is {done.stdout!r}")
        expect(0.4 < done.seconds < 30, f"half a second took {done.seconds:.1f} s")
        expect_output(sandbox, "cat file", "x\n")
        done = sandbox.run("sleep 60 | cat | (sleep 60; cat)", 0.3, cwd="/tmp")
        expect(done.timed_out, f"a pipeline of sleepers with 0.3 s gave {done}")
        expect_alive(sandbox, "commands that ran out of time")


@requirement
def time_ends_all_children(subject: Subject) -> None:
    """When time is over all processes of a command are killed, whatever they do against it."""
    with subject.open() as sandbox:
        for what, command in STUBBORN.items():
            done = sandbox.run(command, 0.5)
            expect(done.timed_out, f"{what} was to run out of time, but gave {done}")
            _expect_silence(sandbox, what)
        sandbox.run("kill -STOP $BASHPID; echo resumed", 0.3)
        expect_alive(sandbox, "a command that stopped itself")


@requirement
def nothing_outlives_its_command(subject: Subject) -> None:
    """What a command leaves running is killed when it ends, and does not keep it from ending."""
    with subject.open() as sandbox:
        for session in (False, True):
            for what, command in STUBBORN.items():
                began = time.monotonic()
                done = sandbox.run(f"( {command} ) & sleep 0.1; echo left", 30, session=session)
                took = time.monotonic() - began
                expect(done.stdout == "left\n" and not done.timed_out, f"leaving {what} behind gave {done}")
                expect(took < 20, f"a command that leaves {what} behind took {took:.1f} s to end")
                _expect_silence(sandbox, what)


@requirement
def only_the_shell_is_left(subject: Subject) -> None:
    """Between two commands there are no processes but the sandbox's own shell."""
    with subject.open() as sandbox:
        if sandbox.isolation.lacks(["processes"]):
            raise NotApplicable(f"{sandbox.backend} does not say that it has processes of its own")
        before = len(_processes(sandbox).stdout.split())
        for _ in range(3):
            sandbox.run("for i in 1 2 3 4; do sleep 60 & done; setsid sleep 60 & exit 0")
        after = _processes(sandbox)
        expect(len(after.stdout.split()) == before, f"{before} processes at first, then {after.stdout!r}")
        expect(before <= 6, f"a sandbox that does nothing has {before} processes")


@requirement
def a_command_may_close_its_streams(subject: Subject) -> None:
    """A command that closes standard input, output or error ends as it should."""
    with subject.open() as sandbox:
        for closing in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-", "0<&- 1>&- 2>&- 3>&- 8>&- 9>&- 10>&- 11>&-"):
            done = sandbox.run(f"exec {closing}; exit 6", 10)
            expect(done.exit_code == 6, f"`exec {closing}; exit 6` gave {done}")
            expect_alive(sandbox, f"`exec {closing}`")


@requirement
def the_shell_survives_kills(subject: Subject) -> None:
    """A command may send any signal to itself, its group, every process and process 1: the next one is carried out."""
    with subject.open() as sandbox:
        if sandbox.isolation.lacks(["processes"]):
            raise NotApplicable(f"{sandbox.backend} does not say that it has processes of its own")
        for target in ("0", "1", "-1", "$$", "$PPID"):
            for signal in ("KILL", "TERM", "STOP", "HUP", "USR1", "SEGV"):
                for session in (False, True):
                    sandbox.run(f"kill -{signal} {target}; sleep 0.02", 0.3, session=session)
                done = sandbox.run("echo alive")
                expect(done.stdout == "alive\n", f"after `kill -{signal} {target}`, `echo alive` gave {done}")


@requirement
def output_cannot_forge_an_end(subject: Subject) -> None:
    """What a command prints is never taken for the end of a command."""
    with subject.open() as sandbox:
        if not has(sandbox, "tr"):
            raise NotApplicable("there is no tr")
        for text in (
            "0\\n",
            "\\n0\\n",
            "\\n1 0\\n",
            "\\n\\x00 1 0\\n",
            "\\nended 0\\n",
            "\\nEXIT:0\\n",
            "\\n__end__0\\n",
        ):
            done = sandbox.run(f"printf '{text}'; printf '{text}' >&2; sleep 0.05; echo really; exit 4")
            expect(
                done.exit_code == 4 and done.stdout.endswith("really\n"),
                f"a command that prints {text!r} and ends with 4 gave {done}",
            )
        done = sandbox.run("tr '\\0-\\377' '\\n' </dev/zero | head -c 300000; exit 5")
        expect(done.exit_code == 5 and done.stdout == "\n" * 300_000, "300,000 newlines did not come back as they were")


def _processes(sandbox: Sandbox) -> Completed:
    return sandbox.run("cd /proc && echo [0-9]*")


def _expect_silence(sandbox: Sandbox, what: str) -> None:
    """Nobody writes to the files of the beating processes any more."""
    sizes = "stat -c %s beat-* 2>/dev/null"
    first = sandbox.run(f"{sizes}; true").stdout
    time.sleep(0.1)
    expect(sandbox.run(f"{sizes}; true").stdout == first, f"{what} is still writing after it should have been killed")
