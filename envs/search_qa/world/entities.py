"""What a country is: its things, what is true of them, and what other documents say about that."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from turnwise.envs.search_qa.world.relations import RELATIONS

ARTICLES = 100
"""Articles of a country."""
PRESENT = 2020
"""The year in which the articles are written."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Something with an article of its own.

    Attributes:
        index: Its number in the country, which is its article's.
        kind: `person`, `organisation`, `work`, `building`, `town`, `river`, `event`, `office`, `award` or `country`.
        role: What it is more precisely, for example `novelist`.
        name: What it is called; two of a country may share a name.
        qualified: Whether its title adds the role in brackets, because the name is shared.
        alias: Another name, under which a redirect stands; or empty.
    """

    index: int
    kind: str
    role: str
    name: str
    qualified: bool = False
    alias: str = ""

    @property
    def title(self) -> str:
        """The name, with the role in brackets where the name is shared."""
        return f"{self.name} ({self.role})" if self.qualified else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which it is accepted as an answer."""
        return tuple(dict.fromkeys(filter(None, (self.name, self.title, self.alias))))


class Value(NamedTuple):
    """What a fact states: an entity by its index, or a text (a year, a number, somebody without an article)."""

    entity: int
    text: str

    @classmethod
    def literal(cls, value: object) -> Value:
        """A value that has no article."""
        return cls(-1, str(value))


class Period(NamedTuple):
    """A value from one year to another; `end` is None where it lasts."""

    start: int
    end: int | None
    value: Value


class Side(NamedTuple):
    """Another document about one fact: a register that decides, or gossip that does not count."""

    subject: int
    relation: str
    value: Value


class Country(NamedTuple):
    """Entities and facts.

    Attributes:
        seed: Of the world.
        number: Which country.
        entities: By index. Redirects, disambiguations, registers and gossip come after them, see `articles`.
        facts: Single facts by subject and relation. Who asks for a missing one gets a KeyError.
        periods: Facts that change, by subject and relation (`seat`, `employer`, `holder`, `winner`), rising in time.
        outputs: Per organisation: (year, count) of what it has produced, rising in time.
        missing: Facts that no document states, and whether the article says so.
        registers: Facts on which the article is wrong and says that it may be; the register's value is the fact's.
        rumours: What gossip claims, wrongly.
        rumoured: The article's value of facts that a register corrects.
    """

    seed: int
    number: int
    entities: tuple[Entity, ...]
    facts: dict[tuple[int, str], Value]
    periods: dict[tuple[int, str], tuple[Period, ...]]
    outputs: dict[int, tuple[tuple[int, int], ...]]
    missing: dict[tuple[int, str], bool]
    registers: tuple[Side, ...]
    rumours: tuple[Side, ...]
    rumoured: dict[tuple[int, str], Value]

    def of_kind(self, kind: str) -> tuple[Entity, ...]:
        """The entities of a kind."""
        return self.entities[_SPANS[kind]]

    def names_of(self, value: Value) -> tuple[str, ...]:
        """Accepted names of a value."""
        return self.entities[value.entity].names if value.entity >= 0 else (value.text,)

    def relations_of(self, entity: Entity) -> list[str]:
        """Single facts that an entity has, in the order of `RELATIONS`; the missing ones not among them."""
        return [name for name in RELATIONS if (entity.index, name) in self.facts]

    def source(self, subject: int, relation: str) -> int:
        """Number of the document that decides a fact: the article, or the register where there is one."""
        for i, side in enumerate(self.registers):
            if (side.subject, side.relation) == (subject, relation):
                return FIRST_REGISTER + i
        return subject


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("country", ("country",)),
    ("town", ("town",) * 8),
    ("river", ("river",) * 3),
    ("person", _words(
        "novelist painter composer architect botanist engineer novelist painter composer architect astronomer merchant "
        "novelist painter composer architect banker engineer novelist painter composer architect physician novelist "
        "painter composer"
    )),
    ("organisation", _words(
        "university museum publisher theatre shipyard newspaper museum publisher university theatre shipyard newspaper "
        "museum publisher"
    )),
    ("work", ("novel", "painting", "opera") * 4),
    ("building", ("bridge", "lighthouse", "concert hall", "observatory") * 2),
    ("event", ("festival", "exhibition", "congress", "regatta", "exhibition", "congress")),
    ("office", ("mayor",) * 4 + ("director",) * 2 + ("editor",) * 2),
    ("award", ("award",) * 3),
)  # fmt: skip
"""The entities of a country, in order; of people and organisations the older come first."""


def _spans() -> dict[str, slice]:
    ends = list(accumulate(len(roles) for _, roles in KINDS))
    return {kind: slice(end - len(roles), end) for (kind, roles), end in zip(KINDS, ends, strict=True)}


_SPANS = _spans()
ENTITIES = sum(len(roles) for _, roles in KINDS)
DISAMBIGUATIONS, REDIRECTS, REGISTERS, RUMOURS = 3, 3, 3, 2
FIRST_DISAMBIGUATION = ENTITIES
FIRST_REDIRECT = FIRST_DISAMBIGUATION + DISAMBIGUATIONS
FIRST_REGISTER = FIRST_REDIRECT + REDIRECTS
FIRST_RUMOUR = FIRST_REGISTER + REGISTERS
assert FIRST_RUMOUR + RUMOURS == ARTICLES, "every article has its place"
