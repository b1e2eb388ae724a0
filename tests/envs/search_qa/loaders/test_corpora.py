from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise.envs.built_folder import BuildError
from turnwise.envs.data_files import DataFileError
from turnwise.envs.search_qa.loaders import JsonlCorpus, QuestionFile
from turnwise.envs.search_qa.loaders.id_table import DuplicateIdError, IdTable, IdTableWriter
from turnwise.envs.search_qa.loaders.search_r1 import document_from_json, document_to_json
from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval import open_bm25

RECORDS = [
    {"id": "0", "contents": '"Evan Morris"\nEvan L. Morris was a lobbyist.'},
    {"id": 1, "contents": "No title at all."},
    {"id": "x\u00e9\u6771", "title": "T", "text": "with both", "contents": "else"},
    {"id": "3", "contents": 'Title without marks\nText "here"\nand here.'},
]
DOCUMENTS = [
    Document("0", "Evan Morris", "Evan L. Morris was a lobbyist."),
    Document("1", "", "No title at all."),
    Document("x\u00e9\u6771", "T", "with both"),
    Document("3", "Title without marks", 'Text "here"\nand here.'),
]


def corpus_file(folder: Path, records: list[object], name: str = "corpus.jsonl", end: str = "\n") -> Path:
    path = folder / name
    content = (end.join(json.dumps(r, ensure_ascii=False) for r in records)).encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return path


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz", "packed_without_telling.jsonl.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n\n"])
def test_documents_by_position_and_by_id(tmp_path: Path, name: str, end: str) -> None:
    path = corpus_file(tmp_path, RECORDS, name, end)
    if "telling" in name:
        path = path.rename(path.with_suffix(""))
    corpus = JsonlCorpus(path, cache_dir=tmp_path / "cache")
    assert list(corpus) == DOCUMENTS == [corpus[n] for n in range(4)]
    assert [corpus.document(d.doc_id) for d in reversed(DOCUMENTS)] == DOCUMENTS[::-1]
    assert [corpus.doc_id(n) for n in range(len(corpus))] == [d.doc_id for d in DOCUMENTS]
    assert list(pickle.loads(pickle.dumps(corpus))) == DOCUMENTS
    for wrong in ("", "4", "\0", "\ud800", "0" * 10_000):
        with pytest.raises(KeyError, match="has no document"):
            corpus.document(wrong)
    for wrong_place in (-1, 4):
        with pytest.raises(IndexError, match=r"\[0, 4\)"):
            corpus[wrong_place]
        with pytest.raises(IndexError):
            corpus.doc_id(wrong_place)


def test_a_file_is_read_through_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    path, cache = corpus_file(tmp_path, RECORDS), tmp_path / "cache"
    first = JsonlCorpus(path, cache_dir=cache)
    stamps = {p: p.stat().st_mtime_ns for p in cache.rglob("*")}
    assert JsonlCorpus(path, cache_dir=cache).key == first.key
    assert stamps == {p: p.stat().st_mtime_ns for p in cache.rglob("*")}
    changed = JsonlCorpus(corpus_file(tmp_path, [*RECORDS, {"id": "new", "contents": "more"}]), cache_dir=cache)
    assert changed.key != first.key and len(changed) == 5


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([RECORDS[0], {"id": "1"}], "line 2, byte {second}: field 'contents': expected text, found null"),
        (
            [RECORDS[0], {"contents": "x"}],
            "line 2, byte {second}: field 'id': expected text or a whole number, found null",
        ),
        ([RECORDS[0], ["x"]], "line 2, byte {second}: expected an object, found list"),
        ([RECORDS[0], RECORDS[1], RECORDS[0]], "line 3, byte {third}: the id '0' is taken by line 1 already"),
    ],
)
def test_bad_documents_are_told_by_line_and_byte(tmp_path: Path, records: list[object], told: str) -> None:
    with pytest.raises(DataFileError) as caught:
        JsonlCorpus(corpus_file(tmp_path, records), cache_dir=tmp_path / "cache")
    second = len(json.dumps(RECORDS[0])) + 1
    third = second + len(json.dumps(RECORDS[1])) + 1
    assert f"corpus.jsonl, {told.format(second=second, third=third)}" in str(caught.value)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()], "nothing half-made is kept"


def test_a_corpus_cut_in_the_middle_names_line_and_byte(tmp_path: Path) -> None:
    path = corpus_file(tmp_path, RECORDS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(
        DataFileError, match=r"corpus\.jsonl, line 4, byte \d+: is not valid JSON \(cut off\?\)"
    ) as caught:
        JsonlCorpus(path, cache_dir=tmp_path)
    fourth = whole.rindex(b'{"id": "3"')
    assert fourth < (caught.value.byte or 0) <= len(whole) - 8
    assert f"the line begins at byte {fourth}" in str(caught.value)


def test_files_and_caches_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.jsonl: cannot be read"):
        JsonlCorpus(tmp_path / "none.jsonl", cache_dir=tmp_path)
    path = corpus_file(tmp_path, RECORDS)
    with pytest.raises(BuildError, match=r"cannot build the offsets of corpus\.jsonl in .*TURNWISE_CACHE"):
        JsonlCorpus(path, cache_dir=path)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert len(JsonlCorpus(empty, cache_dir=tmp_path)) == 0


def test_it_can_be_searched(tmp_path: Path) -> None:
    corpus = JsonlCorpus(corpus_file(tmp_path, RECORDS), cache_dir=tmp_path)
    assert open_bm25(corpus, corpus.key, tmp_path).search(["lobbyist"], 3)[0][0].doc_id == "0"


READ = """
import resource, sys
from pathlib import Path
from turnwise.envs.search_qa.loaders import JsonlCorpus
corpus = JsonlCorpus(sys.argv[1], cache_dir=Path(sys.argv[2]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
corpus = JsonlCorpus(sys.argv[1], cache_dir=Path(sys.argv[2]))
assert corpus.document("29999").text.endswith("x") and corpus[17].doc_id == "17"
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_opening_a_corpus_does_not_load_it(tmp_path: Path) -> None:
    path = corpus_file(tmp_path, [{"id": str(n), "contents": f"{n}\n" + "x" * 2000} for n in range(30_000)])
    done = subprocess.run(
        [sys.executable, "-c", READ, path, tmp_path / "c"], capture_output=True, text=True, check=True
    )
    assert path.stat().st_size > 60e6
    assert float(done.stdout) < 10, "megabytes"


def test_documents_survive_the_way_to_json_and_back() -> None:
    for document in [*DOCUMENTS, Document("q", 'A "quoted" title', ""), Document("n", "", "line\nline")]:
        assert document_from_json(document_to_json(document)) == document
    record = document_to_json(Document("7", "Lamps", "A lamp."))
    assert record["contents"] == '"Lamps"\nA lamp.'
    assert document_from_json({"id": "7", "contents": record["contents"]}) == Document("7", "Lamps", "A lamp.")


def test_ids_on_disk(tmp_path: Path) -> None:
    names = [f"id-{n * 7919 % 1000}" for n in range(1000)] + ["", "\ud800", "é"]
    with IdTableWriter(tmp_path) as ids:
        for name in names:
            ids.add(name)
    table = IdTable(tmp_path)
    assert [table.position(name) for name in names] == list(range(1003))
    assert [table.id(n) for n in range(1003)] == names and table.position("id-1000") is None
    with pytest.raises(DuplicateIdError, match="records 1 and 2 have the same id 'b'"), IdTableWriter(tmp_path) as ids:
        for name in ("a", "b", "b"):
            ids.add(name)


def musique(number: int, title: str, answerable: bool = True) -> dict[str, object]:
    paragraphs = [
        {"idx": 0, "title": title, "paragraph_text": f"{title} is here.", "is_supporting": True},
        {"idx": 1, "title": "Shared", "paragraph_text": "All know this.", "is_supporting": False},
    ]
    step = {"id": 1, "question": f"Where is {title}?", "answer": "here", "paragraph_support_idx": 0}
    return {
        "id": f"2hop__{number}", "paragraphs": paragraphs, "question": f"Where is {title}?", "answer": "here",
        "question_decomposition": [step], "answer_aliases": ["right here"], "answerable": answerable,
    }  # fmt: skip


@pytest.fixture
def musique_file(tmp_path: Path) -> Path:
    records = [musique(n, f"Town {n}") for n in range(5)] + [musique(3, "Town 3", answerable=False)]
    return corpus_file(tmp_path, records, "musique_full_dev.jsonl")


def test_questions_by_index_and_by_task_id(tmp_path: Path, musique_file: Path) -> None:
    questions = QuestionFile("musique", musique_file, cache_dir=tmp_path)
    assert (questions.name, len(questions)) == ("musique_full_dev", 5)
    third = questions[3]
    assert third.task_id == "musique_full_dev/2hop__3" and third.aliases == ("here", "right here")
    assert questions.find(third.task_id) == third
    assert third.chain[0].document == third.gold_documents[0]
    assert questions.corpus.document(third.gold_documents[0]).title == "Town 3"
    for wrong in ("", "2hop__3", "other/2hop__3", "musique_full_dev/", "musique_full_dev/2hop__9"):
        assert questions.find(wrong) is None
    with pytest.raises(IndexError):
        questions[5]
    assert pickle.loads(pickle.dumps(questions))[4] == questions[4]


def test_paragraphs_of_all_questions_are_one_corpus(tmp_path: Path, musique_file: Path) -> None:
    corpus = QuestionFile("musique", musique_file, cache_dir=tmp_path).corpus
    assert [document.title for document in corpus] == ["Town 0", "Shared", "Town 1", "Town 2", "Town 3", "Town 4"]
    assert [corpus.doc_id(n) for n in range(len(corpus))] == [document.doc_id for document in corpus]
    with pytest.raises(KeyError, match="there is no paragraph 'x'"):
        corpus.document("x")
    hits = open_bm25(pickle.loads(pickle.dumps(corpus)), corpus.key, tmp_path).search(["town 2"], 1)
    assert corpus.document(hits[0][0].doc_id).title == "Town 2"


def test_questions_without_an_answer_are_kept_where_asked_for(tmp_path: Path, musique_file: Path) -> None:
    questions = QuestionFile("musique", musique_file, cache_dir=tmp_path, unanswerable=True, name="full/dev")
    assert len(questions) == 6 and not questions[5].answerable
    assert questions.find("full/dev/2hop__3-unanswerable") == questions[5]
    assert questions.find("full/dev/2hop__3") == questions[3]


def test_other_names_of_answers_come_from_their_own_file(tmp_path: Path) -> None:
    record = {"_id": "a", "question": "Which country?", "answer": "France", "answer_id": "Q142", "context": []}
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([record]))
    names = corpus_file(tmp_path, [{"Q_id": "Q142", "aliases": ["French Republic"], "demonyms": []}], "id_aliases.json")
    plain, named = (QuestionFile("2wiki", path, cache_dir=tmp_path, aliases=aliases) for aliases in (None, names))
    assert plain[0].aliases == ("France",) and named[0].aliases == ("France", "French Republic")
    assert pickle.loads(pickle.dumps(named))[0] == named[0]
    with pytest.raises(ValueError, match="aliases belong to the format '2wiki', got 'nq'"):
        QuestionFile("nq", path, aliases=names)
    with pytest.raises(DataFileError, match=r"none\.json: cannot be read"):
        QuestionFile("2wiki", path, cache_dir=tmp_path, aliases=tmp_path / "none.json")


def test_bad_question_files_are_refused(tmp_path: Path, musique_file: Path) -> None:
    with pytest.raises(
        ValueError, match=r"format must be one of \['2wiki', 'hotpotqa', 'musique', 'nq'\], got 'squad'"
    ):
        QuestionFile("squad", musique_file)
    with pytest.raises(DataFileError, match=r"none\.jsonl: cannot be read"):
        QuestionFile("nq", tmp_path / "none.jsonl", cache_dir=tmp_path)
    twice = corpus_file(tmp_path, [musique(1, "A"), musique(1, "B")], "twice.jsonl")
    with pytest.raises(DataFileError, match=r"twice\.jsonl, record 1: the id '2hop__1' is taken by record 0 already"):
        QuestionFile("musique", twice, cache_dir=tmp_path)
