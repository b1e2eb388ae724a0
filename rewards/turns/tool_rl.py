"""ToolRL as a turn reward: the layout of the message plus how close its calls are to the gold ones."""

from __future__ import annotations

from typing import Literal

from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.tool_calls import CallDetail, tool_call_reward, tool_format_reward
from turnwise.rewards.trajectory import Turn


class ToolRLReward:
    r"""Format reward plus correctness reward, in [minimum, maximum + 1]; published range [-3, 4].

    The published method has one message an episode; here each turn is compared with its own gold calls. A turn whose
    gold has no call has correctness 0.

    Args:
        gold: The gold calls of this turn, `{"name": ..., "arguments": {...}}` each; empty where none belongs.
        response: Whether the gold message talks to the user; None: exactly where it calls no tool.
        predicted: `text` reads the calls out of the message, one JSON call a line, as published; `parsed` takes what
            the environment understood (`Turn.tool_calls`), whatever the syntax.
        format_weight: Weight of the format reward; 0 for policies that do not write ToolRL's tags.
        maximum: Correctness of an exact match.
        minimum: Correctness when nothing matches.
        detail: See `tool_call_reward`.
        strict: See `tool_call_reward`.

    Raises:
        KeyError: The environment does not give a fact; the message names it.
        ValueError: An argument is unknown, or a gold call is malformed.

    Source: ToolRL: Reward is All Tool Learning Needs (arXiv 2504.13958). Provenance: verified (both parts, see
    `turnwise.rewards.tool_calls`).

    >>> gold = [{"name": "weather", "arguments": {"city": "Paris"}}]
    >>> call = '{"name": "weather", "arguments": {"city": "Paris"}}'
    >>> message = f"<think>hm</think>\n<tool_call>\n{call}\n</tool_call>"
    >>> ToolRLReward()(Turn(0, "", message, privileged={"gold_calls": gold}))
    4.0
    """

    def __init__(
        self,
        gold: Fact = "gold_calls",
        *,
        response: Fact | None = None,
        predicted: Literal["text", "parsed"] = "text",
        format_weight: float = 1.0,
        maximum: float = 3.0,
        minimum: float = -3.0,
        detail: CallDetail = "arguments",
        strict: bool = False,
    ) -> None:
        if predicted not in ("text", "parsed"):
            raise ValueError(f"predicted must be 'text' or 'parsed', got {predicted!r}")
        tool_call_reward([], [], detail=detail)
        self.gold, self.response, self.predicted = gold, response, predicted
        self.format_weight, self.maximum, self.minimum = format_weight, maximum, minimum
        self.detail: CallDetail = detail
        self.strict = strict
        self.needs = privileged_keys(gold, response)

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn."""
        gold = read_fact(self.gold, turn, "gold") or ()
        answers = not gold if self.response is None else bool(read_fact(self.response, turn, "response"))
        layout = tool_format_reward(turn.action, tool_call=bool(gold), response=answers)
        calls = turn.action if self.predicted == "text" else turn.tool_calls
        return self.format_weight * layout + tool_call_reward(
            gold, calls, maximum=self.maximum, minimum=self.minimum, detail=self.detail, strict=self.strict
        )


RECORD = MethodRecord(
    name="tool_rl",
    function=ToolRLReward,
    paper="ToolRL: Reward is All Tool Learning Needs",
    arxiv="2504.13958",
    provenance="verified",
    scope="turn",
    needs=frozenset({"gold_calls"}),
    min_group=1,
    summary="Layout of the message plus how close its tool calls are to the gold ones.",
)
