"""`render`: trajectories to one HTML page, by way of plain records that the template only has to print."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from turnwise import __version__
from turnwise.rewards.rates import is_success
from turnwise.rewards.summary import ADVANTAGE, HINDSIGHT, Summary, summarize, turn_terms
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.view.text import Block, block, visible

COLOURS = 10
"""Colours of the style sheet; with more terms than this they are used again."""

LABELS = {HINDSIGHT: "hindsight reward", ADVANTAGE: "group advantage"}


@dataclass(frozen=True, slots=True)
class Section:
    """A block of your own above the episodes, for example a table or `line_chart`.

    Attributes:
        title: Its heading, as text.
        html: Its body, as HTML that you vouch for. Scripts in it do not run, and it cannot load anything.
    """

    title: str
    html: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One reward term of one turn: `left` and `width` in per cent of its track."""

    name: str
    label: str
    colour: int
    value: float
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class TurnView:
    """One turn, ready to print."""

    number: int
    valid: bool
    saw: Block | None
    action: Block
    reply: Block
    reward: float
    tokens: int
    events: list[str]
    bars: list[Bar]
    privileged: Block | None


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """One episode, ready to print. `zero` and `spark`: see `_spark`. `facts` are short (name, value) pairs."""

    number: int
    task: str
    success: bool
    outcome: float
    reward: float
    stop_reason: str
    truncated: bool
    zero: float
    spark: list[tuple[float, float]]
    facts: list[tuple[str, str]]
    turns: list[TurnView]
    privileged: Block | None


def render(
    trajectories: Sequence[Trajectory],
    *,
    title: str = "Trajectories",
    privileged: bool = False,
    sections: Sequence[Section] = (),
) -> str:
    """One HTML page, with its style and script inside, that shows every episode turn by turn.

    It loads nothing, from disk or network, and everything in it that an agent or an environment wrote is escaped.

    Args:
        trajectories: In the order they are to be shown.
        title: Heading of the page.
        privileged: Show what only training may know (answers, gold documents), folded and marked.
        sections: Blocks of your own above the episodes.

    Returns:
        The page, encodable as UTF-8.
    """
    summary = summarize(trajectories)
    scale = {term.name: max(abs(term.lowest), abs(term.highest)) for term in summary.terms}
    names = [term.name for term in summary.terms]
    signed = any(term.lowest < 0 for term in summary.terms)
    episodes = [_episode(i, t, names, scale, signed, privileged) for i, t in enumerate(trajectories, start=1)]
    return _environment().get_template("page.html").render(
        title=visible(title),
        version=__version__,
        summary=summary,
        rates={"Success": summary.success, **{visible(n).capitalize(): r for n, r in summary.milestones.items()}},
        terms=[_term_row(summary, i, scale) for i in range(len(names))],
        signed=signed,
        sections=[(visible(s.title), Markup(s.html)) for s in sections],
        environments=sorted({visible(t.env_id) for t in trajectories if t.env_id}),
        instructions=list(dict.fromkeys(block(t.instructions) for t in trajectories if t.instructions)),
        episodes=episodes,
        privileged=privileged,
    )  # fmt: skip


def _episode(
    number: int, trajectory: Trajectory, names: list[str], scale: Mapping[str, float], signed: bool, privileged: bool
) -> EpisodeView:
    terms = turn_terms(trajectory)
    turns: list[TurnView] = []
    shown = None
    for turn, row in zip(trajectory.turns, terms, strict=True):
        bars = [_bar(name, names.index(name), row[name], scale[name], signed) for name in names if name in row]
        # Each reply is what the next turn saw: it is printed once, unless a wrapper changed it in between.
        saw = None if turn.observation == shown else block(turn.observation)
        shown = turn.next_observation
        own = privileged and turn.privileged != trajectory.privileged
        turns.append(_turn(turn, saw, bars, _secret(turn.privileged) if own else None))
    zero, spark = _spark(trajectory.rewards.tolist())
    return EpisodeView(
        number=number,
        task=visible(trajectory.task_id) or "(no task id)",
        success=is_success(trajectory),
        outcome=trajectory.outcome,
        reward=float(trajectory.rewards.sum()),
        stop_reason=visible(trajectory.stop_reason) or "still running",
        truncated=trajectory.truncated,
        zero=zero,
        spark=spark,
        facts=_facts(trajectory),
        turns=turns,
        privileged=_secret(trajectory.privileged) if privileged else None,
    )


def _turn(turn: Turn, saw: Block | None, bars: list[Bar], privileged: Block | None) -> TurnView:
    return TurnView(
        number=turn.index + 1,
        valid=turn.valid,
        saw=saw,
        action=block(turn.action),
        reply=block(turn.next_observation),
        reward=turn.reward,
        tokens=len(turn.response_ids),
        events=sorted(visible(event) for event in turn.events),
        bars=bars,
        privileged=privileged,
    )


def _facts(trajectory: Trajectory) -> list[tuple[str, str]]:
    pairs = [
        ("environment", trajectory.env_id),
        ("seed", "" if trajectory.seed is None else str(trajectory.seed)),
        ("group", trajectory.group_id),
        ("episode", trajectory.episode_id),
    ]
    return [(name, visible(value)) for name, value in pairs if value]


def _bar(name: str, colour: int, value: float, full: float, signed: bool) -> Bar:
    room = 50.0 if signed else 100.0
    width = room * min(1.0, abs(value) / full) if full and value == value else 0.0
    left = (room - width if value < 0 else room) if signed else 0.0
    return Bar(name, visible(LABELS.get(name, name)), colour % COLOURS, value, round(left, 2), round(width, 2))


def _term_row(summary: Summary, index: int, scale: Mapping[str, float]) -> dict[str, Any]:
    term = summary.terms[index]
    return {
        "term": term,
        "label": visible(LABELS.get(term.name, term.name)),
        "colour": index % COLOURS,
        "scale": scale[term.name],
    }


def _spark(rewards: Sequence[float]) -> tuple[float, list[tuple[float, float]]]:
    """The zero line, and (y, height) of one bar a turn, in a box 20 high; the line is low if no reward is negative."""
    finite = [value if math.isfinite(value) else 0.0 for value in rewards]
    full = max(map(abs, finite), default=0.0) or 1.0
    zero, room = (10.0, 9.0) if any(value < 0 for value in finite) else (19.0, 18.0)
    heights = [round(room * abs(value) / full, 1) for value in finite]
    return zero, [(zero - height if value > 0 else zero, height) for value, height in zip(finite, heights, strict=True)]


def _secret(privileged: Mapping[str, Any]) -> Block | None:
    if not privileged:
        return None
    return block(json.dumps(privileged, indent=2, ensure_ascii=False, default=str, sort_keys=True))


def _number(value: float, plus: bool = True) -> str:
    """At most three decimals, a real minus sign, and no -0."""
    if value != value:
        return "–"
    text = f"{value:+.3f}".rstrip("0").rstrip(".") if 0.0005 <= abs(value) < 1e5 else f"{value:+.0e}"
    text = "0" if value == 0 else text.replace("-", "−")
    return text if plus else text.removeprefix("+")


def _script_hash(script: str) -> str:
    """The source expression by which a content security policy allows this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("turnwise.view", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": _number, "script_hash": _script_hash, "visible": visible}
    return environment
