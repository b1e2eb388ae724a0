"""From text to calls: the four forms and their order, forgiveness, and no text that raises."""

from __future__ import annotations

import json
import string
import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from key_door import KeyDoorEnv

from turnwise.envs.conformance.nasty import nasty_texts
from turnwise.envs.core import TurnEnv
from turnwise.envs.parsing import MAX_ACTION_LENGTH, parse_action
from turnwise.envs.tools import ToolCall, tool, tool_schemas


class Desk:
    """Tools of many shapes, without an environment around them."""

    @tool
    def search(self, query: str) -> str:
        """Search."""
        return query

    @tool
    def edit(self, path: str, line: int = 1, text: str = "") -> str:
        """Edit."""
        return path

    @tool
    def look(self) -> str:
        """Look."""
        return ""

    @tool
    def page(self, number: int = 1) -> str:
        """Turn to a page."""
        return ""


TOOLS = tool_schemas(Desk)
SEARCH = ToolCall("search", {"query": "red shirt"})


def block(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@pytest.mark.parametrize(
    "text",
    [
        block("search", query="red shirt"),
        '{"name": "search", "arguments": {"query": "red shirt"}}',
        "search[red shirt]",
        'search(query="red shirt")',
        # Around them
        "  search[red shirt]\n",
        "<think>search[blue shirt] would be wrong</think>\nsearch[red shirt]",
        "<THINKING>hm</THINKING><reasoning>hm</reasoning>search[red shirt]",
        "```\nsearch[red shirt]\n```",
        '```json\n{"name": "search", "arguments": {"query": "red shirt"}}\n```',
        "I need a shirt.\nAction: search[red shirt]",
        "Action: search[red shirt]\nObservation: search[something made up]",
        "<think>a</think> " + block("search", query="red shirt") + " and so on",
        "<tool_call>\nsearch[red shirt]\n</tool_call>",
        "the end of a block that began in the prompt: search[blue shirt]\n</think>\n\nsearch[red shirt]",
        "<think>one</think><reasoning>two</think></reasoning> search[red shirt]",
        "search[red shirt]\nsearch[blue shirt]",
        "search(query='red shirt')\nsearch(query='blue shirt')",
        # Cut off by a token limit, or closed by it
        '<tool_call>{"name": "search", "arguments": {"query": "red shirt"}}',
        # As other servers write it
        '{"name": "search", "parameters": {"query": "red shirt"}}',
        '{"type": "function", "function": {"name": "search", "arguments": "{\\"query\\": \\"red shirt\\"}"}}',
        "search('red shirt')",
        "search(query='red shirt', )",
    ],
)
def test_forms_of_one_call(text: str) -> None:
    parsed = parse_action(text, TOOLS)
    assert parsed.calls == (SEARCH,) and parsed.error == ""


def test_forms_are_tried_in_their_order() -> None:
    four = [
        block("search", query="1"), '{"name": "search", "arguments": {"query": "2"}}', "search[3]", "search(query='4')",
    ]  # fmt: skip

    def first(*texts: str) -> Any:
        return parse_action("\n".join(texts), TOOLS).calls[0].arguments["query"]

    assert first(four[2], four[0]) == "1"  # a block counts wherever it stands
    assert parse_action(four[1], TOOLS).calls[0].arguments == {"query": "2"}
    assert first(four[2], four[3]) == "3" and first(four[3], "") == "4"


def test_several_calls_in_order() -> None:
    text = block("search", query="a") + "\n" + block("look") + block("page", number=2)
    names = [call.name for call in parse_action(text, TOOLS).calls]
    assert names == ["search", "look", "page"]
    listed = json.dumps([{"name": "look"}, {"name": "search", "arguments": {"query": "a"}}])
    assert [call.name for call in parse_action(listed, TOOLS).calls] == ["look", "search"]


def test_one_bad_call_among_several_refuses_them_all() -> None:
    parsed = parse_action(block("look") + block("fly", to="moon"), TOOLS)
    assert parsed.calls == () and "There is no tool 'fly'" in parsed.error


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("search[a [b] c]", {"query": "a [b] c"}),
        ("search[two\nlines]", {"query": "two\nlines"}),
        ("search[x = a[0]\ny]", {"query": "x = a[0]\ny"}),
        ("search[a] b]", {"query": "a] b"}),
        ("edit(path='a.py', text='''f(1)\ng(2)''')", {"path": "a.py", "text": "f(1)\ng(2)"}),
        ("search[]", {"query": ""}),
        ("search[日本語 🙂]", {"query": "日本語 🙂"}),
        ('edit(path="a.py", line=3)', {"path": "a.py", "line": 3}),
        ('edit("a.py", 3, text="x = [1]")', {"path": "a.py", "line": 3, "text": "x = [1]"}),
        ("look[]", {}),
        ("page[]", {}),
        ("page[3]", {"number": "3"}),
    ],
)
def test_arguments(text: str, arguments: dict[str, Any]) -> None:
    (call,) = parse_action(text, TOOLS).calls
    assert call.arguments == arguments


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "No tool call found"),
        ("I will look around.", "Write one call, for example search[...]"),
        ("fly[moon]", "There is no tool 'fly'"),
        ("x" * 90 + "[moon]", "x" * 59 + "…"),
        ('{"name": "search", "arguments"', "not valid JSON"),
        ("[]", "The list of calls is empty"),
        ("[1]", '"name" and "arguments"'),
        ('{"name": "search", "arguments": [1]}', "must be a JSON object"),
        ('{"name": "search", "arguments": "{"}', "are not valid JSON"),
        ("<tool_call></tool_call>", "No tool call found"),
        ("<think>search[red shirt]", "No tool call found"),
        ("search(query=red)", 'write for example search(key="value")'),
        ("look() or look()", 'write for example look(key="value")'),
        ("<reasoning>search[a]</think>", "No tool call found"),
        ("search('a', 'b')", "search takes 1 arguments, got 2"),
        ("x" * (MAX_ACTION_LENGTH + 1), "65,537 characters; at most 65,536 are read"),
    ],
)
def test_what_was_wrong_is_said(text: str, message: str) -> None:
    parsed = parse_action(text, TOOLS)
    assert parsed.calls == () and message in parsed.error


def test_without_tools_there_is_nothing_to_call() -> None:
    assert parse_action("I wait.", {}).error == "No tool call found. This environment has no tools."


call_names = st.sampled_from([*TOOLS, "fly", ""])
fragments = st.sampled_from(
    [
        "<tool_call>", "</tool_call>", "<think>", "</think>", "```", '{"name": "', '"arguments": {', "search[", "](",
        ")", '"', "{", "[", "]", "\\", "\n", "edit(path=",
    ]
)  # fmt: skip
scraps = st.lists(st.one_of(fragments, call_names, st.text(max_size=8)), max_size=20).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), scraps))
def test_no_text_raises_and_one_of_calls_and_error_is_empty(text: str) -> None:
    parsed = parse_action(text, TOOLS)
    assert bool(parsed.calls) != bool(parsed.error)
    assert all(call.name in TOOLS for call in parsed.calls)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(scraps, st.sampled_from(["move[left]", "pick[]"])), max_size=8))
def test_texts_in_an_environment_change_nothing_unless_valid(texts: list[str]) -> None:
    env = KeyDoorEnv(max_turns=100)
    env.reset(seed=0)
    for text in texts:
        state, before = env.state, env.state_hash()
        observation, reward, terminated, truncated, info = env.step(text)
        if not info["is_action_valid"]:
            assert env.state is state and info["state_hash"] == before and info["tool_call"] is None
            assert observation.startswith("Invalid action. ") and reward == 0.0
        assert env.observation_space.contains(observation) and not (terminated or truncated)
        observation.encode()  # can be stored


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*TOOLS]), st.dictionaries(st.text(max_size=8), json_values, max_size=3))
def test_what_a_call_writes_the_parser_reads(name: str, arguments: dict[str, Any]) -> None:
    call = ToolCall(name, arguments)
    as_block = f"<tool_call>{json.dumps(call.to_json())}</tool_call>"
    assert parse_action(as_block, TOOLS).calls == (call,)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=30), st.text(string.printable, max_size=30)))
@example("a\u2028b")
@example("a] b")
@example("<THINK>")
@example("a</think>b")
@example("</tool_call><tool_call>")
def test_the_short_form_of_a_call_reads_back(query: str) -> None:
    call = ToolCall("search", {"query": query})
    assert parse_action(str(call), TOOLS).calls == (call,)


@pytest.mark.timeout(60)  # a pattern that backtracks takes a minute for one of these
def test_nasty_texts_are_read_without_backtracking_or_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in nasty_texts(TOOLS):
            parsed = parse_action(text, TOOLS)
            assert bool(parsed.calls) != bool(parsed.error)


def test_admissible_texts_of_an_environment_are_calls() -> None:
    env: TurnEnv = KeyDoorEnv()
    _, info = env.reset(seed=0)
    for text in info["admissible_actions"]:
        (call,) = parse_action(text, env.tools).calls
        assert str(call) == text
