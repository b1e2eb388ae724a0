"""Programs that run inside a sandbox, by the sandbox's own Python (3.6 or later) and nothing but its standard library.

Each is one module with a function `main(order)`. `run_program` sends its source and its order; nothing of it is ever a
file in the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any

from turnwise.sandboxes import Completed, Sandbox

__all__ = ["run_program"]

_BOOT = "import sys, json; _given = {}; _order = json.loads(_given); exec(_order['program']); main(_order)"
_FROM_INPUT = _BOOT.format("sys.stdin.buffer.read().decode()")
_FROM_ARGUMENTS = _BOOT.format("''.join(sys.argv[1:])")
_ARGUMENT_LIMIT = 100_000
"""Linux takes 131,072 bytes in one argument, and about two million in all."""


def run_program(
    sandbox: Sandbox,
    name: str,
    order: Mapping[str, Any],
    *,
    python: str,
    timeout: float,
    output_bytes: int,
    by_input: bool = False,
) -> Completed:
    """Run one of the programs of this folder.

    The interpreter is isolated (`-I`): neither the work folder nor any variable decides what it imports.

    Args:
        sandbox: Where to run it.
        name: Of the module.
        order: What it is to do: JSON.
        python: The interpreter's path in the sandbox, or a name on its PATH.
        timeout: Seconds.
        output_bytes: Most bytes of its answer.
        by_input: Send the order on standard input, where no other process can read it, rather than as arguments, which
            also arrive where the disk is full.

    Raises:
        SandboxError: The sandbox itself failed.
    """
    text = json.dumps({**order, "program": _source(name)})
    # `exec`: no shell is left that holds the standard input open. `cwd`: the work folder may be closed or gone.
    start = f"exec {quote(python)} -I -B -c "
    if by_input:
        command, stdin = start + quote(_FROM_INPUT), text.encode("ascii")
    else:
        parts = [text[i : i + _ARGUMENT_LIMIT] for i in range(0, len(text), _ARGUMENT_LIMIT)]
        command, stdin = start + " ".join(quote(part) for part in (_FROM_ARGUMENTS, *parts)), b""
    return sandbox.run(command, timeout=timeout, cwd="/", stdin=stdin, output_bytes=output_bytes)


@cache
def _source(name: str) -> str:
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
