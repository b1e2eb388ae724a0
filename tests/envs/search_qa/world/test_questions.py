from __future__ import annotations

from collections import Counter
from functools import lru_cache

import pytest

from turnwise.envs.search_qa.world.articles import articles
from turnwise.envs.search_qa.world.country import country
from turnwise.envs.search_qa.world.entities import Country
from turnwise.envs.search_qa.world.questions import KINDS, PLAN, Asked, plan_place, questions

ASKED = [(country(0, n), asked) for n in (0, 1, 7, 5_000) for asked in questions(country(0, n), 50)]


def test_the_plan_has_every_kind_and_one_to_six_hops() -> None:
    kinds = Counter(kind for kind, _ in PLAN)
    assert len(PLAN) == 50
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 4
    assert {hops for _, hops in PLAN} == {1, 2, 3, 4, 5, 6}
    assert len({kind for kind, _ in PLAN[:10]}) >= 5, "a few questions in a row are of many kinds"


def test_questions_follow_the_plan_and_differ() -> None:
    for number in (0, 3):
        asked = list(questions(country(2, number), 50))
        assert [(one.kind, one.hops) for one in asked] == [PLAN[plan_place(number, i)] for i in range(50)]
        assert len({one.question for one in asked}) == 50
        assert list(questions(country(2, number), 10)) == asked[:10]


def test_a_country_without_a_planned_question_gets_another() -> None:
    asked = list(questions(country(0, 1397), 50))
    planned = [PLAN[plan_place(1397, i)] for i in range(50)]
    changed = [(one.kind, plan[0]) for one, plan in zip(asked, planned, strict=True) if one.kind != plan[0]]
    assert [one.hops for one in asked] == [hops for _, hops in planned]
    assert set(changed) == {("bridge", "intersection")}


def test_hops_are_facts_to_look_up() -> None:
    for _, asked in ASKED:
        assert sum(step.document >= 0 for step in asked.lookups) == asked.hops


def test_no_question_names_its_answer() -> None:
    for _, asked in ASKED:
        assert not [name for name in asked.names if name.lower() in asked.question.lower()], asked.question


def test_no_answer_is_yes_or_no_and_all_read_as_sentences() -> None:
    for _, asked in ASKED:
        assert not {"yes", "no", "unanswerable"} & {name.lower() for name in asked.names}
        assert asked.question[0].isupper() and asked.question.endswith("?")
        assert "{" not in asked.question and "  " not in asked.question


@lru_cache
def texts_of(number: int) -> list[str]:
    return [" ".join(document) for document in articles(country(0, number))]


def text_of(one: Country, document: int) -> str:
    return texts_of(one.number)[document]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unanswerable"])
def test_the_chain_ends_at_the_answer_and_each_document_states_its_fact(kind: str) -> None:
    for one, asked in [pair for pair in ASKED if pair[1].kind == kind]:
        assert asked.lookups[-1].names == asked.names
        for step in asked.lookups:
            if step.document >= 0 and not step.question.startswith(("How many", "Which of them", "Who has won")):
                assert step.names[0].split(" (")[0] in text_of(one, step.document), step


def test_unanswerable_questions_break_off_at_the_thing_to_name() -> None:
    for one, asked in [pair for pair in ASKED if pair[1].kind == "unanswerable"]:
        *before, last = asked.lookups
        assert last.names == () and all(step.names for step in before)
        assert before and before[-1].names == asked.names
        assert last.document == next(e.index for e in one.entities if e.names == asked.names)


def counts_of(one: Country, asked: Asked) -> int:
    """A count again, from the text of the last document."""
    text = text_of(one, asked.lookups[-1].document).split(" by year: ")[1].split("\n")[0]
    words = asked.question.split(" from ")[-1].split()
    first, last = int(words[0]), int(words[2].strip(","))
    pairs = [pair.split(": ") for pair in text.removesuffix(" Source: encyclopaedia").split(", ")]
    return sum(int(count) for year, count in pairs if first <= int(year) <= last)


def test_counts_and_sums_are_right() -> None:
    counted = summed = 0
    for one, asked in [pair for pair in ASKED if pair[1].kind == "counting"]:
        if asked.lookups[-1].document < 0:
            summed += 1
            assert int(asked.names[0]) == sum(int(step.names[0]) for step in asked.lookups[-3:-1])
        else:
            counted += 1
            assert int(asked.names[0]) == counts_of(one, asked)
    assert counted > 5 and summed > 5


def test_comparisons_choose_rightly() -> None:
    for _, asked in [pair for pair in ASKED if pair[1].kind == "comparison"]:
        choice = next(i for i, step in enumerate(asked.lookups) if step.document < 0)
        values = [int(step.names[0]) for step in asked.lookups[choice - 2 : choice]]
        phrase = asked.lookups[choice].question
        larger = any(word in phrase for word in ("younger", "last", "more"))
        better = asked.lookups[choice - 2 + values.index(max(values) if larger else min(values))].question
        assert asked.lookups[choice].names[0].split(" (")[0] in better or asked.lookups[choice].names[-1] in better


def test_only_one_winner_fits_an_intersection() -> None:
    for one, asked in [pair for pair in ASKED if pair[1].kind == "intersection"]:
        everyone = next(step for step in asked.lookups if step.question.startswith("Who has won"))
        chosen = next(step for step in asked.lookups if step.question.startswith("Which of them"))
        by_title = {entity.title: entity.index for entity in one.entities}
        relation = {"was born in": "birthplace", "studied": "university", "taught": "teacher", "buried": "grave"}
        key = next(name for words, name in relation.items() if words in chosen.question)
        values = Counter(one.facts[by_title[title], key] for title in everyone.names[0].split("; "))
        winner = next(e for e in one.entities if e.names == chosen.names and e.title in everyone.names[0].split("; "))
        assert values[one.facts[winner.index, key]] == 1
