"""From what a policy wrote to the tool calls it means. No text raises.

Accepted, in this order, after thinking blocks and code fences are taken away:

1. `<tool_call>{"name": "search", "arguments": {"query": "red shirt"}}</tool_call>`, once or several times
2. a bare JSON object of that form, or a list of them
3. `search[red shirt]`, as WebShop and ReAct write it
4. `search(query="red shirt")`
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from turnwise.envs.tools import THINKING_TAGS, ToolCall, ToolSchema

MAX_ACTION_LENGTH = 65_536
"""Longer texts are refused unread: no action of ours needs them, and a parser must not be a way to waste time."""

_THINKING = re.compile(rf"<({THINKING_TAGS})>", re.IGNORECASE)
_END_OF_THINKING = re.compile(rf"</(?:{THINKING_TAGS})>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*$", re.MULTILINE)
_TOOL_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_BRACKET = re.compile(r"\s*([A-Za-z_]\w*)\[(.*)\]\s*\Z", re.DOTALL)
_PAREN = re.compile(r"\s*([A-Za-z_]\w*)\((.*)\)\s*\Z", re.DOTALL)
_LINE_CALL = re.compile(r"\b([A-Za-z_]\w*)([\[(])")  # without \b, quadratic in the length of a word


class ParsedAction(NamedTuple):
    """The calls that a text means, or the reason why it means none: exactly one of the two is empty."""

    calls: tuple[ToolCall, ...]
    error: str = ""


def parse_action(text: str, tools: Mapping[str, ToolSchema]) -> ParsedAction:
    """Read the tool calls in a policy's message. Never raises, whatever the text.

    Argument names and types are not checked here: `ToolSchema.bind` does that.

    Args:
        text: What the policy wrote.
        tools: The tools by name, as `TurnEnv.tools` has them.

    Returns:
        The calls in order, or the reason why there are none, in words for the policy to read.

    >>> from turnwise.envs.tools import Parameter, ToolSchema
    >>> query = Parameter("query", str, {"type": "string"}, "Keywords.", True)
    >>> tools = {"search": ToolSchema("search", "Search.", (query,))}
    >>> parse_action("<think>red?</think> search[red shirt]", tools).calls
    (ToolCall(name='search', arguments={'query': 'red shirt'}),)
    >>> parse_action("buy it", tools).error
    'No tool call found. Write one call, for example search[...]. Tools: search(query: string).'
    """
    if len(text) > MAX_ACTION_LENGTH:
        return ParsedAction((), f"The action has {len(text):,} characters; at most {MAX_ACTION_LENGTH:,} are read.")
    # The common case of a trained policy or a script, decided before anything is searched for.
    if (match := _BRACKET.match(text)) and match.group(1) in tools and "]" not in match.group(2):
        return ParsedAction((_positional(match.group(1), match.group(2), tools),))
    text = _strip_thinking_and_fences(text)
    if "<tool_call>" in text:
        return _from_blocks(_TOOL_CALL.findall(text), tools)
    if text.startswith(("{", "[")):
        return _from_json(text, tools)
    return _from_call_syntax(text, tools)


def _strip_thinking_and_fences(text: str) -> str:
    return _FENCE.sub("", _strip_thinking(text) if "<" in text else text).strip()


def _strip_thinking(text: str) -> str:
    """Without thinking blocks. One search per block: a pattern over whole blocks is quadratic in unclosed ones."""
    kept, position = [], 0
    end = _END_OF_THINKING.search(text)
    if end and not _THINKING.search(text, 0, end.start()):
        position = end.end()  # some chat templates open the block in the prompt
    while begin := _THINKING.search(text, position):
        kept.append(text[position : begin.start()])
        end = re.compile(f"</{begin.group(1)}>", re.IGNORECASE).search(text, begin.end())
        if end is None:
            return "".join(kept)  # cut off while it thought
        position = end.end()
    return "".join(kept) + text[position:]


def _from_blocks(blocks: list[str], tools: Mapping[str, ToolSchema]) -> ParsedAction:
    calls: list[ToolCall] = []
    for block in blocks:
        inner = block.strip()
        parsed = _from_json(inner, tools) if inner.startswith(("{", "[")) else _from_call_syntax(inner, tools)
        if parsed.error:
            return parsed
        calls += parsed.calls
    return ParsedAction(tuple(calls))


def _from_json(text: str, tools: Mapping[str, ToolSchema]) -> ParsedAction:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "it is nested too deeply")
        return ParsedAction((), f"The call is not valid JSON: {reason}. {_expected(tools)}")
    items = value if isinstance(value, list) else [value]
    if not items:
        return ParsedAction((), f"The list of calls is empty. {_expected(tools)}")
    calls = []
    for item in items:
        call = _call_from_object(item, tools)
        if isinstance(call, str):
            return ParsedAction((), call)
        calls.append(call)
    return ParsedAction(tuple(calls))


def _call_from_object(item: Any, tools: Mapping[str, ToolSchema]) -> ToolCall | str:
    if isinstance(item, dict) and isinstance(item.get("function"), dict):
        item = item["function"]
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return f'A call is a JSON object with "name" and "arguments". {_expected(tools)}'
    arguments = item.get("arguments", item.get("parameters", {}))
    if isinstance(arguments, str) and arguments.lstrip().startswith("{"):
        # OpenAI-style servers send the arguments as a JSON string inside the JSON.
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return f'The "arguments" of {item["name"]} are not valid JSON. {_expected(tools)}'
    if not isinstance(arguments, dict):
        return f'The "arguments" of {item["name"]} must be a JSON object. {_expected(tools)}'
    return _known(ToolCall(item["name"], arguments), tools)


def _from_call_syntax(text: str, tools: Mapping[str, ToolSchema]) -> ParsedAction:
    """`name[argument]` or `name(key="value")`: the whole text, or the first line that holds one ("Action: …")."""
    lines = _lines_with_a_call(text, tools)
    whole = _one_call(text, tools)
    if isinstance(whole, ToolCall) and not (lines and _is_several_lines_of_calls(text)):
        return ParsedAction((whole,))
    call = _one_call(lines[0], tools) if lines else whole
    if call is None:
        return ParsedAction((), f"No tool call found. {_expected(tools)}")
    return ParsedAction((), call) if isinstance(call, str) else ParsedAction((call,))


def _one_call(text: str, tools: Mapping[str, ToolSchema]) -> ToolCall | str | None:
    """The call that the whole text is, what is wrong with it, or None where it does not look like one."""
    if match := _BRACKET.match(text):
        return _known(_positional(match.group(1), match.group(2), tools), tools)
    if match := _PAREN.match(text):
        return _known_keyword_call(match.group(1), match.group(2), tools)
    return None


def _is_several_lines_of_calls(text: str) -> bool:
    """Whether `a[x]` and `b[y]` on two lines would be read as one call with the argument `x] … b[y`."""
    depth = 0
    for bracket in re.findall(r"[\[\]]", text)[:-1]:
        depth += 1 if bracket == "[" else -1
        if depth == 0:
            return True
    return False


def _lines_with_a_call(text: str, tools: Mapping[str, ToolSchema]) -> list[str]:
    candidates = []
    for line in text.splitlines():
        for match in _LINE_CALL.finditer(line):
            if match.group(1) in tools:
                close = line.rfind("]" if match.group(2) == "[" else ")")
                if close > match.end() - 1:
                    candidates.append(line[match.start() : close + 1])
                break
    return candidates


def _positional(name: str, argument: str, tools: Mapping[str, ToolSchema]) -> ToolCall:
    parameters = tools[name].parameters if name in tools else ()
    if not parameters:
        return ToolCall(name, {"argument": argument} if argument else {})
    if not argument and not parameters[0].required:
        return ToolCall(name, {})
    return ToolCall(name, {parameters[0].name: argument})


def _known_keyword_call(name: str, inside: str, tools: Mapping[str, ToolSchema]) -> ToolCall | str:
    call = _known(ToolCall(name, {}), tools)
    if isinstance(call, str):
        return call
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # an agent's "\\d" is not the user's business
            node = ast.parse(f"f({inside}\n)", mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError("more than one call")  # "a() or b()" is an expression, and no call of a
        positional = [ast.literal_eval(argument) for argument in node.args]
        keyword = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg is not None}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return f'The arguments of {name} could not be read; write for example {name}(key="value"). {_expected(tools)}'
    names = [p.name for p in tools[name].parameters]
    if len(positional) > len(names):
        return f"{name} takes {len(names)} arguments, got {len(positional)}. {_expected(tools)}"
    return ToolCall(name, {**dict(zip(names, positional, strict=False)), **keyword})


def _known(call: ToolCall, tools: Mapping[str, ToolSchema]) -> ToolCall | str:
    if call.name in tools:
        return call
    name = call.name if len(call.name) <= 60 else call.name[:59] + "…"
    return f"There is no tool {name!r}. {_expected(tools)}"


def _expected(tools: Mapping[str, ToolSchema]) -> str:
    if not tools:
        return "This environment has no tools."
    first = next(iter(tools))
    listing = ", ".join(schema.signature for schema in tools.values())
    return f"Write one call, for example {first}[...]. Tools: {listing}."
