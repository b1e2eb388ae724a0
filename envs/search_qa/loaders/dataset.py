"""A data set of questions, read once and kept: questions by index, and the paragraphs of all of them as one corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from turnwise.envs.built_folder import BuildError, default_cache_dir, ensure_built
from turnwise.envs.data_files import DataFileError, file_identity
from turnwise.envs.record_files import RecordFile, RecordWriter
from turnwise.envs.search_qa.loaders.example import Example
from turnwise.envs.search_qa.loaders.hotpotqa import read_hotpotqa, read_two_wiki
from turnwise.envs.search_qa.loaders.id_table import DuplicateIdError, IdTable, IdTableWriter
from turnwise.envs.search_qa.loaders.musique import read_musique
from turnwise.envs.search_qa.loaders.open_questions import read_open_questions
from turnwise.envs.search_qa.records import Document, Question, SubQuestion

READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "hotpotqa": read_hotpotqa,
    "2wiki": read_two_wiki,
    "musique": read_musique,
    "nq": read_open_questions,
}
"""Readers by the name of their format; `nq` reads every file of questions and answers alone."""

_FORMAT = 1
_QUESTIONS, _DOCUMENTS = "questions", "documents"


class QuestionFile:
    """A `QuestionSet` from a published file, and the corpus of its paragraphs.

    The first opening streams the file, checks every record, and keeps questions and paragraphs in the cache, each
    paragraph once; afterwards a question is read when it is asked for. Safe to share between threads; pickles as its
    path.

    All paragraphs of all questions make one corpus (`corpus`), as is usual for search agents: harder than the
    distractor setting, easier than all of Wikipedia. A question that cannot be answered from its own paragraphs may be
    answered by another's, so that such questions are left out unless they are asked for.

    Args:
        format: One of `READERS`.
        path: The file, plain or gzip.
        name: Begins the task ids; default the file's name without its ending.
        cache_dir: Where it is kept; default `default_cache_dir()`.
        unanswerable: Keep questions without an answer.
        aliases: 2WikiMultihopQA's `id_aliases.json`, see `read_two_wiki`.

    Raises:
        DataFileError: The file is unreadable, cut off or malformed; the message names the place and the field.
        BuildError: The disk is full, or the cache cannot be written.
        ValueError: The format is unknown, or has no such aliases.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "nq.jsonl").write_text('{"question": "who wrote it", "answer": ["Bobby Scott", "Bob Russell"]}')
    >>> questions = QuestionFile("nq", folder / "nq.jsonl", cache_dir=folder)
    >>> questions[0].task_id, questions.find("nq/0").aliases, len(questions.corpus)
    ('nq/0', ('Bobby Scott', 'Bob Russell'), 0)
    """

    def __init__(
        self,
        format: str,
        path: str | PathLike[str],
        *,
        name: str | None = None,
        cache_dir: Path | None = None,
        unanswerable: bool = False,
        aliases: str | PathLike[str] | None = None,
    ) -> None:
        if format not in READERS:
            raise ValueError(f"format must be one of {sorted(READERS)}, got {format!r}")
        if aliases is not None and format != "2wiki":
            raise ValueError(f"aliases belong to the format '2wiki', got {format!r}")
        self.aliases = None if aliases is None else Path(aliases).absolute()
        self.format, self.path, self.unanswerable = format, Path(path).absolute(), unanswerable
        self._name = name or self.path.name.removesuffix(".gz").rpartition(".")[0] or self.path.name
        self._cache_dir = (cache_dir or default_cache_dir()).resolve()
        self.key = _key(format, unanswerable, self.path, self.aliases)
        folder = self._cache_dir / f"questions-{self.key}"
        try:
            ensure_built(folder, self._write)
        except OSError as error:
            raise BuildError(f"the questions of {self.path.name}", self._cache_dir, error) from error
        self._questions = RecordFile(folder / _QUESTIONS)
        self._ids = IdTable(folder)
        self.corpus = ParagraphCorpus(folder / _DOCUMENTS, self.key)
        self._cached: Callable[[int], Question] = lru_cache(maxsize=4096)(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.format, self.path, self._name, self._cache_dir, self.unanswerable, self.aliases)

    @property
    def name(self) -> str:
        """The set's name."""
        return self._name

    def __len__(self) -> int:
        return len(self._questions)

    def __getitem__(self, index: int) -> Question:
        """The question at an index from 0.

        Raises:
            IndexError: There is no such index.
        """
        return self._cached(index)

    def find(self, task_id: str) -> Question | None:
        """The question with this task id, or None."""
        prefix = f"{self._name}/"
        index = self._ids.position(task_id.removeprefix(prefix)) if task_id.startswith(prefix) else None
        return None if index is None else self[index]

    def _read(self, index: int) -> Question:
        record = self._questions[index]
        chain = tuple(SubQuestion(**step) for step in record.pop("chain"))
        aliases, gold = (tuple(record.pop(name)) for name in ("aliases", "gold_documents"))
        task_id = f"{self._name}/{record.pop('task_id')}"
        return Question(task_id=task_id, aliases=aliases, gold_documents=gold, chain=chain, **record)

    def _read_file(self) -> Iterator[Example]:
        return READERS[self.format](self.path) if self.aliases is None else read_two_wiki(self.path, self.aliases)

    def _write(self, folder: Path) -> None:
        seen: set[str] = set()
        (folder / _DOCUMENTS).mkdir()
        try:
            with (
                RecordWriter(folder / _QUESTIONS) as questions,
                RecordWriter(folder / _DOCUMENTS / _DOCUMENTS) as documents,
                IdTableWriter(folder) as ids,
                IdTableWriter(folder / _DOCUMENTS) as document_ids,
            ):
                for example in self._read_file():
                    if not example.question.answerable and not self.unanswerable:
                        continue
                    questions.add(asdict(example.question))
                    ids.add(example.question.task_id)
                    for document in example.paragraphs:
                        if document.doc_id not in seen:
                            seen.add(document.doc_id)
                            documents.add(asdict(document))
                            document_ids.add(document.doc_id)
        except DuplicateIdError as error:
            problem = f"the id {error.doc_id!r} is taken by record {error.first} already"
            raise DataFileError(self.path, problem, record=error.second) from error


class ParagraphCorpus:
    """A `Corpus` of the paragraphs of a `QuestionFile`, which makes it.

    Args:
        folder: Where they are.
        key: Of the question file; for `open_bm25` and `open_dense`.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self.key = folder, key
        self._documents, self._ids = RecordFile(folder / _DOCUMENTS), IdTable(folder)
        self._cached: Callable[[int], Document] = lru_cache(maxsize=4096)(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        return ParagraphCorpus, (self._folder, self.key)

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        """All documents by position, streamed."""
        return map(self._read, range(len(self)))

    def document(self, doc_id: str) -> Document:
        """The document with this id.

        Raises:
            KeyError: There is none.
        """
        position = self._ids.position(doc_id)
        if position is None:
            raise KeyError(f"there is no paragraph {doc_id!r}")
        return self._cached(position)

    def doc_id(self, position: int) -> str:
        """The id of the document at this position."""
        return self._ids.id(position)

    def _read(self, position: int) -> Document:
        return Document(**self._documents[position])


def _opened(
    format: str, path: Path, name: str, cache_dir: Path, unanswerable: bool, aliases: Path | None
) -> QuestionFile:
    return QuestionFile(format, path, name=name, cache_dir=cache_dir, unanswerable=unanswerable, aliases=aliases)


def _key(format: str, unanswerable: bool, *paths: Path | None) -> str:
    identities = []
    for path in paths:
        try:
            identities.append(None if path is None else file_identity(path))
        except OSError as error:
            raise DataFileError(Path(error.filename), f"cannot be read: {error.strerror or error}") from error
    return f"{format}-{hashlib.sha256(repr((_FORMAT, format, unanswerable, identities)).encode()).hexdigest()[:16]}"
