"""Facts that only an environment knows (retrieved documents, gold calls, rubrics), as rewards read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from turnwise.rewards.trajectory import Trajectory, Turn

Fact: TypeAlias = str | Callable[[Any], Any]
"""Where a reward finds a fact: a key of the privileged record, or a function of the turn (of the trajectory, for an
episode reward)."""


def read_fact(fact: Fact, record: Turn | Trajectory, argument: str) -> Any:
    """The fact of this turn or trajectory.

    Args:
        fact: A key of `record.privileged`, or a function of the record.
        record: The turn or trajectory.
        argument: Name of the reward's argument, for the message.

    Raises:
        KeyError: The privileged record has no such key; the message names the argument and the keys there are.

    >>> read_fact("gold", Turn(0, "", "", privileged={"gold": 7}), "gold"), read_fact(len, Trajectory(), "turns")
    (7, 0)
    """
    if not isinstance(fact, str):
        return fact(record)
    if fact not in record.privileged:
        raise KeyError(
            f"{argument}={fact!r} is no key of the privileged record, which has {sorted(record.privileged)}; "
            f"name another key, or give a function of the {type(record).__name__.lower()}"
        )
    return record.privileged[fact]


def privileged_keys(*facts: Fact | None) -> frozenset[str]:
    """The keys among the facts: what the environment must promise in its `privileged_keys`.

    >>> sorted(privileged_keys("gold", None, len))
    ['gold']
    """
    return frozenset(fact for fact in facts if isinstance(fact, str))


def first_argument(turn: Turn, name: str) -> str:
    """The argument `name` of the turn's first tool call that has one, as text; empty where there is none.

    >>> first_argument(Turn(0, "", "", tool_calls=({"name": "search", "arguments": {"query": "lamp"}},)), "query")
    'lamp'
    """
    values = (call.get("arguments", {}).get(name) for call in turn.tool_calls)
    return str(next((value for value in values if value), ""))
