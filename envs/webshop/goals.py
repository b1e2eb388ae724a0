"""What a shopper asks for: `generate_goal` writes an instruction that a generated product fulfils.

The instruction states every attribute and option value word for word, and a price bound above the product's price,
and asks for what sets the product apart from its siblings.
"""

from __future__ import annotations

import math

from turnwise.envs.draws import Draws
from turnwise.envs.webshop.generator import Family, family_of, sibling_price
from turnwise.envs.webshop.product import Goal, Product

_REQUESTS = (
    "I am looking for {thing}{options}, {price}.",
    "I need {thing}{options}, {price}.",
    "Find me {thing}{options}, {price}.",
    "I would like to buy {thing}{options}, {price}.",
    "Please get me {thing}{options}, {price}.",
    "Can you find {thing}{options}, {price}?",
    "I want {thing}{options}, {price}.",
    "Looking for {thing}{options}, {price}.",
)
_PRICES = (
    "with a price lower than {cap:.2f} dollars",
    "and price lower than {cap:.2f} dollars",
    "priced under {cap:.2f} dollars",
    "for less than {cap:.2f} dollars",
    "that costs no more than {cap:.2f} dollars",
)


def generate_goal(product: Product, seed: int, index: int, variant: int = 0) -> Goal:
    """A goal that this product fulfils; pure in its arguments.

    Args:
        product: `generate_product(seed, index)`.
        seed: The catalogue's seed.
        index: The product's index.
        variant: Which of the product's goals; others ask for other attributes, options, words and bounds.

    >>> from turnwise.envs.webshop.generator import generate_product
    >>> goal = generate_goal(generate_product(0, 16), 0, 16)
    >>> goal.query, goal.attributes, goal.options
    ('water bottles', ('lightweight',), {'color': 'turquoise', 'volume': '12 fl oz'})
    """
    family, member = family_of(seed, index)
    draw = Draws("goal", seed, index, variant)
    attributes = _wanted_attributes(draw, product, family)
    options = _wanted_options(draw, product)
    cap = _price_cap(product.price_for(options), family, member)
    return Goal(
        asin=product.asin,
        query=product.query,
        category=product.category,
        product_category=product.product_category,
        title=product.title,
        instruction=_instruction(draw, family, attributes, options, cap),
        attributes=attributes,
        options=options,
        price_cap=cap,
    )


def _wanted_attributes(draw: Draws, product: Product, family: Family) -> tuple[str, ...]:
    """1 to 3 of the product's attributes: the one its siblings lack, then those that its title does not give away."""
    own = product.attributes[-1:] if family.kind == "attribute" else ()
    others = [attribute for attribute in product.attributes if attribute not in own]
    others = draw.sample(others, len(others))
    others.sort(key=lambda attribute: attribute in product.title.lower())
    return (*own, *others)[: 1 + draw.below(3)]


def _wanted_options(draw: Draws, product: Product) -> dict[str, str]:
    """A value for each of the product's options."""
    return {name: draw.choice(values) for name, values in product.options.items()}


def _price_cap(price: float, family: Family, member: int) -> float:
    """The next multiple of five (two below 20 dollars) above the price: a budget without much slack.

    In a price family it lies half-way to the next dearer sibling instead.
    """
    if family.kind == "price" and member + 1 < family.size:
        gap = sibling_price(family, member + 1) - sibling_price(family, member)
        return round(price + gap / 2, 2)
    step = 2 if price < 20 else 5
    return float(step * (math.floor(price / step) + 1))


def _instruction(draw: Draws, family: Family, attributes: tuple[str, ...], options: dict[str, str], cap: float) -> str:
    joints = {word: group.joint for group in family.type.groups for word in group.words}
    before = ", ".join(a for a in attributes if not joints[a])
    after = [_joined(joint, [a for a in attributes if joints[a] == joint]) for joint in ("with", "for")]
    thing = " ".join(filter(None, [before, family.type.noun, *after]))
    chosen = "".join(f", {name}: {value}" for name, value in options.items())
    price = draw.choice(_PRICES).format(cap=cap)
    return draw.choice(_REQUESTS).format(thing=f"{_article(family, thing)} {thing}", options=chosen, price=price)


def _joined(joint: str, attributes: list[str]) -> str:
    return f"{joint} {' and '.join(attributes)}" if attributes else ""


def _article(family: Family, thing: str) -> str:
    if family.type.article not in ("a", "an"):
        return family.type.article
    silent_vowel = thing.startswith(("uv ", "usb "))
    return "an" if thing[0] in "aeiou" and not silent_vowel else "a"
