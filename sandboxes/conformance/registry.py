"""The checks by name, what they are given, and how they say that something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from turnwise.sandboxes.base import MIB, Completed, Limits, Sandbox, Spec

LIMITS = Limits(memory_bytes=256 * MIB, cpus=1.0, processes=64, disk_bytes=128 * MIB, timeout=30.0)
"""What sandboxes are opened with: small, so that what breaks a limit is soon over."""


class Violation(Exception):  # noqa: N818 - a finding, not a fault of the kit
    """The sandbox breaks the contract; the text says how."""


class NotApplicable(Exception):  # noqa: N818
    """The check cannot be made on this sandbox; the text says why."""


@dataclass(frozen=True)
class Subject:
    """The backend under test.

    Attributes:
        open_one: Opens a sandbox.
        spec: How they are opened, but for what a check needs.
        lose: Destroys a live sandbox from outside, as a daemon's end would; None if there is no way.
    """

    open_one: Callable[[Spec], Sandbox]
    spec: Spec
    lose: Callable[[Sandbox], None] | None

    @contextmanager
    def open(self, **changes: Any) -> Iterator[Sandbox]:
        """A new sandbox, closed afterwards.

        Args:
            changes: Fields of `Spec` to set.
        """
        sandbox = self.open_one(replace(self.spec, **changes))
        try:
            yield sandbox
        finally:
            sandbox.close()

    @contextmanager
    def open_isolated(self, what: str, **changes: Any) -> Iterator[Sandbox]:
        """The same, if it says that it enforces one thing for the sandbox as a whole.

        Raises:
            NotApplicable: It does not say so.
        """
        with self.open(**changes) as sandbox:
            if sandbox.isolation.lacks([what]):
                raise NotApplicable(f"{sandbox.backend} does not say that it enforces {what!r}")
            yield sandbox


Check: TypeAlias = Callable[[Subject], None]

CHECKS: dict[str, Check] = {}
"""All checks by name, in the order in which they run."""


def requirement(check: Check) -> Check:
    """Add a check. The first sentence of its docstring is what it holds a sandbox to."""
    CHECKS[check.__name__] = check
    return check


def expect(holds: bool, message: str) -> None:
    """Raise a `Violation` with the message unless the condition holds."""
    if not holds:
        raise Violation(message)


def expect_output(sandbox: Sandbox, command: str, wanted: str, **arguments: Any) -> Completed:
    """Run a command that must succeed and print exactly this."""
    done = sandbox.run(command, **arguments)
    expect(
        done.exit_code == 0 and done.stdout == wanted,
        f"{_shown(command)} printed {_shown(done.stdout)} with exit code {done.exit_code}, must print {_shown(wanted)}"
        + (f"; errors: {_shown(done.stderr)}" if done.stderr else ""),
    )
    return done


def expect_failure(sandbox: Sandbox, command: str, **arguments: Any) -> Completed:
    """Run a command that must not succeed."""
    done = sandbox.run(command, **arguments)
    expect(not done.ok, f"{_shown(command)} succeeded and printed {_shown(done.stdout)}")
    return done


def expect_raises(kind: type[BaseException], action: Callable[[], object], what: str) -> None:
    """An action must raise an error of this type and of no other."""
    try:
        result = action()
    except kind:
        return
    except Exception as error:  # whatever it is, it is the finding
        raise Violation(f"{what} raised {type(error).__name__} ({error}), must raise {kind.__name__}") from error
    raise Violation(f"{what} gave {_shown(result)}, must raise {kind.__name__}")


def expect_alive(sandbox: Sandbox, after: str) -> None:
    """The sandbox must still carry out commands."""
    done = sandbox.run("echo alive")
    expect(done.ok and done.stdout == "alive\n", f"after {after}, `echo alive` gave {done}")


def has(sandbox: Sandbox, program: str) -> bool:
    """Whether a program is there."""
    return sandbox.run(f"command -v {program}").ok


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]}...{text[-40:]}"
