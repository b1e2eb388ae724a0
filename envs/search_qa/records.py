"""What a search task is made of: documents, questions, and the corpus and question set that hold them.

The generated world and the loaders of real data both produce these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a corpus.

    Attributes:
        doc_id: What the agent opens and cites; unique in the corpus.
        title: Shown in results. Need not be unique.
        text: The whole text, without the title.
    """

    doc_id: str
    title: str
    text: str

    @property
    def contents(self) -> str:
        """Title and text: what is searched, and what rewards compare.

        >>> Document("7", "Harrow Mill", "A mill.").contents
        'Harrow Mill. A mill.'
        """
        return f"{self.title}. {self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class SubQuestion:
    """One step of the way to an answer.

    Attributes:
        question: In words; may be empty where a data set gives none.
        answer: Its answer; empty where the documents do not hold it.
        document: Id of the document that answers it; empty where it follows from earlier steps (a comparison).
    """

    question: str
    answer: str
    document: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question and all that is known about its answer.

    Attributes:
        task_id: Stable and unique; `reset(options={"task_id": ...})` returns to it.
        question: What the agent is asked.
        aliases: Accepted answers, the usual one first. Of a question that cannot be answered: names of the thing whose
            fact is missing, which the agent has to name; empty where the data does not say (then "unanswerable" is
            enough).
        gold_documents: Ids of the documents that the answer rests on, in the order of the chain. May be empty where
            the data set does not say (Natural Questions).
        chain: Sub-questions in order; may be empty.
        kind: `bridge`, `comparison`, `intersection`, `counting`, `temporal`, `unanswerable`, or a data set's own.
        hops: Facts to look up, 1 or more; 0 where unknown.
        answerable: Whether the documents hold the answer.
    """

    task_id: str
    question: str
    aliases: tuple[str, ...]
    gold_documents: tuple[str, ...] = ()
    chain: tuple[SubQuestion, ...] = ()
    kind: str = ""
    hops: int = 0
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and the evidence that decides it.

    Attributes:
        task_id: Stable and unique.
        claim: What the agent is to check.
        label: `supports`, `refutes` or `not enough info`.
        evidence: Ids of the documents that the verdict rests on, in the order of the chain. Of an undecided claim:
            those that lead to the missing fact, and the one that ought to state it.
        chain: Sub-questions in order.
        kind: How the claim was made.
        hops: Facts to look up.
    """

    task_id: str
    claim: str
    label: str
    evidence: tuple[str, ...]
    chain: tuple[SubQuestion, ...] = ()
    kind: str = ""
    hops: int = 0


class Corpus(Protocol):
    """Documents by id and by position, read when they are asked for: a million must not lie in memory.

    Positions run from 0 and are the order of iteration; an index may store positions alone. Equal corpora iterate in
    the same order in every process. Safe to share between threads.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Document]:
        """All documents by position, streamed."""
        ...

    def document(self, doc_id: str) -> Document:
        """The document with this id.

        Raises:
            KeyError: There is none.
        """
        ...

    def doc_id(self, position: int) -> str:
        """The id of the document at this position."""
        ...


class QuestionSet(Protocol):
    """A lazy sequence of questions with a name, which begins their task ids."""

    @property
    def name(self) -> str:
        """For example `hotpotqa-dev`."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Question:
        """The question at an index from 0."""
        ...

    def find(self, task_id: str) -> Question | None:
        """The question with this task id, or None."""
        ...
