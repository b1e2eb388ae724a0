"""What a reader of question files gives for each question."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.envs.search_qa.loaders.search_r1 import paragraph_id
from turnwise.envs.search_qa.records import Document, Question


@dataclass(frozen=True, slots=True)
class Example:
    """A question, and the paragraphs that its file gives with it.

    Attributes:
        question: Its `task_id` is the file's own id, without the name of the set.
        paragraphs: With ids by `paragraph_id`; empty where the file has none.
    """

    question: Question
    paragraphs: tuple[Document, ...] = ()


def paragraph(title: str, text: str) -> Document:
    """A paragraph as a document, with the id that its contents give it."""
    return Document(paragraph_id(title, text), title, text)
