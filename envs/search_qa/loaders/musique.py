"""MuSiQue: JSON lines of questions, each with paragraphs and its decomposition into single hops.

Source: github.com/StonyBrookNLP/musique, raw_data_to_official_format.py and evaluate_v1.0.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from turnwise.envs.data_files import iter_lines, parse_json
from turnwise.envs.search_qa.loaders.example import Example, paragraph
from turnwise.envs.search_qa.loaders.fields import Record
from turnwise.envs.search_qa.records import Document, Question, SubQuestion

_EARLIER_ANSWER = re.compile(r"#(\d+)")


def read_musique(path: Path) -> Iterator[Example]:
    """MuSiQue-Answerable or MuSiQue-Full.

    In the full set a question that cannot be answered has the id of its answerable twin: it gets `-unanswerable` behind
    it. `#1` in a sub-question is filled in with the first answer.

    Args:
        path: For example `musique_ans_v1.0_dev.jsonl`.

    Raises:
        DataFileError: The file is unreadable, cut off or malformed, or a question lacks its answer (as in test files);
            the message names the line, the byte and the field.
    """
    for number, byte, line in iter_lines(path):
        record = Record(parse_json(line, path, number=number, byte=byte), path, line=number, byte=byte)
        answerable = record.flag("answerable", True)
        by_index, gold = {}, []
        for item in record.records("paragraphs"):
            document = paragraph(item.text("title"), item.text("paragraph_text"))
            by_index[item.text("idx")] = document
            if item.flag("is_supporting", False):
                gold.append(document.doc_id)
        chain = _chain(record, by_index)
        own_id = record.text("id")
        question = Question(
            task_id=own_id if answerable else f"{own_id}-unanswerable",
            question=record.text("question"),
            aliases=tuple(dict.fromkeys((record.text("answer"), *record.texts("answer_aliases"))))
            if answerable
            else (),
            gold_documents=tuple(dict.fromkeys([*(step.document for step in chain if step.document), *gold])),
            chain=chain,
            kind=own_id.partition("__")[0] if answerable else "unanswerable",
            hops=len(chain),
            answerable=answerable,
        )
        yield Example(question, tuple(by_index.values()))


def _chain(record: Record, by_index: dict[str, Document]) -> tuple[SubQuestion, ...]:
    steps: list[SubQuestion] = []
    for item in record.records("question_decomposition"):
        index = item.text("paragraph_support_idx", "")
        document = by_index[index].doc_id if index in by_index else ""
        answers = [step.answer for step in steps]
        steps.append(SubQuestion(_filled_in(item.text("question"), answers), item.text("answer", ""), document))
    return tuple(steps)


def _filled_in(question: str, answers: list[str]) -> str:
    """The sub-question with earlier answers in the place of `#1`, `#2`, ...; other numbers stay as they are."""

    def replaced(match: re.Match[str]) -> str:
        number = int(match[1][:9])
        return answers[number - 1] if 1 <= number <= len(answers) else match[0]

    return _EARLIER_ANSWER.sub(replaced, question)
