"""What can go wrong, kept apart by type.

    Exception
    ├── SandboxError              the sandbox itself failed: never an agent's fault, never an agent's output
    │   ├── SandboxUnavailableError   the backend cannot be used on this machine; says what to install or start
    │   ├── IsolationError            more isolation was asked for than the backend can enforce here
    │   ├── SandboxLostError          a live sandbox is gone: daemon restarted, process killed from outside
    │   └── SandboxClosedError        the sandbox was used after `close`
    └── CommandError              raised by `Completed.check()` only
        ├── CommandFailedError        the command ran and its exit code is not 0
        └── CommandTimeoutError       the command ran out of time and was killed

A command that fails or runs out of time is not an exception: `Sandbox.run` returns a `Completed` that says so. Files
raise Python's own `FileNotFoundError`, `PermissionError`, `IsADirectoryError`, `NotADirectoryError`, or
`FileTooLargeError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwise.sandboxes.base import Completed


class SandboxError(Exception):
    """The sandbox itself failed. Its text is for the operator: never show it to an agent as a command's output."""


class SandboxUnavailableError(SandboxError):
    """A backend cannot be used on this machine. The message says why, and what to install or start."""


class IsolationError(SandboxError):
    """More isolation was asked for than the backend enforces here. The message names each."""


class SandboxLostError(SandboxError):
    """A sandbox that was live is gone or no longer answers. It cannot be used again; its files are lost."""


class SandboxClosedError(SandboxError):
    """The sandbox was used after `close`."""


class CommandError(Exception):
    """A command did not succeed; `completed` holds its output."""

    def __init__(self, message: str, completed: Completed) -> None:
        super().__init__(message)
        self.completed = completed


class CommandFailedError(CommandError):
    """The command ran to its end with an exit code other than 0."""


class CommandTimeoutError(CommandError):
    """The command ran out of time and was killed."""


class FileTooLargeError(OSError):
    """A file is larger than what `read` may return."""
