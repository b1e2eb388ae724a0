"""Text for a page: hostile characters made visible, long text split into a preview and the rest."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

PREVIEW_LINES = 8
PREVIEW_CHARACTERS = 640
MOST_CHARACTERS = 6_000

# Control characters become their printed pictures. Bidirectional overrides could show a text in another order than it
# has, so they are named instead of obeyed.
_VISIBLE = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {
    code: f"⟨{unicodedata.name(chr(code)).lower()}⟩"
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)
}


@dataclass(frozen=True, slots=True)
class Block:
    """A text as the page shows it.

    Attributes:
        head: What is always shown.
        rest: What unfolds; empty where `head` is everything.
        lines: Lines in `rest`.
        cut: Characters that are in neither.
    """

    head: str
    rest: str = ""
    lines: int = 0
    cut: int = 0


def visible(text: str) -> str:
    r"""The text with nothing in it that could hide, reorder or break what a reader sees. HTML is escaped elsewhere.

    >>> visible("a\x00b\r\nc\ud800")
    'a␀b\nc?'
    """
    return text.replace("\r\n", "\n").translate(_VISIBLE).encode("utf-8", "replace").decode()


def block(text: str) -> Block:
    r"""Split a text into a preview and the rest, and cut what is too long for a page.

    >>> block("one line")
    Block(head='one line', rest='', lines=0, cut=0)
    >>> block("line\n" * 20).lines
    12
    """
    text = visible(text).strip("\n")
    cut = max(0, len(text) - MOST_CHARACTERS)
    text = text[:MOST_CHARACTERS]
    lines = text.split("\n")
    head = "\n".join(lines[:PREVIEW_LINES])[:PREVIEW_CHARACTERS]
    rest = text[len(head) :].removeprefix("\n")
    # Folding away two lines costs the reader more than it saves.
    if not cut and len(lines) <= PREVIEW_LINES + 2 and len(rest) <= PREVIEW_CHARACTERS // 4:
        return Block(text)
    return Block(head, rest, rest.count("\n") + 1, cut)
