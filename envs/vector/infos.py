"""The infos of many environments as one: Gymnasium's form, for values of any shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def batch_infos(infos: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """One dictionary of arrays of shape (num_envs,), each key with a boolean mask `_key` of who has it.

    Numbers and booleans become arrays of their type, dictionaries are batched in turn, and all else lies in object
    arrays. `VectorEnv._add_info` fixes an array's type and shape by the first environment's value, so that an array
    of one number per turn breaks it; here arrays always lie in object arrays, whatever their shapes.

    Args:
        infos: One dictionary for each environment; None for an environment that has nothing to say.

    >>> batch_infos([{"turn": 2}, {"turn": 3, "rewards": np.ones(3)}])["_rewards"]
    array([False,  True])
    """
    batched: dict[str, Any] = {}
    keys = dict.fromkeys(key for info in infos if info for key in info)
    for key in keys:
        mask = np.array([info is not None and key in info for info in infos])
        values = [info[key] if info is not None and key in info else None for info in infos]
        batched[key], batched[f"_{key}"] = _column(values, mask), mask
    return batched


def _column(values: list[Any], mask: NDArray[np.bool_]) -> Any:
    present = [value for value, has in zip(values, mask, strict=True) if has]
    if all(isinstance(value, dict) for value in present):
        return batch_infos(values)
    dtype = _dtype(present)
    column = np.zeros(len(values), dtype) if dtype is not object else np.full(len(values), None, dtype)
    for i in np.flatnonzero(mask):
        column[i] = values[i]
    return column


def _dtype(values: list[Any]) -> Any:
    types = {type(value) for value in values}
    if len(types) == 1 and (types <= {int, float, bool} or issubclass(next(iter(types)), np.number)):
        return next(iter(types))
    return float if types == {int, float} else object


def lost_info(last: Mapping[str, Any], stop_reason: str, group_id: str) -> dict[str, Any]:
    """The info of a turn that the environment did not answer: what was known before it, and why it stopped.

    Args:
        last: The last info of the episode; empty where the reset was not answered.
        stop_reason: `timeout` or `environment_fault`.
        group_id: Of the episode.
    """
    return {
        "task_id": last.get("task_id", ""),
        "turn": last.get("turn", -1) + 1,
        "state_hash": last.get("state_hash", ""),
        "tool_call": None,
        "is_action_valid": False,
        "admissible_actions": [],
        "reward_terms": {"outcome": 0.0},
        "events": frozenset(),
        "stop_reason": stop_reason,
        "privileged": last.get("privileged", {}),
        "group_id": group_id,
    }
