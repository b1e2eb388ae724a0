"""Articles: a country's facts in varied words, among sentences that matter to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from turnwise.envs.draws import Draws
from turnwise.envs.search_qa.world.entities import Country, Entity, Period, Side
from turnwise.envs.search_qa.world.relations import RELATIONS, ROLE_WORDS

ENCYCLOPAEDIA, REGISTER, HEARSAY = "encyclopaedia", "register", "hearsay"
"""Sources in the words of the last line of every document."""

_WITH_THE = ("award", "event", "river", "building")
_LEADS = {
    "country": "{title} is a country of eight towns and three rivers.",
    "town": "{title} is a town in {country}.",
    "river": "The {title} is a river in {country}.",
    "person": "{title} was {role} from {country}.",
    "organisation": "{title} is {role} in {country}. How {title} got its name has been forgotten.",
    "work": "{title} is {role} from {country}.",
    "building": "The {title} is {role} in {country}.",
    "event": "The {title} was {role} in {country}.",
    "office": "{title} is a public office in {country}.",
    "award": "The {title} is an award of {country}.",
}
_FILLERS = {
    "person": (
        "The correspondence with {person} fills three volumes.",
        "A journey to {town} left a lasting impression.",
        "Later writers compared the early years with those of {person}, without good reason.",
        "A cabinet of curiosities was sold after a quarrel with {person}.",
        "Long walks and a fear of horses are recorded in the diaries.",
        "A lawsuit against {house} ended without a verdict.",
    ),
    "organisation": (
        "An anniversary volume mentions {person} only in passing.",
        "A fire delayed an extension that had been planned with {house}.",
        "The archive holds a sketch of {town} that nobody has explained.",
        "During two winters the doors stayed shut for want of coal.",
    ),
    "work": (
        "Critics drew a comparison with {work} that did not last.",
        "A first version, which mentions {town}, was burnt.",
        "It was forgotten for a generation and found again by accident.",
        "A parody of it was laid at the door of {person}.",
    ),
    "building": (
        "A storm damaged the roof in its third winter.",
        "The stone came by cart from {town}, as an old bill shows.",
        "A postcard of it, sent to {person}, is kept under glass.",
    ),
    "town": (
        "A chronicle mentions a dispute with {town} about fishing rights.",
        "The market is held on the second Tuesday of the month.",
        "Its coat of arms has been taken for that of {town} more than once.",
        "A map drawn by {person} shows two gates that are gone.",
    ),
    "river": (
        "Old maps confuse its course with the road to {town}.",
        "In dry summers it can be crossed on foot.",
        "A ballad about it names {person} in the third verse.",
    ),
    "event": (
        "Rain fell on all days but one.",
        "A quarrel about the seats of guests from {town} filled the papers.",
        "The printed programme carries an advertisement for {house}.",
    ),
    "office": ("The chain of office was once pawned.", "A dispute with {house} led to new rules."),
    "award": ("The statutes have been changed once, after a protest by {house}.", "The medal is of silver."),
    "country": ("Its only railway, once planned as far as {town}, has been closed.",),
}
_NAMED_IN_PASSING = {"person": "person", "town": "town", "house": "organisation", "work": "work"}


def articles(country: Country) -> Iterator[tuple[str, str]]:
    """The hundred documents of a country as (title, text): entities, disambiguations, redirects, registers, hearsay.

    >>> from turnwise.envs.search_qa.world.country import country
    >>> documents = list(articles(country(0, 3)))
    >>> len(documents), documents[0][1].splitlines()[0]
    (100, 'Lansereach is a country of eight towns and three rivers.')
    """
    for entity in country.entities:
        yield entity.title, _article(country, entity)
    shared = sorted({entity.name for entity in country.entities if entity.qualified})
    for name in shared:
        meant = [entity for entity in country.entities if entity.name == name]
        lines = [f"- {entity.title}: {_a(entity.role)} from {country.entities[0].name}" for entity in meant]
        yield f"{name} (disambiguation)", "\n".join([f"{name} may mean:", *lines])
    for entity in country.entities:
        if entity.alias:
            yield entity.alias, f"{entity.alias} is another name of {mention(entity)}; see there."
    for side in country.registers:
        yield f"Civil register: {country.entities[side.subject].title}", _register(country, side)
    for side in country.rumours:
        yield f"Heard in the market: {country.entities[side.subject].title}", _rumour(country, side)


def mention(entity: Entity) -> str:
    """An entity in running text: its title, with the article where one is usual."""
    return f"the {entity.title}" if entity.kind in _WITH_THE else entity.title


def value_text(country: Country, subject: int, relation: str) -> str:
    """The value of a fact in running text."""
    value = country.facts[subject, relation]
    return mention(country.entities[value.entity]) if value.entity >= 0 else value.text


def words_of(entity: Entity) -> dict[str, str]:
    """The words that fit an entity's role (see `relations`)."""
    return ROLE_WORDS.get(entity.role, {})


def _article(country: Country, entity: Entity) -> str:
    draw = Draws("article", country.seed, country.number, entity.index)
    lead = _LEADS[entity.kind].format(title=entity.title, role=_a(entity.role), country=country.entities[0].name)
    if entity.alias:
        lead += f" Another name is {entity.alias}."
    sentences = [_fact(country, entity, relation, draw) for relation in country.relations_of(entity)]
    sentences += [
        RELATIONS[relation].unknown.format(s=_subject(entity, draw), x=mention(entity), **words_of(entity))
        for (subject, relation), stated in country.missing.items()
        if subject == entity.index and stated
    ]
    sentences += _changing(country, entity, draw)
    passing = {word: _another(country, kind, entity, draw) for word, kind in _NAMED_IN_PASSING.items()}
    sentences += [filler.format(**passing) for filler in draw.sample(_FILLERS[entity.kind], 2)]
    sentences = [sentence for sentence in sentences if sentence]
    body = " ".join(_upper_first(sentence) for sentence in draw.sample(sentences, len(sentences)))
    return "\n".join([lead, body, *_lists(country, entity), f"Source: {ENCYCLOPAEDIA}"])


def _fact(country: Country, entity: Entity, relation: str, draw: Draws) -> str:
    key = entity.index, relation
    about = RELATIONS[relation]
    if key in country.rumoured:
        wrong = country.rumoured[key].text
        wonder = about.wonder.format(**words_of(entity))
        return f"{wonder} is usually given as {wrong}, but the civil register has another entry."
    if not about.tells:
        return ""
    value = value_text(country, *key)
    return draw.choice(about.tells).format(s=_subject(entity, draw), x=mention(entity), v=value, **words_of(entity))


def _another(country: Country, kind: str, entity: Entity, draw: Draws) -> str:
    """Something of a kind that has nothing to do with an entity."""
    others = country.of_kind(kind)
    place = draw.below(len(others))
    return others[place if others[place] is not entity else place - 1].title


def _subject(entity: Entity, draw: Draws) -> str:
    """The subject of a sentence: the name, or what the thing is."""
    return mention(entity) if draw.below(2) else f"the {entity.role}"


def _changing(country: Country, entity: Entity, draw: Draws) -> list[str]:
    index = entity.index
    if seats := country.periods.get((index, "seat")):
        past = [f"in {p.value.text} from {p.start} to {p.end}" for p in seats[:-1]]
        since = f"in {seats[-1].value.text} since {seats[-1].start}"
        return [f"It was based {', '.join(past)}, and has been {since}." if past else f"It has been based {since}."]
    if employers := country.periods.get((index, "employer")):
        jobs = [f"for {p.value.text} from {p.start} to {p.end}" for p in employers]
        return [f"{_subject(entity, draw)} worked {', then '.join(jobs)}."]
    return []


def _lists(country: Country, entity: Entity) -> list[str]:
    index = entity.index
    if holders := country.periods.get((index, "holder")):
        return ["Holders:", *(f"- {_years(p)}: {p.value.text}" for p in holders)]
    if winners := country.periods.get((index, "winner")):
        return ["Winners:", *(f"- {p.start}: {p.value.text}" for p in winners)]
    if output := country.outputs.get(index):
        return [f"{_upper_first(words_of(entity)['output'])} by year: " + ", ".join(f"{y}: {n}" for y, n in output)]
    return []


def _years(period: Period) -> str:
    return f"{period.start} to {period.end}" if period.end else f"since {period.start}"


def _register(country: Country, side: Side) -> str:
    entity = country.entities[side.subject]
    draw = Draws("register", country.seed, country.number, side.subject)
    told = draw.choice(RELATIONS[side.relation].tells).format(
        s=mention(entity), x=mention(entity), v=value_text(country, side.subject, side.relation), **words_of(entity)
    )
    entry = f"Entry of the civil register of {country.entities[0].name} about {mention(entity)}."
    return "\n".join([f"{entry} {_upper_first(told)} The entry was made at the time.", f"Source: {REGISTER}"])


def _rumour(country: Country, side: Side) -> str:
    entity = country.entities[side.subject]
    claim = RELATIONS[side.relation].claim.format(
        x=mention(entity), v=mention(country.entities[side.value.entity]), **words_of(entity)
    )
    return "\n".join(
        [f"It is said in the market that {claim}. Nobody can say who said so first.", f"Source: {HEARSAY}"]
    )


def _a(role: str) -> str:
    return f"{'an' if role[0] in 'aeio' else 'a'} {role}"


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
