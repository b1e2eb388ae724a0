"""A sandbox's life: what it says of itself, how it ends, and its errors."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from turnwise.sandboxes.base import Completed
from turnwise.sandboxes.conformance.registry import (
    NotApplicable,
    Subject,
    expect,
    expect_alive,
    expect_output,
    expect_raises,
    requirement,
)
from turnwise.sandboxes.errors import (
    CommandFailedError,
    CommandTimeoutError,
    SandboxClosedError,
    SandboxError,
    SandboxLostError,
)


@requirement
def it_says_what_it_is(subject: Subject) -> None:
    """`backend`, `workdir`, `limits` and `isolation` are there, and agree with the `Spec`."""
    limits = replace(subject.spec.limits, timeout=7.0)
    with subject.open(limits=limits) as sandbox:
        expect(sandbox.isolation.backend == sandbox.backend, f"isolation is of {sandbox.isolation.backend!r}")
        expect(sandbox.limits == limits, f"limits are {sandbox.limits}, must be {limits}")
        expect_output(sandbox, "pwd", f"{sandbox.workdir}\n")
        expect_raises(ValueError, lambda: sandbox.isolation.lacks(["no such thing"]), "an unknown kind of isolation")


@requirement
def failures_are_kept_apart(subject: Subject) -> None:
    """A command that fails or runs out of time is a result; only `check` raises, and each its own error."""
    with subject.open(limits=replace(subject.spec.limits, timeout=0.4)) as sandbox:
        expect_raises(CommandFailedError, lambda: sandbox.run("echo why >&2; exit 3").check(), "`check` of a failure")
        expect_raises(CommandTimeoutError, lambda: sandbox.run("sleep 60").check(), "`check` of a command out of time")
        done = sandbox.run("echo fine")
        expect(done.check() is done, "`check` of a success is not the result itself")


@requirement
def limits_give_the_default_time(subject: Subject) -> None:
    """Without a time of its own, a command has `Limits.timeout`; with one, that."""
    with subject.open(limits=replace(subject.spec.limits, timeout=0.4)) as sandbox:
        expect(sandbox.run("sleep 20").timed_out, "a command did not run out of `Limits.timeout`")
        expect(sandbox.run("sleep 0.8", 20).ok, "a command with 20 s of its own ran out of 0.4")


@requirement
def the_work_folder_can_be_elsewhere(subject: Subject) -> None:
    """`Spec.workdir` may be any path; sandboxes that cannot choose it say where theirs is."""
    with subject.open(workdir="/srv/some/where") as sandbox:
        expect_output(sandbox, "pwd; echo x >file", f"{sandbox.workdir}\n")
        expect(sandbox.read(f"{sandbox.workdir}/file") == b"x\n", "the work folder is not where it says")


@requirement
def a_closed_sandbox_refuses(subject: Subject) -> None:
    """After `close`, which may be called again, everything raises SandboxClosedError."""
    with subject.open() as sandbox:
        files = sandbox.snapshot()
        sandbox.close()
        sandbox.close()
        uses: dict[str, Callable[[], object]] = {
            "run": lambda: sandbox.run("true"),
            "read": lambda: sandbox.read("file"),
            "write": lambda: sandbox.write("file", b""),
            "digest": sandbox.digest,
            "snapshot": sandbox.snapshot,
            "restore": lambda: sandbox.restore(files),
            "fork": sandbox.fork,
        }
        for name, use in uses.items():
            expect_raises(SandboxClosedError, use, f"`{name}` after `close`")


@requirement
def nothing_outlives_close(subject: Subject) -> None:
    """`close` ends what runs at once, even while another thread waits for it, which is told so by a SandboxError."""
    seconds = f"{60_000 + os.getpid()}.{time.monotonic_ns() % 1_000_000}"
    with subject.open_isolated("processes") as sandbox:
        thread, answers = _in_thread(lambda: sandbox.run(f"trap '' TERM; setsid sleep {seconds} & sleep {seconds}", 60))
        _wait_until(lambda: len(_running(seconds)) > 1)
        began = time.monotonic()
        sandbox.close()
        thread.join(60.0)
        took = time.monotonic() - began
        expect(took < 30, f"`close` took {took:.1f} s while a command ran")
        expect(len(answers) == 1 and isinstance(answers[0], SandboxError), f"the command's thread was told {answers}")
        expect(_wait_until(lambda: not _running(seconds)), f"processes outlive the sandbox: {_running(seconds)}")


@requirement
def a_lost_sandbox_says_so(subject: Subject) -> None:
    """A sandbox that is destroyed from outside raises SandboxLostError, at once and ever after, and can be closed."""
    if subject.lose is None:
        raise NotApplicable("no way to destroy a sandbox from outside was given")
    with subject.open() as sandbox:
        subject.lose(sandbox)
        expect_raises(SandboxLostError, lambda: sandbox.run("echo x", 30), "a command in a lost sandbox")
        expect_raises(SandboxError, lambda: sandbox.read("file"), "reading from a lost sandbox")
    with subject.open() as sandbox:
        thread, answers = _in_thread(lambda: sandbox.run("echo before; sleep 60", 60))
        time.sleep(0.3)
        began = time.monotonic()
        subject.lose(sandbox)
        thread.join(60.0)
        took = time.monotonic() - began
        expect(len(answers) == 1 and isinstance(answers[0], SandboxLostError), f"a running command gave {answers}")
        expect(took < 30, f"it took {took:.1f} s to notice that the sandbox was lost")
    with subject.open() as sandbox:
        subject.lose(sandbox)
        sandbox.close()
        expect_raises(SandboxError, lambda: sandbox.run("true"), "a command in a sandbox that was lost and closed")
    with subject.open() as sandbox:
        expect_alive(sandbox, "the loss of another sandbox")


def _in_thread(action: Callable[[], Completed]) -> tuple[threading.Thread, list[object]]:
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(action())
        except Exception as error:  # the answer of interest
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, answers


def _running(argument: str) -> list[int]:
    """Processes of this machine with this word in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if argument.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
