from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise.envs.built_folder import BuildError
from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval import Bm25Retriever, ListCorpus, Retriever, open_bm25
from turnwise.envs.search_qa.retrieval.bm25 import MAX_TERMS, build_index

DOCUMENTS = [
    Document("d0", "Eiffel Tower", "The tower in Paris opened in 1889."),
    Document("d1", "Lamps", "A lamp gives light. Lamps are lit at night."),
    Document("d2", "The Who", "The Who were an English rock band."),
    Document("d3", "東京タワー", "東京タワーは、東京都港区にある電波塔である。"),
    Document("d4", "Эйфелева башня", "Башня в Париже, открыта в 1889 году."),
    Document("d5", "Beyoncé", "Beyoncé is a singer."),
    Document("d6", "Twin", "The same words."),
    Document("d7", "Twin", "The same words."),
    Document("d8", "กรุงเทพ", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"),
]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Bm25Retriever:
    return open_bm25(ListCorpus(DOCUMENTS), "small", tmp_path_factory.mktemp("bm25"))


def ids(retriever: Retriever, query: str, k: int = 10) -> list[str]:
    return [hit.doc_id for hit in retriever.search([query], k)[0]]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("when did the tower in Paris open?", "d0"),
        ("LAMP", "d1"),
        ("The Who", "d2"),
        ("東京", "d3"),
        ("港区の電波塔", "d3"),
        ("башня", "d4"),
        ("beyonce", "d5"),
        ("Ｂｅｙｏｎｃｅ\u0301", "d5"),
        ("เมืองหลวง", "d8"),
    ],
)
def test_words_of_any_script_are_found(retriever: Bm25Retriever, query: str, first: str) -> None:
    assert ids(retriever, query)[0] == first


def test_stop_words_are_left_out_unless_there_is_nothing_else(retriever: Bm25Retriever) -> None:
    assert retriever.terms("what is the lamp of the tower") == ("lamp", "tower")
    assert sorted(retriever.terms("the who of the")) == ["of", "the", "who"]


def test_words_of_a_tenth_of_a_large_corpus_are_left_out_unless_there_is_nothing_else(tmp_path: Path) -> None:
    corpus = ListCorpus(Document(str(n), "", f"river {'city' if n % 2 else 'town'} name{n}") for n in range(2100))
    retriever = open_bm25(corpus, "common", tmp_path)
    assert retriever.terms("the city river name7") == ("name7",)
    assert retriever.terms("river city") == ("citi", "river")
    assert ids(retriever, "river city", 3) == ["1", "3", "5"]
    assert ids(retriever, "river name7 name8", 3) == ["7", "8"]


SYNTAX = [
    'title:"lamp"',
    "+lamp -light",
    "lamp^99",
    "(lamp",
    "lamp*",
    "lamp~2",
    "[a TO z]",
    "NOT lamp",
    "text:lamp",
    "\\",
]


@pytest.mark.parametrize("query", SYNTAX)
def test_syntax_means_nothing(retriever: Bm25Retriever, query: str) -> None:
    plain = "".join(c if c.isalnum() else " " for c in query)
    assert retriever.search([query], 5) == retriever.search([plain], 5)


@pytest.mark.parametrize("query", ["", " \n\t", "?!…", "\0", "\ud800", "💡" * 50, "x" * 1_000_000, "zzz " * 100_000])
def test_texts_without_a_known_word_find_nothing(retriever: Bm25Retriever, query: str) -> None:
    assert retriever.search([query], 5) == [[]]


def test_a_long_query_counts_up_to_its_limit(retriever: Bm25Retriever) -> None:
    words = [f"word{n}" for n in range(MAX_TERMS)]
    assert ids(retriever, " ".join([*words[1:], "lamp"])) == ["d1"]
    assert ids(retriever, " ".join([*words, "lamp"])) == []


def test_a_batch_is_its_queries(retriever: Bm25Retriever) -> None:
    queries = ["tower", "", "lamp", "tower"]
    assert retriever.search(queries, 3) == [retriever.search([query], 3)[0] for query in queries]
    assert retriever.search([], 3) == []


def test_equal_scores_come_in_the_order_of_the_corpus(retriever: Bm25Retriever) -> None:
    hits = retriever.search(["same words"], 5)[0]
    assert [hit.doc_id for hit in hits] == ["d6", "d7"]
    assert hits[0].score == hits[1].score
    for k in range(5):
        assert (
            retriever.search(["the tower of 1889 in the night"], k)[0]
            == retriever.search(["tower 1889 night"], 9)[0][:k]
        )
    with pytest.raises(ValueError, match="k must be at least 0, got -1"):
        retriever.search(["lamp"], -1)


@pytest.mark.parametrize("size", [7, 30, 110])
def test_several_segments_rank_as_one_does(tmp_path: Path, size: int) -> None:
    # 29 segments, which are merged into one while the index is built; 7 and 2, which stay.
    documents = [Document(str(n), "", " ".join(f"w{n * k % 17}" for k in range(1, 9))) for n in range(200)]
    corpus, queries = ListCorpus(documents), [f"w{n} w{n + 5}" for n in range(12)]
    rankings = []
    for documents_a_segment in (size, 1000):
        folder = tmp_path / str(documents_a_segment)
        folder.mkdir()
        build_index(folder, (d.contents for d in documents), segment_documents=documents_a_segment)
        rankings.append([[h.doc_id for h in hits] for hits in Bm25Retriever(folder, corpus).search(queries, 200)])
    assert rankings[0] == rankings[1]


def test_pickles_as_its_folder(retriever: Bm25Retriever) -> None:
    again = pickle.loads(pickle.dumps(retriever))
    assert again.search(["lamp tower"], 5) == retriever.search(["lamp tower"], 5)
    assert isinstance(again, Retriever) and len(again) == len(DOCUMENTS)


OPEN = """
import sys
from pathlib import Path
from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval import ListCorpus, open_bm25
class Loud(ListCorpus):
    def __iter__(self):
        print("building", flush=True)
        return super().__iter__()
corpus = Loud(Document(str(n), f"Title {n}", f"text {n % 7} of {n}") for n in range(3000))
print(open_bm25(corpus, "shared", Path(sys.argv[1])).search(["text 5"], 3))
"""


def test_built_once_by_many_processes_at_the_same_moment(tmp_path: Path) -> None:
    openers = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in openers]
    assert sorted(len(lines) for lines in outputs) == [1, 1, 2], "one builds, two wait"
    assert len({lines[-1] for lines in outputs}) == 1


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    class Broken(ListCorpus):
        def __iter__(self):
            yield DOCUMENTS[0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_bm25(Broken(DOCUMENTS), "broken", tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert ids(open_bm25(ListCorpus(DOCUMENTS), "broken", tmp_path), "lamp") == ["d1"]


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BuildError, match=r"cannot build the search index of small in .* point TURNWISE_CACHE"):
        open_bm25(ListCorpus(DOCUMENTS), "small", tmp_path / "file")


def test_an_empty_corpus_has_no_hits(tmp_path: Path) -> None:
    assert open_bm25(ListCorpus([]), "empty", tmp_path).search(["lamp"], 5) == [[]]


def test_two_documents_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="the id 'd0' belongs to two documents"):
        ListCorpus([*DOCUMENTS, DOCUMENTS[0]])
