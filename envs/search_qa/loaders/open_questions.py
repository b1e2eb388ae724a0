"""Questions with answers and nothing else: Natural Questions and all that is handed round in its forms.

| form                           | where it comes from                                        |
|--------------------------------|------------------------------------------------------------|
| `.jsonl` question, answer      | NQ-open (one answer or a list)                             |
| `.jsonl` question, golden_answers | the Search-R1 line (FlashRAG)                           |
| `.parquet` question, golden_answers | the same, and what Search-R1's scripts make of it     |
| `.tsv`, `.csv` question, list  | DPR's test files: the second column is a list in quotation marks |
| `.json` question, answers, positive_ctxs | DPR's training files, with paragraphs            |

Source: github.com/google-research-datasets/natural-questions (nq_open), github.com/PeterGriffinJin/Search-R1
(scripts/data_process/nq_search.py), github.com/facebookresearch/DPR (README, dpr/data/retriever_data.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnwise.envs.data_files import DataFileError, iter_lines, parse_json
from turnwise.envs.json_stream import iter_array_places
from turnwise.envs.search_qa.loaders.example import Example, paragraph
from turnwise.envs.search_qa.loaders.fields import Record
from turnwise.envs.search_qa.records import Document, Question

_ANSWERS = ("golden_answers", "answers", "answer")


def read_open_questions(path: Path) -> Iterator[Example]:
    """Questions in any of the module's forms; which one, the file's name says. `.gz` may follow.

    A question without an id gets its line or record number.

    Args:
        path: The file.

    Raises:
        DataFileError: The file is of no known form, unreadable, cut off or malformed, or a question lacks its answer;
            the message names the line or record, the byte and the field.
        ImportError: A parquet file without pyarrow; the message names the extra.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix == ".json":
        yield from _read_dpr_training(path)
    elif suffix in (".tsv", ".csv"):
        yield from _read_table(path)
    elif suffix == ".parquet":
        yield from _read_parquet(path)
    elif suffix == ".jsonl":
        for number, byte, line in iter_lines(path):
            record = Record(parse_json(line, path, number=number, byte=byte), path, line=number, byte=byte)
            yield Example(_question(record, str(number - 1)))
    else:
        raise DataFileError(path, f"expected a name that ends in .jsonl, .json, .tsv, .csv or .parquet, got {suffix!r}")


def _read_dpr_training(path: Path) -> Iterator[Example]:
    for number, (byte, value) in enumerate(iter_array_places(path)):
        record = Record(value, path, record=number, byte=byte)
        kinds = ("positive_ctxs", "negative_ctxs", "hard_negative_ctxs")
        positive, *negative = [[_context(item) for item in record.records(kind)] for kind in kinds]
        gold = tuple(dict.fromkeys(document.doc_id for document in positive))
        yield Example(_question(record, str(number), gold), tuple(positive + negative[0] + negative[1]))


def _context(record: Record) -> Document:
    return paragraph(record.text("title"), record.text("text"))


def _read_table(path: Path) -> Iterator[Example]:
    """Lines of a question, a tab, and a Python list of answers (which the csv module may have put in quotation marks).

    The list is read as a literal: no code of a data file is ever run.
    """
    for number, byte, line in iter_lines(path):
        try:
            question, tab, rest = line.decode("utf-8").partition("\t")
        except UnicodeDecodeError as error:
            raise DataFileError(path, f"is not UTF-8 text: {error.reason}", line=number, byte=byte) from error
        if not tab:
            raise DataFileError(
                path, "expected a question, a tab and a list of answers (cut off?)", line=number, byte=byte
            )
        answers = _literal(_unquoted(rest))
        if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
            problem = f"expected a list of texts after the tab, got {rest[:40]!r} (cut off?)"
            raise DataFileError(path, problem, line=number, byte=byte)
        record = Record({"question": _unquoted(question), "answers": answers}, path, line=number, byte=byte)
        yield Example(_question(record, str(number - 1)))


def _unquoted(cell: str) -> str:
    """A cell as the csv module reads it: in quotation marks these are doubled."""
    quoted = len(cell) >= 2 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"') if quoted else cell


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _read_parquet(path: Path) -> Iterator[Example]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError(f'{path.name}: parquet files need pyarrow: pip install "turnwise[parquet]"') from error
    try:
        file = ParquetFile(path)
        wanted = [name for name in ("id", "question", *_ANSWERS) if name in file.schema_arrow.names]
        if "question" not in wanted:
            raise DataFileError(path, f"has no column 'question'; it has {file.schema_arrow.names}")
        number = 0
        for batch in file.iter_batches(batch_size=1024, columns=wanted):
            for row in batch.to_pylist():
                yield Example(_question(Record(row, path, record=number), str(number)))
                number += 1
    except (ArrowException, OSError) as error:
        raise DataFileError(path, f"is no parquet file that can be read: {error}") from error


def _question(record: Record, number: str, gold: tuple[str, ...] = ()) -> Question:
    field = next((name for name in _ANSWERS if record.has(name)), _ANSWERS[-1])
    answers = record.texts(field)
    if not answers:
        raise record.error(field, f"is missing or empty; a question needs one of {', '.join(_ANSWERS)}")
    return Question(record.text("id", number), record.text("question"), tuple(dict.fromkeys(answers)), gold)
