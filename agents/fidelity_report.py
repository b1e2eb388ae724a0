"""What a measurement of credit methods found: rows, a table, a file, a figure, and the weak spots in words."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.fidelity import Fidelity

COLUMNS = ("sign_accuracy", "spearman", "bias", "variance", "signal", "leak")


@dataclass(frozen=True)
class FidelityRow:
    """One method on one family at one group size.

    Attributes:
        family: What was measured on.
        group_size: Rollouts in a group.
        method: Name in `METHODS`.
        mean: Means over the tasks, see `Fidelity`.
        sign_accuracy_se: Standard error over the tasks; NaN for one task.
        spearman_se: The same.
        microseconds_per_turn: Time of the method itself, without the model that feeds it.
        stand_in: What took the place of that model, in words.
    """

    family: str
    group_size: int
    method: str
    mean: Fidelity
    sign_accuracy_se: float
    spearman_se: float
    microseconds_per_turn: float
    stand_in: str = ""


@dataclass(frozen=True)
class FidelityReport:
    """What `run_fidelity` returns.

    Attributes:
        rows: In the order of measurement.
        skipped: Methods that could not be measured, and why.
        setting: How it was measured, in words.
    """

    rows: tuple[FidelityRow, ...]
    skipped: Mapping[str, str]
    setting: str

    @property
    def group_sizes(self) -> list[int]:
        """The group sizes measured, in ascending order."""
        return sorted({row.group_size for row in self.rows})

    def table(self, group_size: int | None = None) -> str:
        """All figures as a Markdown table.

        Args:
            group_size: Rows of this group size only; default all.
        """
        head = ["family", "G", "method", "sign", "rank", "bias", "variance", "signal", "leak", "µs/turn"]
        lines = [" | ".join(head), " | ".join(["---", "---:", "---", *["---:"] * (len(head) - 3)])]
        for row in self.rows:
            if group_size in (None, row.group_size):
                figures = [_short(getattr(row.mean, column)) for column in COLUMNS]
                cells = [row.family, str(row.group_size), row.method, *figures, f"{row.microseconds_per_turn:.3f}"]
                lines.append(" | ".join(cells))
        skipped = [f"Not measured: {name} ({reason})." for name, reason in self.skipped.items()]
        return "\n".join(
            [self.setting + ".", "", *[f"| {line} |" for line in lines], *(["", *skipped] if skipped else [])]
        )

    def summary(self, metric: str = "spearman", group_size: int | None = None) -> str:
        """One figure of every method (rows) on every family (columns) as a Markdown table, and its mean.

        Args:
            metric: A field of `Fidelity`.
            group_size: Default the middle one.
        """
        families, methods, grid = self.grid(metric, group_size)
        lines = [["method", *families, "mean"], ["---", *["---:"] * (len(families) + 1)]]
        for method, figures in zip(methods, grid, strict=True):
            lines.append([method, *map(_short, figures), _short(_mean(figures))])
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

    def grid(self, metric: str, group_size: int | None = None) -> tuple[list[str], list[str], FloatArray]:
        """(families, methods, (methods, families) figures); NaN where one was not measured.

        Raises:
            ValueError: There is no such metric, or nothing was measured at that group size.
        """
        if metric not in COLUMNS:
            raise ValueError(f"metric must be one of {COLUMNS}, got {metric!r}")
        size = self._size(group_size)
        families = list(dict.fromkeys(row.family for row in self.rows))
        methods = list(dict.fromkeys(row.method for row in self.rows))
        figures = np.full((len(methods), len(families)), np.nan)
        for row in self.rows:
            if row.group_size == size:
                figures[methods.index(row.method), families.index(row.family)] = getattr(row.mean, metric)
        return families, methods, figures

    def weak_spots(self, *, below: float = 0.6, group_size: int | None = None) -> list[str]:
        """Where a method's sign is hardly better than a coin's, or worse, as sentences; the worst first.

        Args:
            below: Sign accuracy that counts as weak.
            group_size: Default the middle one.
        """
        size = self._size(group_size)
        weak = [row for row in self.rows if row.group_size == size and row.mean.sign_accuracy < below]
        return [
            f"{row.method} on {row.family}: the sign is right on {row.mean.sign_accuracy:.0%} of the turns that matter "
            f"(a coin: 50%), rank correlation {_short(row.mean.spearman)}."
            for row in sorted(weak, key=lambda row: row.mean.sign_accuracy)
        ]

    def to_csv(self, path: str | PathLike[str]) -> Path:
        """Write one line a row; the directory is made if need be. Returns the path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        records = [_flat(row) for row in self.rows]
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(records[0]) if records else ["family"])
            writer.writeheader()
            writer.writerows(records)
        return target

    def figure(self, path: str | PathLike[str], group_size: int | None = None) -> Path:
        """Draw sign accuracy and rank correlation as heat maps. Returns the path; its suffix is the format.

        Raises:
            ImportError: matplotlib is not installed; the message says how to install it.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ModuleNotFoundError as error:
            raise ImportError("figures need matplotlib: pip install turnwise[plot]", name=error.name) from error
        size = self._size(group_size)
        families, methods, _ = self.grid("spearman", size)
        figure = Figure(figsize=(2 * (1.6 + 0.75 * len(families)), 1.8 + 0.34 * len(methods)), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, sharey=True)
        _heat_map(left, self, "sign_accuracy", size, (0.0, 1.0), "sign accuracy (a coin: 0.5)")
        _heat_map(right, self, "spearman", size, (-1.0, 1.0), "rank correlation")
        figure.suptitle(f"Credit beside the true advantage, groups of {size}")
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=160)
        return target

    def _size(self, group_size: int | None) -> int:
        sizes = self.group_sizes
        if group_size is None and sizes:
            return sizes[len(sizes) // 2]
        if group_size not in sizes:
            raise ValueError(f"group_size must be one of {sizes}, got {group_size}")
        return group_size


def _heat_map(
    axes: Any, report: FidelityReport, metric: str, size: int, limits: tuple[float, float], title: str
) -> None:
    families, methods, grid = report.grid(metric, size)
    axes.imshow(grid, cmap="RdYlBu", vmin=limits[0], vmax=limits[1], aspect="auto")
    axes.set_xticks(range(len(families)), families, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(methods)), methods, fontsize=8)
    axes.set_title(title, fontsize=9)
    middle, half = sum(limits) / 2, (limits[1] - limits[0]) / 2
    for (row, column), value in np.ndenumerate(grid):
        ink = "white" if abs(value - middle) > 0.8 * half else "black"
        axes.text(column, row, _short(value), ha="center", va="center", fontsize=7, color=ink)


def _flat(row: FidelityRow) -> dict[str, Any]:
    record = asdict(row)
    mean = record.pop("mean")
    stand_in = record.pop("stand_in")
    return {**record, **mean, "stand_in": stand_in}


def _mean(figures: FloatArray) -> float:
    defined = figures[~np.isnan(figures)]
    return float(defined.mean()) if defined.size else float("nan")


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
