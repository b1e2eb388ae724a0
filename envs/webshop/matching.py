"""How well a purchase fits a goal: the matching rules of the published WebShop reward.

Source: Yao et al. 2022 (arXiv 2207.01206), §3.3 and its code, `web_agent_site/engine/goal.py`. One deviation: the
original finds a title's nouns with a spaCy tagger, we with rules (`content_words`); pass another `nouns` to change it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from rapidfuzz import fuzz, utils

from turnwise.envs.webshop.product import CATEGORY_SEPARATOR, Goal, Product
from turnwise.rewards.outcome import purchase_reward

MATCH_THRESHOLD = 85.0
"""A token-set ratio above this (0 to 100) counts as a match, for attributes and options alike."""

COLORS = (
    *("amber", "apricot", "aqua", "azure", "beige", "black", "blue", "blush", "bronze", "brown", "burgundy", "camel"),
    *("caramel", "champagne", "charcoal", "chocolate", "cobalt", "coffee", "copper", "coral", "cream", "crimson"),
    *("denim", "emerald", "fuchsia", "gold", "graphite", "gray", "green", "grey", "indigo", "ivory", "khaki"),
    *("lavender", "lilac", "lime", "magenta", "maroon", "mauve", "mint", "multicolor", "mustard", "navy", "nude"),
    *("olive", "orange", "peach", "pearl", "pewter", "pink", "plum", "purple", "rainbow", "red", "rose", "ruby"),
    *("rust", "sapphire", "scarlet", "silver", "slate", "tan", "taupe", "teal", "turquoise", "violet", "walnut"),
    *("white", "wine", "yellow"),
)

_WORD = re.compile(r"[^\W\d_]{2,}")
_FUNCTION_WORDS_AND_UNITS = (
    "a an and are as at best big by extra for free from fresh great high in into is it its large light long low "
    "made medium mini more new non of off on one or our out over pack per perfect plus premium pure real set "
    "short size slim small soft solid super that the this to two three ultra up very wide with without x xl xx "
    "you your inch inches oz ounce ounces ft foot feet cm mm lb lbs kg ml count pcs piece pieces women's men's"
)
_NOT_NOUNS = frozenset(_FUNCTION_WORDS_AND_UNITS.split())
_ADJECTIVE_ENDINGS = ("able", "ible", "ful", "less", "ous", "ical", "ive", "ly", "ant", "ent", "ish", "est")


def content_words(title: str) -> tuple[str, ...]:
    """Words of a title that are probably nouns, in order and with repeats; stands in for a part-of-speech tagger.

    Drops numbers, units, function words, and words with an adjective's or adverb's ending.

    >>> content_words("Velora Breathable Running Shoes for Women, Pack of 2")
    ('velora', 'running', 'shoes', 'women')
    """
    words = _WORD.findall(title.lower())
    return tuple(w for w in words if w not in _NOT_NOUNS and not (len(w) > 5 and w.endswith(_ADJECTIVE_ENDINGS)))


def type_score(product: Product, goal: Goal, nouns: Callable[[str], Iterable[str]] = content_words) -> float:
    """r_type in {0, 0.1, 0.5, 1}: is this the kind of product that was asked for?

    1 where the query is equal, or two category names are shared, or more than a fifth of the goal title's nouns occur
    in the product's title; else 0.5. Below a tenth of the nouns it is 0.1 and with none 0, whatever the categories say.
    """
    wanted = list(nouns(goal.title))
    shared = len(set(wanted) & set(nouns(product.title)))
    title_score = shared / len(wanted) if wanted else 0.2
    if title_score == 0.0:
        return 0.0
    if title_score < 0.1:
        return 0.1
    names = _category_names(product.product_category) & _category_names(goal.product_category)
    alike = product.query == goal.query or len(names) >= 2 or title_score > 0.2
    return 1.0 if alike else 0.5


def matched_attributes(product: Product, goal: Goal) -> tuple[str, ...]:
    """The goal's attributes that the product has: listed (fuzzily), or verbatim in its title, features, description."""
    texts = (product.title.lower(), " ".join(product.bullet_points).lower(), product.description.lower())
    return tuple(
        wanted
        for wanted in goal.attributes
        if any(alike(has, wanted) for has in product.attributes) or any(wanted in text for text in texts)
    )


def matched_options(goal: Goal, options: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the goal's options that some chosen option's value satisfies (by value; the name is not compared)."""
    chosen = [normalize_color(value) for value in options.values()]
    return tuple(
        name for name, wanted in goal.options.items() if any(alike(c, normalize_color(wanted)) for c in chosen)
    )


def alike(a: str, b: str) -> bool:
    """Token-set ratio above 85, after lower-casing and dropping punctuation. A subset of words counts as equal.

    >>> alike("essential oil", "essential oils"), alike("x-large", "large"), alike("16 gb", "32 gb")
    (True, True, False)
    """
    return fuzz.token_set_ratio(a, b, processor=utils.default_process) > MATCH_THRESHOLD


def normalize_color(value: str) -> str:
    """The first colour of `COLORS` that the value contains, or the value itself.

    >>> normalize_color("navy blue"), normalize_color("x-large")
    ('blue', 'x-large')
    """
    lowered = value.lower()
    return next((color for color in COLORS if color in lowered), lowered)


def score_purchase(
    product: Product,
    goal: Goal,
    options: Mapping[str, str],
    price: float,
    nouns: Callable[[str], Iterable[str]] = content_words,
) -> dict[str, float]:
    """The published reward of buying `product` with these options at this price, and its parts.

    A price cap of 0 or less counts as satisfied (the original has no value there and fails). `r_attributes` and
    `r_options` are 1 where the goal asks for none.

    Returns:
        `r_type`, `r_attributes`, `r_options`, `r_price`, `reward`, all in [0, 1].
    """
    attributes, chosen = len(matched_attributes(product, goal)), len(matched_options(goal, options))
    price_ok = goal.price_cap <= 0 or price <= goal.price_cap
    r_type = type_score(product, goal, nouns)
    num_attributes, num_options = len(goal.attributes), len(goal.options)
    return {
        "r_type": r_type,
        "r_attributes": attributes / num_attributes if num_attributes else 1.0,
        "r_options": chosen / num_options if num_options else 1.0,
        "r_price": float(price_ok),
        "reward": purchase_reward(
            attributes, chosen, price_ok, r_type, num_attributes=num_attributes, num_options=num_options
        ),
    }


def _category_names(path: str) -> frozenset[str]:
    return frozenset(name.strip() for name in path.split(CATEGORY_SEPARATOR.strip()))
