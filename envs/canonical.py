"""Plain data as one text, the same in every process: what state hashes are made of."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Any


def canonical(value: Any) -> str:
    """Plain data as text that is the same in every process: keys sorted, sets sorted, dataclasses as dictionaries.

    Raises:
        TypeError: The value holds something that is not plain data.

    >>> canonical({"b": {2, 1}, "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=canonical)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"state_key() must be plain data, got a {type(value).__name__}")
