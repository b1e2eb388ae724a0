"""Trajectories as one self-contained HTML page: every turn, what was seen and done, and what each turn was paid.

>>> from turnwise.rewards import Trajectory, Turn
>>> page = render([Trajectory([Turn(0, "task", "look[]", "a lamp", channels={"outcome": 1.0})])], title="Lamps")
>>> page.startswith("<!doctype html>"), "look[]" in page
(True, True)
"""

from turnwise.rewards.rates import success_interval
from turnwise.rewards.summary import Summary, TermSummary, summarize
from turnwise.view.charts import line_chart
from turnwise.view.page import Section, render
from turnwise.view.tables import comparison_table

__all__ = [
    "Section",
    "Summary",
    "TermSummary",
    "comparison_table",
    "line_chart",
    "render",
    "success_interval",
    "summarize",
]
