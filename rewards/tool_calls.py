"""ToolRL's rewards for tool calls: how close the predicted calls are to the gold ones, and whether the layout is right.

Source: ToolRL: Reward is All Tool Learning Needs (arXiv 2504.13958). Provenance: verified by running the
authors' code.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

Call: TypeAlias = Mapping[str, Any]
CallDetail: TypeAlias = Literal["arguments", "calls", "all"]


def tool_call_reward(
    gold: Sequence[Call],
    predicted: Sequence[Call] | str,
    *,
    maximum: float = 3.0,
    minimum: float = -3.0,
    detail: CallDetail = "arguments",
    strict: bool = False,
) -> float:
    """How close the predicted calls are to the gold calls, in [minimum, maximum]; their order does not matter.

    With sim = multiset Jaccard similarity, the score is sim(names) plus, for every gold call, the best unused predicted
    call of the same name: sim(argument names) + the number of equal argument values. It is divided by its largest
    possible value, 1 + the sum over gold calls of (1 + number of arguments), and scaled to [minimum, maximum].

    Args:
        gold: The right calls, `{"name": ..., "arguments": {...}}` each (ToolRL's own key `parameters` is read too).
            Empty gold pays 0.0 whatever was predicted, as published.
        predicted: The agent's calls, or its text: one JSON call a line, optionally inside `<tool_call>` tags. Text that
            cannot be read, or a call without what has to be compared, pays `minimum`; it never raises.
        maximum: Reward of an exact match; 1.0 in the paper's equal-max ablation.
        minimum: Reward when nothing matches; -1.0 in that ablation.
        detail: `arguments` compares inside calls; `calls` (the paper's intermediate ablation) pays a call all or
            nothing; `all` (coarse ablation) pays `maximum` or `minimum` only.
        strict: Names and argument names count only as a whole list in the same order (refined ablation).

    Raises:
        ValueError: A gold call lacks a name or arguments, or `detail` is unknown.

    >>> gold = [{"name": "weather", "arguments": {"city": "Paris", "unit": "C"}}]
    >>> tool_call_reward(gold, gold), tool_call_reward(gold, '{"name": "weather", "arguments": {"city": "Paris"}}')
    (3.0, 0.75)
    """
    if detail not in get_args(CallDetail):
        raise ValueError(f"detail must be one of {get_args(CallDetail)}, got {detail!r}")
    wanted = [_checked_gold(call) for call in gold]
    if not wanted:
        return 0.0
    try:
        calls = _parse_lines(predicted) if isinstance(predicted, str) else [dict(call) for call in predicted]
        share = _share(wanted, [_canonical(call) for call in calls], detail, strict)
    except (KeyError, TypeError, ValueError, RecursionError):
        return minimum
    return minimum + (maximum - minimum) * share


def tool_format_reward(text: str, *, tool_call: bool, response: bool) -> float:
    r"""1.0 if the whole text is laid out as asked: a think block, then the asked blocks, each exactly once; else 0.0.

    The layout is `<think>…</think>`, then `\n<tool_call>\n…\n</tool_call>` if `tool_call`, then
    `\n<response>…</response>` if `response`. White space around the text is ignored.

    Args:
        text: The policy's message.
        tool_call: Whether the gold message contains tool calls.
        response: Whether the gold message contains a response to the user.

    >>> tool_format_reward("<think>hm</think>\n<response>Hello</response>", tool_call=False, response=True)
    1.0
    """
    pattern = r"^<think>.*?</think>"
    pattern += r"\n<tool_call>\n.*?\n</tool_call>" if tool_call else ""
    pattern += r"\n<response>.*?</response>" if response else ""
    asked = [tag for tag, wanted in (("tool_call", tool_call), ("response", response)) if wanted]
    once = all(text.count(f"<{tag}>") == text.count(f"</{tag}>") == 1 for tag in asked)
    return float(once and re.search(pattern + "$", text.strip(), re.DOTALL) is not None)


def _parse_lines(text: str) -> list[Any]:
    if "<tool_call>" in text:
        if "</tool_call>" not in text:
            raise ValueError("the block is not closed")
        text = text.split("<tool_call>")[1].split("</tool_call>")[0]
    return [json.loads(line) for line in text.strip().split("\n")]


def _canonical(call: Any) -> dict[str, Any]:
    """`{"name", "arguments"}`; a call without arguments is only an error once its arguments are compared."""
    if not isinstance(call, Mapping):
        raise TypeError("a call is not an object")
    arguments = call.get("arguments", call.get("parameters"))
    return {"name": call["name"], "arguments": arguments}


def _checked_gold(call: Call) -> dict[str, Any]:
    arguments = call.get("arguments", call.get("parameters"))
    if "name" not in call or not isinstance(arguments, Mapping):
        raise ValueError(f"each gold call must be a mapping with `name` and `arguments`, got {dict(call)!r}")
    return {"name": call["name"], "arguments": arguments}


def _share(gold: list[dict[str, Any]], predicted: list[dict[str, Any]], detail: CallDetail, strict: bool) -> float:
    """The score over its largest possible value, in [0, 1]."""
    if gold == predicted:
        return 1.0
    if detail == "all":
        return 0.0
    score = _similarity([call["name"] for call in gold], [call["name"] for call in predicted], strict)
    unused = list(predicted)
    for call in gold:
        fits = [_fit(call, other, detail, strict) for other in unused]
        best = max(fits, default=0.0)
        if best > 0:
            score += best
            del unused[fits.index(best)]
    return score / (1 + sum(1 if detail == "calls" else 1 + len(call["arguments"]) for call in gold))


def _fit(gold: dict[str, Any], predicted: dict[str, Any], detail: CallDetail, strict: bool) -> float:
    if gold["name"] != predicted["name"]:
        return 0.0
    if detail == "calls":
        return float(gold == predicted)
    wanted, given = gold["arguments"], predicted["arguments"]
    if not isinstance(given, Mapping):
        raise TypeError("arguments are not an object")
    values = sum(1.0 for key, value in wanted.items() if key in given and given[key] == value)
    return _similarity(list(wanted), list(given), strict) + values


def _similarity(left: list[Any], right: list[Any], strict: bool) -> float:
    if left == right:
        return 1.0
    if strict:
        return 0.0
    shared = sum((Counter(left) & Counter(right)).values())
    return shared / (len(left) + len(right) - shared)
