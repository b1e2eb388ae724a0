"""Tasks: goals under stable ids, in splits, and the panel, a frozen list of test tasks.

A task id reads `<catalogue>/<split>/<goal index>`, for example `webshop-1000-0/test/000123`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from turnwise.envs.webshop.product import Goal, Product
from turnwise.envs.webshop.spec import CatalogueSpec
from turnwise.envs.webshop.splits import SPLITS
from turnwise.envs.webshop.store import Catalogue

PANEL_CATALOGUE = CatalogueSpec.generated(products=1000, seed=0)
PANEL: tuple[int, ...] = (
    *(11, 37, 134, 137, 260, 356, 362, 406, 428, 437, 464, 483, 624, 677, 699, 771, 879, 903, 925, 988, 996, 1035),
    *(1047, 1053, 1068, 1111, 1157, 1167, 1311, 1371, 1507, 1511, 1591, 1629, 1635, 1683, 1697, 1707, 1767, 1841),
    *(1858, 1864, 1872, 2028, 2131, 2175, 2181, 2235, 2248, 2254, 2256, 2267, 2276, 2393, 2417, 2453, 2497, 2565),
    *(2609, 2669, 2774, 2793, 2852, 2963, 3040, 3048, 3067, 3087, 3185, 3199, 3203, 3319, 3321, 3353, 3411, 3431),
    *(3448, 3667, 3684, 3732, 3753, 3783, 3854, 3966, 3974, 3976, 4030, 4144, 4150, 4182, 4260, 4329, 4413, 4433),
    *(4449, 4521, 4676, 4808, 4849, 4932),
)
"""Goal indices of the panel: 100 test tasks of `PANEL_CATALOGUE`, no two for the same product or wish."""


class TaskList(Sequence[str]):
    """The task ids of one split, made when asked for, so that a million of them cost nothing."""

    def __init__(self, catalogue: Catalogue, split: str) -> None:
        self.catalogue, self.split = catalogue, split
        self._goals = _goal_indices(catalogue, split)

    def __len__(self) -> int:
        return len(self._goals)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One id, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self._id(goal) for goal in self._goals[index]]
        return self._id(self._goals[index])

    def __contains__(self, task_id: object) -> bool:
        goal = self._parse(task_id)
        return goal is not None and bool(np.isin(goal, self._goals))

    def has(self, task_id: str) -> bool:
        """Whether the catalogue has this task, in whichever split."""
        return self._parse(task_id) is not None

    def goal(self, task_id: str) -> Goal:
        """The goal of a task, in whichever split.

        Raises:
            KeyError: The catalogue has no such task.
        """
        index = self._parse(task_id)
        if index is None:
            raise KeyError(f"no task {task_id!r} in catalogue {self.catalogue.spec.name}; ids look like {self[0]!r}")
        return self.catalogue.goal(index)

    def _id(self, goal: np.int32) -> str:
        split = "test" if self.split == "panel" else self.split
        return f"{self.catalogue.spec.name}/{split}/{goal:06d}"

    def _parse(self, task_id: object) -> int | None:
        """The goal's index, or None where this catalogue has no task of exactly this id."""
        parts = task_id.rsplit("/", 2) if isinstance(task_id, str) else []
        if len(parts) != 3 or parts[0] != self.catalogue.spec.name or parts[1] not in SPLITS or not _is_index(parts[2]):
            return None
        goals, index = self.catalogue.split(parts[1]), int(parts[2])
        place = int(np.searchsorted(goals, index))
        return index if place < len(goals) and goals[place] == index else None


def task_list(catalogue: Catalogue, split: str) -> TaskList:
    """The tasks of `train`, `val`, `test`, or of the `panel`.

    Raises:
        ValueError: Another name; a panel of another catalogue than the default one; or a split without goals.
    """
    if split not in (*SPLITS, "panel"):
        raise ValueError(f"split {split!r} is unknown; valid are {', '.join((*SPLITS, 'panel'))}")
    if split == "panel" and catalogue.spec != PANEL_CATALOGUE:
        raise ValueError(f"split 'panel' belongs to {PANEL_CATALOGUE.name}, not to {catalogue.spec.name}")
    tasks = TaskList(catalogue, split)
    if not tasks:
        raise ValueError(f"split {split!r} of catalogue {catalogue.spec.name} has no goals; take another split")
    return tasks


def content_hash(goals: Iterable[Goal], products: Iterable[Product]) -> str:
    """SHA-256 of goals and their gold products, over canonical JSON: pins a panel's every byte."""
    digest = hashlib.sha256()
    for goal, product in zip(goals, products, strict=True):
        record: list[dict[str, Any]] = [goal.to_json(), product.to_json()]
        digest.update(json.dumps(record, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


def _goal_indices(catalogue: Catalogue, split: str) -> NDArray[np.int32]:
    return np.array(PANEL, dtype=np.int32) if split == "panel" else catalogue.split(split)


def _is_index(text: str) -> bool:
    return len(text) < 10 and text.isascii() and text.isdigit() and text == f"{int(text):06d}"
