"""What `reset(options=...)` of a vector environment means for each of its environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def split_options(
    options: Mapping[str, Any] | None, num_envs: int, group_size: int
) -> tuple[list[dict[str, Any] | None], list[int]]:
    """The options of each environment, and the indices of those that are to be reset.

    Raises:
        ValueError: `task_ids` or `reset_mask` has the wrong length, or a group would get different tasks.
        TypeError: `reset_mask` does not hold booleans.

    >>> split_options({"task_ids": ["a", None]}, num_envs=2, group_size=1)
    ([{'task_id': 'a'}, None], [0, 1])
    """
    rest = dict(options or {})
    mask = _checked_mask(rest.pop("reset_mask", None), num_envs)
    task_ids = _checked_task_ids(rest.pop("task_ids", None), num_envs, group_size)
    if task_ids and "task_id" in rest:
        raise ValueError("options hold both 'task_id' and 'task_ids'; give one of them")
    each = [{**rest, "task_id": task} if task is not None else rest for task in task_ids or [None] * num_envs]
    return [dict(one) or None for one in each], np.flatnonzero(mask).tolist()


def _checked_mask(mask: Any, num_envs: int) -> Any:
    if mask is None:
        return np.ones(num_envs, np.bool_)
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"options['reset_mask'] must hold booleans, got dtype {mask.dtype}")
    if mask.shape != (num_envs,) or not mask.any():
        raise ValueError(f"options['reset_mask'] must have shape ({num_envs},) and one True at least, got {mask}")
    return mask


def _checked_task_ids(task_ids: Sequence[str | None] | None, num_envs: int, group_size: int) -> list[str | None]:
    if task_ids is None:
        return []
    if isinstance(task_ids, str) or len(task_ids) != num_envs:
        raise ValueError(f"options['task_ids'] must be a list of {num_envs}, got {task_ids!r}")
    for first in range(0, num_envs, group_size):
        group = task_ids[first : first + group_size]
        if len(set(group)) > 1:
            raise ValueError(f"options['task_ids'] gives the group of environment {first} different tasks: {group}")
    return list(task_ids)
