"""Seeded, believable products: `generate_product(seed, index)` is a pure function, so any size costs no state.

Products come in families of 2 to 6 siblings of one brand, series and type, next to each other in the catalogue: every
`BLOCK` consecutive indices hold one family of each size. Siblings agree in everything, title included, but one thing:
an attribute, the values on sale of one option, or the price. Only the item's pages tell them apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from turnwise.envs.draws import Draws
from turnwise.envs.webshop import phrases
from turnwise.envs.webshop.product import Product, Review
from turnwise.envs.webshop.product_types import TYPES, ProductType
from turnwise.envs.webshop.vocabulary import OptionPool

BLOCK = 20
GENERATOR_VERSION = 1
"""Rises whenever the same (seed, index) gives another product or goal; part of a catalogue's key."""

_FAMILY_SIZES = (2, 3, 4, 5, 6)
_ASIN_SPACE = 36**8
_ASIN_STEP = 1_743_392_200_063  # coprime to 36: index → asin is one to one
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE1296 = tuple(high + low for high in _BASE36 for low in _BASE36)
_PRICE_STEP = 0.22
_KINDS: tuple[Literal["attribute", "option", "price"], ...] = ("attribute",) * 5 + ("option",) * 4 + ("price",)


class Attribute(NamedTuple):
    """One attribute and how a sentence takes it up (see `vocabulary.AttributeGroup`)."""

    text: str
    joint: str


class Family(NamedTuple):
    """What siblings share, and what they differ in.

    Attributes:
        kind: What differs: `"attribute"`, `"option"` or `"price"`.
        common: Attributes that all siblings have.
        options: Options that all siblings have; of `pivot` each has its own values.
        own_attributes: One for each sibling of an attribute family.
        own_values: One set of values for each sibling of an option family.
        slots: Sentence numbers for the attributes, and where each is written; a sibling's own comes last.
    """

    size: int
    kind: Literal["attribute", "option", "price"]
    type: ProductType
    brand: str
    series: str
    common: tuple[Attribute, ...]
    options: dict[str, tuple[str, ...]]
    pivot: str
    own_attributes: tuple[Attribute, ...]
    own_values: tuple[tuple[str, ...], ...]
    price: float
    title: str
    opening: str
    fillers: tuple[str, ...]
    slots: tuple[int, ...]
    rating: float
    reviews: tuple[Review, ...]


def generate_product(seed: int, index: int) -> Product:
    """The product at this index of the endless catalogue of this seed.

    >>> generate_product(0, 7) == generate_product(0, 7)
    True
    """
    family, member = family_of(seed, index)
    attributes = family.common
    options = family.options
    if family.kind == "attribute":
        attributes = (*attributes, family.own_attributes[member])
    elif family.kind == "option":
        options = {**options, family.pivot: family.own_values[member]}
    bullets, description = _texts(family, attributes)
    price = sibling_price(family, member)
    return Product(
        asin=asin_of(seed, index),
        title=family.title,
        query=family.type.query,
        category=family.type.department,
        product_category=family.type.path,
        price=price,
        bullet_points=bullets,
        description=description,
        options=options,
        option_prices=_surcharges(family, options),
        attributes=tuple(attribute.text for attribute in attributes),
        rating=family.rating,
        reviews=family.reviews,
    )


def siblings(seed: int, index: int) -> range:
    """Indices of the product's family, itself included. A catalogue may end in the middle of the last one."""
    start, size, _ = _place(seed, index)
    return range(start, start + size)


def family_of(seed: int, index: int) -> tuple[Family, int]:
    """The product's family and its place in it, 0-based."""
    start, size, member = _place(seed, index)
    return _family(seed, start, size), member


def sibling_price(family: Family, member: int) -> float:
    """Dollars of the sibling, without surcharges; siblings of a price family rise by about a fifth each."""
    if family.kind != "price":
        return family.price
    return round(family.price * (1 + _PRICE_STEP * member), 2)


def asin_of(seed: int, index: int) -> str:
    """Ten characters, different for every index of a seed (a one-to-one map of the index, not a hash)."""
    number = (index * _ASIN_STEP + _asin_offset(seed)) % _ASIN_SPACE
    number, d = divmod(number, 1296)
    number, c = divmod(number, 1296)
    a, b = divmod(number, 1296)
    return f"B0{_BASE1296[a]}{_BASE1296[b]}{_BASE1296[c]}{_BASE1296[d]}"


@lru_cache(maxsize=16)
def _asin_offset(seed: int) -> int:
    return Draws("asin", seed).below(_ASIN_SPACE)


def _place(seed: int, index: int) -> tuple[int, int, int]:
    """First index of the product's family, the family's size, and the product's place in it."""
    if index < 0:
        raise ValueError(f"index must be 0 or more, got {index}")
    block, rest = divmod(index, BLOCK)
    start = block * BLOCK
    for size in _block_sizes(seed, block):
        if rest < size:
            return start, size, rest
        start, rest = start + size, rest - size
    raise AssertionError("the sizes of a block's families add up to BLOCK")


@lru_cache(maxsize=64)
def _block_sizes(seed: int, block: int) -> tuple[int, ...]:
    return tuple(Draws("block", seed, block).sample(_FAMILY_SIZES, len(_FAMILY_SIZES)))


@lru_cache(maxsize=64)
def _family(seed: int, start: int, size: int) -> Family:
    draw = Draws("family", seed, start)
    kind = draw.choice(_KINDS)
    type_ = draw.choice(TYPES)
    pivots = [pool for pool in type_.options if pool.distinct]
    if kind == "option" and not pivots:
        kind = "attribute"
    common, own_attributes = _draw_attributes(draw, type_, size)
    pivot = draw.choice(pivots) if kind == "option" else None
    options = {pool.name: _draw_values(draw, pool) for pool in type_.options}
    brand = draw.choice(phrases.BRAND_STARTS) + draw.choice(phrases.BRAND_MIDDLES) + draw.choice(phrases.BRAND_ENDS)
    series = draw.choice(phrases.SERIES)
    return Family(
        size=size,
        kind=kind,
        type=type_,
        brand=brand,
        series=series,
        common=common,
        options=options,
        pivot=pivot.name if pivot else "",
        own_attributes=own_attributes,
        own_values=_draw_value_sets(draw, pivot, size) if pivot else (),
        price=_draw_price(draw, type_.prices),
        title=_title(draw, f"{brand} {series}", type_.noun, common),
        opening=draw.choice(phrases.OPENINGS).format(name=f"{brand} {series}", noun=type_.noun),
        fillers=tuple(draw.sample(phrases.FILLERS, 1 + draw.below(2))),
        slots=tuple(draw.below(1 << 10) for _ in range(len(common) + 1)),
        rating=3.0 + draw.below(20) / 10,
        reviews=tuple(Review(*review) for review in draw.sample(phrases.REVIEWS, draw.below(4))),
    )


def _draw_attributes(draw: Draws, type_: ProductType, size: int) -> tuple[tuple[Attribute, ...], tuple[Attribute, ...]]:
    """Attributes that all siblings share (one from each group but one, 3 at most), and one more for each sibling."""
    own, *shared = draw.sample(type_.groups, len(type_.groups))
    common = tuple(Attribute(draw.choice(group.words), group.joint) for group in shared[:3])
    taken = {attribute.text for attribute in common}
    alternatives = [word for word in own.words if word not in taken]
    return common, tuple(Attribute(word, own.joint) for word in draw.sample(alternatives, size))


def _draw_values(draw: Draws, pool: OptionPool) -> tuple[str, ...]:
    """6 to 9 values in the pool's order, or all where the pool has fewer."""
    chosen = draw.sample(range(len(pool.values)), min(6 + draw.below(4), len(pool.values)))
    return tuple(pool.values[i] for i in sorted(chosen))


def _draw_value_sets(draw: Draws, pool: OptionPool, size: int) -> tuple[tuple[str, ...], ...]:
    """Values on sale for each sibling; no value is sold by two of them."""
    width = min(4, len(pool.values) // size)
    shuffled = draw.sample(pool.values, width * size)
    return tuple(tuple(sorted(shuffled[i * width : (i + 1) * width])) for i in range(size))


def _draw_price(draw: Draws, bounds: tuple[int, int]) -> float:
    """Skewed towards the low end, as prices are."""
    low, high = bounds
    dollars = low + min(draw.below(high - low), draw.below(high - low))
    return dollars + draw.choice((0.99, 0.49, 0.95, 0.0, 0.79))


def _surcharges(family: Family, options: dict[str, tuple[str, ...]]) -> dict[str, dict[str, float]]:
    """What larger sizes and packs cost more: nothing for the cheapest value on sale, `pool.spread` for the dearest."""
    return {
        pool.name: {
            value: round(family.price * pool.spread * steps / (len(options[pool.name]) - 1), 2)
            for steps, value in enumerate(options[pool.name])
            if steps
        }
        for pool in family.type.options
        if pool.spread
    }


def _title(draw: Draws, name: str, noun: str, common: tuple[Attribute, ...]) -> str:
    """Brand, series, noun and up to two of the shared attributes, in one of three orders."""
    shown = draw.sample(common, draw.below(3))
    before = " ".join(a.text for a in shown if not a.joint)
    after = ", ".join(f"{a.joint} {a.text}" for a in shown if a.joint)
    layout = draw.choice(phrases.TITLES)
    text = layout.format(name=name, before=before, noun=noun, after=after)
    return _capitalised(" ".join(text.replace(" ,", ",").split()).strip(", "))


def _capitalised(text: str) -> str:
    small = ("with", "for", "by", "and", "of")
    return " ".join(word if word in small else "-".join(map(_upper_first, word.split("-"))) for word in text.split())


def _texts(family: Family, attributes: tuple[Attribute, ...]) -> tuple[tuple[str, ...], str]:
    """Bullet points and description: every attribute is written in one of the two, or in both."""
    bullets: list[str] = []
    told: dict[str, list[str]] = {}
    for attribute, slot in zip(attributes, family.slots, strict=False):
        where, which = slot % 5, slot // 5
        if where != 0:
            bullets.append(
                _upper_first(_pick(phrases.BULLETS[attribute.joint], which).format(attribute=attribute.text))
            )
        if where <= 1:
            told.setdefault(attribute.joint, []).append(attribute.text)
    sentences = [
        _pick(phrases.DESCRIPTIONS[joint], family.slots[0]).format(attributes=(" and " if joint else ", ").join(texts))
        for joint, texts in told.items()
    ]
    return (*bullets, *family.fillers), " ".join((family.opening, *sentences))


def _pick(templates: tuple[str, ...], which: int) -> str:
    return templates[which % len(templates)]


def _upper_first(text: str) -> str:
    return text[0].upper() + text[1:]
