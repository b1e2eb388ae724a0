"""`turnwise sandbox`: which sandboxes work on this machine, what they enforce, and the image that Docker's need."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.cli.errors import CommandError, reported

if TYPE_CHECKING:
    from turnwise.sandboxes.base import Isolation

sandbox = typer.Typer(
    help="Which sandboxes work on this machine, what they enforce, and the image that Docker's need.",
    no_args_is_help=True,
)


@sandbox.command("status")
@reported
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say for each backend whether it works here and what it enforces, or why not and what to do.

    It opens one sandbox of each kind and closes it again.

    [bold]Example:[/bold] turnwise sandbox status
    """
    from turnwise.sandboxes.opening import BACKENDS

    found = {backend: _try(backend) for backend in BACKENDS}
    if as_json:
        typer.echo(json.dumps({backend: _plain(result) for backend, result in found.items()}, indent=2))
        return
    for backend, result in found.items():
        if isinstance(result, str):
            typer.echo(f"{backend}: not available\n    {result}")
        else:
            typer.echo(f"{backend}: available\n    {_enforced(result)}")
            for note in result.notes:
                typer.echo(f"    note: {note}")


@sandbox.command("build")
@reported
def build(
    again: Annotated[bool, typer.Option("--again", help="Build it even if it is there.")] = False,
    root: Annotated[bool, typer.Option("--root", help="Only the root folder that bubblewrap can use.")] = False,
) -> None:
    """Make the image that Docker sandboxes use: from the official slim Python image, else by debootstrap.

    [bold]Examples:[/bold] turnwise sandbox build, turnwise sandbox build --root
    """
    from turnwise.sandboxes import debian_root, images
    from turnwise.sandboxes.errors import SandboxError

    try:
        if root:
            typer.echo(debian_root.ensure_root(say=_say))
        else:
            typer.echo(images.build_image(again=again, say=_say))
    except SandboxError as error:
        raise CommandError(str(error)) from error


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _try(backend: str) -> Isolation | str:
    """What a backend enforces here, or why it does not work."""
    from turnwise.sandboxes.errors import SandboxError
    from turnwise.sandboxes.opening import open_sandbox, unavailable

    try:
        reason = unavailable(backend)
        if reason is not None:
            return reason
        with open_sandbox(backend, require=()) as opened:
            return opened.isolation
    except SandboxError as error:
        return str(error)


def _plain(result: Isolation | str) -> dict[str, Any]:
    if isinstance(result, str):
        return {"available": False, "reason": result}
    return {"available": True, **asdict(result)}


def _enforced(isolation: Isolation) -> str:
    """One line: what holds, and what does not.

    >>> from turnwise.sandboxes.base import Isolation
    >>> _enforced(Isolation("x", True, True, True, False, "sandbox", "process", "none", "none"))
    'enforces network, filesystem, processes, memory; for each process by itself: cpus; not: user, pids, disk'
    """
    from turnwise.sandboxes.base import ISOLATION_NAMES

    values = {name: getattr(isolation, name) for name in ISOLATION_NAMES}
    parts = {
        "enforces": [name for name, value in values.items() if value in (True, "sandbox")],
        "for each process by itself:": [name for name, value in values.items() if value == "process"],
        "not:": [name for name, value in values.items() if value in (False, "none")],
    }
    return "; ".join(f"{label} {', '.join(names)}" for label, names in parts.items() if names)
