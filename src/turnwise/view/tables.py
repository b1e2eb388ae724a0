"""Sets of trajectories side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from turnwise.rewards.summary import Summary, summarize
from turnwise.rewards.trajectory import Trajectory
from turnwise.view.text import visible


def comparison_table(sets: Mapping[str, Sequence[Trajectory]]) -> str:
    """An HTML table with one row a set: episodes, success rate with its interval, reward, turns. For a `Section`.

    Rates of milestones have a column each, where the environments declare them (`Trajectory.milestones`).

    >>> from turnwise.rewards import Turn
    >>> won = Trajectory([Turn(0, "task", "open[]", channels={"outcome": 1.0})])
    >>> "<td>100%</td>" in comparison_table({"oracle": [won]})
    True
    """
    summaries = {name: summarize(trajectories) for name, trajectories in sets.items()}
    rates = list(dict.fromkeys(rate for summary in summaries.values() for rate in summary.milestones))
    shown = [escape(visible(rate).capitalize()) for rate in rates]
    head = _cells("th", ("", "Success", "95 % CI", "Outcome", "Reward", "Turns", "Episodes"), shown)
    body = "".join(_row(name, summary, rates) for name, summary in summaries.items())
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(name: str, summary: Summary, rates: Sequence[str]) -> str:
    low, high = summary.success.interval
    cells = (
        escape(visible(name)),
        f"{summary.success_rate:.0%}",
        f"{low:.0%} to {high:.0%}",
        f"{summary.mean_outcome:.3f}",
        f"{summary.mean_reward:.3f}",
        f"{summary.mean_turns:.1f}",
        f"{summary.episodes:,}",
    )
    shares = [f"{summary.milestones[rate].value:.0%}" if rate in summary.milestones else "–" for rate in rates]
    return f"<tr>{_cells('td', cells, shares)}</tr>"


def _cells(tag: str, cells: Sequence[str], shares: Sequence[str]) -> str:
    """A row of cells; the milestones' shares stand beside the success rate."""
    # A phone shows the columns without this class.
    wide = (False, False, True, True, False, False, True)
    marked = list(zip(cells, wide, strict=True))
    marked[2:2] = [(share, False) for share in shares]
    return "".join(f'<{tag} class="wide">{c}</{tag}>' if w else f"<{tag}>{c}</{tag}>" for c, w in marked)
