"""Commands: what goes in, and what comes back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from turnwise.sandboxes.conformance.registry import (
    Subject,
    expect,
    expect_alive,
    expect_output,
    expect_raises,
    requirement,
)


@requirement
def exit_codes_are_the_commands(subject: Subject) -> None:
    """The exit code is the command's own, 128 + n where signal n ended it, 127 for a command that is not there."""
    with subject.open() as sandbox:
        wanted = {
            "true": 0,
            "false": 1,
            "exit 7": 7,
            "exit 255": 255,
            "no-such-program-anywhere": 127,
            "(exit 3); exit $((256 + 4))": 4,
            "kill -TERM $BASHPID": 143,
            "bash -c 'kill -KILL $$'": 137,
            "": 0,
            "# nothing but a remark": 0,
        }
        for command, code in wanted.items():
            done = sandbox.run(command)
            expect(
                done.exit_code == code and not done.timed_out,
                f"{command!r} ended with {done.exit_code} (timed_out={done.timed_out}), must end with {code}",
            )


@requirement
def streams_are_kept_apart_and_whole(subject: Subject) -> None:
    """Standard output and error come back apart, byte by byte, with or without an ending newline."""
    with subject.open() as sandbox:
        for text in ("", "x", "x\n", "\n", "\n\n", "\n\nx\n\n", " x ", "a\tb\r\n"):
            done = sandbox.run(f"printf '%s' {_quoted(text)}; printf '%s' {_quoted(text)} >&2; printf E >&2")
            expect(done.stdout == text, f"printed {text!r}, got {done.stdout!r}")
            expect(done.stderr == text + "E", f"printed {text + 'E'!r} as an error, got {done.stderr!r}")
        done = sandbox.run("for i in $(seq 20000); do echo $i; done", output_bytes=1_000_000)
        expect(done.stdout.split() == [str(i) for i in range(1, 20001)], "20,000 lines did not come back as printed")


@requirement
def text_is_utf8(subject: Subject) -> None:
    """Output is read as UTF-8; what is no UTF-8 is replaced, and NUL is kept."""
    with subject.open() as sandbox:
        expect_output(sandbox, "printf '%s' 'é☃𝄞'", "é☃𝄞")
        expect_output(sandbox, "x=é☃; printf '%s' ${#x}", "2")
        expect_output(sandbox, r"printf 'a\xff\xfeb\0c'", "a\ufffd\ufffdb\0c")


@requirement
def commands_may_be_any_text(subject: Subject) -> None:
    """Commands of many lines, any quoting and hundreds of kilobytes are carried out; broken ones harm no later one."""
    with subject.open() as sandbox:
        expect_output(sandbox, "cat <<'END'\n$HOME `x` \"'\\\nEND\n", "$HOME `x` \"'\\\n")
        expect_output(sandbox, "if true\nthen\n  echo a\nfi # remark", "a\n")
        expect_output(sandbox, "echo $LINENO\n\necho $LINENO", "1\n3\n")
        expect_output(sandbox, "echo $# $*", "0\n")
        for size in (99, 100, 101, 4096, 65536, 300_000):
            word = "é" * (size // 2)
            expect_output(sandbox, f"x='{word}'; printf '%s' ${{#x}}", str(size // 2))
        for broken in (
            "if",
            "echo 'a",
            'echo "a',
            "cat <<END",
            "(",
            ")",
            "}",
            "echo \\",
            "exit 3 \\\n\n",
            "$(",
            "case x in",
        ):
            sandbox.run(broken)
            expect_alive(sandbox, f"the command {broken!r}")
        expect_raises(ValueError, lambda: sandbox.run("echo a\0b"), "a command with a NUL")
        expect_alive(sandbox, "a command with a NUL")


@requirement
def standard_input_is_given_whole(subject: Subject) -> None:
    """A command reads exactly its input, and none is left for the next; without one its input is empty."""
    with subject.open() as sandbox:
        expect_output(sandbox, "cat", "")
        expect_output(sandbox, "cat; cat", "é\0x\n", stdin="é\0x\n".encode())
        expect_output(sandbox, "read a; read b; echo $b$a", "21\n", stdin=b"1\n2\n3\n")
        data = bytes(range(256)) * 20_000
        expect_output(sandbox, "sha256sum", f"{hashlib.sha256(data).hexdigest()}  -\n", stdin=data)
        expect_output(sandbox, "echo not read", "not read\n", stdin=data)
        expect_output(sandbox, "echo read by none", "read by none\n", stdin=b"rm -rf .\nexit 9\n")
        expect_output(sandbox, "cat", "")


@requirement
def commands_begin_in_the_work_folder(subject: Subject) -> None:
    """Commands begin in the work folder, or in `cwd`, absolute or relative to it; a missing one is a failure."""
    with subject.open() as sandbox:
        expect_output(sandbox, "pwd", f"{sandbox.workdir}\n")
        sandbox.run("mkdir -p 'a b/-c' && cd /tmp")
        expect_output(sandbox, "pwd", f"{sandbox.workdir}\n")
        expect_output(sandbox, "pwd", f"{sandbox.workdir}/a b/-c\n", cwd="a b/-c")
        expect_output(sandbox, "pwd", f"{sandbox.workdir}/a b\n", cwd=f"{sandbox.workdir}/a b")
        expect_output(sandbox, "pwd", "/\n", cwd="/")
        done = sandbox.run("echo began", cwd="no/such folder")
        expect(not done.ok and "began" not in done.stdout, f"a command began in a folder that is not there: {done}")
        expect_alive(sandbox, "a folder that is not there")


@contextmanager
def _variable_of_this_process(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@requirement
def the_environment_is_what_was_given(subject: Subject) -> None:
    """Commands see HOME, PATH, LANG, TMPDIR and the variables that they were given, and none of this process's own."""
    with (
        _variable_of_this_process("TURNWISE_CONFORMANCE_SECRET", "hidden"),
        subject.open(env={"GIVEN": "to all 'é'\n", "d": "4"}) as sandbox,
    ):
        expect_output(sandbox, 'printf %s "$GIVEN$d"', "to all 'é'\n4")
        expect_output(
            sandbox, 'for v in HOME PATH LANG TMPDIR; do [[ -n ${!v} ]] || echo "no $v"; done; cd && true', ""
        )
        expect_output(sandbox, 'printf %s "$A$B"', "1 '\"$x\n2", env={"A": "1 '\"$x\n", "B": "2"})
        expect_output(sandbox, "printf %s $A$B; bash -c 'printf %s $GIVEN' >/dev/null", "")
        expect_output(sandbox, "env | grep -c TURNWISE || true", "0\n")
        for name in ("A B", "1A", "A=B", "", "é"):
            expect_raises(ValueError, partial(sandbox.run, "true", env={name: "x"}), f"the variable {name!r}")
        expect_alive(sandbox, "a variable's bad name")


@requirement
def commands_leave_only_files(subject: Subject) -> None:
    """Variables, functions, options, traps, the current folder and limits of one command are gone in the next."""
    with subject.open() as sandbox:
        sandbox.run("trap 'echo trapped' EXIT; alias ls=false; exec 2>&1; declare -r C=3; PATH=; hash -r; exit 3")
        sandbox.run("cd /tmp; A=1; export B=2; f() { echo f; }; umask 077; set -f; ulimit -n 20; echo x >f")
        expect_output(sandbox, 'pwd; echo "$A$B$C"; type f 2>/dev/null || echo gone', f"{sandbox.workdir}\n\ngone\n")
        expect_output(sandbox, "umask; [[ $(ulimit -n) != 20 ]] && cat /tmp/f", "0022\nx\n")


@requirement
def output_is_capped(subject: Subject) -> None:
    """Of each stream, the beginning up to the limit is kept; `output_truncated` says that there was more."""
    with subject.open() as sandbox:
        long = "head -c 300000 /dev/zero | tr '\\0' x"
        for command, stream in ((long, "stdout"), (f"({long}) >&2", "stderr")):
            done = sandbox.run(command, output_bytes=10_000)
            expect(
                getattr(done, stream) == "x" * 10_000 and done.output_truncated and done.exit_code == 0,
                f"of 300,000 bytes of {stream}, {len(getattr(done, stream)):,} were kept (limit 10,000), "
                f"output_truncated={done.output_truncated}, exit code {done.exit_code}",
            )
        done = sandbox.run(long, output_bytes=300_000)
        expect(len(done.stdout) == 300_000 and not done.output_truncated, "output of exactly the limit counts as more")


@requirement
def endless_output_is_stopped(subject: Subject) -> None:
    """A command that prints for ever is killed long before its time is over, and what it began with is kept."""
    with subject.open() as sandbox:
        for command in (
            "yes",
            "yes >&2",
            "trap '' PIPE TERM; while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
        ):
            done = sandbox.run(command, timeout=60, output_bytes=10_000)
            text = done.stdout + done.stderr
            expect(
                done.output_truncated and not done.timed_out and not done.ok and done.seconds < 50,
                f"{command!r} was not stopped: exit code {done.exit_code}, {done.seconds:.1f} s, "
                f"timed_out={done.timed_out}, output_truncated={done.output_truncated}",
            )
            expect(text.startswith("y") and len(text) == 10_000, f"{command!r}: {len(text):,} characters were kept")
            expect_alive(sandbox, f"{command!r}")


@requirement
def threads_take_turns(subject: Subject) -> None:
    """Several threads may use one sandbox: each gets its own command's result."""
    with subject.open() as sandbox, ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda i: sandbox.run(f"echo {i}; sleep 0.00{i % 5}; echo {i} >&2; exit {i}"), range(40))
        for i, done in enumerate(results):
            got = (done.stdout, done.stderr, done.exit_code)
            expect(got == (f"{i}\n", f"{i}\n", i), f"thread {i} got {got}")


def _quoted(text: str) -> str:
    return "$'" + "".join(f"\\x{byte:02x}" for byte in text.encode()) + "'"
