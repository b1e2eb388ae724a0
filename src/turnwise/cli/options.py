"""Options that carry a key and a value: `--env-arg products=100`, `--wrap gated:clip=0.5`."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from turnwise.cli.errors import CommandError

_WORDS = {"true": True, "false": False, "none": None}


def parse_value(text: str) -> Any:
    """A number, a truth value, None, a Python literal, or else the text itself.

    >>> parse_value("3"), parse_value("true"), parse_value("[1, 2]"), parse_value("a.jsonl")
    (3, True, [1, 2], 'a.jsonl')
    """
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def key_values(items: Iterable[str], option: str) -> dict[str, Any]:
    """A dictionary from texts `key=value`.

    Args:
        items: The texts.
        option: Name of the option, for the message.

    Raises:
        CommandError: One has no `=`, or no key that Python could take as an argument's name.

    >>> key_values(["products=100", "split=test"], "--env-arg")
    {'products': 100, 'split': 'test'}
    """
    pairs = {}
    for item in items:
        key, equals, value = item.partition("=")
        name = key.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise CommandError(f"{option} takes key=value, got {item!r}")
        pairs[name] = parse_value(value.strip())
    return pairs


def name_and_options(text: str, option: str) -> tuple[str, dict[str, Any]]:
    """Split `name:key=value,key=value`. A comma inside brackets or quotes belongs to the value.

    >>> name_and_options("progress:weight=0.5,levels=[1,2]", "--wrap")
    ('progress', {'weight': 0.5, 'levels': [1, 2]})
    """
    name, _, rest = text.partition(":")
    return name.strip(), key_values(_split_commas(rest), option)


def _split_commas(text: str) -> list[str]:
    parts, depth, quote, current = [], 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[({":
            depth += 1
        elif character in "])}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(current)
            current = ""
            continue
        current += character
    return [part for part in [*parts, current] if part.strip()]
