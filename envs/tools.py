"""`@tool`: a typed method whose signature and docstring are the schema that everybody sees."""

from __future__ import annotations

import inspect
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

_Method = TypeVar("_Method", bound=Callable[..., str])


THINKING_TAGS = "think|thinking|reasoning|scratchpad"
"""Of which blocks `parse_action` takes no notice, as alternatives of a pattern."""
_TAG = re.compile(rf"<(?=/?(?:{THINKING_TAGS}|tool_call)>)", re.IGNORECASE)
"""Where a tag begins that `parse_action` would take for its own, wherever it stands."""
_ESCAPED = r"\\u003c"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool.

    Attributes:
        name: The tool's name.
        arguments: Keyword arguments.

    `str()` gives the shortest text that `parse_action` reads back.

    >>> str(ToolCall("search", {"query": "red shirt"}))
    'search[red shirt]'
    >>> str(ToolCall("edit", {"path": "a.py", "line": 3}))
    '<tool_call>{"name": "edit", "arguments": {"path": "a.py", "line": 3}}</tool_call>'
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """`{"name": ..., "arguments": {...}}`."""
        return {"name": self.name, "arguments": dict(self.arguments)}

    def __str__(self) -> str:
        values = list(self.arguments.values())
        if not values:
            return f"{self.name}[]"
        if len(values) == 1 and isinstance(values[0], str) and _is_plain(values[0]):
            return f"{self.name}[{values[0]}]"
        block = json.dumps(self.to_json(), ensure_ascii=False)
        return f"<tool_call>{_TAG.sub(_ESCAPED, block)}</tool_call>"


def _is_plain(text: str) -> bool:
    return bool(text) and text == text.strip() and text.splitlines() == [text] and "<" not in text and "`" not in text


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool. `json_type` is its JSON schema; `annotation` the Python type it came from."""

    name: str
    annotation: Any
    json_type: dict[str, Any]
    description: str
    required: bool


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """What a caller needs to know of a tool.

    Attributes:
        name: The method's name.
        description: The first paragraph of its docstring.
        parameters: In the order of the signature.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]

    def to_json(self) -> dict[str, Any]:
        """The schema in the form that chat templates, OpenAI-style servers and MCP clients take."""
        properties = {p.name: {**p.json_type, "description": p.description} for p in self.parameters}
        required = [p.name for p in self.parameters if p.required]
        parameters = {"type": "object", "properties": properties, "required": required}
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }

    @property
    def signature(self) -> str:
        """For example `search(query: string)`."""
        inner = ", ".join(
            f"{p.name}: {p.json_type.get('type', 'any')}" + ("" if p.required else " (optional)")
            for p in self.parameters
        )
        return f"{self.name}({inner})"

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any] | str:
        """The arguments in their declared types, or a sentence that says what is wrong with them."""
        known = {p.name: p for p in self.parameters}
        if unknown := [name for name in arguments if name not in known]:
            return f"{self.name} has no argument {_short(unknown[0])}. Its signature is {self.signature}."
        bound: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name not in arguments:
                if parameter.required:
                    return f"{self.name} needs the argument {parameter.name!r}. Its signature is {self.signature}."
                continue
            fits, value = _coerce(arguments[parameter.name], parameter.annotation)
            if not fits:
                wanted = parameter.json_type.get("enum") or parameter.json_type.get("type", "value")
                given = _short(arguments[parameter.name])
                return f"{self.name}: argument {parameter.name!r} must be {wanted}, got {given}."
            bound[parameter.name] = value
        return bound


def tool(method: _Method) -> _Method:
    """Mark a method of a `TurnEnv` as a tool that the agent may call.

    Parameters must be annotated with str, int, float, bool, list, dict, `Literal[...]`, or `X | None`, and the
    docstring's `Args:` section describes them. The method returns the observation.
    """
    method.__turnwise_tool__ = True  # type: ignore[attr-defined]
    return method


@cache
def tool_schemas(cls: type) -> Mapping[str, ToolSchema]:
    """The tools of an environment class by name, in the order of definition, inherited ones first."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            if getattr(member, "__turnwise_tool__", False):
                names[name] = None
    schemas = {name: _schema(getattr(cls, name)) for name in names}
    return types.MappingProxyType(schemas)


def _schema(method: Callable[..., str]) -> ToolSchema:
    hints = typing.get_type_hints(method)
    summary, described = _parse_docstring(inspect.getdoc(method) or "")
    if not summary:
        raise TypeError(f"tool {method.__qualname__} needs a docstring: it is what the agent reads")
    parameters = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.name not in hints:
            raise TypeError(f"tool {method.__qualname__}: parameter {parameter.name!r} needs a type annotation")
        annotation = hints[parameter.name]
        parameters.append(
            Parameter(
                name=parameter.name,
                annotation=annotation,
                json_type=_json_type(annotation, method.__qualname__),
                description=described.get(parameter.name, ""),
                required=parameter.default is inspect.Parameter.empty,
            )
        )
    return ToolSchema(method.__name__, summary, tuple(parameters))


def _parse_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """The first paragraph, and the entries of the Google-style `Args:` section."""
    summary = " ".join(doc.split("\n\n", 1)[0].split())
    match = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", doc, flags=re.MULTILINE)
    described: dict[str, str] = {}
    name = ""
    for line in (match.group(1) if match else "").splitlines():
        if entry := re.match(r"^\s{2,4}(\w+)(?:\s*\([^)]*\))?:\s*(.*)$", line):
            name, described[entry.group(1)] = entry.group(1), entry.group(2)
        elif name and line.strip():
            described[name] += " " + line.strip()
    return summary, described


_JSON_TYPES: dict[Any, str] = {
    str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object", type(None): "null",
}  # fmt: skip


def _json_type(annotation: Any, where: str) -> dict[str, Any]:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return {"type": _JSON_TYPES[type(inner[0])], "enum": list(inner)}
    if origin in (typing.Union, types.UnionType):
        options = [_json_type(option, where) for option in inner if option is not type(None)]
        return options[0] if len(options) == 1 else {"anyOf": options}
    if (origin or annotation) is list:
        return {"type": "array", **({"items": _json_type(inner[0], where)} if inner else {})}
    if (origin or annotation) in _JSON_TYPES:
        return {"type": _JSON_TYPES[origin or annotation]}
    raise TypeError(f"tool {where}: cannot make a schema from the type {annotation!r}")


def _coerce(value: Any, annotation: Any) -> tuple[bool, Any]:
    """Whether a value fits a type, and the value in it. Only lossless changes: '3' is an int, 'three' is not."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return any(value == option and type(value) is type(option) for option in inner), value
    if origin in (typing.Union, types.UnionType):
        return next((result for option in inner if (result := _coerce(value, option))[0]), (False, value))
    if (origin or annotation) is list:
        items = [_coerce(item, inner[0]) if inner else (True, item) for item in value] if type(value) is list else None
        return items is not None and all(fits for fits, _ in items), [item for _, item in items or ()]
    if annotation is type(None):
        return value is None, None
    if isinstance(value, str) and annotation in (int, float, bool):
        value = _from_text(value, annotation)
    if type(value) is int and abs(value) >= 2**63:
        return False, value  # no argument needs it, and what a tool hands it to may not take it
    if annotation is float and type(value) is int:
        return True, float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return False, value
    return isinstance(value, origin or annotation) and (annotation is bool or not isinstance(value, bool)), value


def _from_text(text: str, annotation: type) -> Any:
    if annotation is bool:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    # A limit on the digits: Python refuses to convert longer ones, and no argument needs them.
    if len(text) > 64 or "_" in text:
        return text
    try:
        return annotation(text)
    except ValueError:
        return text


def _short(value: Any, limit: int = 60) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of very many digits, or lists in lists in lists
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 1] + "…"
