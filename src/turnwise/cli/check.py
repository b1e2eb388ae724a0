"""`turnwise check`: hold an environment to the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from turnwise.cli.errors import CommandError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from turnwise.cli.targets import Target
    from turnwise.envs.conformance import Finding


def check(
    env: Annotated[str, typer.Argument(metavar="ENV", help="An id, 'module:id' or 'path/to/file.py:Class'.")],
    env_arg: Annotated[
        list[str] | None,
        typer.Option("--env-arg", "--kwargs", "-k", help="key=value for the environment; repeatable."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Name of a check; repeatable. [default: all]")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes that a check plays; the cost grows with it.")] = 5,
    random_bound: Annotated[float, typer.Option(help="What a random agent's mean score must stay below.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of the checks' own choices.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that an environment keeps the contract: Gymnasium's API, determinism, forking, oracle, secrecy.

    Exit code 0 if no check fails, 1 if one does, 2 if the environment cannot be made.

    [bold]Examples:[/bold]

    turnwise check turnwise/WebShop-v0 --kwargs products=100

    turnwise check my_package.my_env:MyEnv --only oracle_solves
    """
    from rich.console import Console

    from turnwise.cli.options import key_values
    from turnwise.cli.targets import find
    from turnwise.envs.conformance import CHECKS, Report

    target = find(env, key_values(env_arg or (), "--env-arg"))
    target.open().close()
    names = only or list(CHECKS)
    if unknown := [name for name in names if name not in CHECKS]:
        raise CommandError(f"There is no check {unknown[0]!r}. {did_you_mean(unknown[0], CHECKS)}")
    console = Console(stderr=as_json, highlight=False)
    findings = []
    for finding in _findings(target, names, episodes, random_bound, seed):
        findings.append(finding)
        if not as_json:
            _print(finding, console)
    report = Report(target.name, tuple(findings))
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        console.print(f"\n{str(report).splitlines()[0]}", markup=False, style="bold green" if report.ok else "bold red")
    if not report.ok:
        raise typer.Exit(1)


def _findings(target: Target, names: Sequence[str], episodes: int, random_bound: float, seed: int) -> Iterator[Finding]:
    """One finding after the other, so that they can be shown as they come.

    No spinner turns meanwhile: it is a thread, and some checks measure what an environment leaves in memory.
    """
    from turnwise.envs import conformance

    for name in names:
        report = conformance.check(target.make, checks=[name], episodes=episodes, random_bound=random_bound, seed=seed)
        yield from report.findings


def _print(finding: Finding, console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from turnwise.view.text import visible

    mark, style = ("–", "dim") if finding.skipped_reason else ("✓", "green") if finding.passed else ("✗", "red")
    text = visible(finding.skipped_reason or finding.message)
    console.print(f"{mark} {finding.check}", style=style, markup=False)
    console.print(Padding(Text(text, style="" if style == "red" else "dim"), (0, 0, 0, 2), expand=False))
