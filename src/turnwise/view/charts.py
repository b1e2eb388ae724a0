"""A line chart as SVG that follows the page's light or dark colours and its width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 520, 280
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 12, 48


def line_chart(
    series: Mapping[str, Points],
    *,
    x_label: str = "",
    y_label: str = "",
    y_range: tuple[float, float] | None = None,
    bands: Mapping[str, Sequence[tuple[float, float, float]]] | None = None,
) -> str:
    """Draw named lines with a legend; put the result into a `Section`.

    Args:
        series: Name to (x, y) points in drawing order; at most 10 names have colours of their own.
        x_label: What x is, with its unit.
        y_label: What y is, with its unit.
        y_range: Lowest and highest y shown; default: those of the data.
        bands: Name to (x, low, high) points, a shaded range around a line, for example over seeds.

    Returns:
        A `<figure>` element.

    Raises:
        ValueError: There is no point to draw, or a coordinate is not finite.

    >>> line_chart({"GRPO": [(0, 0.1), (10, 0.4)]}, x_label="updates").count("<polyline")
    1
    """
    bands = bands or {}
    points = [p for line in series.values() for p in line]
    xs = [x for x, _ in points] + [x for band in bands.values() for x, _, _ in band]
    ys = [y for _, y in points] + [y for band in bands.values() for _, low, high in band for y in (low, high)]
    if not xs or not all(map(math.isfinite, [*xs, *ys])):
        raise ValueError(f"series must hold at least one point and only finite ones, got {dict(series)!r}"[:300])
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(*(y_range or (min(ys), max(ys))))

    def at(x: float, y: float) -> str:
        return f"{_place(x, x_ticks, LEFT, WIDTH - RIGHT):.1f},{_place(y, y_ticks, HEIGHT - BOTTOM, TOP):.1f}"

    body = [_grid(x_ticks, y_ticks, x_label, y_label)]
    colours = {name: i % 10 for i, name in enumerate(series)}
    for name, band in bands.items():
        outline = [at(x, high) for x, _, high in band] + [at(x, low) for x, low, _ in reversed(band)]
        body.append(f'<polygon class="c{colours.get(name, 0)}" points="{" ".join(outline)}"/>')
    for name, line in series.items():
        body.append(f'<polyline class="c{colours[name]}" points="{" ".join(at(x, y) for x, y in line)}"/>')
    legend = "".join(f'<span class="c{colours[name]}">{escape(name)}</span>' for name in series)
    described = escape(f"{y_label or 'value'} against {x_label or 'x'}: {', '.join(series)}", quote=True)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{described}">{"".join(body)}</svg>'
    return f'<figure class="chart">{svg}<figcaption class="legend">{legend}</figcaption></figure>'


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers, at most about `most` of them, that cover a range.

    >>> ticks(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if high <= low:
        low, high = low - 0.5, high + 0.5
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(m * power for m in (1, 2, 5, 10, 20) if (high - low) / (m * power) <= most - 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _place(value: float, marks: Sequence[float], start: float, end: float) -> float:
    return start + (end - start) * (value - marks[0]) / (marks[-1] - marks[0])


def _grid(x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str, y_label: str) -> str:
    parts = []
    for tick in y_ticks:
        y = _place(tick, y_ticks, HEIGHT - BOTTOM, TOP)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        x = _place(tick, x_ticks, LEFT, WIDTH - RIGHT)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 19}" text-anchor="middle">{tick:g}</text>')
    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    turned = f'transform="rotate(-90 12 {centre})" x="12" y="{centre}"'
    parts.append(f'<text {turned} text-anchor="middle">{escape(y_label)}</text>')
    return "".join(parts)
