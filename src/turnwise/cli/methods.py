"""`turnwise methods`: which published methods turn rewards into turn-level credit, and what each needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from turnwise.rewards.method import MethodRecord


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the credit methods: paper, how far the formula has been checked, and what must be there to use it.

    [bold]Example:[/bold] turnwise methods --json
    """
    records = list(_records())
    if as_json:
        typer.echo(json.dumps([_plain(record) for record in records], indent=2))
        return
    _print(records)


def _records() -> list[MethodRecord]:
    from turnwise.rewards.methods import METHODS

    return list(METHODS.values())


def _plain(record: MethodRecord) -> dict[str, object]:
    return {
        "name": record.name,
        "summary": record.summary,
        "paper": record.paper,
        "arxiv": record.arxiv,
        "provenance": record.provenance,
        "scope": record.scope,
        "needs": sorted(record.needs),
        "min_group": record.min_group,
    }


def _print(records: list[MethodRecord]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("method", "what it does", "arXiv", "scope", "needs", "formula"):
        table.add_column(name, overflow="fold", no_wrap=name in ("method", "arXiv", "scope"))
    for record in records:
        needs = ", ".join(sorted(record.needs)) or "–"
        table.add_row(record.name, record.summary, record.arxiv, record.scope, needs, record.provenance)
    console = Console()
    console.print(table)
    console.print(
        "\nformula: [bold]verified[/bold] by running the authors' code beside ours, [bold]read[/bold] from the paper "
        "or the code, [bold]unverified[/bold] from secondary sources.\nUse one: "
        "[bold]from turnwise.rewards.credit import gigpo[/bold]",
        highlight=False,
    )
