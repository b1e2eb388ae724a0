"""Sets of trajectories side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from turnwise.rewards.trajectory import Trajectory
from turnwise.view.summary import summarize
from turnwise.view.text import visible


def comparison_table(sets: Mapping[str, Sequence[Trajectory]]) -> str:
    """An HTML table with one row a set: episodes, success rate with its interval, reward, turns. For a `Section`.

    >>> from turnwise.rewards import Turn
    >>> won = Trajectory([Turn(0, "task", "open[]", channels={"outcome": 1.0})])
    >>> "<td>100%</td>" in comparison_table({"oracle": [won]})
    True
    """
    head = _cells("th", ("", "Success", "95 % CI", "Outcome", "Reward", "Turns", "Episodes"))
    body = "".join(_row(name, trajectories) for name, trajectories in sets.items())
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(name: str, trajectories: Sequence[Trajectory]) -> str:
    summary = summarize(trajectories)
    low, high = summary.interval
    cells = (
        escape(visible(name)),
        f"{summary.success_rate:.0%}",
        f"{low:.0%} to {high:.0%}",
        f"{summary.mean_outcome:.3f}",
        f"{summary.mean_reward:.3f}",
        f"{summary.mean_turns:.1f}",
        f"{summary.episodes:,}",
    )
    return f"<tr>{_cells('td', cells)}</tr>"


def _cells(tag: str, cells: Sequence[str]) -> str:
    # A phone shows the columns without this class.
    wide = (False, False, True, True, False, False, True)
    return "".join(
        f'<{tag} class="wide">{c}</{tag}>' if w else f"<{tag}>{c}</{tag}>" for c, w in zip(cells, wide, strict=True)
    )
