"""Makes a country: a hundred articles' worth of things that have to do with each other, consistent in time.

`country(seed, number)` is a pure function. All facts lie inside a country, so that nothing else is needed to write its
articles, to ask about it, or to be sure that an answer is the only one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from turnwise.envs.draws import Draws
from turnwise.envs.search_qa.world import names
from turnwise.envs.search_qa.world.entities import (
    DISAMBIGUATIONS,
    KINDS,
    PRESENT,
    REDIRECTS,
    REGISTERS,
    RUMOURS,
    Country,
    Entity,
    Period,
    Side,
    Value,
)
from turnwise.envs.search_qa.world.relations import MUTUAL, RELATIONS, fitting_role

_TOWNS, _PEOPLE, _THINGS = 10, 240, 52
"""Names that a country may use of each class, those without an article included."""
_MISSING = (("person", 4), ("organisation", 2), ("town", 1), ("building", 1), ("work", 1), ("event", 1))
_NOUN_WORDS = (
    "Lantern Harvest Mirror Garden Voyage Winter Orchard Bridge Letter Shadow Tower Daughter Island Crown Storm Candle "
    "Forest Window Clock Meadow Pilgrim Anchor Falcon Thistle Quarry Harbour Silence Feast Ladder Compass"
)
_NOUNS = _NOUN_WORDS.split()
_ORGANISATION_NAMES = {
    "university": ("University", "College", "Academy", "Institute", "Lyceum", "Seminary", "Polytechnic", "Collegium"),
    "museum": ("Museum", "Gallery", "Collection", "Cabinet"),
    "publisher": ("Press", "Books", "Editions", "Publishers"),
    "theatre": ("Theatre", "Playhouse", "Stage", "Arena"),
    "shipyard": ("Shipyard", "Docks", "Slipways", "Wharf"),
    "newspaper": ("Gazette", "Courier", "Herald", "Chronicle"),
}
_DISPUTABLE = ("birthplace", "birth_year", "grave", "founder", "creator")
_OLD_ENOUGH, _TOO_OLD = 24, 78


@lru_cache(maxsize=64)
def country(seed: int, number: int) -> Country:
    """The country with this number in the endless world of this seed.

    >>> one = country(0, 3)
    >>> len(one.entities), one.entities[0].name
    (89, 'Lansereach')
    """
    return _Founding(seed, number).finish()


class _Founding:
    """A country in the making: facts are drawn in an order in which each can rely on those before it."""

    def __init__(self, seed: int, number: int) -> None:
        self.seed, self.number = seed, number
        self.draw = Draws("country", seed, number)
        self.facts: dict[tuple[int, str], Value] = {}
        self.periods: dict[tuple[int, str], tuple[Period, ...]] = {}
        self.outputs: dict[int, tuple[tuple[int, int], ...]] = {}
        self._strangers = 26 + DISAMBIGUATIONS
        self.entities = self._with_second_names(self._first_entities())
        self.by_kind: dict[str, list[int]] = {}
        for entity in self.entities:
            self.by_kind.setdefault(entity.kind, []).append(entity.index)
        self._birth: dict[int, int] = {}
        self._year: dict[int, int] = {}
        self._people()
        self._organisations()
        self._lives()
        self._buildings()
        self._works()
        self._places()
        self._events()
        self._offices()
        self._awards()

    def finish(self) -> Country:
        """Take some facts out of the documents, put others into doubt."""
        missing = self._missing()
        registers, rumoured, rumours = self._disputes(missing)
        return Country(
            self.seed, self.number, tuple(self.entities), self.facts, self.periods, self.outputs, missing,
            registers, rumours, rumoured,
        )  # fmt: skip

    # Names

    def _first_entities(self) -> list[Entity]:
        entities: list[Entity] = []
        things = iter(range(self.number * _THINGS, (self.number + 1) * _THINGS))
        for kind, roles in KINDS:
            for i, role in enumerate(roles):
                name = self._name(kind, role, i, things, entities)
                entities.append(Entity(len(entities), kind, role, name))
        return entities

    def _name(self, kind: str, role: str, i: int, things: Iterable[int], entities: list[Entity]) -> str:
        if kind == "country":
            return names.country_name(self.seed, self.number)
        if kind == "town":
            return names.town_name(self.seed, self.number * _TOWNS + i)
        if kind == "person":
            return names.person_name(self.seed, self.number * _PEOPLE + i)
        if kind == "office":
            return self._office_name(role, i, entities)
        coined = names.thing_name(self.seed, next(iter(things)))
        if kind == "organisation":
            return f"{coined} {self.draw.choice(_ORGANISATION_NAMES[role])}"
        if kind == "work":
            return f"The {coined} {self.draw.choice(_NOUNS)}"
        if kind == "award":
            return f"{coined} {self.draw.choice(('Prize', 'Medal', 'Award'))}"
        return coined if kind == "river" else f"{coined} {role.title()}"

    def _office_name(self, role: str, i: int, entities: list[Entity]) -> str:
        if role == "mayor":
            return f"Mayor of {[e.name for e in entities if e.kind == 'town'][i]}"
        kept = [e.name for e in entities if e.role == {"director": "museum", "editor": "newspaper"}[role]]
        return f"{role.title()} of {kept[i % 2]}"

    def _with_second_names(self, entities: list[Entity]) -> list[Entity]:
        """Two pairs of people and one of works share their name; three things have another name."""
        people = [e for e in entities if e.kind == "person"]
        shuffled = self.draw.sample(people, len(people))
        pairs: list[tuple[Entity, Entity]] = []
        while len(pairs) < DISAMBIGUATIONS - 1:
            one = shuffled.pop()
            other = next(e for e in shuffled if e.role != one.role)
            shuffled.remove(other)
            pairs.append((one, other))
        novels, operas = ([e for e in entities if e.role == role] for role in ("novel", "opera"))
        pairs.append((self.draw.choice(novels), self.draw.choice(operas)))
        for one, other in pairs:
            entities[one.index] = replace(one, qualified=True)
            entities[other.index] = replace(other, name=one.name, qualified=True)
        renamed = shuffled[0]
        entities[renamed.index] = replace(renamed, alias=self._stranger())
        town = self.draw.choice([e for e in entities if e.kind == "town"])
        former = names.town_name(self.seed, self.number * _TOWNS + 8)
        entities[town.index] = replace(town, alias=former)
        company = self.draw.choice([e for e in entities if e.kind == "organisation"])
        coined = names.thing_name(self.seed, (self.number + 1) * _THINGS - 1)
        called = f"{coined} {self.draw.choice(_ORGANISATION_NAMES[company.role])}"
        entities[company.index] = replace(company, alias=called)
        assert REDIRECTS == 3, "one redirect for each other name"
        return entities

    def _stranger(self) -> str:
        """Somebody without an article."""
        self._strangers += 1
        if self._strangers >= _PEOPLE:
            raise AssertionError(f"country {self.number} knows more than {_PEOPLE} people")
        return names.person_name(self.seed, self.number * _PEOPLE + self._strangers)

    # Facts

    def _set(self, subject: int, relation: str, entity: int) -> None:
        self.facts[subject, relation] = self._entity(entity)

    def _say(self, subject: int, relation: str, value: object) -> None:
        self.facts[subject, relation] = Value.literal(value)

    def _entity(self, index: int) -> Value:
        return Value(index, self.entities[index].title)

    def _some(self, kind: str, role: str = "") -> list[int]:
        return [i for i in self.by_kind[kind] if not role or self.entities[i].role == role]

    def _alive(self, year: int, youngest: int = _OLD_ENOUGH, oldest: int = _TOO_OLD) -> list[int]:
        """People of a fit age in a year."""
        return [p for p in self.by_kind["person"] if self._birth[p] + youngest <= year <= self._birth[p] + oldest]

    def _existing(self, year: int, kind: str = "organisation") -> list[int]:
        """Things that were there in a year."""
        return [i for i in self.by_kind[kind] if self._year[i] < year]

    def _people(self) -> None:
        for i, person in enumerate(self.by_kind["person"]):
            self._birth[person] = 1755 + 7 * i + self.draw.below(7)
            self._say(person, "birth_year", self._birth[person])
            self._set(person, "birthplace", self.draw.choice(self.by_kind["town"]))
            self._set(person, "grave", self.draw.choice(self.by_kind["town"]))

    def _organisations(self) -> None:
        """The first of each role is older than all people with articles; the others were founded by one of them."""
        seen_roles: set[str] = set()
        for organisation in self.by_kind["organisation"]:
            role = self.entities[organisation].role
            if role not in seen_roles:
                seen_roles.add(role)
                year = 1610 + self.draw.below(130)
                self._say(organisation, "founder", self._stranger())
            else:
                founder = self.draw.choice(self.by_kind["person"])
                year = self._birth[founder] + 26 + self.draw.below(24)
                self._set(organisation, "founder", founder)
            self._year[organisation] = year
            self._say(organisation, "founded", year)
            self._say(organisation, "size", 120 + self.draw.below(9700))
            self.periods[organisation, "seat"] = self._seats(year)
            self.facts[organisation, "seat"] = self.periods[organisation, "seat"][-1].value
            self.outputs[organisation] = self._output(year)

    def _seats(self, year: int) -> tuple[Period, ...]:
        moves = [year]
        while len(moves) < 3 and moves[-1] + 75 < PRESENT and self.draw.below(4):
            moves.append(moves[-1] + 12 + self.draw.below(min(90, PRESENT - moves[-1] - 30)))
        towns = self.draw.sample(self.by_kind["town"], len(moves))
        ends = [*moves[1:], None]
        return tuple(Period(s, e, self._entity(t)) for s, e, t in zip(moves, ends, towns, strict=True))

    def _output(self, year: int) -> tuple[tuple[int, int], ...]:
        """What was produced in 9 to 13 years."""
        years = self.draw.sample(range(max(year + 1, PRESENT - 200), PRESENT - 1), 9 + self.draw.below(5))
        return tuple((y, 1 + self.draw.below(9)) for y in sorted(years))

    def _lives(self) -> None:
        people = self.by_kind["person"]
        for one, other in zip(people[::2], people[1::2], strict=True):
            self._set(one, "spouse", other)
            self._set(other, "spouse", one)
        for person in people:
            birth = self._birth[person]
            older = [p for p in people if birth - 45 <= self._birth[p] <= birth - 12]
            taught_by = [p for p in older if self.facts[person, "spouse"].entity != p]
            if taught_by:
                self._set(person, "teacher", self.draw.choice(taught_by))
            else:
                self._say(person, "teacher", self._stranger())
            universities = [o for o in self._existing(birth + 18) if self.entities[o].role == "university"]
            self._set(person, "university", self.draw.choice(universities))
            self.periods[person, "employer"] = self._employers(birth)

    def _employers(self, birth: int) -> tuple[Period, ...]:
        year = birth + 22 + self.draw.below(6)
        houses = self.draw.sample(self._existing(year), 2 + self.draw.below(2))
        periods = []
        for house in houses:
            end = year + 5 + self.draw.below(12)
            periods.append(Period(year, end, self._entity(house)))
            year = end
        return tuple(periods)

    def _buildings(self) -> None:
        for building in self.by_kind["building"]:
            architect = self.draw.choice(self._some("person", fitting_role("creator", self.entities[building].role)))
            year = self._birth[architect] + 27 + self.draw.below(28)
            self._year[building] = year
            self._set(building, "creator", architect)
            self._set(building, "place", self.draw.choice(self.by_kind["town"]))
            self._say(building, "opened", year)
            self._set(building, "patron", self._one_of(self._alive(year), architect))

    def _one_of(self, people: list[int], but: int) -> int:
        """One of some people, but not this one if there is another."""
        return self.draw.choice([p for p in people if p != but] or people)

    def _works(self) -> None:
        for work in self.by_kind["work"]:
            role = self.entities[work].role
            maker = self.draw.choice(self._some("person", fitting_role("creator", role)))
            year = self._birth[maker] + 24 + self.draw.below(36)
            self._set(work, "creator", maker)
            self._say(work, "year", year)
            self._set(work, "home", self.draw.choice(self._some("organisation", fitting_role("home", role))))
            self._set(work, "dedicatee", self._one_of(self._alive(year, 16), maker))

    def _places(self) -> None:
        people, towns, rivers = (self.by_kind[kind] for kind in ("person", "town", "river"))
        partners = self.draw.sample(towns, len(towns))
        for one, other in zip(partners[::2], partners[1::2], strict=True):
            self._set(one, "partner", other)
            self._set(other, "partner", one)
        for town in towns:
            self._set(town, "river", self.draw.choice(rivers))
            self._set(town, "square", self.draw.choice(people))
            self._say(town, "chartered", 1180 + self.draw.below(400))
            self._say(town, "population", 1100 + self.draw.below(96_000))
        for river in rivers:
            self._set(river, "surveyor", self.draw.choice(people))
            self._say(river, "length", 31 + self.draw.below(900))

    def _events(self) -> None:
        first = min(self._year[building] for building in self.by_kind["building"]) + 1
        last = min(max(self._birth.values()) + 70, PRESENT - 3)
        for event in self.by_kind["event"]:
            year = first + self.draw.below(last - first)
            self._say(event, "held", year)
            self._set(event, "venue", self.draw.choice(self._existing(year, "building")))
            self._set(event, "organiser", self.draw.choice(self._existing(year)))
            self._set(event, "opener", self.draw.choice(self._alive(year)))

    def _offices(self) -> None:
        for office in self.by_kind["office"]:
            kept = next((i for i in self.by_kind["organisation"] if self._name_ends(office, i)), None)
            year, held = max(1780, self._year[kept] + 1 if kept else 0) + self.draw.below(20), set[int]()
            periods: list[Period] = []
            while True:
                end = year + 7 + self.draw.below(17)
                known = [p for p in self._alive(end, _OLD_ENOUGH + 10) if p not in held]
                if known and self.draw.below(10) < 7:
                    holder = self.draw.choice(known)
                    held.add(holder)
                    value = self._entity(holder)
                else:
                    value = Value.literal(self._stranger())
                lasts = end >= PRESENT - 2
                periods.append(Period(year, None if lasts else end, value))
                if lasts:
                    break
                year = end
            self.periods[office, "holder"] = tuple(periods)

    def _name_ends(self, office: int, other: int) -> bool:
        return self.entities[office].name.endswith(f" of {self.entities[other].name}")

    def _awards(self) -> None:
        people = self.by_kind["person"]
        old = [o for o in self.by_kind["organisation"] if self._year[o] < 1760]
        for award in self.by_kind["award"]:
            self._set(award, "giver", self.draw.choice(old))
            winners: dict[int, int] = {}
            for person in self.draw.sample(people, 9):
                winners.setdefault(self._birth[person] + 30 + self.draw.below(36), person)
            self.periods[award, "winner"] = tuple(
                Period(year, year, self._entity(winners[year])) for year in sorted(winners)
            )

    # Doubt

    def _missing(self) -> dict[tuple[int, str], bool]:
        """Facts that are taken away: of half of them the article says that nobody knows, of half it says nothing."""
        chosen: list[tuple[int, str]] = []
        for kind, count in _MISSING:
            facts = [key for key in self.facts if self.entities[key[0]].kind == kind and _may_be_missing(key[1])]
            chosen += self.draw.sample(facts, count)
        for key in chosen:
            del self.facts[key]
        return {key: i % 2 == 0 for i, key in enumerate(self.draw.sample(chosen, len(chosen)))}

    def _disputes(
        self, missing: dict[tuple[int, str], bool]
    ) -> tuple[tuple[Side, ...], dict[tuple[int, str], Value], tuple[Side, ...]]:
        disputable = [key for key in self.facts if key[1] in _DISPUTABLE]
        by_subject = {key[0]: key for key in self.draw.sample(disputable, len(disputable))}
        doubtful = list(by_subject.values())[:REGISTERS]
        registers = tuple(Side(*key, self.facts[key]) for key in doubtful)
        rumoured = {key: self._wrong(key, self.facts[key]) for key in doubtful}
        certain = [
            key
            for key in self.facts
            if key not in rumoured and RELATIONS[key[1]].values in ("person", "town") and key[1] != "seat"
        ]
        about = [self.draw.choice(list(missing)), self.draw.choice(certain)]
        rumours = tuple(Side(*key, self._wrong(key, self.facts.get(key))) for key in about)
        assert len(rumours) == RUMOURS, "one about what is known, one about what is not"
        return registers, rumoured, rumours

    def _wrong(self, key: tuple[int, str], right: Value | None) -> Value:
        """Another value of the same kind."""
        kind = RELATIONS[key[1]].values
        if kind == "year":
            assert right is not None, "a missing year is never rumoured"
            return Value.literal(int(right.text) + self.draw.choice((-9, -6, -4, 3, 5, 8)))
        role = fitting_role(key[1], self.entities[key[0]].role)
        others = [i for i in self._some(kind, role) if i != key[0] and (right is None or i != right.entity)]
        return self._entity(self.draw.choice(others))


def _may_be_missing(relation: str) -> bool:
    """Whether only one article states such a fact, and a name."""
    return RELATIONS[relation].values not in ("year", "number") and relation not in (*MUTUAL, "seat")
