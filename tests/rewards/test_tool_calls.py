from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import tool_call_reward
from turnwise.rewards.tool_calls import tool_format_reward

SEARCH = {"name": "search", "arguments": {"query": "lamp", "page": 1}}
OPEN = {"name": "open", "arguments": {"id": 7}}


def test_no_gold_call_pays_nothing() -> None:
    assert tool_call_reward([], [SEARCH]) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "5",
        "null",
        '"search"',
        "[1, 2]",
        '{"arguments": {}}',
        '{"name": ["search"], "arguments": {}}',
        '{"name": "search"}',
        '{"name": "search", "arguments": ["lamp"]}',
        json.dumps(SEARCH) + "\n\n" + json.dumps(OPEN),  # a blank line is no JSON
        "<tool_call>\n" + json.dumps(SEARCH),  # never closed
        "[" * 100_000,
    ],
)
def test_unreadable_text_pays_the_minimum(text: str) -> None:
    assert tool_call_reward([SEARCH, OPEN], text) == -3.0


def test_text_with_tags_reads_what_is_between_them() -> None:
    text = f"<think>I look.</think>\n<tool_call>\n{json.dumps(OPEN)}\n{json.dumps(SEARCH)}\n</tool_call>"
    assert tool_call_reward([SEARCH, OPEN], text) == 3.0


def test_the_published_key_for_arguments_is_read_too() -> None:
    published = [{"name": call["name"], "parameters": call["arguments"]} for call in (SEARCH, OPEN)]
    assert tool_call_reward([SEARCH, OPEN], published) == 3.0
    assert tool_call_reward(published, [SEARCH, OPEN]) == 3.0


def test_a_predicted_call_serves_one_gold_call_only() -> None:
    # names 1/2; first gold call matched with 1 + 2, the second with nothing; most possible 1 + 3 + 3
    assert tool_call_reward([SEARCH, SEARCH], [SEARCH]) == pytest.approx(6 * 3.5 / 7 - 3)


def test_ablations() -> None:
    wrong_page = {"name": "search", "arguments": {"query": "lamp", "page": 2}}
    assert tool_call_reward([SEARCH, OPEN], [SEARCH, OPEN], maximum=1, minimum=-1) == 1.0
    assert tool_call_reward([SEARCH, OPEN], [SEARCH], detail="all") == -3.0
    # names 1, one of two whole calls, most possible 1 + 2
    assert tool_call_reward([SEARCH, OPEN], [wrong_page, OPEN], detail="calls") == pytest.approx(6 * 2 / 3 - 3)
    # strict: the names as a list differ, everything else is right; most possible 1 + 3 + 2
    assert tool_call_reward([SEARCH, OPEN], [OPEN, SEARCH], strict=True) == pytest.approx(6 * 5 / 6 - 3)


def test_bad_gold_and_unknown_detail_are_refused() -> None:
    with pytest.raises(ValueError, match="gold call must be a mapping with `name` and `arguments`"):
        tool_call_reward([{"name": "search"}], [])
    with pytest.raises(ValueError, match=r"detail must be one of .*'calls'.*got 'half'"):
        tool_call_reward([SEARCH], [], detail="half")  # type: ignore[arg-type]


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from("abc"),
            "arguments": st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=3),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(CALLS, CALLS, st.sampled_from(["arguments", "calls", "all"]), st.booleans())
def test_reward_stays_in_range_and_equality_pays_most(
    gold: list[Any], predicted: list[Any], detail: Any, strict: bool
) -> None:
    reward = tool_call_reward(gold, predicted, detail=detail, strict=strict)
    assert -3.0 <= reward <= 3.0
    assert tool_call_reward(gold, gold, detail=detail, strict=strict) == 3.0


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert tool_call_reward([SEARCH], text) <= 3.0
    assert tool_format_reward(text, tool_call=True, response=False) in (0.0, 1.0)


THINK = "<think>hm</think>"
CALL = "<tool_call>\n{}\n</tool_call>"
SAY = "<response>hi</response>"


@pytest.mark.parametrize(
    ("text", "tool_call", "response", "expected"),
    [
        (THINK, False, False, 1.0),
        (f"{THINK}\n{SAY}", False, True, 1.0),
        (f"{THINK}\n{CALL}", True, False, 1.0),
        (f"{THINK}\n{CALL}\n{SAY}", True, True, 1.0),
        (f"  {THINK}\n{CALL}\n{SAY}\n", True, True, 1.0),
        (f"{THINK}\n{SAY}\n{CALL}", True, True, 0.0),
        (f"{THINK}\n{CALL}", True, True, 0.0),
        (f"{THINK} {SAY}", False, True, 0.0),
        (f"{THINK}\n{SAY}\n{SAY}", False, True, 0.0),
        (f"{THINK}\n<tool_call>{{}}</tool_call>", True, False, 0.0),
        (SAY, False, True, 0.0),
        ("", False, False, 0.0),
    ],
)
def test_tool_format_reward(text: str, tool_call: bool, response: bool, expected: float) -> None:
    assert tool_format_reward(text, tool_call=tool_call, response=response) == expected
