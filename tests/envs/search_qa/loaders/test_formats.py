from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.data_files import DataFileError
from turnwise.envs.search_qa.loaders import read_hotpotqa, read_musique, read_open_questions, read_two_wiki
from turnwise.envs.search_qa.loaders.search_r1 import paragraph_id
from turnwise.envs.search_qa.records import Question, SubQuestion

HOTPOT = {
    "_id": "5a7a06935542990198eaf050",
    "answer": "Arthur's Magazine",
    "question": "Which magazine was started first Arthur's Magazine or First for Women?",
    "supporting_facts": [["Arthur's Magazine", 0], ["First for Women", 0], ["Arthur's Magazine", 1]],
    "context": [
        ["Radio City", ["Radio City is a station.", " It plays songs."]],
        ["First for Women", ["First for Women is a magazine. ", "It was started in 1989."]],
        ["Arthur's Magazine", ["Arthur's Magazine (1844\u20131846) was a periodical.", " It was American."]],
    ],
    "type": "comparison",
    "level": "medium",
}
TWO_WIKI = {
    "_id": "13f5ad2c088c11ebbd6fac1f6bf848b6",
    "type": "bridge_comparison",
    "question": "Are director of film Move and director of film Ten both from the same country?",
    "context": [["Move (film)", ["Move is a film.", "It was directed by A."]], ["A", ["A is French."]]],
    "entity_ids": "Q1_Q2",
    "supporting_facts": [["Move (film)", 1], ["A", 0]],
    "evidences": [["Move (film)", "director", "A"], ["A", "country of citizenship", "France"]],
    "answer": "no",
    "evidences_id": [["Q1", "director", "Q2"]],
    "answer_id": "Q142",
}
MUSIQUE = {
    "id": "2hop__482757_12019",
    "paragraphs": [
        {"idx": 0, "title": "Green", "paragraph_text": "Green is a band.", "is_supporting": False},
        {"idx": 1, "title": "Steve", "paragraph_text": "Steve was born in Kent.", "is_supporting": True},
        {"idx": 2, "title": "Green", "paragraph_text": "Steve sings for Green.", "is_supporting": True},
    ],
    "question": "Where was the singer of Green born?",
    "question_decomposition": [
        {"id": 482757, "question": "Green >> singer", "answer": "Steve", "paragraph_support_idx": 2},
        {"id": 12019, "question": "Where was #1 born, not #3?", "answer": "Kent", "paragraph_support_idx": 1},
    ],
    "answer": "Kent",
    "answer_aliases": ["the county of Kent", "Kent"],
    "answerable": True,
}


def json_file(folder: Path, *values: Any, name: str = "data.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(list(values), ensure_ascii=False), encoding="utf-8")
    return path


def lines_file(folder: Path, *values: Any, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def test_hotpotqa(tmp_path: Path) -> None:
    [example, other] = read_hotpotqa(json_file(tmp_path, HOTPOT, {**HOTPOT, "_id": "other", "level": "easy"}))
    arthur = paragraph_id("Arthur's Magazine", "Arthur's Magazine (1844\u20131846) was a periodical. It was American.")
    women = paragraph_id("First for Women", "First for Women is a magazine. It was started in 1989.")
    assert example.question == Question(
        task_id=HOTPOT["_id"],
        question=HOTPOT["question"],
        aliases=("Arthur's Magazine",),
        gold_documents=(arthur, women),
        kind="comparison",
        hops=2,
    )
    assert example.paragraphs[0].title == "Radio City"
    assert example.paragraphs[0].text == "Radio City is a station. It plays songs."
    assert other.question.task_id == "other" and other.paragraphs == example.paragraphs


def test_hotpotqa_in_the_full_wiki_setting_may_lack_gold_paragraphs(tmp_path: Path) -> None:
    [example] = read_hotpotqa(json_file(tmp_path, {**HOTPOT, "context": HOTPOT["context"][:2]}))
    assert [p.title for p in example.paragraphs if p.doc_id in example.question.gold_documents] == ["First for Women"]


def test_two_wiki_has_a_chain_and_other_names_of_the_answer(tmp_path: Path) -> None:
    path = json_file(tmp_path, TWO_WIKI)
    names = lines_file(tmp_path, {"Q_id": "Q142", "aliases": ["nope", "no"], "demonyms": ["nay"]}, name="ids.json")
    [example] = read_two_wiki(path, names)
    move, a = (p.doc_id for p in example.paragraphs)
    assert example.question.aliases == ("no", "nope", "nay")
    assert example.question.chain == (
        SubQuestion("director of Move (film)?", "A", move),
        SubQuestion("country of citizenship of A?", "France", a),
    )
    assert example.question.gold_documents == (move, a)
    assert example.paragraphs[0].text == "Move is a film. It was directed by A."
    [plain] = read_two_wiki(path)
    assert plain.question.aliases == ("no",)
    before_2021 = {key: value for key, value in TWO_WIKI.items() if not key.endswith("_id") or key == "_id"}
    assert next(read_two_wiki(json_file(tmp_path, before_2021))).question == plain.question


def test_musique(tmp_path: Path) -> None:
    [example] = read_musique(lines_file(tmp_path, MUSIQUE))
    band, steve, singer = (p.doc_id for p in example.paragraphs)
    assert example.question == Question(
        task_id="2hop__482757_12019",
        question="Where was the singer of Green born?",
        aliases=("Kent", "the county of Kent"),
        gold_documents=(singer, steve),
        chain=(
            SubQuestion("Green >> singer", "Steve", singer),
            SubQuestion("Where was Steve born, not #3?", "Kent", steve),
        ),
        kind="2hop",
        hops=2,
    )
    assert band != singer, "paragraphs of one title"


def test_musique_full_has_twins_that_cannot_be_answered(tmp_path: Path) -> None:
    steps = [
        MUSIQUE["question_decomposition"][0],
        {**MUSIQUE["question_decomposition"][1], "paragraph_support_idx": None},
    ]
    twin = {**MUSIQUE, "answerable": False, "question_decomposition": steps}
    answerable, twin_example = read_musique(lines_file(tmp_path, MUSIQUE, twin))
    assert twin_example.question.task_id == f"{answerable.question.task_id}-unanswerable"
    assert (twin_example.question.aliases, twin_example.question.answerable) == ((), False)
    assert twin_example.question.chain[1].document == ""


def dpr_table(*rows: tuple[str, list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(
        [question, str(answers)] for question, answers in rows
    )
    return text.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nq.jsonl", '{"question": "who wrote it", "answer": ["Bobby Scott", "Bob"]}\n\n'
                     '{"question": "when", "answer": "1988"}'),
        ("r1.jsonl", '{"id": "0", "question": "who wrote it", "golden_answers": ["Bobby Scott", "Bob"]}\n'
                     '{"id": 1, "question": "when", "golden_answers": ["1988"]}'),
        ("dpr.jsonl", '{"question": "who wrote it", "answers": ["Bobby Scott", "Bob"]}\n'
                      '{"question": "when", "answers": ["1988"]}'),
        ("nq-test.tsv", dpr_table(("who wrote it", ["Bobby Scott", "Bob"]), ("when", ["1988"]))),
        ("nq-test.csv", "who wrote it\t['Bobby Scott', 'Bob']\nwhen\t[\"1988\"]\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_open_questions_in_their_forms(tmp_path: Path, name: str, content: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    questions = [example.question for example in read_open_questions(path)]
    assert [(q.question, q.aliases) for q in questions] == [
        ("who wrote it", ("Bobby Scott", "Bob")),
        ("when", ("1988",)),
    ]
    assert len({q.task_id for q in questions}) == 2


def test_quotation_marks_in_tables(tmp_path: Path) -> None:
    path = tmp_path / "quotes.tsv"
    rows = [('who said "no"', ['it\'s "him"', "a\tb"]), ("plain", ["x"])]
    path.write_text(dpr_table(*rows), encoding="utf-8")
    assert [(e.question.question, list(e.question.aliases)) for e in read_open_questions(path)] == rows


def test_dprs_training_files_bring_paragraphs(tmp_path: Path) -> None:
    context = lambda n: {"title": f"T{n}", "text": f"text {n}", "score": 1, "passage_id": str(n)}  # noqa: E731
    record = {
        "dataset": "nq_train", "question": "q", "answers": ["a"],
        "positive_ctxs": [context(1)], "negative_ctxs": [context(2)], "hard_negative_ctxs": [context(3)],
    }  # fmt: skip
    [example] = read_open_questions(json_file(tmp_path, record))
    assert [p.title for p in example.paragraphs] == ["T1", "T2", "T3"]
    assert example.question.gold_documents == (paragraph_id("T1", "text 1"),)


def test_parquet_of_search_r1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the parquet extra")
    from pyarrow import parquet

    rows = {
        "id": ["a", "b"],
        "question": ["who?", "when?"],
        "golden_answers": [["x", "y"], ["1988"]],
        "ability": ["f", "f"],
    }
    path = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.table(rows), path)
    questions = [example.question for example in read_open_questions(path)]
    assert [(q.task_id, q.question, q.aliases) for q in questions] == [
        ("a", "who?", ("x", "y")),
        ("b", "when?", ("1988",)),
    ]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match=r"train\.parquet: is no parquet file that can be read"):
        list(read_open_questions(path))
    parquet.write_table(pyarrow.table({"prompt": ["x"]}), path)
    with pytest.raises(DataFileError, match=r"has no column 'question'; it has \['prompt'\]"):
        list(read_open_questions(path))


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'parquet files need pyarrow: pip install "turnwise\[parquet\]"'):
        list(read_open_questions(tmp_path / "x.parquet"))


OPEN = {"question": "q", "answer": "a"}


def without(record: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != field}


@pytest.mark.parametrize(
    ("read", "good", "bad", "told"),
    [
        (read_hotpotqa, HOTPOT, without(HOTPOT, "answer"), ["record 1, byte", "field 'answer': is missing"]),
        (read_hotpotqa, HOTPOT, {**HOTPOT, "context": [["T", "text"]]}, ["field 'context'", "list of sentences"]),
        (read_hotpotqa, HOTPOT, {**HOTPOT, "supporting_facts": [["T"]]}, ["'supporting_facts'", "lists of 2"]),
        (read_hotpotqa, HOTPOT, {**HOTPOT, "question": ["x"]}, ["field 'question': expected text, found list"]),
        (read_hotpotqa, HOTPOT, "text", ["record 1, byte", "expected an object, found str"]),
        (read_two_wiki, TWO_WIKI, {**TWO_WIKI, "evidences": [["a", "b", 3]]}, ["'evidences'", "triples of texts"]),
        (read_musique, MUSIQUE, without(MUSIQUE, "answer"), ["line 2, byte", "field 'answer': is missing"]),
        (read_musique, MUSIQUE, {**MUSIQUE, "answerable": "yes"}, ["'answerable'", "true or false"]),
        (read_musique, MUSIQUE, {**MUSIQUE, "paragraphs": [{"idx": 0}]}, ["line 2", "'paragraphs[0].title': is"]),
        (read_musique, MUSIQUE, {**MUSIQUE, "paragraphs": [0]}, ["line 2", "'paragraphs[0]': expected an"]),
        (read_open_questions, OPEN, {"question": "q"}, ["line 2, byte", "is missing or empty"]),
        (read_open_questions, OPEN, {"answer": ["a"]}, ["line 2", "'question': is missing"]),
        (read_open_questions, OPEN, {"question": "q", "answer": [3]}, ["a list of texts"]),
    ],
)  # fmt: skip
def test_a_bad_record_is_told_by_its_place_and_field(
    tmp_path: Path, read: Callable[[Path], Any], good: Any, bad: Any, told: list[str]
) -> None:
    write = json_file if read in (read_hotpotqa, read_two_wiki) else lines_file
    path = write(tmp_path, good, bad)
    examples = read(path)
    assert next(examples).question.question
    with pytest.raises(DataFileError) as caught:
        list(examples)
    assert all(words in str(caught.value) for words in [path.name, *told]), str(caught.value)


@pytest.mark.parametrize("read", [read_hotpotqa, read_musique])
def test_a_file_cut_in_the_middle_is_told_by_line_or_record_and_byte(
    tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    path = json_file(tmp_path, *[HOTPOT] * 3) if read is read_hotpotqa else lines_file(tmp_path, *[MUSIQUE] * 3)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.9)])
    with pytest.raises(DataFileError, match=r"(record 2|line 3), byte \d+: is not valid JSON"):
        list(read(path))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no tab here", "line 2, byte 8: expected a question, a tab"),
        ("q\t['cut", 'expected a list of texts after the tab, got "[\'cut" (cut off'),
        ("q\t__import__('os').abort()", "expected a list of texts after the tab"),
        ("q\t[1]", "expected a list of texts"),
    ],
)
def test_bad_lines_of_tables(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(f"q\t['a']\n{line}\n")
    with pytest.raises(DataFileError) as caught:
        list(read_open_questions(path))
    assert told in str(caught.value)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"expected a name that ends in \.jsonl"):
        list(read_open_questions(tmp_path / "questions.xml"))
