"""Claims about a country: true, false in several ways, and such as no document decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from turnwise.envs.draws import Draws
from turnwise.envs.search_qa.world.articles import mention, words_of
from turnwise.envs.search_qa.world.entities import Country, Value
from turnwise.envs.search_qa.world.paths import Lookup, Path, lead_to, lookup, named
from turnwise.envs.search_qa.world.relations import COMPARED, MUTUAL, RELATIONS, ROLE_WORDS, TIMED, fitting_role

SUPPORTS, REFUTES, NOT_ENOUGH_INFO = "supports", "refutes", "not enough info"
LABELS = (SUPPORTS, REFUTES, NOT_ENOUGH_INFO)
_ATTEMPTS = 200
_EARLIER = {
    ("person", "birth_year"): "{a} was born before {b}",
    ("organisation", "founded"): "{a} was founded before {b}",
    ("building", "opened"): "{a} opened before {b}",
    ("work", "year"): "{a} was completed before {b}",
    ("town", "chartered"): "{a} received its charter before {b}",
    ("event", "held"): "{a} was held before {b}",
}
assert {kind for kind, _ in _EARLIER} == set(COMPARED), "what questions compare, claims compare"


class Claim(NamedTuple):
    """A statement about a country.

    Attributes:
        label: One of `LABELS`.
        kind: How it was made: `fact`, `time`, `count` or `order`; of what nobody knows, `missing`.
        hops: Facts that decide it.
        text: The statement.
        lookups: The facts that decide it; of an undecided one, the last has no names.
    """

    label: str
    kind: str
    hops: int
    text: str
    lookups: tuple[Lookup, ...]


def claims(country: Country, count: int) -> Iterator[Claim]:
    """The first claims about a country, no two alike, their labels in turn; pure in its arguments.

    >>> from turnwise.envs.search_qa.world.country import country
    >>> [claim.label for claim in claims(country(0, 3), 4)]
    ['supports', 'refutes', 'not enough info', 'supports']
    """
    known: set[str] = set()
    for number in range(count):
        claim = _new_claim(country, number, known)
        known.add(claim.text)
        yield claim


def _new_claim(country: Country, number: int, known: set[str]) -> Claim:
    label = LABELS[number % len(LABELS)]
    for attempt in range(_ATTEMPTS):
        draw = Draws("claim", country.seed, country.number, number, attempt)
        make = _undecided if label == NOT_ENOUGH_INFO else draw.choice(_MAKERS)
        claim = make(country, label == SUPPORTS, 1 + draw.below(4), draw)
        if claim is not None and claim.text not in known:
            return claim
    raise AssertionError(f"country {country.number} of seed {country.seed} has no further claim: {label}")


def _fact(country: Country, true: bool, hops: int, draw: Draws) -> Claim | None:
    """One fact of something that may have to be found first. False: another value of the kind, or the roles changed."""
    subject, relation = draw.choice([key for key in country.facts if key[1] not in MUTUAL])
    path = _lead_to(country, subject, hops - 1, draw)
    if path is None:
        return None
    value = country.facts[subject, relation]
    if not true and relation == "teacher" and value.entity >= 0 and hops == 1 and draw.below(2):
        return _roles_changed(country, subject, value.entity)
    stated = value if true else another(country, subject, relation, value, draw)
    if stated.entity in path.visited:
        return None
    text = _statement(country, subject, relation, path.text, stated)
    return _claim(true, "fact", text, (*path.lookups, lookup(country, subject, relation)))


def _roles_changed(country: Country, pupil: int, teacher: int) -> Claim | None:
    """The pupil as the teacher: what the teacher's own article says of the teacher's teacher refutes it."""
    if (teacher, "teacher") not in country.facts:
        return None
    text = _statement(country, teacher, "teacher", named(country.entities[teacher]), Value(pupil, ""))
    return _claim(False, "fact", text, (lookup(country, teacher, "teacher"),))


def _time(country: Country, true: bool, hops: int, draw: Draws) -> Claim | None:
    """What was true at a time. False: what was true at another."""
    subject, relation = draw.choice(list(country.periods))
    periods = country.periods[subject, relation]
    path = _lead_to(country, subject, hops - 1, draw)
    period = draw.choice(periods)
    others = [p for p in periods if set(country.names_of(p.value)).isdisjoint(country.names_of(period.value))]
    if path is None or not others:
        return None
    stated = (period if true else draw.choice(others)).value
    end = period.end or 2020
    if period.start != period.end and end - period.start < 3:
        return None
    year = period.start if period.start == period.end else period.start + 1 + draw.below(end - period.start - 1)
    when = f"in {year}"
    text = TIMED[relation].claim.format(x=path.text, v=_value(country, stated), when=when)
    own = TIMED[relation].ask.format(x=named(country.entities[subject]), when=when)
    return _claim(true, "time", text, (*path.lookups, Lookup(own, country.names_of(period.value), subject)))


def _count(country: Country, true: bool, hops: int, draw: Draws) -> Claim | None:
    """How much was produced between two years. False: another number near it."""
    house = draw.choice(country.of_kind("organisation"))
    path = _lead_to(country, house.index, hops - 1, draw)
    if path is None:
        return None
    years = country.outputs[house.index]
    first = draw.below(len(years) - 5)
    last = first + 3 + draw.below(len(years) - first - 3)
    a, b = years[first][0], years[last][0]
    total = sum(count for year, count in years if a <= year <= b)
    stated = total if true else total + draw.choice((-4, -3, -2, -1, 1, 2, 3, 4, 5))
    words = ROLE_WORDS[house.role]
    text = f"{path.text} {words['done']} {max(stated, 1)} {words['output']} from {a} to {b}, both years included"
    own = f"How many {words['output']} did {named(house)} {words['did']} from {a} to {b}?"
    return _claim(true, "count", text, (*path.lookups, Lookup(own, (str(total),), house.index)))


def _order(country: Country, true: bool, hops: int, draw: Draws) -> Claim | None:
    """Which of two came first; two facts at least. False: the other way round."""
    kind, relation = draw.choice(tuple(_EARLIER))
    pair = draw.sample(country.of_kind(kind), 2)
    years = [int(country.facts[entity.index, relation].text) for entity in pair]
    if years[0] == years[1]:
        return None
    if (years[0] < years[1]) != true:
        pair.reverse()
    one = _lead_to(country, pair[0].index, max(hops - 2, 0), draw, {pair[1].index})
    if one is None:
        return None
    text = _EARLIER[kind, relation].format(a=one.text, b=named(pair[1], draw))
    found = (lookup(country, entity.index, relation) for entity in pair)
    return _claim(true, "order", text, (*one.lookups, *found))


def _undecided(country: Country, true: bool, hops: int, draw: Draws) -> Claim | None:
    """A fact that no document states; hearsay may."""
    subject, relation = draw.choice(list(country.missing))
    path = _lead_to(country, subject, draw.below(3), draw)
    if path is None:
        return None
    rumours = [s.value for s in country.rumours if (s.subject, s.relation) == (subject, relation)]
    stated = rumours[0] if rumours else another(country, subject, relation, None, draw)
    if stated.entity in path.visited:
        return None
    text = _statement(country, subject, relation, path.text, stated)
    lookups = (*path.lookups, lookup(country, subject, relation))
    return Claim(NOT_ENOUGH_INFO, "missing", len(lookups), _sentence(text), lookups)


def _lead_to(country: Country, target: int, steps: int, draw: Draws, avoid: Collection[int] = ()) -> Path | None:
    """A path over facts that only one article states, so that there is only one set of evidence."""
    return lead_to(country, target, steps, draw, avoid, but=MUTUAL)


def another(country: Country, subject: int, relation: str, right: Value | None, draw: Draws) -> Value:
    """A value of the same kind, and of a role that fits, that is not the right one."""
    kind = RELATIONS[relation].values
    if kind in ("year", "number"):
        assert right is not None, "years and numbers are never missing"
        number = int(right.text)
        step = draw.choice((-7, -4, -3, 2, 5, 6)) if kind == "year" else draw.choice((-1, 1)) * (1 + number // 9)
        return Value.literal(number + step)
    names = set(country.names_of(right)) if right is not None else set()
    role = fitting_role(relation, country.entities[subject].role)
    others = [
        e for e in country.of_kind(kind) if e.index != subject and role in ("", e.role) and names.isdisjoint(e.names)
    ]
    chosen = draw.choice(others)
    return Value(chosen.index, chosen.title)


def _statement(country: Country, subject: int, relation: str, x: str, stated: Value) -> str:
    words = words_of(country.entities[subject])
    return RELATIONS[relation].claim.format(x=x, v=_value(country, stated), **words)


def _value(country: Country, value: Value) -> str:
    if value.entity < 0:
        return value.text
    entity = country.entities[value.entity]
    return named(entity) if entity.qualified else mention(entity)


def _claim(true: bool, kind: str, text: str, lookups: tuple[Lookup, ...]) -> Claim:
    return Claim(SUPPORTS if true else REFUTES, kind, len(lookups), _sentence(text), lookups)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


_MAKERS: tuple[Callable[[Country, bool, int, Draws], Claim | None], ...] = (_fact, _fact, _time, _count, _order)
