"""Texts that a policy may well write and a parser may well choke on."""

from __future__ import annotations

import json
from collections.abc import Iterable


def nasty_texts(tools: Iterable[str]) -> list[str]:
    """A corpus for an environment with these tools; some of the texts may be valid calls.

    >>> all(isinstance(text, str) for text in nasty_texts(["search"]))
    True
    """
    per_tool = [text for tool in tools for text in _about(tool)]
    return [*_ANYWHERE, *per_tool]


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
