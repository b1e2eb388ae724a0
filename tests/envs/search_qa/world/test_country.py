"""A country is consistent: nobody does anything before birth or after death, and periods follow each other."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from turnwise.envs.search_qa.world import names
from turnwise.envs.search_qa.world.articles import articles
from turnwise.envs.search_qa.world.country import country
from turnwise.envs.search_qa.world.entities import ARTICLES, ENTITIES, PRESENT, Country
from turnwise.envs.search_qa.world.relations import MUTUAL, RELATIONS

COUNTRIES = [country(seed, number) for seed in (0, 7) for number in (0, 1, 2, 50, 9_999)]


def birth(one: Country, person: int) -> int:
    return int(one.facts[person, "birth_year"].text)


@pytest.fixture(params=COUNTRIES, ids=lambda one: f"{one.seed}-{one.number}")
def one(request: pytest.FixtureRequest) -> Country:
    return request.param


def test_a_country_is_a_function_of_seed_and_number(one: Country) -> None:
    country.cache_clear()
    assert country(one.seed, one.number) == one
    assert country(one.seed, one.number + 1).facts != one.facts
    assert list(articles(one)) == list(articles(country(one.seed, one.number)))


@pytest.mark.parametrize("make", [names.town_name, names.country_name, names.thing_name, names.person_name])
def test_names_are_all_different(make: object) -> None:
    made = [make(3, number) for number in range(20_000)]  # type: ignore[operator]
    assert len(set(made)) == 20_000
    assert made[:50] != [make(4, number) for number in range(50)]  # type: ignore[operator]


def test_there_are_names_for_the_largest_world_and_no_more() -> None:
    assert names.town_name(0, 10 * 10_000 - 1) != names.town_name(0, 0)
    with pytest.raises(ValueError, match="number 999999999 is not among them"):
        names.town_name(0, 999_999_999)


def test_titles_are_unique_in_a_country(one: Country) -> None:
    titles = Counter(title for title, _ in articles(one))
    assert sum(titles.values()) == ARTICLES
    assert max(titles.values()) == 1


def test_people_act_within_their_lives(one: Country) -> None:
    for (subject, relation), value in one.facts.items():
        if value.entity < 0 or one.entities[value.entity].kind != "person":
            continue
        year_of = {"founder": "founded", "dedicatee": "year", "patron": "opened", "opener": "held"}.get(relation)
        if one.entities[subject].kind in ("work", "building") and relation == "creator":
            year_of = "year" if one.entities[subject].kind == "work" else "opened"
        if year_of:
            age = int(one.facts[subject, year_of].text) - birth(one, value.entity)
            assert 16 <= age <= 78, (one.entities[subject], relation, value)
        if relation == "teacher":
            assert 12 <= birth(one, subject) - birth(one, value.entity) <= 45


def test_periods_follow_each_other_and_lie_in_lives(one: Country) -> None:
    for (subject, relation), periods in one.periods.items():
        for before, after in pairwise(periods):
            assert before.end is not None
            assert before.end == after.start if relation != "winner" else before.end < after.start
            assert before.value != after.value
        for period in periods:
            assert period.start <= (period.end or PRESENT) <= PRESENT + 10
            if period.value.entity >= 0 and one.entities[period.value.entity].kind == "person":
                assert 15 <= (period.end or PRESENT) - birth(one, period.value.entity) <= 90
        if relation == "seat":
            assert periods[0].start == int(one.facts[subject, "founded"].text)
            assert periods[-1].end is None
            assert one.facts[subject, "seat"] == periods[-1].value


def test_things_are_there_before_they_are_used(one: Country) -> None:
    founded = {o.index: int(one.facts[o.index, "founded"].text) for o in one.of_kind("organisation")}
    opened = {b.index: int(one.facts[b.index, "opened"].text) for b in one.of_kind("building")}
    for event in one.of_kind("event"):
        year = int(one.facts[event.index, "held"].text)
        for relation, since in (("venue", opened), ("organiser", founded)):
            if (event.index, relation) in one.facts:
                assert since[one.facts[event.index, relation].entity] < year
    for person in one.of_kind("person"):
        for period in one.periods[person.index, "employer"]:
            assert founded[period.value.entity] < period.start
    for organisation, output in one.outputs.items():
        years = [year for year, _ in output]
        assert years == sorted(set(years))
        assert founded[organisation] < years[0] <= years[-1] < PRESENT


def test_mutual_facts_agree_and_are_never_in_doubt(one: Country) -> None:
    for (subject, relation), value in one.facts.items():
        if relation in MUTUAL:
            assert one.facts[value.entity, relation].entity == subject
    doubtful = [*one.missing, *one.rumoured]
    assert not [key for key in doubtful if key[1] in MUTUAL]


def test_names_are_shared_and_changed_on_purpose(one: Country) -> None:
    shared = Counter(entity.name for entity in one.entities)
    assert sorted(shared.values())[-4:] == [1, 2, 2, 2]
    assert all(entity.qualified == (shared[entity.name] == 2) for entity in one.entities)
    assert len([entity for entity in one.entities if entity.alias]) == 3


def test_articles_say_what_is_true_and_nothing_of_what_is_missing(one: Country) -> None:
    documents = list(articles(one))
    for (subject, relation), value in one.facts.items():
        title, text = documents[one.source(subject, relation)]
        assert value.text in text, (title, relation)
    for (subject, relation), stated in one.missing.items():
        title, text = documents[subject]
        about = RELATIONS[relation].unknown.split("{")[0]
        assert (about in text and "not known" in text) == stated or not about, (title, relation)


def test_registers_correct_articles_and_hearsay_is_wrong(one: Country) -> None:
    documents = list(articles(one))
    assert len(one.registers) == 3
    for i, side in enumerate(one.registers):
        _, text = documents[side.subject]
        wrong = one.rumoured[side.subject, side.relation]
        assert wrong != one.facts[side.subject, side.relation]
        assert f"usually given as {wrong.text}, but the civil register" in text
        register_title, register = documents[ENTITIES + 6 + i]
        assert register_title == f"Civil register: {one.entities[side.subject].title}"
        assert one.facts[side.subject, side.relation].text in register
        assert register.endswith("Source: register")
    for i, side in enumerate(one.rumours):
        assert side.value != one.facts.get((side.subject, side.relation))
        assert documents[ENTITIES + 9 + i][1].endswith("Source: hearsay")
    assert (one.rumours[0].subject, one.rumours[0].relation) in one.missing


def test_disambiguations_and_redirects_lead_on(one: Country) -> None:
    documents = list(articles(one))
    titles = {title for title, _ in documents}
    for _, text in documents[ENTITIES : ENTITIES + 3]:
        meant = [line[2:].split(": ")[0] for line in text.splitlines()[1:]]
        assert len(meant) == 2 and set(meant) <= titles
    for alias, text in documents[ENTITIES + 3 : ENTITIES + 6]:
        target = text.removeprefix(f"{alias} is another name of ").removesuffix("; see there.")
        assert target.removeprefix("the ") in titles
