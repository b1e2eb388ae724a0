"""`turnwise methods`: which published methods turn rewards into turn-level credit, and what each needs."""

from __future__ import annotations

import csv
import inspect
import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

from turnwise.cli import bench, errors

if TYPE_CHECKING:
    from turnwise.rewards.method import MethodRecord


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    card: Annotated[str | None, typer.Option(help="Print what a paper that uses this method should report.")] = None,
) -> None:
    """List the credit methods: paper, how far the formula has been checked, and what must be there to use it.

    [bold]Examples:[/bold] turnwise methods --json, turnwise methods --card gigpo
    """
    records = list(_records())
    if card is not None:
        by_name = {record.name: record for record in records}
        if card not in by_name:
            raise errors.CommandError(f"there is no method {card!r}. {errors.did_you_mean(card, by_name)}")
        typer.echo(_card(by_name[card]))
        return
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
        "cost": _cost(record),
        "min_group": record.min_group,
    }


_COSTS = {
    "tree": "more rollouts",
    "log_ratio": "two forward passes",
    "probe": "a forward pass a turn",
    "entropy": "none: the rollout's own",
    "log_probability": "none: the rollout's own",
    "values": "a critic",
    "estimator": "a small regression",
    "process_score": "a process reward model or judge",
    "checklist_score": "a judge",
    "rubric": "a judge",
    "rubrics": "a judge",
    "judge": "a judge",
    "scorer": "a judge or reward model",
}
"""What a need costs beside the arithmetic; needs that an environment or a user states cost nothing."""


def _cost(record: MethodRecord) -> str:
    return "; ".join(dict.fromkeys(_COSTS[need] for need in sorted(record.needs) if need in _COSTS)) or "arithmetic"


def _card(record: MethodRecord) -> str:
    """The rows in which reports of credit assignment differ, filled in from the code and the last measurement."""
    arguments = list(inspect.signature(record.function).parameters.values())
    choices = [f"{p.name}={p.default!r}" for p in arguments if p.default is not p.empty]
    required = [p.name for p in arguments if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    clock = {"turn": "inside step", "episode": "at the episode's end", "group": "when all rollouts of a task are there"}
    rows = {
        "Method": f"{record.name}: {record.summary}",
        "Source": f"{record.paper}" + (f", arXiv {record.arxiv}" if record.arxiv else ""),
        "Formula checked": record.provenance,
        "Granularity": "turn (token-native methods: a row is a token or a segment)",
        "When it runs": clock[record.scope],
        "Smallest group": str(record.min_group),
        "Needs beside rewards": ", ".join(sorted(record.needs)) or "nothing",
        "Cost beside arithmetic": _cost(record),
        "Must be given": ", ".join(required) or "nothing",
        "Choices, to be reported": ", ".join(choices) or "none",
    }
    rows |= _measured(record.name)
    width = max(map(len, rows))
    return "\n".join(f"{title:<{width}}  {text}" for title, text in rows.items())


def _measured(name: str) -> dict[str, str]:
    """Mean fidelity over families for each group size, out of the file of the last `turnwise bench credit` here."""
    if not bench.FIDELITY_CSV.exists():
        return {"Fidelity": "not measured here; run turnwise bench credit"}
    with bench.FIDELITY_CSV.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == name]
    measured: dict[str, str] = {}
    for size in sorted({int(row["group_size"]) for row in rows}):
        of_size = [row for row in rows if int(row["group_size"]) == size]
        means = {key: _mean(of_size, key) for key in ("sign_accuracy", "spearman", "bias", "signal")}
        measured[f"Fidelity at G = {size}"] = ", ".join(f"{key} {value:.2f}" for key, value in means.items())
    if rows:
        measured["Cost"] = f"{_mean(rows, 'microseconds_per_turn'):.3f} µs a turn, without its model"
        measured["Measured with"] = rows[0].get("stand_in") or "no stand-in"
    return measured or {"Fidelity": f"{bench.FIDELITY_CSV} has no rows for it: nothing could stand in for its needs"}


def _mean(rows: list[dict[str, str]], key: str) -> float:
    values = [value for row in rows if not math.isnan(value := float(row[key]))]
    return sum(values) / len(values) if values else math.nan


def _print(records: list[MethodRecord]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("method", "what it does", "arXiv", "scope", "needs", "cost", "formula"):
        table.add_column(name, overflow="fold", no_wrap=name in ("method", "arXiv", "scope"))
    for record in records:
        needs = ", ".join(sorted(record.needs)) or "–"
        table.add_row(record.name, record.summary, record.arxiv, record.scope, needs, _cost(record), record.provenance)
    console = Console()
    console.print(table)
    console.print(
        "\nformula: [bold]verified[/bold] by running the authors' code beside ours, [bold]read[/bold] from the paper "
        "or the code, [bold]unverified[/bold] from secondary sources.\nUse one: "
        "[bold]from turnwise.rewards.credit import gigpo[/bold]",
        highlight=False,
    )
