"""What can be true of a thing, and how articles, questions and claims say it.

`{x}` is the thing, `{v}` the value, `{s}` the thing at the beginning of a sentence. `{made}`, `{verb}` and `{keeps}`
are the words that fit the thing's role: a novel is written, a bridge designed.
"""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """A fact that a thing has once.

    Attributes:
        values: Kind of the value: of a thing, or `year`, or `number`.
        phrases: Noun phrases for the value.
        asks: Questions for the value.
        tells: Sentences of an article.
        unknown: Sentence of an article that says that nobody knows.
        claim: A statement to check; begins in the middle of a sentence.
        wonder: The beginning of a sentence about a disputed value.
    """

    values: str
    phrases: tuple[str, ...]
    asks: tuple[str, ...]
    tells: tuple[str, ...]
    unknown: str
    claim: str
    wonder: str = ""


RELATIONS: dict[str, Relation] = {
    # People
    "birthplace": Relation(
        "town",
        ("the town where {x} was born", "the birthplace of {x}"),
        ("In which town was {x} born?", "Where was {x} born?"),
        ("{s} was born in {v}.", "{s}, a native of {v}, grew up in modest circumstances.", "The birthplace is {v}."),
        "Where {s} was born is not known.",
        "{x} was born in {v}",
        "the birthplace",
    ),
    "birth_year": Relation(
        "year",
        (),
        ("In which year was {x} born?",),
        ("The year of birth is {v}.", "{s} was born in {v}.", "Born in {v}, {x} came from a large family."),
        "The year of birth is not known.",
        "{x} was born in {v}",
        "the year of birth",
    ),
    "teacher": Relation(
        "person",
        ("the teacher of {x}", "the person who taught {x}"),
        ("Who taught {x}?", "Who was the teacher of {x}?"),
        ("{s} was taught by {v}.", "{s} was a pupil of {v}.", "The decisive teacher was {v}."),
        "Who taught {x} is not known.",
        "{x} was taught by {v}",
    ),
    "university": Relation(
        "organisation",
        ("the university where {x} studied", "the university attended by {x}"),
        ("At which university did {x} study?", "Which university did {x} attend?"),
        ("{s} studied at {v}.", "{s} took a degree at {v}.", "Student years were spent at {v}."),
        "Where {x} studied is not known.",
        "{x} studied at {v}",
    ),
    "spouse": Relation(
        "person",
        ("the person whom {x} married", "the spouse of {x}"),
        ("Whom did {x} marry?", "Who was the spouse of {x}?"),
        ("{s} married {v}.", "{s} and {v} were married.", "The marriage with {v} lasted many years."),
        "Whether and whom {x} married is not known.",
        "{x} was married to {v}",
    ),
    "grave": Relation(
        "town",
        ("the town where {x} is buried", "the town with the grave of {x}"),
        ("In which town is {x} buried?", "Where is the grave of {x}?"),
        ("{s} is buried in {v}.", "The grave is in {v}.", "{s} was laid to rest in {v}."),
        "The place of the grave is not known.",
        "{x} is buried in {v}",
        "the place of the grave",
    ),
    # Organisations
    "founder": Relation(
        "person",
        ("the founder of {x}", "the person who founded {x}"),
        ("Who founded {x}?", "Who was the founder of {x}?"),
        ("{s} was founded by {v}.", "The founder was {v}.", "It was {v} who founded {x}."),
        "Who founded {x} is not known.",
        "{x} was founded by {v}",
        "the founder",
    ),
    "founded": Relation(
        "year",
        (),
        ("In which year was {x} founded?",),
        ("The founding year is {v}.", "{s} has existed since {v}.", "Business began in {v}, the founding year."),
        "The founding year is not known.",
        "{x} was founded in {v}",
    ),
    "seat": Relation(
        "town",
        ("the town where {x} has its seat today", "the present home town of {x}"),
        ("In which town does {x} have its seat today?", "Where is {x} based today?"),
        (),
        "Where the seat is now is not known.",
        "{x} has its seat in {v} today",
    ),
    "size": Relation(
        "number",
        (),
        ("How many {unit} does {x} have?",),
        ("{s} has {v} {unit}.", "The number of {unit} is {v}.", "At the last count there were {v} {unit}."),
        "The number of {unit} is not known.",
        "{x} has {v} {unit}",
    ),
    # Works and buildings
    "creator": Relation(
        "person",
        ("the person who {verb} {x}", "the {maker} of {x}"),
        ("Who {verb} {x}?", "By whom was {x} {made}?"),
        ("{s} was {made} by {v}.", "It was {v} who {verb} {x}.", "The {maker} was {v}."),
        "Who {verb} {x} is not known.",
        "{x} was {made} by {v}",
        "the {maker}",
    ),
    "year": Relation(
        "year",
        (),
        ("In which year was {x} completed?",),
        ("{s} was completed in {v}.", "The year of completion is {v}.", "Work on it came to an end in {v}."),
        "The year of completion is not known.",
        "{x} was completed in {v}",
    ),
    "home": Relation(
        "organisation",
        ("the organisation that {keeps} {x}",),
        ("Which organisation {keeps} {x}?",),
        ("Today {v} {keeps} it.", "{v} {keeps} {x}.", "It is {v} that {keeps} it now."),
        "Which organisation {keeps} it now is not known.",
        "{v} {keeps} {x}",
    ),
    "dedicatee": Relation(
        "person",
        ("the person to whom {x} is dedicated", "the dedicatee of {x}"),
        ("To whom is {x} dedicated?", "Who is the dedicatee of {x}?"),
        ("{s} is dedicated to {v}.", "The dedication is to {v}.", "A dedication on the first page names {v}."),
        "To whom {x} is dedicated is not known.",
        "{x} is dedicated to {v}",
    ),
    "place": Relation(
        "town",
        ("the town where {x} stands", "the location of {x}"),
        ("In which town does {x} stand?", "Where does {x} stand?"),
        ("{s} stands in {v}.", "It is one of the sights of {v}.", "The site is in {v}."),
        "Where {x} stood is not known.",
        "{x} stands in {v}",
    ),
    "opened": Relation(
        "year",
        (),
        ("In which year did {x} open?",),
        ("{s} opened in {v}.", "The opening year is {v}.", "It has been open since {v}."),
        "The opening year is not known.",
        "{x} opened in {v}",
    ),
    "patron": Relation(
        "person",
        ("the person who paid for {x}", "the patron of {x}"),
        ("Who paid for {x}?", "Who was the patron of {x}?"),
        ("{s} was paid for by {v}.", "The patron was {v}.", "The money came from {v}."),
        "Who paid for {x} is not known.",
        "{x} was paid for by {v}",
    ),
    # Towns and rivers
    "river": Relation(
        "river",
        ("the river on which {x} lies", "the river that flows through {x}"),
        ("On which river does {x} lie?", "Which river flows through {x}?"),
        ("{s} lies on {v}.", "Through the town flows {v}.", "It grew on the banks of {v}."),
        "The name of the river is not known.",
        "{x} lies on {v}",
    ),
    "square": Relation(
        "person",
        ("the person after whom the main square of {x} is named",),
        ("After whom is the main square of {x} named?",),
        (
            "The main square is named after {v}.",
            "The name of the main square recalls {v}.",
            "A statue of {v}, after whom the main square is named, was put up later.",
        ),
        "After whom the main square is named is not known.",
        "the main square of {x} is named after {v}",
    ),
    "partner": Relation(
        "town",
        ("the partner town of {x}",),
        ("Which is the partner town of {x}?", "With which town does {x} have a partnership?"),
        ("The partner town is {v}.", "{s} has a partnership with {v}.", "A partnership links it with {v}."),
        "The partner town is not known.",
        "the partner town of {x} is {v}",
    ),
    "chartered": Relation(
        "year",
        (),
        ("In which year did {x} receive its charter?",),
        ("{s} received its charter in {v}.", "The charter is of {v}.", "It has had a charter since {v}."),
        "The year of the charter is not known.",
        "{x} received its charter in {v}",
    ),
    "population": Relation(
        "number",
        (),
        ("How many inhabitants does {x} have?",),
        ("{s} has {v} inhabitants.", "The number of inhabitants is {v}.", "At the last census it had {v} inhabitants."),
        "The number of inhabitants is not known.",
        "{x} has {v} inhabitants",
    ),
    "length": Relation(
        "number",
        (),
        ("How many kilometres long is {x}?",),
        ("{s} is {v} kilometres long.", "Its length is {v} kilometres.", "It runs for {v} kilometres."),
        "Its length is not known.",
        "{x} is {v} kilometres long",
    ),
    "surveyor": Relation(
        "person",
        ("the person who first surveyed {x}",),
        ("Who first surveyed {x}?", "By whom was {x} first surveyed?"),
        ("{s} was first surveyed by {v}.", "The first survey was the work of {v}.", "{v} first surveyed its course."),
        "Who first surveyed {x} is not known.",
        "{x} was first surveyed by {v}",
    ),
    # Events and awards
    "held": Relation(
        "year",
        (),
        ("In which year was {x} held?",),
        ("{s} was held in {v}.", "The year was {v}.", "It took place in {v}."),
        "The year is not known.",
        "{x} was held in {v}",
    ),
    "venue": Relation(
        "building",
        ("the building in which {x} was held", "the venue of {x}"),
        ("In which building was {x} held?", "What was the venue of {x}?"),
        ("The venue was {v}.", "All meetings were held in {v}.", "Visitors gathered in {v}, the venue."),
        "The venue is not known.",
        "the venue of {x} was {v}",
    ),
    "organiser": Relation(
        "organisation",
        ("the organisation that organised {x}", "the organiser of {x}"),
        ("Which organisation organised {x}?", "Who was the organiser of {x}?"),
        ("{s} was organised by {v}.", "The organiser was {v}.", "Everything was organised by {v}."),
        "Who organised it is not known.",
        "{x} was organised by {v}",
    ),
    "opener": Relation(
        "person",
        ("the person who gave the opening speech at {x}",),
        ("Who gave the opening speech at {x}?",),
        (
            "The opening speech was given by {v}.",
            "{v} gave the opening speech.",
            "In the opening speech {v} praised the town.",
        ),
        "Who gave the opening speech is not known.",
        "the opening speech at {x} was given by {v}",
    ),
    "giver": Relation(
        "organisation",
        ("the organisation that gives {x}",),
        ("Which organisation gives {x}?", "By which organisation is {x} given?"),
        ("{s} is given by {v}.", "It is {v} that gives it.", "The giver is {v}."),
        "Which organisation gives it is not known.",
        "{x} is given by {v}",
    ),
}  # fmt: skip


MUTUAL = ("spouse", "partner")
"""Relations that two articles state, one from each side."""


_MAKERS = {"novel": "novelist", "painting": "painter", "opera": "composer"}
_KEEPERS = {"novel": "publisher", "painting": "museum", "opera": "theatre"}


def fitting_role(relation: str, role: str) -> str:
    """The role that the value of a fact has, where it always has one; else empty.

    Args:
        relation: Of the fact.
        role: The role of what has the fact.

    >>> fitting_role("creator", "opera"), fitting_role("creator", "bridge"), fitting_role("founder", "museum")
    ('composer', 'architect', '')
    """
    if relation == "creator":
        return _MAKERS.get(role, "architect")
    if relation == "home":
        return _KEEPERS[role]
    return "university" if relation == "university" else ""


class Timed(NamedTuple):
    """A fact that changes over time, by its list of periods.

    Attributes:
        values: Kind of the value.
        phrase: Noun phrase for the value at a time; `{when}` is `in 1871` or `in the year in which …`.
        ask: The question for it.
        claim: A statement to check.
    """

    values: str
    phrase: str
    ask: str
    claim: str


TIMED: dict[str, Timed] = {
    "seat": Timed(
        "town",
        "the town where {x} had its seat {when}",
        "In which town did {x} have its seat {when}?",
        "{x} had its seat in {v} {when}",
    ),
    "employer": Timed(
        "organisation",
        "the organisation for which {x} worked {when}",
        "For which organisation did {x} work {when}?",
        "{x} worked for {v} {when}",
    ),
    "holder": Timed("person", "the person who was {x} {when}", "Who was {x} {when}?", "{v} was {x} {when}"),
    "winner": Timed("person", "the winner of {x} {when}", "Who won {x} {when}?", "{v} won {x} {when}"),
}

YEARS = {
    "birth_year": "{x} was born",
    "founded": "{x} was founded",
    "year": "{x} was completed",
    "opened": "{x} opened",
    "chartered": "{x} received its charter",
    "held": "{x} was held",
}
"""How a year is named by what happened in it."""

ROLE_WORDS: dict[str, dict[str, str]] = {
    "novel": {"verb": "wrote", "made": "written", "maker": "author", "keeps": "publishes"},
    "painting": {"verb": "painted", "made": "painted", "maker": "painter", "keeps": "owns"},
    "opera": {"verb": "composed", "made": "composed", "maker": "composer", "keeps": "stages"},
    "bridge": {"verb": "designed", "made": "designed", "maker": "architect"},
    "lighthouse": {"verb": "designed", "made": "designed", "maker": "architect"},
    "concert hall": {"verb": "designed", "made": "designed", "maker": "architect"},
    "observatory": {"verb": "designed", "made": "designed", "maker": "architect"},
    "university": {"unit": "students", "output": "honorary degrees", "did": "award", "done": "awarded"},
    "museum": {"unit": "objects", "output": "paintings", "did": "buy", "done": "bought"},
    "publisher": {"unit": "titles in print", "output": "novels", "did": "publish", "done": "published"},
    "theatre": {"unit": "seats", "output": "premieres", "did": "stage", "done": "staged"},
    "shipyard": {"unit": "workers", "output": "ships", "did": "launch", "done": "launched"},
    "newspaper": {"unit": "subscribers", "output": "special issues", "did": "print", "done": "printed"},
}

COMPARED: dict[str, tuple[tuple[str, bool, str], ...]] = {
    "person": (
        ("birth_year", False, "the older of the two people"),
        ("birth_year", True, "the younger of the two people"),
    ),
    "organisation": (("founded", False, "the one of the two organisations that was founded first"),),
    "building": (
        ("opened", False, "the one of the two buildings that opened first"),
        ("opened", True, "the one of the two buildings that opened last"),
    ),
    "work": (("year", False, "the one of the two works that was completed first"),),
    "town": (
        ("population", True, "the one of the two towns that has more inhabitants"),
        ("chartered", False, "the one of the two towns that received its charter first"),
    ),
    "event": (("held", False, "the one of the two events that was held first"),),
}
"""By kind: what is compared, whether the larger value is meant, and the noun phrase for the one that is meant."""

SHARED = {
    "birthplace": "was born in {v}",
    "university": "studied at {v}",
    "teacher": "was taught by {v}",
    "grave": "is buried in {v}",
}
"""What singles one winner of an award out."""
