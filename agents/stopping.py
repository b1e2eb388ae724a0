"""When a message is over: the rules that end sampling before the model itself does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_THINKING = re.compile(r"<(think|thinking|reasoning|scratchpad)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_BRACKET_LINE = re.compile(r"^[ \t]*(?:[\w ]{1,20}:[ \t]*)?[A-Za-z_]\w*\[[^\n]*\][ \t]*\r?\n", re.MULTILINE)


@dataclass(frozen=True)
class StopRule:
    """Whether the text written so far is a complete message.

    Attributes:
        is_complete: From the whole text of the message to whether it is over.
        triggers: The text can only become complete with a token that holds one of these characters, so that it need
            not be decoded for the others. Empty: after every token.
    """

    is_complete: Callable[[str], bool]
    triggers: str = ""


def ends_action(text: str) -> bool:
    r"""Whether a text holds a complete tool call, so that nothing after it would be read.

    A call ends with `</tool_call>`, or, for a line like `search[red shirt]`, with the line: a bracket alone does not
    end it, because arguments hold brackets too. Calls inside thinking do not count.

    >>> ends_action("search[size [XL] shirt]"), ends_action("Action: search[size [XL] shirt]\n")
    (False, True)
    >>> ends_action("<think>first search[x]\n"), ends_action("<tool_call>{}</tool_call>")
    (False, True)
    """
    text = _THINKING.sub("", text)
    return "</tool_call>" in text or _BRACKET_LINE.search(text) is not None


AFTER_ACTION = StopRule(ends_action, triggers=">\n")
"""Stop after the first complete tool call."""

AFTER_MESSAGE = StopRule(lambda text: False, triggers="\0")
"""Stop only where the model ends its message itself, for example to allow several calls in one."""
