"""Tasks: questions or claims under stable ids, in splits, and the panel, a frozen list of test tasks.

A task id reads `<world>/<split>/<index>`, for example `searchqa-10000-0/test/000123`; a claim's has `claim-` before
the index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Generic, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from turnwise.envs.search_qa.records import Claim, Question, QuestionSet
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import SPLITS, World, split_of_country
from turnwise.envs.search_qa.world.questions import KINDS, PLAN, plan_place

Task = TypeVar("Task", Question, Claim)

PANEL_WORLD = WorldSpec(articles=10_000, seed=0)
_EACH = len(PLAN)
PANEL: tuple[int, ...] = tuple(
    sorted(
        country * _EACH + (place - plan_place(country, 0)) % _EACH
        for place in range(_EACH)
        for country in (10 * (place % 10) + 1, 10 * ((place + 3) % 10) + 1)
    )
)
"""Indices of the panel's questions, and of its claims: each place of the plan in two of the ten test countries."""


class WorldTasks(Sequence[str], Generic[Task]):
    """The task ids of one split of a world, made when asked for. Made by `question_tasks` and `claim_tasks`."""

    def __init__(self, world: World, split: str, of: Literal["question", "claim"], indices: NDArray[np.int32]) -> None:
        self.world, self.split, self._of = world, split, of
        self._indices = indices
        self._mark = "" if of == "question" else "claim-"

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One id, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self._id(int(task)) for task in self._indices[index]]
        return self._id(int(self._indices[index]))

    def __contains__(self, task_id: object) -> bool:
        index = self._parse(task_id)
        return index is not None and bool(np.isin(index, self._indices))

    def has(self, task_id: str) -> bool:
        """Whether the world has this task, in whichever split."""
        return self._parse(task_id) is not None

    def read(self, task_id: str) -> Task:
        """The question or claim of a task, in whichever split.

        Raises:
            KeyError: The world has no such task.
        """
        index = self._parse(task_id)
        if index is None:
            raise KeyError(f"no task {task_id!r} in {self.world.spec.name}; ids look like {self[0]!r}")
        read = self.world.question if self._of == "question" else self.world.claim
        return read(index, task_id)  # type: ignore[return-value]

    def _id(self, index: int) -> str:
        return f"{self.world.spec.name}/{self.world.split(index)}/{self._mark}{index:06d}"

    def _parse(self, task_id: object) -> int | None:
        """The index, or None where this world has no task of exactly this id."""
        if not isinstance(task_id, str) or len(task_id) > 200:
            return None
        digits = task_id[-6:]
        if not (digits.isascii() and digits.isdigit()):
            return None
        index = int(digits)
        return index if index < self.world.tasks and task_id == self._id(index) else None


class FileTasks(Sequence[str]):
    """The task ids of a question set that was loaded from a file."""

    def __init__(self, questions: QuestionSet) -> None:
        self.questions = questions

    def __len__(self) -> int:
        return len(self.questions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One id, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.questions[index + len(self) if index < 0 else index].task_id

    def __contains__(self, task_id: object) -> bool:
        return isinstance(task_id, str) and self.has(task_id)

    def has(self, task_id: str) -> bool:
        """Whether there is such a question."""
        return self.questions.find(task_id) is not None

    def read(self, task_id: str) -> Question:
        """The question of a task.

        Raises:
            KeyError: There is none.
        """
        question = self.questions.find(task_id)
        if question is None:
            raise KeyError(f"no task {task_id!r} in {self.questions.name}")
        return question


@lru_cache(maxsize=64)
def question_tasks(
    world: World, split: str, hops: tuple[int, ...] = (), kinds: tuple[str, ...] = ()
) -> WorldTasks[Question]:
    """The questions of `train`, `val`, `test`, or of the `panel`.

    Args:
        world: The world.
        split: Which split.
        hops: Only questions of so many hops; empty takes all.
        kinds: Only questions of these kinds; empty takes all.

    Raises:
        ValueError: A split or kind is unknown; a panel of another world than the default one; or nothing is left.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"kinds has {unknown[0]!r}; valid are {', '.join(KINDS)}")
    indices = _indices(world, split)
    wanted = _chosen(hops, world.hops()[indices]) & _chosen(
        [KINDS.index(k) for k in kinds], world.kind_codes()[indices]
    )
    if not wanted.any():
        raise ValueError(f"split {split!r} of {world.spec.name} has no questions with hops {hops} and kinds {kinds}")
    return WorldTasks(world, split, "question", indices[wanted])


@lru_cache(maxsize=64)
def claim_tasks(world: World, split: str) -> WorldTasks[Claim]:
    """The claims of `train`, `val`, `test`, or of the `panel`.

    Raises:
        ValueError: The split is unknown or empty; or a panel of another world than the default one.
    """
    return WorldTasks(world, split, "claim", _indices(world, split))


def content_hash(world: World, tasks: Iterable[Question | Claim]) -> str:
    """SHA-256 of tasks and their gold documents, over canonical JSON: pins a panel's every byte."""
    digest = hashlib.sha256()
    for task in tasks:
        gold = task.gold_documents if isinstance(task, Question) else task.evidence
        record = [asdict(task), [world.document(doc_id).contents for doc_id in gold]]
        digest.update(json.dumps(record, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


def _indices(world: World, split: str) -> NDArray[np.int32]:
    if split not in (*SPLITS, "panel"):
        raise ValueError(f"split {split!r} is unknown; valid are {', '.join((*SPLITS, 'panel'))}")
    if split == "panel":
        if world.spec != PANEL_WORLD:
            raise ValueError(f"split 'panel' belongs to {PANEL_WORLD.name}, not to {world.spec.name}")
        return np.array(PANEL, dtype=np.int32)
    each = world.spec.tasks_per_country
    countries = [n for n in range(world.spec.whole_countries) if split_of_country(n) == split]
    if not countries:
        raise ValueError(f"split {split!r} of {world.spec.name} is empty: it takes 300 articles to have all splits")
    firsts = np.array(countries, dtype=np.int32) * np.int32(each)
    indices: NDArray[np.int32] = np.add.outer(firsts, np.arange(each, dtype=np.int32)).reshape(-1)
    return indices


def _chosen(wanted: Collection[int], values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.isin(values, list(wanted)) if wanted else np.ones(len(values), dtype=np.bool_)
