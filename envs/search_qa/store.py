"""A built world, opened: documents, questions and claims, memory-mapped and shared by all environments of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise.envs.built_folder import default_cache_dir
from turnwise.envs.record_files import RecordFile
from turnwise.envs.search_qa import build, ids
from turnwise.envs.search_qa.build import Progress
from turnwise.envs.search_qa.records import Claim, Document, Question, SubQuestion
from turnwise.envs.search_qa.spec import WorldSpec

_COUNTRIES_OF_A_ROUND = 10
SPLITS = ("train", "val", "test")


class World:
    """A `Corpus` with questions and claims about it. Made by `open_world`; safe to share between threads.

    Pickles as its spec and folder: another process opens the same files again.
    """

    def __init__(self, spec: WorldSpec, folder: Path) -> None:
        self.spec = spec
        self._folder = folder
        self._documents = RecordFile(folder / build.DOCUMENTS)
        self._questions = RecordFile(folder / build.QUESTIONS)
        self._claims = RecordFile(folder / build.CLAIMS)
        self.document: Callable[[str], Document] = lru_cache(maxsize=4096)(self._document)

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return (self._read(position) for position in range(len(self)))

    def __reduce__(self) -> tuple[Callable[..., World], tuple[WorldSpec, Path]]:
        return open_world, (self.spec, self._folder.parent)

    def doc_id(self, position: int) -> str:
        """The id of the document at this position."""
        return ids.doc_id(self.spec.seed, position)

    @property
    def tasks(self) -> int:
        """How many questions there are, and how many claims."""
        return len(self._questions)

    def question(self, index: int, task_id: str = "") -> Question:
        """The question at an index from 0.

        Raises:
            IndexError: There is none.
        """
        record = self._questions[index]
        chain = self._chain(record["chain"])
        return Question(
            task_id=task_id,
            question=record["question"],
            aliases=tuple(record["names"]),
            gold_documents=_documents_of(chain),
            chain=chain,
            kind=record["kind"],
            hops=record["hops"],
            answerable=record["kind"] != "unanswerable",
        )

    def claim(self, index: int, task_id: str = "") -> Claim:
        """The claim at an index from 0.

        Raises:
            IndexError: There is none.
        """
        record = self._claims[index]
        chain = self._chain(record["chain"])
        return Claim(
            task_id=task_id,
            claim=record["claim"],
            label=record["label"],
            evidence=_documents_of(chain),
            chain=chain,
            kind=record["kind"],
            hops=record["hops"],
        )

    def kind_codes(self) -> NDArray[np.uint8]:
        """(tasks,) the place of each question's kind in `KINDS`."""
        return self._array(build.KIND_CODES)

    def hops(self) -> NDArray[np.uint8]:
        """(tasks,) the hops of each question."""
        return self._array(build.HOPS)

    def split(self, index: int) -> str:
        """The split of a question or claim: its country's.

        Of ten countries one is `test`, one `val`, eight `train`. No fact lies in two countries, so that nothing
        that was learnt by heart in training answers a test question.
        """
        return split_of_country(index // self.spec.tasks_per_country)

    def _array(self, name: str) -> NDArray[np.uint8]:
        array: NDArray[np.uint8] = np.load(self._folder / name, mmap_mode="r")
        return array

    def _document(self, doc_id: str) -> Document:
        position = ids.position_of(self.spec.seed, doc_id)
        if not 0 <= position < len(self):
            raise KeyError(f"{self.spec.name} has no document {doc_id!r}")
        return self._read(position)

    def _read(self, position: int) -> Document:
        record = self._documents[position]
        return Document(self.doc_id(position), record["title"], record["text"])

    def _chain(self, steps: list[Any]) -> tuple[SubQuestion, ...]:
        return tuple(
            SubQuestion(question, answer, self.doc_id(position) if position >= 0 else "")
            for question, answer, position in steps
        )


def split_of_country(number: int) -> str:
    """`test` for countries 1, 11, 21, …, `val` for 2, 12, 22, …, else `train`; so three countries have all.

    >>> [split_of_country(number) for number in (0, 1, 2, 3, 11)]
    ['train', 'test', 'val', 'train', 'test']
    """
    return {1: "test", 2: "val"}.get(number % _COUNTRIES_OF_A_ROUND, "train")


_opened: dict[Path, World] = {}
_opening = Lock()


def open_world(spec: WorldSpec, cache_dir: Path | None = None, progress: Progress | None = None) -> World:
    """The world, built first where the cache does not have it; one object per process and folder.

    Args:
        spec: Which world.
        cache_dir: Where built worlds are kept; default `default_cache_dir()`.
        progress: Called now and then while building, with (articles done, articles in all).

    Raises:
        BuildError: The disk is full, or the cache cannot be written.
    """
    cache_dir = (cache_dir or default_cache_dir()).resolve()
    with _opening:
        folder = build.ensure_world(spec, cache_dir, progress)
        if folder not in _opened:
            _opened[folder] = World(spec, folder)
        return _opened[folder]


def _documents_of(chain: tuple[SubQuestion, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step.document for step in chain if step.document))
