"""`turnwise check`: hold an environment to the contract."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def check(
    env: Annotated[str, typer.Argument(metavar="ENV", help="An id, 'module:id' or 'path/to/file.py:Class'.")],
    env_arg: Annotated[
        list[str] | None,
        typer.Option("--env-arg", "--kwargs", "-k", help="key=value for the environment; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that an environment keeps the contract: Gymnasium's API, determinism, forking, oracle, rewards.

    Exit code 0 if every check passes, 1 if one fails, 2 if the environment cannot be made.

    [bold]Examples:[/bold]

    turnwise check turnwise/WebShop-v0 --kwargs products=100

    turnwise check my_package.my_env:MyEnv
    """
    from turnwise.cli.options import key_values
    from turnwise.cli.targets import find
    import turnwise.envs.conformance as conformance

    target = find(env, key_values(env_arg or (), "--env-arg"))
    target.open().close()
    report = conformance.check(target.make)
