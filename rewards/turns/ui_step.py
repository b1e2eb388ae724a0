"""UI-S1's step reward: a tenth for the layout, nine tenths for how close the action is to the expert's."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Turn

ActionMatch: TypeAlias = Literal["unparsable", "wrong_type", "right_type", "exact"]
Annotation: TypeAlias = Literal["HARMFUL", "NEUTRAL"]

_MATCH_SCORE: dict[ActionMatch, float] = {"unparsable": 0.0, "wrong_type": 0.1, "right_type": 0.5, "exact": 1.0}


def ui_step(well_formed: bool, match: ActionMatch, annotation: Annotation | None = None) -> float:
    """`0.1 * format + 0.9 * action`, in [0, 1].

    Args:
        well_formed: Whether the message is laid out as asked (has a thought).
        match: How close the action is to the expert's: scores 0, 0.1, 0.5 or 1.
        annotation: `HARMFUL` turns the action's score round (1 - score), `NEUTRAL` makes it 0.5; None leaves it.

    Raises:
        ValueError: `match` or `annotation` is unknown.

    Source: UI-S1 (arXiv 2509.11543). Provenance: read (from the authors' code).

    >>> ui_step(True, "exact"), round(ui_step(True, "right_type"), 6), round(ui_step(False, "exact", "HARMFUL"), 6)
    (1.0, 0.55, 0.0)
    """
    if match not in _MATCH_SCORE:
        raise ValueError(f"match must be one of {get_args(ActionMatch)}, got {match!r}")
    if annotation not in (None, *get_args(Annotation)):
        raise ValueError(f"annotation must be None or one of {get_args(Annotation)}, got {annotation!r}")
    score = _MATCH_SCORE[match]
    if annotation is not None:
        score = 1.0 - score if annotation == "HARMFUL" else 0.5
    return 0.1 * well_formed + 0.9 * score


class UIStepReward:
    """Compares each turn's call with the expert's call.

    Args:
        expert: The expert's call in this turn, `{"name": ..., "arguments": {...}}`; None where the expert is done.
        annotation: `HARMFUL`, `NEUTRAL` or None for this turn.
        well_formed: Whether the message is laid out as asked; default: it has a
            thought (`<think>` or `Thought:`).
        match: Judges the turn itself, for actions that are equal within a tolerance (a tap inside the right box);
            default: `exact` for the same name and arguments, `right_type` for the same name.

    Raises:
        KeyError: The environment does not give a fact; the message names it.

    Source: UI-S1 (arXiv 2509.11543). Provenance: read.

    >>> expert = {"name": "tap", "arguments": {"id": 3}}
    >>> turn = Turn(0, "", "I see it. tap[4]", tool_calls=({"name": "tap", "arguments": {"id": 4}},),
    ...             privileged={"expert_action": expert})
    >>> round(UIStepReward(well_formed=lambda turn: True)(turn), 6)
    0.55
    """

    def __init__(
        self,
        expert: Fact = "expert_action",
        *,
        annotation: Fact | None = None,
        well_formed: Fact | None = None,
        match: Fact | None = None,
    ) -> None:
        self.expert, self.annotation, self.well_formed, self.match = expert, annotation, well_formed, match
        self.needs = privileged_keys(expert if match is None else None, annotation, well_formed, match)

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn."""
        annotation = None if self.annotation is None else read_fact(self.annotation, turn, "annotation")
        return ui_step(self._well_formed(turn), self._match(turn), annotation)

    def _well_formed(self, turn: Turn) -> bool:
        if self.well_formed is not None:
            return bool(read_fact(self.well_formed, turn, "well_formed"))
        return "<think>" in turn.action or "Thought:" in turn.action

    def _match(self, turn: Turn) -> ActionMatch:
        if self.match is not None:
            match: ActionMatch = read_fact(self.match, turn, "match")
            return match
        return call_match(turn, read_fact(self.expert, turn, "expert"))


def call_match(turn: Turn, expert: Any) -> ActionMatch:
    """How the first call of a turn compares with the expert's call.

    >>> tap = {"name": "tap", "arguments": {"id": 3}}
    >>> call_match(Turn(0, "", "tap[3]", tool_calls=(tap,)), tap), call_match(Turn(0, "", "?"), tap)
    ('exact', 'unparsable')
    """
    if not turn.tool_calls:
        return "unparsable"
    call = turn.tool_calls[0]
    if expert is None or call["name"] != expert["name"]:
        return "wrong_type"
    return "exact" if call.get("arguments", {}) == expert.get("arguments", {}) else "right_type"


RECORD = MethodRecord(
    name="ui_step",
    function=UIStepReward,
    paper="UI-S1: Advancing GUI Automation via Semi-online Reinforcement Learning",
    arxiv="2509.11543",
    provenance="read",
    scope="turn",
    needs=frozenset({"expert_action"}),
    min_group=1,
    summary="A tenth for the layout, nine tenths for how close the action is to the expert's.",
)
