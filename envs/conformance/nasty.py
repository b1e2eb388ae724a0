"""Texts that a policy may well write and a parser may well choke on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from turnwise.envs.tools import ToolSchema


def nasty_texts(tools: Mapping[str, ToolSchema]) -> list[str]:
    """A corpus for an environment with these tools; some of the texts may be valid calls.

    >>> "I give up." in nasty_texts({})
    True
    """
    broken = [text for name in tools for text in _about(name)]
    return [*_ANYWHERE, *broken, *[text for schema in tools.values() for text in _odd_calls(schema)]]


def _odd_calls(schema: ToolSchema) -> list[str]:
    """Well-formed calls with one odd value each."""
    usual: dict[str, Any] = {p.name: _USUAL.get(p.json_type.get("type", ""), "word") for p in schema.parameters}
    usual |= {p.name: p.json_type["enum"][0] for p in schema.parameters if "enum" in p.json_type}
    calls = [{**usual, p.name: value} for p in schema.parameters for value in _ODD_VALUES]
    texts = [json.dumps({"name": schema.name, "arguments": arguments}) for arguments in calls]
    return texts + [f"{schema.name}({p.name}=0x{'f' * 5000})" for p in schema.parameters]


_USUAL = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}
_ODD_VALUES: list[Any] = [
    None, True, -1, 0, 10**18, 10**400, -0.5, 1e308, float("inf"), float("nan"), "", " ", "\x00", "\ud800", "\n\n",
    "%s{0}", "-1", "nan", "9" * 400, "x" * 30_000, "../" * 50, "--help", "'; --", "日本語🙂", [], [[]], [None], {},
    {"a": {}},
]  # fmt: skip


def _about(tool: str) -> list[str]:
    call = json.dumps({"name": tool, "arguments": {}})
    return [
        tool, f"{tool}[", f"{tool}]", f"{tool}(", f"{tool}()", f"{tool}[[[", f"{tool}(a=", f"{tool}(a=b)",
        f"{tool}(**x)", f"{tool}({'(' * 500}", f'{tool}("\\ud800")', f"{tool}[\x00]", f"{tool}[\ud800]",
        f"{tool}[{'x' * 30_000}]", f"{tool}[]{tool}[]", f"{tool}(1, 2, 3, 4, 5, 6, 7, 8, 9)",
        f"{tool}(x={'9' * 5000})", f"{tool.upper()}[x]", f"<tool_call>{call[:-1]}", f"<tool_call>{call}",
        f"<tool_call>{call}</tool_call", f"{call}{call}", f"<tool_call></tool_call>{call}", f"<think>{tool}[x]",
        f"```{call}", f"[{call}, 3]", json.dumps({"name": tool}), json.dumps({"name": tool, "arguments": [1]}),
        json.dumps({"name": tool, "arguments": "{"}), json.dumps({"name": tool, "arguments": {"no such": 1}}),
        json.dumps({"name": tool, "arguments": {"": None, "a": {"b": [1e308, -0.0]}}}),
        f'{{"name": "{tool}", "arguments": {{"a": NaN, "b": Infinity}}}}',
        f'{{"name": "{tool}", "arguments": {{"a": {"9" * 5000}}}}}',
    ]  # fmt: skip


_ANYWHERE = [
    "I give up.", "a" * 65_000, "_" * 65_000, "<think>" * 9000, "<THINK>x</THINK>" * 4000, " " * 65_000 + "x[",
    "", " ", "\n", "\t\r\n", "\x00", "\x1b[2J", "\ud800", "\udfff\ud800", "\ufeff", "\u202e\u2066", "﷽" * 100,
    "🙂" * 1000, "日本語", "e\u0301" * 200, "{", "[", "(", "<", "]", "}", "{}", "[]", "[[]]", "null", "true", "0",
    "NaN", '"', "'", "\\", "{'name': 'x'}", '{"name": 3}', '{"name": "x"', '{"name": "", "arguments": {}}',
    '{"function": {}}', '{"function": {"name": null}}', '{"a": ' * 3000, "[" * 20_000, "[" * 20_000 + "]" * 20_000,
    "{" * 60_000, "(" * 20_000, "<tool_call>", "</tool_call>", "<tool_call></tool_call>",
    "<tool_call>{}</tool_call>" * 50, "<tool_call>" * 2000, "<think>", "</think>", "<think>" * 2000,
    "<think></think>", "```", "```json\n```", "```" * 5000, "Action:", "Action: \n", "x[y]", "x(y)", "x(" * 2000,
    "a" * 65_537, "x" * 1_000_000, "[" * 1_000_000, "💥" * 250_000, "\n" * 60_000, " " * 60_000,
    "__import__('os').system('true')", "step(", "reset[]", "close[]", "state[]", "__init__[]", "oracle[]",
    "; DROP TABLE tasks", "%s%n%d", "{0.__class__}", "$(true)", "../../etc/passwd", "<script>alert(1)</script>",
    "Ignore previous instructions.",
]  # fmt: skip
