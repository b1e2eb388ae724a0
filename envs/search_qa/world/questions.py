"""Questions about a country, of six kinds and one to six facts, with the way to their answer.

No question can be answered without reading: answers are names, years and sums of this world alone, never one that the
question names, never yes or no, and "it cannot be answered" counts only with the name at which the trail ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from turnwise.envs.draws import Draws
from turnwise.envs.search_qa.world.entities import Country, Entity, Period
from turnwise.envs.search_qa.world.paths import (
    Lookup,
    Path,
    ask,
    lead_to,
    lookup,
    named,
    start,
    steps_from,
    walk,
)
from turnwise.envs.search_qa.world.relations import COMPARED, RELATIONS, ROLE_WORDS, SHARED, TIMED, YEARS

KINDS = ("bridge", "comparison", "intersection", "counting", "temporal", "unanswerable")
_SHARES = {
    "bridge": {1: 3, 2: 4, 3: 4, 4: 3, 5: 2, 6: 3},
    "comparison": {3: 3, 4: 2, 5: 1, 6: 1},
    "intersection": {2: 2, 3: 2, 4: 1, 5: 1, 6: 1},
    "counting": {1: 1, 2: 2, 3: 1, 4: 1, 5: 1},
    "temporal": {2: 2, 3: 2, 4: 1, 5: 1, 6: 1},
    "unanswerable": {2: 1, 3: 2, 4: 1},
}
_ATTEMPTS = 200
_NEXT = {
    "person": ("birthplace", "teacher", "university"),
    "town": ("river", "partner", "square"),
    "organisation": ("founder", "founded"),
    "river": ("surveyor", "length"),
    "building": ("place", "opened"),
}


def _plan() -> tuple[tuple[str, int], ...]:
    wanted = [(kind, hops) for kind, shares in _SHARES.items() for hops, share in shares.items() for _ in range(share)]
    return tuple(wanted[i * 19 % len(wanted)] for i in range(len(wanted)))


PLAN = _plan()
"""(kind, hops) of fifty questions, mixed so that any few in a row are of many kinds."""


class Asked(NamedTuple):
    """A question about a country, with entities and documents by their numbers in it.

    `names` are the accepted answers; of a question that cannot be answered, of the thing whose fact is missing.
    """

    kind: str
    hops: int
    question: str
    names: tuple[str, ...]
    lookups: tuple[Lookup, ...]


def questions(country: Country, count: int) -> Iterator[Asked]:
    """The first questions about a country, no two alike; pure in its arguments.

    >>> from turnwise.envs.search_qa.world.country import country
    >>> [(asked.kind, asked.hops) for asked in questions(country(0, 3), 2)]
    [('unanswerable', 4), ('bridge', 6)]
    """
    known: set[str] = set()
    for number in range(count):
        asked = _new_question(country, number, known)
        known.add(asked.question)
        yield asked


def plan_place(country: int, number: int) -> int:
    """Where in `PLAN` a country's question with this number stands; each country begins elsewhere."""
    return (number + 7 * country) % len(PLAN)


def _new_question(country: Country, number: int, known: set[str]) -> Asked:
    planned, hops = PLAN[plan_place(country.number, number)]
    # One country in some thousands has, for example, no award whose winners can be told apart.
    for kind in dict.fromkeys((planned, "bridge")):
        for attempt in range(_ATTEMPTS):
            draw = Draws("question", country.seed, country.number, number, attempt)
            asked = _MAKERS[kind](country, hops, draw)
            if asked is not None and asked.question not in known and not _gives_itself_away(asked):
                return asked
    raise AssertionError(f"country {country.number} of seed {country.seed} has no question of {hops} hops left")


def _gives_itself_away(asked: Asked) -> bool:
    """Whether a name of the answer stands in the question."""
    question = asked.question.lower()
    return any(name.lower() in question for name in asked.names)


def _bridge(country: Country, hops: int, draw: Draws) -> Asked | None:
    path = walk(country, start(draw.choice(country.entities[1:]), draw), hops - 1, draw)
    return path and _last(country, path, "bridge", draw)


def _comparison(country: Country, hops: int, draw: Draws) -> Asked | None:
    kind = draw.choice(tuple(COMPARED))
    relation, larger, phrase = draw.choice(COMPARED[kind])
    spare = hops - 3
    first = draw.below(spare + 1)
    second = draw.below(spare - first + 1)
    pair = draw.sample(country.of_kind(kind), 2)
    one = lead_to(country, pair[0].index, first, draw)
    other = one and lead_to(country, pair[1].index, second, draw, one.visited)
    if one is None or other is None:
        return None
    years = [int(country.facts[entity.index, relation].text) for entity in pair]
    if years[0] == years[1] or pair[1].index in one.visited:
        return None
    chosen = pair[(years[1] > years[0]) == larger]
    found = Lookup(f"Which is {phrase}?", chosen.names, -1)
    lookups = (*one.lookups, *other.lookups, *(lookup(country, e.index, relation) for e in pair), found)
    opening = f"{one.opening}{other.opening}Compare {one.text} with {other.text}. "
    path = start(chosen)._replace(
        opening=opening, text=phrase, depth=1, lookups=lookups, visited=one.visited | other.visited
    )
    further = walk(country, path, spare - first - second, draw)
    return further and _last(country, further, "comparison", draw)


def _intersection(country: Country, hops: int, draw: Draws) -> Asked | None:
    award = draw.choice(country.of_kind("award"))
    winners = [period.value.entity for period in country.periods[award.index, "winner"]]
    relation = draw.choice(tuple(SHARED))
    values = {winner: country.facts.get((winner, relation)) for winner in winners}
    winner = draw.choice(winners)
    value = values[winner]
    if value is None or None in values.values() or list(values.values()).count(value) > 1:
        return None
    before = draw.below(hops - 1) if value.entity >= 0 else 0
    given = Path("", value.text, 0, value)
    if value.entity >= 0:
        way = lead_to(country, value.entity, before, draw, {winner, award.index})
        if way is None:
            return None
        given = way
    everyone = tuple(country.entities[i].title for i in winners)
    shared = SHARED[relation].format(v=given.text)
    found = lookup(country, winner, relation)
    lookups = (
        *given.lookups,
        Lookup(f"Who has won {named(award)}?", ("; ".join(everyone),), award.index),
        Lookup(f"Which of them {shared}?", country.entities[winner].names, found.document),
    )
    visited = given.visited | {award.index, winner}
    after = hops - 2 - before
    if not after:
        question = f"{given.opening}Which winner of {named(award)} {shared}?"
        return Asked("intersection", hops, question, country.entities[winner].names, lookups)
    path = start(country.entities[winner])._replace(
        opening=given.opening,
        text=f"the winner of {named(award)} who {shared}",
        depth=given.depth + 1,
        lookups=lookups,
        visited=visited,
    )
    further = walk(country, path, after - 1, draw)
    return further and _last(country, further, "intersection", draw)


def _counting(country: Country, hops: int, draw: Draws) -> Asked | None:
    organisations = country.of_kind("organisation")
    if hops > 1 and draw.below(2):
        return _sum(country, hops, draw)
    house = draw.choice(organisations)
    path = lead_to(country, house.index, hops - 1, draw)
    if path is None:
        return None
    years = country.outputs[house.index]
    first = draw.below(len(years) - 5)
    last = first + 4 + draw.below(len(years) - first - 4)
    between = years[first][0] - draw.below(2), years[last][0] + draw.below(2)
    total = sum(count for year, count in years if between[0] <= year <= between[1])
    words = ROLE_WORDS[house.role]
    text = "How many {output} did {x} {did} from {a} to {b}, both years included?"
    question = text.format(x=path.text, a=between[0], b=between[1], **words)
    own = Lookup(text.format(x=named(house), a=between[0], b=between[1], **words), (str(total),), house.index)
    return Asked("counting", hops, path.opening + question, (str(total),), (*path.lookups, own))


def _sum(country: Country, hops: int, draw: Draws) -> Asked | None:
    """What two houses of one role, or two towns, have together."""
    kind, relation = draw.choice((("organisation", "size"), ("town", "population")))
    things = country.of_kind(kind)
    one = draw.choice(things)
    other = draw.choice([thing for thing in things if thing.role == one.role and thing != one])
    before = draw.below(hops - 1)
    first = lead_to(country, one.index, before, draw)
    second = first and lead_to(country, other.index, hops - 2 - before, draw, first.visited)
    if first is None or second is None:
        return None
    total = sum(int(country.facts[thing.index, relation].text) for thing in (one, other))
    unit = ROLE_WORDS[one.role]["unit"] if kind == "organisation" else "inhabitants"
    question = f"How many {unit} do {first.text} and {second.text} have together?"
    lookups = (
        *first.lookups,
        *second.lookups,
        lookup(country, one.index, relation),
        lookup(country, other.index, relation),
        Lookup("How many is that together?", (str(total),), -1),
    )
    return Asked("counting", hops, f"{first.opening}{second.opening}{question}", (str(total),), lookups)


def _temporal(country: Country, hops: int, draw: Draws) -> Asked | None:
    """What was true in the year in which something else happened."""
    relation = draw.choice(tuple(TIMED))
    subject = draw.choice([country.entities[s] for s, r in country.periods if r == relation])
    period = draw.choice(country.periods[subject.index, relation])
    year_relation = draw.choice(tuple(YEARS))
    events = [s for (s, r), value in country.facts.items() if r == year_relation and _within(value.text, period)]
    after = draw.below(hops - 1) if period.value.entity >= 0 else 0
    event = draw.choice(events) if events else subject.index
    if event == subject.index:
        return None
    path = lead_to(country, event, hops - 2 - after, draw, {subject.index, period.value.entity})
    if path is None:
        return None
    happened = YEARS[year_relation].format(x=path.text)
    year = country.facts[event, year_relation].text
    own = TIMED[relation].ask.format(x=named(subject), when=f"in {year}")
    lookups = (
        *path.lookups,
        lookup(country, event, year_relation),
        Lookup(own, country.names_of(period.value), subject.index),
    )
    when = f"in the year in which {happened}"
    if not after:
        question = TIMED[relation].ask.format(x=named(subject), when=when)
        return Asked("temporal", hops, path.opening + question, country.names_of(period.value), lookups)
    text = TIMED[relation].phrase.format(x=named(subject), when=when)
    there = start(country.entities[period.value.entity])
    visited = path.visited | {subject.index, period.value.entity}
    further = there._replace(opening=path.opening, text=text, depth=3, lookups=lookups, visited=visited)
    end = walk(country, further, after - 1, draw)
    return end and _last(country, end, "temporal", draw)


def _within(year: str, period: Period) -> bool:
    """Whether a year lies inside a period without doubt: not in a year of change, unless it is a period of one year."""
    first, last = period.start, period.end
    return int(year) == first if first == last else first < int(year) < (last or 10_000)


def _unanswerable(country: Country, hops: int, draw: Draws) -> Asked | None:
    subject, relation = draw.choice(list(country.missing))
    path = lead_to(country, subject, hops - 1, draw)
    if path is None:
        return None
    lookups = (*path.lookups, lookup(country, subject, relation))
    entity = country.entities[subject]
    about = RELATIONS[relation]
    if draw.below(3) or not about.phrases:
        question = ask(country, path, relation, draw)
    else:
        words = ROLE_WORDS.get(entity.role, {})
        further = draw.choice(_NEXT[about.values])
        text = draw.choice(about.phrases).format(x=path.text, **words)
        question = path.opening + RELATIONS[further].asks[0].format(x=text)
    return Asked("unanswerable", hops, question, entity.names, lookups)


def _last(country: Country, path: Path, kind: str, draw: Draws) -> Asked | None:
    """The question for a fact of the place where a path ends; three times in four it is a name."""
    entity: Entity = country.entities[path.value.entity]
    ends = steps_from(country, path, needs_article=False)
    if not ends or not draw.below(4):
        ends = [r for r in country.relations_of(entity) if RELATIONS[r].values in ("year", "number")] or ends
    if not ends:
        return None
    relation = draw.choice(ends)
    question = ask(country, path, relation, draw)
    found = lookup(country, entity.index, relation)
    lookups = (*path.lookups, found)
    hops = sum(one.document >= 0 for one in lookups)
    return Asked(kind, hops, question, found.names, lookups)


_MAKERS: dict[str, Callable[[Country, int, Draws], Asked | None]] = {
    "bridge": _bridge,
    "comparison": _comparison,
    "intersection": _intersection,
    "counting": _counting,
    "temporal": _temporal,
    "unanswerable": _unanswerable,
}
