"""Limits: what goes beyond is stopped, and the sandbox goes on."""

from __future__ import annotations

from dataclasses import replace

from turnwise.sandboxes.base import MIB, Sandbox
from turnwise.sandboxes.conformance.registry import (
    NotApplicable,
    Subject,
    expect,
    expect_alive,
    expect_failure,
    expect_output,
    expect_raises,
    requirement,
)

_HOG = "head -c {}M /dev/zero | tail -c {}M | wc -c"
"""`tail` keeps all of it in memory."""
_SPIN = "( while :; do :; done ) &"


def _need(sandbox: Sandbox, limit: str, *enough: str) -> None:
    how = getattr(sandbox.isolation, limit)
    if how not in enough:
        raise NotApplicable(f"{sandbox.backend} says that it limits {limit} for {how!r}")


@requirement
def a_memory_hog_is_stopped(subject: Subject) -> None:
    """A process that wants more memory than `memory_bytes` fails; files, and the sandbox, stay."""
    with subject.open(limits=replace(subject.spec.limits, memory_bytes=256 * MIB)) as sandbox:
        _need(sandbox, "memory", "sandbox", "process")
        sandbox.write("file", b"kept")
        expect_output(sandbox, _HOG.format(20, 20), f"{20 * MIB}\n")
        for session in (False, True):
            done = sandbox.run("set -o pipefail; " + _HOG.format(600, 600), session=session)
            expect(not done.ok and str(600 * MIB) not in done.stdout, f"600 MiB in 256 MiB of memory gave {done}")
            expect_alive(sandbox, "a memory hog")
        done = sandbox.run("x=$(head -c 500M /dev/zero | tr '\\0' x); echo ${#x}")
        expect(str(500 * MIB) not in done.stdout, "a shell variable of 500 MiB fits into 256 MiB of memory")
        expect_alive(sandbox, "a shell that hogs memory")
        expect(sandbox.read("file") == b"kept", "a file was lost to a memory hog")


@requirement
def memory_is_limited_together(subject: Subject) -> None:
    """Processes that are modest each, but together want more than `memory_bytes`, cannot all have it."""
    with subject.open(limits=replace(subject.spec.limits, memory_bytes=256 * MIB)) as sandbox:
        _need(sandbox, "memory", "sandbox")
        hogs = " ".join("( ( head -c 100M /dev/zero; sleep 1 ) | tail -c 100M | wc -c ) & " for _ in range(8))
        done = sandbox.run(f"{hogs} wait")
        expect(done.stdout.split().count(str(100 * MIB)) < 8, "eight times 100 MiB fit into 256 MiB of memory at once")
        expect_alive(sandbox, "several memory hogs")


@requirement
def a_fork_bomb_is_contained(subject: Subject) -> None:
    """No more than `processes` run at a time; a fork bomb ends with its command, and the next is carried out."""
    with subject.open(limits=replace(subject.spec.limits, processes=40)) as sandbox:
        _need(sandbox, "pids", "sandbox")
        for session in (False, True):
            sandbox.run("bomb() { bomb | bomb & }; bomb; sleep 0.5", 2, session=session)
            expect_alive(sandbox, "a fork bomb")
        sandbox.run("while :; do ( while :; do bash -c 'sleep 9 & sleep 9 &'; done ) & done", 1)
        expect_alive(sandbox, "a fork bomb without end")
        count = "for i in {1..80}; do sleep 5 & done 2>/dev/null; cd /proc; set -- [0-9]*; echo $# >/tmp/count"
        sandbox.run(count, 2)
        done = sandbox.run("for i in {1..30}; do sleep 0.3 & done; wait; echo all")
        expect(done.stdout == "all\n", f"30 processes where 40 are allowed gave {done}")
        most = sandbox.run("[[ ! -s /tmp/count ]] || cat /tmp/count").stdout.strip() or "0"
        expect(int(most) <= 50, f"{most} processes ran at once where 40 are allowed")


@requirement
def a_disk_filler_is_stopped(subject: Subject) -> None:
    """The work folder and /tmp together hold no more than `disk_bytes`; a full disk is an error of the command's."""
    with subject.open(limits=replace(subject.spec.limits, disk_bytes=64 * MIB)) as sandbox:
        _need(sandbox, "disk", "sandbox")
        sandbox.write("file", b"kept")
        expect_failure(sandbox, "head -c 100M /dev/zero >big")
        expect_failure(sandbox, "head -c 100M /dev/zero >/tmp/big")
        held = sandbox.run("stat -c %b big /tmp/big | { read a; read b; echo $(((a + b) / 2048)); }").stdout
        expect(10 <= int(held) <= 64, f"{held.strip()} MiB were written where 64 are allowed")
        expect(sandbox.read("file") == b"kept", "a file was lost to a full disk")
        expect_alive(sandbox, "a full disk")
        expect_raises(OSError, lambda: sandbox.write("new", bytes(8 * MIB)), "writing to a full disk")
        expect(sandbox.read("file") == b"kept", "a file was lost to a full disk")
        expect_output(sandbox, "rm big /tmp/big; head -c 10M /dev/zero >ok; stat -c %s ok", f"{10 * MIB}\n")
        sandbox.write("new", bytes(MIB))
        fork = sandbox.fork()
        expect_output(fork, "cat file", "kept")
        fork.close()


@requirement
def a_filler_of_small_files_is_stopped(subject: Subject) -> None:
    """Files without end, be they empty, and folders without end bring neither the sandbox nor this machine down."""
    with subject.open() as sandbox:
        _need(sandbox, "disk", "sandbox")
        sandbox.write("file", b"kept")
        sandbox.run("mkdir -p many; cd many; seq 1 1000000000 | xargs -n 500 touch", 2)
        expect_alive(sandbox, "files without end")
        expect(sandbox.read("file") == b"kept", "a file was lost to others without end")
        sandbox.run("rm -rf many; while :; do mkdir d && cd d || break; done", 2)
        expect_alive(sandbox, "folders in folders without end")
        sandbox.run("rm -rf d")
        sandbox.restore()
        expect_output(sandbox, "ls -A", "")


@requirement
def processor_time_is_limited(subject: Subject) -> None:
    """Busy processes get no more than `cpus` seconds of processor time in a second."""
    with subject.open(limits=replace(subject.spec.limits, cpus=1.0)) as sandbox:
        _need(sandbox, "cpus", "sandbox")
        done = sandbox.run(
            f"begun=$EPOCHREALTIME; {_SPIN * 4} sleep 2; ended=$EPOCHREALTIME; kill -KILL $(jobs -p); wait; "
            "echo $begun $ended; times"
        )
        expect(done.ok or bool(done.stdout), f"busy loops gave {done}")
        lines = done.stdout.replace("m", " ").replace("s", " ").split("\n")
        begun, ended = (float(word) for word in lines[0].split())
        user, used_user, system, used_system = (float(word) for word in lines[2].split())
        used = 60 * user + used_user + 60 * system + used_system
        allowed = ended - begun + 0.5
        expect(used <= allowed, f"four busy processes used {used:.2f} s of processor time in {ended - begun:.2f} s")
        expect_alive(sandbox, "busy processes")
