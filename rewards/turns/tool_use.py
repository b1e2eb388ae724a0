"""Small turn rewards by tool name, for any environment with tools: format, choice and order of calls.

They are rules that a user sets, such as the action-format and scaffold-choice checks that G-RA gates; no published
numbers are known, so none has a default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import numpy as np

from turnwise.rewards.trajectory import Turn

Call: TypeAlias = Mapping[str, Any]
"""One tool call: `{"name": ..., "arguments": {...}}`."""

Calls: TypeAlias = str | Collection[str] | Callable[[Call], bool]
"""Which calls are meant: those of a tool, of several tools, or those for which a function says yes."""


class ActionFormatReward:
    """Pays for an action that could be carried out, and another amount for one that could not.

    Args:
        valid: Paid for a valid action.
        invalid: Paid for an invalid one; a penalty is negative.

    Source: ours; the kind of step reward that G-RA (arXiv 2508.10548) gates.

    >>> reward = ActionFormatReward(valid=0.1, invalid=-0.1)
    >>> reward(Turn(0, "", "bash[ls]")), reward(Turn(0, "", "well ...", valid=False))
    (0.1, -0.1)
    """

    def __init__(self, *, valid: float, invalid: float) -> None:
        self.valid, self.invalid = _finite("valid", valid), _finite("invalid", invalid)

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn."""
        return self.valid if turn.valid else self.invalid


class ToolUseReward:
    """An amount for each call, by the name of its tool. Also a cost: log it, and charge for it by `ActionPrice`.

    Args:
        values: Tool name to amount.
        default: For calls of other tools.

    Source: ours; the kind of step reward that G-RA (arXiv 2508.10548) gates.

    >>> reward = ToolUseReward({"bash": 1.0, "view": 0.25}, default=0.0)
    >>> calls = ({"name": "view", "arguments": {}}, {"name": "bash", "arguments": {}})
    >>> reward(Turn(0, "", "...", tool_calls=calls))
    1.25
    """

    def __init__(self, values: Mapping[str, float], *, default: float) -> None:
        self.values = {name: _finite(f"the value of {name!r}", value) for name, value in values.items()}
        self.default = _finite("default", default)

    def __call__(self, turn: Turn) -> float:
        """The sum over the calls of this turn."""
        return float(sum(self.values.get(call["name"], self.default) for call in turn.tool_calls))


class ToolOrderReward:
    """Pays where a call comes after another one: looked before changing, ran the tests before submitting.

    Calls of one turn count in their order. Calls of an invalid action do not count, nor does what it tried to do first.

    Args:
        first: Which calls have to come first: a tool's name, several names, or a function of the call.
        then: Which calls are paid for coming after them.
        value: Paid for such a call.
        otherwise: Paid for a call of `then` that came too early; a penalty is negative.
        same: Name of an argument that both calls must have in common, for example `path`: view *this* file before
            editing it. Calls without it do not count. None: any call will do.
        every: Pay for every such call; default only for the episode's first call of `then` (with `same`: the first for
            each value of that argument).

    Source: ours; the kind of step reward that G-RA (arXiv 2508.10548) gates.

    >>> def tests(call):
    ...     return call["name"] == "bash" and "pytest" in call["arguments"].get("command", "")
    >>> reward = ToolOrderReward(tests, "submit", 0.5, otherwise=-0.5)
    >>> def turn(name, **arguments):
    ...     return Turn(0, "", "", tool_calls=({"name": name, "arguments": arguments},))
    >>> [reward(turn("bash", command="ls")), reward(turn("bash", command="pytest -q")), reward(turn("submit"))]
    [0.0, 0.0, 0.5]
    """

    def __init__(
        self,
        first: Calls,
        then: Calls,
        value: float,
        *,
        otherwise: float = 0.0,
        same: str | None = None,
        every: bool = False,
    ) -> None:
        self.first, self.then = first, then
        self.value, self.otherwise = _finite("value", value), _finite("otherwise", otherwise)
        self.same, self.every = same, every
        self.begin()

    def begin(self, observation: str = "", privileged: Mapping[str, Any] | None = None) -> None:
        """Forget the last episode."""
        self._came: set[str] = set()
        self._paid: set[str] = set()

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn."""
        return float(sum(self._value(call) for call in turn.tool_calls)) if turn.valid else 0.0

    def _value(self, call: Call) -> float:
        key = "" if self.same is None else call["arguments"].get(self.same)
        if key is None:
            return 0.0
        value = 0.0
        if _meant(self.then, call) and (self.every or str(key) not in self._paid):
            self._paid.add(str(key))
            value = self.value if str(key) in self._came else self.otherwise
        if _meant(self.first, call):
            self._came.add(str(key))
        return value


def _meant(calls: Calls, call: Call) -> bool:
    if callable(calls):
        return bool(calls(call))
    return bool(call["name"] == calls if isinstance(calls, str) else call["name"] in calls)


def _finite(name: str, value: float) -> float:
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)
