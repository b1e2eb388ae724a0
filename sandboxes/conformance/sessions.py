"""Session mode: what lasts from one command to the next, and when it ends."""

from __future__ import annotations

from turnwise.sandboxes.conformance.registry import Subject, expect, expect_output, expect_raises, requirement


@requirement
def a_session_keeps_its_shell(subject: Subject) -> None:
    """With `session`, the folder, variables, functions and options of one command are there in the next."""
    with subject.open() as sandbox:
        sandbox.run("mkdir d; cd d; A=1; export B='x y'; f() { echo f$1; }; set -o noglob", session=True)
        expect_output(
            sandbox,
            'pwd; echo "$A $B"; f 2; echo *; bash -c \'echo "$A $B"\'',
            _KEPT.format(sandbox.workdir),
            session=True,
        )
        expect_output(sandbox, "cat", "\0given\n", session=True, stdin=b"\0given\n")
        expect_output(sandbox, "cat; echo $A", "1\n", session=True)
        done = sandbox.run("echo out; echo err >&2; (exit 9)", session=True)
        got = (done.stdout, done.stderr, done.exit_code)
        expect(got == ("out\n", "err\n", 9), f"a session's command gave {got}")
        expect_output(sandbox, "pwd", f"{sandbox.workdir}\n")
        expect_output(sandbox, "pwd", f"{sandbox.workdir}/d\n", session=True)


_KEPT = "{}/d\n1 x y\nf2\n*\n x y\n"


@requirement
def a_session_ends_with_its_shell(subject: Subject) -> None:
    """A command that exits or replaces the session's shell, or runs out of time, is answered; a new shell follows."""
    with subject.open() as sandbox:
        endings = {"exit 5": 5, "exec true": 0, "exit 250": 250, "kill -KILL $BASHPID": 137, "set -e; false": 1}
        for ending, code in endings.items():
            sandbox.run("cd /tmp; A=kept; echo x >file", session=True)
            done = sandbox.run(f"echo before; {ending}; echo after", session=True)
            got = (done.stdout, done.exit_code)
            expect(got == ("before\n", code), f"`echo before; {ending}` in a session gave {got}")
            expect_output(sandbox, "pwd; echo $A; cat /tmp/file", f"{sandbox.workdir}\n\nx\n", session=True)
        sandbox.run("A=kept", session=True)
        done = sandbox.run("echo before; sleep 60", 0.5, session=True)
        expect(done.timed_out and done.stdout == "before\n", f"a session's command that ran out of time gave {done}")
        expect_output(sandbox, "echo $A", "\n", session=True)


@requirement
def a_session_survives_its_streams(subject: Subject) -> None:
    """A session's command may close or redirect the shell's own streams: later commands are answered."""
    with subject.open() as sandbox:
        for command in (
            "exec 0<&- 1>&- 2>&-",
            "exec >/dev/null 2>&1",
            "exec </dev/zero",
            'for ((fd = 0; fd < 64; fd++)); do eval "exec $fd>&-"; done',
            "trap '' TERM INT HUP PIPE CHLD USR1; trap 'exit 9' EXIT DEBUG",
        ):
            sandbox.run(command, 10, session=True)
            done = sandbox.run("echo here", session=True)
            done = done if done.ok else sandbox.run("echo here", session=True)
            expect(done.stdout == "here\n", f"after {command!r} in a session, `echo here` gave {done}")


@requirement
def a_session_takes_no_folder_and_no_variables(subject: Subject) -> None:
    """`cwd` and `env` with `session` are refused before anything runs."""
    with subject.open() as sandbox:
        expect_raises(ValueError, lambda: sandbox.run("true", session=True, cwd="/tmp"), "`cwd` with `session`")
        expect_raises(ValueError, lambda: sandbox.run("true", session=True, env={"A": "1"}), "`env` with `session`")
        expect_output(sandbox, "echo $A", "\n", session=True)
