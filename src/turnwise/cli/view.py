"""`turnwise view`: trajectories as a page to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnwise.cli.errors import CommandError

if TYPE_CHECKING:
    from turnwise.rewards.trajectory import Trajectory


def view(
    files: Annotated[list[Path], typer.Argument(help="Files of trajectories, one JSON object a line.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page to write. [default: beside the first file]")
    ] = None,
    title: Annotated[str, typer.Option(help="Heading of the page. [default: names of the files]")] = "",
    privileged: Annotated[
        bool, typer.Option("--privileged", help="Show answers and gold documents too, folded and marked.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many episodes.")] = 1000,
    open_page: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open it in a browser. [default: in a terminal]")
    ] = None,
) -> None:
    """Write trajectories as one self-contained HTML page: every turn, what was seen, done and paid.

    [bold]Example:[/bold] turnwise view runs/random.jsonl --no-open
    """
    from turnwise.view import Section, comparison_table, render, summarize

    sets, more = _read(files, limit)
    trajectories = [trajectory for part in sets.values() for trajectory in part]
    page = out or files[0].with_suffix(".html")
    if page.resolve() in {file.resolve() for file in files}:
        raise CommandError(f"--out {str(page)!r} is one of the files to read")
    page.parent.mkdir(parents=True, exist_ok=True)
    heading = title or ", ".join(file.stem for file in files)
    sections = [Section("Side by side", comparison_table(sets))] if len(sets) > 1 else []
    html = render(trajectories, title=heading, privileged=privileged, sections=sections)
    page.write_text(html, encoding="utf-8")
    summary = summarize(trajectories)
    rates = {"success": summary.success, **summary.milestones}
    shares = ", ".join(f"{name} rate {rate.value:.0%}" for name, rate in rates.items())
    typer.echo(f"{summary.episodes} episodes, {summary.turns} turns, {shares}")
    if more:
        typer.echo(f"There are more; these are the first {limit} (see --limit).")
    typer.echo(f"Page: {page}")
    if sys.stdout.isatty() if open_page is None else open_page:
        typer.launch(page.resolve().as_uri())


def _read(files: list[Path], limit: int) -> tuple[dict[str, list[Trajectory]], bool]:
    """The first `limit` trajectories, by file, and whether there are more."""
    from itertools import islice

    from turnwise.wrappers.record import read_trajectories

    for file in files:
        if not file.is_file():
            raise CommandError(f"There is no file {str(file)!r}. {_nearby(file)}")
    names = [file.stem for file in files]
    if len(set(names)) < len(files):
        names = [str(file) for file in files]
    sets: dict[str, list[Trajectory]] = {}
    for name, file in zip(names, files, strict=True):
        room = limit - sum(map(len, sets.values()))
        sets[name] = list(islice(read_trajectories(file), room + 1))
        if len(sets[name]) > room:
            sets[name].pop()
            return {name: part for name, part in sets.items() if part}, True
    if not any(sets.values()):
        raise CommandError(f"There is no trajectory in {', '.join(map(str, files))}")
    return sets, False


def _nearby(file: Path) -> str:
    from turnwise.cli.errors import did_you_mean

    siblings = [str(each) for each in file.parent.glob("*.jsonl")] if file.parent.is_dir() else []
    return did_you_mean(str(file), siblings) if siblings else "Make one with: turnwise run … --out runs/x.jsonl"
