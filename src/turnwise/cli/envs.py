"""`turnwise envs`: which environments there are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer


@dataclass(frozen=True, slots=True)
class EnvRecord:
    """One id, as `turnwise envs` lists it.

    Attributes:
        id: The Gymnasium id.
        summary: First line of the class's docstring.
        tools: Names of the tools.
        tasks: Split to number of tasks.
        max_turns: Turns after which an episode is truncated, by default.
        missing: Why it cannot be made here, or empty.
    """

    id: str
    summary: str
    tools: list[str]
    tasks: dict[str, int]
    max_turns: int
    missing: str


def envs(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the environments: what each is, its tools, and how many tasks its splits have.

    [bold]Example:[/bold] turnwise envs --json
    """
    from rich.console import Console

    with Console(stderr=True).status("Counting tasks …"):
        records = [describe(id) for id in known_ids()]
    if as_json:
        typer.echo(json.dumps([asdict(record) for record in records], indent=2))
        return
    _print(records)


def known_ids() -> list[str]:
    """The ids that Turnwise registers."""
    import gymnasium as gym

    from turnwise.cli.targets import NAMESPACE

    return sorted(id for id in gym.registry if id.startswith(NAMESPACE))


def describe(id: str) -> EnvRecord:
    """Look an id up, and make it once for each split to count the tasks."""
    import gymnasium as gym
    from gymnasium.envs.registration import load_env_creator

    from turnwise.envs.core import TurnEnv

    spec = gym.spec(id)
    try:
        family: Any = load_env_creator(str(spec.entry_point))
        tasks = {split: _count(id, split) for split in splits(family)}
    except ImportError as error:
        return EnvRecord(id, "", [], {}, 0, f"the package {error.name!r} is not installed")
    if not issubclass(family, TurnEnv):
        return EnvRecord(id, _first_line(family), [], {}, 0, "it is no TurnEnv")
    from turnwise.envs.tools import tool_schemas

    return EnvRecord(id, _first_line(family), list(tool_schemas(family)), tasks, family.default_max_turns, "")


def splits(family: type) -> list[str]:
    """The values of the constructor's `split`: those of a class attribute `splits`, or the default alone."""
    import inspect

    parameter = inspect.signature(family).parameters.get("split")
    if parameter is None:
        return [""]
    return list(getattr(family, "splits", [parameter.default]))


def _count(id: str, split: str) -> int:
    import gymnasium as gym

    chosen: dict[str, Any] = {"split": split} if split else {}
    env = gym.make(id, disable_env_checker=True, **chosen)
    try:
        return len(env.unwrapped.tasks)  # type: ignore[attr-defined]
    finally:
        env.close()


def _first_line(family: type) -> str:
    import inspect

    return (inspect.getdoc(family) or "").split("\n\n")[0].replace("\n", " ")


def _print(records: list[EnvRecord]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 1, 0), header_style="bold")
    for name in ("id", "what it is", "tools", "tasks"):
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for record in records:
        tasks = "\n".join(f"{split or 'all'} {count:,}" for split, count in record.tasks.items())
        table.add_row(record.id, record.summary, ", ".join(record.tools), record.missing or tasks)
    Console().print(table)
