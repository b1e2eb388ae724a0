"""Results, snippets, long documents, and search engines over the wrong documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnwise.envs.search_qa import SearchQAEnv
from turnwise.envs.search_qa.collection import Collection
from turnwise.envs.search_qa.pages import PAGE_CHARACTERS, SNIPPET_CHARACTERS, names_in, page_count, results_text
from turnwise.envs.search_qa.records import Document
from turnwise.envs.search_qa.retrieval import Hit, ListCorpus
from turnwise.envs.search_qa.store import World

LONG = "\n".join(f"Paragraph {n} is about lamps and Harrow Mill." for n in range(250))


def test_a_line_of_results_shows_the_sentence_that_fits() -> None:
    documents = [
        Document("a", "Lamps", "A lamp gives light. Oil lamps smoke. Nobody knows why."),
        Document("b", "Empty", ""),
        Document("c", "Long", "x" * 500),
    ]
    lines = results_text("why do they smoke", documents).splitlines()
    assert lines[0] == 'Results for "why do they smoke":'
    assert lines[1] == "a | Lamps | Oil lamps smoke."
    assert lines[2] == "b | Empty | "
    assert lines[3].endswith("…") and len(lines[3]) == len("c | Long | ") + SNIPPET_CHARACTERS
    assert results_text("smoke", []) == 'No results for "smoke".'


def test_snippets_of_scripts_without_spaces() -> None:
    found = results_text("東京", [Document("a", "都市", "大阪は大きい。\n東京は首都である。")])
    assert "東京は首都である。" in found


def test_names_are_found_once_and_in_order() -> None:
    text = (
        "Consider the Talvokis. In 1871 The Orvane Lantern was painted by Oren Talbek, not by Oren Talbek's aunt in 12."
    )
    assert names_in(text) == ("Talvokis", "1871", "The Orvane Lantern", "Oren Talbek", "Oren Talbek's")
    assert len(names_in(" and ".join(f"Name{n}" for n in range(99)))) == 16


@pytest.fixture
def long_env(tmp_path: Path) -> SearchQAEnv:
    (tmp_path / "nq.jsonl").write_text(json.dumps({"question": "what about lamps", "answer": ["light"]}) + "\n")
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": "7", "title": "Lamps", "text": LONG}) + "\n")
    return SearchQAEnv(
        question_file=tmp_path / "nq.jsonl",
        question_format="nq",
        corpus_file=tmp_path / "corpus.jsonl",
        cache_dir=tmp_path,
    )


def test_long_documents_are_shown_page_by_page(long_env: SearchQAEnv) -> None:
    pages = page_count(Document("7", "Lamps", LONG))
    assert pages == -(-len(LONG) // PAGE_CHARACTERS) >= 3
    long_env.reset(seed=0)
    shown, action = "", "open[7]"
    for number in range(1, pages + 1):
        text, *_, info = long_env.step(action)
        assert text.endswith(f"\n(Page {number} of {pages}.)") and len(text) < PAGE_CHARACTERS + 100
        shown += text.split("\n", 1)[1].removesuffix(f"\n(Page {number} of {pages}.)")
        following = [a for a in info["admissible_actions"] if '"page"' in a]
        assert len(following) == (number < pages)
        action = following[0] if following else ""
    assert shown == LONG


class Elsewhere:
    """Finds a document that the corpus does not have."""

    def search(self, queries: list[str], k: int) -> list[list[Hit]]:
        return [[Hit("nowhere", 1.0)] for _ in queries]


def test_a_search_engine_over_other_documents_is_a_mistake(small: World) -> None:
    collection = Collection(ListCorpus([Document("a", "Lamps", "A lamp.")]), Elsewhere(), 5)
    with pytest.raises(ValueError, match="the retriever found 'nowhere', which the corpus does not have"):
        collection.results("lamp")
