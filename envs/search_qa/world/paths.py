"""Ways through a country: noun phrases such as "the teacher of the founder of Harrow Press", and their facts."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from turnwise.envs.draws import Draws
from turnwise.envs.search_qa.world import country as countries
from turnwise.envs.search_qa.world.articles import mention, words_of
from turnwise.envs.search_qa.world.entities import Country, Entity, Value
from turnwise.envs.search_qa.world.relations import RELATIONS

_DEEP = 3
"""A phrase of so many steps is not made longer."""
_DEEP_IN_QUESTION = 2
"""A phrase of so many steps comes before the question, not inside it."""


class Lookup(NamedTuple):
    """One fact to find: the question for it, its value's names, and the number of the document that decides it.

    `names` is empty where no document holds the fact; `document` is -1 where it follows from those before.
    """

    question: str
    names: tuple[str, ...]
    document: int


class Path(NamedTuple):
    """Where one has got to in a country.

    Attributes:
        opening: Sentences that come first, each with a full stop and a space after it.
        text: What the place is called after them.
        depth: Steps in `text`.
        value: The place.
        lookups: The facts on the way.
        visited: Entities on the way, the place included.
    """

    opening: str
    text: str
    depth: int
    value: Value
    lookups: tuple[Lookup, ...] = ()
    visited: frozenset[int] = frozenset()


def named(entity: Entity, draw: Draws | None = None) -> str:
    """An entity in a question: "the painter X" where others are called X, now and then by its other name."""
    if entity.qualified:
        return f"the {entity.role} {entity.name}"
    if entity.alias and draw is not None and draw.below(2):
        return entity.alias
    return mention(entity)


def start(entity: Entity, draw: Draws | None = None) -> Path:
    """A path of no steps."""
    return Path("", named(entity, draw), 0, Value(entity.index, entity.title), (), frozenset({entity.index}))


def lookup(country: Country, subject: int, relation: str) -> Lookup:
    """A single fact as something to find."""
    entity = country.entities[subject]
    question = RELATIONS[relation].asks[0].format(x=named(entity), **words_of(entity))
    value = country.facts.get((subject, relation))
    names = country.names_of(value) if value is not None else ()
    return Lookup(_upper_first(question), names, country.source(subject, relation))


def step(country: Country, path: Path, relation: str, draw: Draws) -> Path:
    """One step further: to the value of a fact of the place."""
    path = shortened(country, path)
    entity = country.entities[path.value.entity]
    value = country.facts[entity.index, relation]
    phrase = draw.choice(RELATIONS[relation].phrases).format(x=path.text, **words_of(entity))
    lookups = (*path.lookups, lookup(country, entity.index, relation))
    return Path(path.opening, phrase, path.depth + 1, value, lookups, path.visited | {value.entity})


def shortened(country: Country, path: Path, deep: int = _DEEP) -> Path:
    """The same place, called "this person" if the phrase has grown too long."""
    if path.depth < deep:
        return path
    kind = country.entities[path.value.entity].kind
    return path._replace(opening=f"{path.opening}Consider {path.text}. ", text=f"this {kind}", depth=0)


def ask(country: Country, path: Path, relation: str, draw: Draws) -> str:
    """The question for a fact of the place."""
    path = shortened(country, path, _DEEP_IN_QUESTION)
    words = words_of(country.entities[path.value.entity])
    return path.opening + _upper_first(draw.choice(RELATIONS[relation].asks).format(x=path.text, **words))


def steps_from(country: Country, path: Path, needs_article: bool = True) -> list[str]:
    """Relations along which a path can go on to something new."""
    entity = country.entities[path.value.entity]
    found = []
    for relation in country.relations_of(entity):
        value = country.facts[entity.index, relation]
        wanted = value.entity >= 0 or not needs_article
        if RELATIONS[relation].phrases and wanted and value.entity not in path.visited:
            found.append(relation)
    return found


def walk(country: Country, path: Path, steps: int, draw: Draws) -> Path | None:
    """Random steps, each to something that has an article and is new; None where there is no way on."""
    for _ in range(steps):
        relations = steps_from(country, path)
        if not relations:
            return None
        path = step(country, path, draw.choice(relations), draw)
    return path


def lead_to(
    country: Country,
    target: int,
    steps: int,
    draw: Draws,
    avoid: Collection[int] = (),
    *,
    but: Collection[str] = (),
) -> Path | None:
    """A random path of so many steps that ends at a given entity; None where none was found.

    Args:
        country: Where.
        target: The entity.
        steps: How many.
        draw: Chooses.
        avoid: Entities that it must not touch.
        but: Relations that it must not use.
    """
    way: list[tuple[int, str]] = []
    place, visited = target, {target, *avoid}
    for _ in range(steps):
        arrivals = _arrivals(country.seed, country.number).get(place, ())
        before = [(s, r) for s, r in arrivals if s not in visited and r not in but]
        if not before:
            return None
        place, relation = draw.choice(before)
        visited.add(place)
        way.append((place, relation))
    path = start(country.entities[place], draw)
    for _, relation in reversed(way):
        path = step(country, path, relation, draw)
    return path


@lru_cache(maxsize=16)
def _arrivals(seed: int, number: int) -> dict[int, tuple[tuple[int, str], ...]]:
    """From where each entity can be reached, and by which relation."""
    arrivals: dict[int, list[tuple[int, str]]] = {}
    for (subject, relation), value in countries.country(seed, number).facts.items():
        if value.entity >= 0 and RELATIONS[relation].phrases:
            arrivals.setdefault(value.entity, []).append((subject, relation))
    return {entity: tuple(ways) for entity, ways in arrivals.items()}


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
