r"""Where untrusted code runs: one interface over Docker, Linux namespaces (bubblewrap) and plain processes.

>>> from turnwise.sandboxes import open_sandbox
>>> with open_sandbox("process") as sandbox:  # "auto" chooses one that isolates
...     sandbox.run("echo $((6 * 7))").stdout
'42\n'
"""

from turnwise.sandboxes.base import Completed, Files, Isolation, Limits, Sandbox, Spec
from turnwise.sandboxes.errors import (
    CommandError,
    CommandFailedError,
    CommandTimeoutError,
    FileTooLargeError,
    IsolationError,
    SandboxClosedError,
    SandboxError,
    SandboxLostError,
    SandboxUnavailableError,
)
from turnwise.sandboxes.fake import FakeSandbox
from turnwise.sandboxes.opening import open_sandbox

__all__ = [
    "CommandError",
    "CommandFailedError",
    "CommandTimeoutError",
    "Completed",
    "FakeSandbox",
    "FileTooLargeError",
    "Files",
    "Isolation",
    "IsolationError",
    "Limits",
    "Sandbox",
    "SandboxClosedError",
    "SandboxError",
    "SandboxLostError",
    "SandboxUnavailableError",
    "Spec",
    "open_sandbox",
]
