"""The schema of a tool out of its signature, and arguments in their declared types."""

from __future__ import annotations

import pickle
from typing import Any, Literal, Optional

import pytest

from turnwise.envs.tools import ToolCall, ToolSchema, tool, tool_schemas


class Workshop:
    @tool
    def paint(
        self,
        colour: Literal["red", "blue"],
        coats: int,
        width: float = 1.0,
        glossy: bool = False,
        layers: Optional[list[int]] = None,  # noqa: UP045 - both spellings must work
        extra: dict[str, Any] | None = None,
        level: Literal[1, 2] = 1,
        note: str | int | None = None,
    ) -> str:
        """Paint the
        chair.

        More about it, which the agent does not read.

        Args:
            colour: What colour,
                in words.
            coats (int): How many.
            note: Anything.

        Returns:
            What happened.
        """
        return ""

    @tool
    def rest(self) -> str:
        """Rest."""
        return ""

    def not_a_tool(self, x: int) -> str:
        """No."""
        return ""


PAINT = tool_schemas(Workshop)["paint"]


def bind(**arguments: Any) -> Any:
    return PAINT.bind({"colour": "red", "coats": 1, **arguments})


def test_schema_of_a_signature() -> None:
    assert list(tool_schemas(Workshop)) == ["paint", "rest"]
    function = PAINT.to_json()["function"]
    assert function["name"] == "paint" and function["description"] == "Paint the chair."
    assert function["parameters"]["required"] == ["colour", "coats"]
    properties = function["parameters"]["properties"]
    assert properties["colour"] == {"type": "string", "enum": ["red", "blue"], "description": "What colour, in words."}
    assert properties["coats"] == {"type": "integer", "description": "How many."}
    assert properties["layers"] == {"type": "array", "items": {"type": "integer"}, "description": ""}
    assert properties["extra"]["type"] == "object" and properties["width"]["type"] == "number"
    assert properties["note"] == {"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "Anything."}
    assert PAINT.signature.startswith("paint(colour: string, coats: integer, width: number (optional)")


def test_tools_are_inherited_and_may_be_redefined() -> None:
    class Bigger(Workshop):
        @tool
        def rest(self, hours: int) -> str:
            """Rest for long."""
            return ""

        @tool
        def sand(self) -> str:
            """Sand it."""
            return ""

    schemas = tool_schemas(Bigger)
    assert list(schemas) == ["paint", "rest", "sand"] and schemas["rest"].description == "Rest for long."


def test_a_tool_that_cannot_be_described_is_refused() -> None:
    class NoAnnotation:
        @tool
        def f(self, x) -> str:  # type: ignore[no-untyped-def]
            """F."""
            return ""

    class NoDocstring:
        @tool
        def f(self, x: int) -> str:
            return ""

    class OddType:
        @tool
        def f(self, x: complex) -> str:
            """F."""
            return ""

    for cls, message in ((NoAnnotation, "'x' needs a type"), (NoDocstring, "docstring"), (OddType, "complex")):
        with pytest.raises(TypeError, match=message):
            tool_schemas(cls)


@pytest.mark.parametrize(
    ("name", "given", "bound"),
    [
        ("coats", 3, 3), ("coats", "3", 3), ("coats", " -3 ", -3),
        ("width", 2, 2.0), ("width", "2.5", 2.5), ("width", "1e3", 1000.0),
        ("glossy", True, True), ("glossy", "true", True), ("glossy", " False", False),
        ("layers", [1, 2], [1, 2]), ("layers", ["1"], [1]), ("layers", None, None), ("layers", [], []),
        ("extra", {"a": 1}, {"a": 1}), ("extra", None, None),
        ("note", "x", "x"), ("note", 5, 5), ("colour", "blue", "blue"),
    ],
)  # fmt: skip
def test_lossless_coercions(name: str, given: Any, bound: Any) -> None:
    value = bind(**{name: given})[name]
    assert value == bound and type(value) is type(bound)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("coats", "three"), ("coats", 2.5), ("coats", "2.5"), ("coats", True), ("coats", None), ("coats", [1]),
        ("coats", "1_000"), ("coats", "9" * 5000), ("coats", 2**63),
        ("width", 10**400), ("width", float("inf")), ("width", "nan"), ("width", "1e999"),
        ("width", "wide"), ("width", True), ("glossy", 1), ("glossy", "yes"),
        ("layers", "1, 2"), ("layers", [1, "x"]), ("layers", (1, 2)), ("extra", [1]), ("note", 2.5),
        ("level", True), ("level", 1.0), ("colour", "green"), ("colour", 3), ("colour", ["red"]), ("colour", {}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(name: str, given: Any) -> None:
    message = bind(**{name: given})
    assert isinstance(message, str) and f"argument {name!r} must be" in message and len(message) < 200


def test_an_integer_too_long_to_print_is_refused_too() -> None:
    assert bind(coats=16**5000) == "paint: argument 'coats' must be integer, got a very long int."


def test_unknown_and_missing_arguments_are_named() -> None:
    assert "has no argument 'color'" in PAINT.bind({"color": "red"})
    assert len(PAINT.bind({"x" * 10_000: 1})) < 400
    assert "needs the argument 'coats'" in PAINT.bind({"colour": "red"})
    assert PAINT.bind({"colour": "red", "coats": 1}) == {"colour": "red", "coats": 1}  # defaults are the method's own


def test_calls_compare_hash_and_pickle() -> None:
    call = ToolCall("paint", {"colour": "red", "coats": 2})
    assert call == ToolCall("paint", {"coats": 2, "colour": "red"}) != ToolCall("rest")
    assert hash(call) == hash(ToolCall("paint", {"coats": 2, "colour": "red"}))
    assert pickle.loads(pickle.dumps(call)) == call
    assert call.to_json() == {"name": "paint", "arguments": {"colour": "red", "coats": 2}}


def test_the_text_of_a_call_is_the_shortest_that_is_safe() -> None:
    assert str(ToolCall("rest")) == "rest[]"
    assert str(ToolCall("paint", {"colour": "red"})) == "paint[red]"
    for value in ("", " red", "two\nlines", "<b>", "`x`", 3):
        assert str(ToolCall("paint", {"colour": value})).startswith("<tool_call>")


def test_an_empty_schema_has_an_empty_signature() -> None:
    assert ToolSchema("rest", "Rest.", ()).signature == "rest()"
