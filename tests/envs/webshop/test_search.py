from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.webshop.queries import keyword_queries
from turnwise.envs.webshop.search import MAX_TERMS, SearchIndex, build_index
from turnwise.envs.webshop.store import Catalogue
from turnwise.envs.webshop.tasks import PANEL

RANKING_HASH = "72cab4d4d12c777092ea7fffdbec530924c5bec5d802e26ec80b27cfaba87c07"
QUERIES = ("running shoes", "cotton", "gift for the office", "table lamp with pull chain", "free", "a men's shirt")
SEARCH = """
import sys
from pathlib import Path
from turnwise.envs.webshop.store import CatalogueSpec, open_catalogue
shop = open_catalogue(CatalogueSpec.generated(products=100, seed=5), Path(sys.argv[1]))
print([shop.search(query) for query in sys.argv[2:]])
"""


@pytest.fixture
def index(tmp_path: Path) -> SearchIndex:
    texts = ["red cotton shirt", "blue cotton shirt", "red shoes", "red shoes", "shirts of wool", "red shoes"]
    build_index(tmp_path, texts)
    return SearchIndex(tmp_path)


def test_documents_with_more_and_rarer_words_come_first(index: SearchIndex) -> None:
    assert index.search("red shirt", 10)[0] == 0
    assert set(index.search("red shirt", 10)) == {0, 1, 2, 3, 4, 5}
    assert index.search("wool", 10) == (4,)


def test_ties_fall_to_the_lower_position(index: SearchIndex) -> None:
    assert index.search("shoes", 10) == (2, 3, 5)
    assert index.search("shoes", 2) == (2, 3)


def test_words_are_stemmed_and_case_does_not_matter(index: SearchIndex) -> None:
    assert index.search("SHIRTS", 10) == index.search("shirt", 10)
    assert set(index.search("shirt", 10)) == {0, 1, 4}


@pytest.mark.parametrize("query", ["", "   ", "\0", "😀", "the of and", "!?", '"', "+-&&||!(){}[]^~*:\\/", "\ud800"])
def test_query_without_words_finds_nothing(small: Catalogue, query: str) -> None:
    assert small.search(query) == ()


def test_syntax_and_odd_characters_are_only_separators(small: Catalogue) -> None:
    first, second = small.product(0).query.split()[-1], small.product(1).title.split()[0].lower()
    plain = small.search(f"{first} {second}")
    assert plain
    assert small.search(f'title:(+"{first}" AND -~{second}*)^2')[:1] != ()
    assert small.search(f"\0{first}\ud800😀{second}\n") == plain


def test_a_megabyte_is_a_query_and_only_its_beginning_counts(small: Catalogue) -> None:
    assert small.search("cotton " * 150_000) == small.search("cotton")
    assert small.search("z" * 2**20) == ()


def test_number_of_terms_is_capped(index: SearchIndex) -> None:
    assert len(index.terms(" ".join(f"word{i}" for i in range(500)))) == MAX_TERMS


@given(st.text(max_size=300), st.integers(-3, 60))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_searched(small: Catalogue, query: str, limit: int) -> None:
    hits = small.search(query, limit)
    assert len(hits) <= max(limit, 0)
    assert len(set(hits)) == len(hits)
    assert all(0 <= hit < len(small) for hit in hits)


def test_shorter_answer_is_the_beginning_of_the_longer(small: Catalogue) -> None:
    for query in QUERIES:
        assert small.search(query, 7) == small.search(query, 50)[:7]


def test_ranking_is_the_same_in_another_process_and_another_build(small: Catalogue, tmp_path: Path) -> None:
    here = repr([small.search(query) for query in QUERIES])
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    command = [sys.executable, "-c", SEARCH, str(tmp_path), *QUERIES]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip() == here


def test_ranking_is_the_same_on_every_machine(default: Catalogue) -> None:
    hits = [default.search(default.goal(i).instruction) for i in PANEL]
    assert hashlib.sha256(repr(hits).encode()).hexdigest() == RANKING_HASH


def _search_in_child(small: Catalogue, answers: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    answers.put([small.search(query, 49) for query in QUERIES])


def test_search_works_after_a_fork(small: Catalogue) -> None:
    small.search("warm up")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_search_in_child, args=(small, answers))
    child.start()
    found = answers.get(timeout=60)
    child.join(60)
    assert found == [small.search(query, 49) for query in QUERIES]


def test_threads_share_a_catalogue(small: Catalogue) -> None:
    expected = [small.search(query, 48) for query in QUERIES]
    found: list[list[tuple[int, ...]]] = []

    def work() -> None:
        found.extend([small.search(query, 48) for query in QUERIES] for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 120


def test_an_asin_finds_its_product_first(small: Catalogue) -> None:
    for position in (0, 41, 99):
        asin = small.product(position).asin
        assert small.search(asin)[0] == small.search(f" {asin.lower()} ")[0] == position
        assert small.search(asin, 0) == ()


def test_option_values_of_generated_products_are_not_searched(small: Catalogue) -> None:
    assert small.search("xx-large") == small.search("large x")
    assert small.search("turquoise") == ()


def test_queries_made_of_the_instruction_find_the_gold_product(default: Catalogue) -> None:
    ranks = []
    for number in range(0, len(default.goals), 17):
        goal = default.goal(number)
        hits = [default.search(query) for query in keyword_queries(goal.instruction)]
        gold = default.position(goal.asin)
        ranks.append(min(found.index(gold) if gold in found else 99 for found in hits))
    assert sum(rank < 10 for rank in ranks) / len(ranks) > 0.85
    assert sum(rank < 50 for rank in ranks) / len(ranks) > 0.98
