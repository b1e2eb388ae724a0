"""HotpotQA and 2WikiMultihopQA: one JSON array of questions, each with paragraphs and supporting facts.

Source: github.com/hotpotqa/hotpot and github.com/Alab-NII/2wikimultihop, their READMEs and evaluation scripts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.envs.data_files import iter_lines, parse_json
from turnwise.envs.json_stream import iter_array_places
from turnwise.envs.search_qa.loaders.example import Example, paragraph
from turnwise.envs.search_qa.loaders.fields import Record
from turnwise.envs.search_qa.records import Document, Question, SubQuestion


def read_hotpotqa(path: Path) -> Iterator[Example]:
    """HotpotQA, in the distractor setting or the full-wiki one (whose context may lack gold paragraphs).

    A gold document is one that a supporting fact names; one that the context lacks is left out.

    Args:
        path: For example `hotpot_dev_distractor_v1.json`.

    Raises:
        DataFileError: The file is unreadable, cut off or malformed, or a question lacks its answer (as in test files);
            the message names the record, its first byte and the field.
    """
    for number, (byte, value) in enumerate(iter_array_places(path)):
        record = Record(value, path, record=number, byte=byte)
        paragraphs, gold = _paragraphs(record)
        yield Example(_question(record, gold, (record.text("answer"),), (), hops=2), paragraphs)


def read_two_wiki(path: Path, aliases: Path | None = None) -> Iterator[Example]:
    """2WikiMultihopQA. Its evidence triples become the chain: "relation of subject?" with the object as answer.

    Args:
        path: For example `dev.json`.
        aliases: `id_aliases.json`, JSON lines of other names by Wikidata id, which the official evaluation (version
            1.1) accepts as answers too. Read into memory.

    Raises:
        DataFileError: As in `read_hotpotqa`.
    """
    names = _aliases(aliases) if aliases is not None else {}
    for number, (byte, value) in enumerate(iter_array_places(path)):
        record = Record(value, path, record=number, byte=byte)
        paragraphs, gold = _paragraphs(record)
        others = names.get(record.text("answer_id", ""), ())
        answers = tuple(dict.fromkeys((record.text("answer"), *others)))
        by_title = {document.title: document.doc_id for document in paragraphs}
        chain = tuple(_step(record, row, by_title) for row in record.rows("evidences", 3))
        yield Example(_question(record, gold, answers, chain, hops=len(chain) or 2), paragraphs)


def _question(
    record: Record, gold: tuple[str, ...], answers: tuple[str, ...], chain: tuple[SubQuestion, ...], hops: int
) -> Question:
    return Question(
        task_id=record.text("_id" if record.has("_id") else "id"),
        question=record.text("question"),
        aliases=answers,
        gold_documents=gold,
        chain=chain,
        kind=record.text("type", ""),
        hops=hops,
    )


def _paragraphs(record: Record) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """The paragraphs of the context, and the ids of those that supporting facts name, in their order."""
    documents = []
    for title, sentences in record.rows("context", 2):
        if not isinstance(title, str) or not _all_texts(sentences):
            raise record.error("context", "expected pairs of a title and a list of sentences")
        documents.append(paragraph(title, "".join(_spaced(sentences))))
    by_title = {document.title: document.doc_id for document in documents}
    named = dict.fromkeys(title for title, _ in record.rows("supporting_facts", 2))
    return tuple(documents), tuple(by_title[title] for title in named if title in by_title)


def _spaced(sentences: Sequence[str]) -> Iterator[str]:
    """HotpotQA's sentences bring the space before them along; 2Wiki's do not."""
    before = ""
    for sentence in sentences:
        apart = not before or before[-1].isspace() or sentence[:1].isspace()
        yield sentence if apart else f" {sentence}"
        before = sentence or before


def _step(record: Record, row: Sequence[Any], by_title: Mapping[str, str]) -> SubQuestion:
    if not _all_texts(row):
        raise record.error("evidences", "expected triples of texts")
    subject, relation, found = row
    return SubQuestion(f"{relation} of {subject}?", found, by_title.get(subject, ""))


def _aliases(path: Path) -> dict[str, tuple[str, ...]]:
    known = {}
    for number, byte, line in iter_lines(path):
        record = Record(parse_json(line, path, number=number, byte=byte), path, line=number, byte=byte)
        known[record.text("Q_id")] = (*record.texts("aliases"), *record.texts("demonyms"))
    return known


def _all_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
