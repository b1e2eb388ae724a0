"""What the shop sells and what a shopper wants: `Product`, `Review` and `Goal`, plain records that survive JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

CATEGORY_SEPARATOR = " › "
NO_PRICE_CAP = 1_000_000.0
"""The cap of a goal that states no price, as in the original."""


@dataclass(frozen=True, slots=True)
class Review:
    """One customer review; `rating` is in stars, 1 to 5."""

    rating: float
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Product:
    """One item of the shop.

    Attributes:
        asin: Identifier of at most 10 characters, unique in a catalogue.
        title: The line that a results page shows.
        query: The search phrase that the item is filed under, lower case; equal queries mean the same product type.
        category: The department, for example `"beauty"`.
        product_category: Path of category names joined by `" › "`.
        price: Dollars, without surcharges of options.
        price_range: What the page shows where the original lists `$low to $high`; `price` then lies inside it.
        bullet_points: The "Features" page.
        description: The "Description" page.
        options: Option name → values to choose from, both lower case.
        option_prices: Option name → value → dollars added by that choice; values that are free are absent.
        attributes: What the reward may ask for, lower case. Not shown on the item's page.
        rating: Stars, 1 to 5; `None` where unknown.
        reviews: The "Reviews" page; empty in the original's data.
    """

    asin: str
    title: str
    query: str
    category: str
    product_category: str
    price: float
    price_range: tuple[float, float] | None = None
    bullet_points: tuple[str, ...] = ()
    description: str = ""
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    option_prices: dict[str, dict[str, float]] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    rating: float | None = None
    reviews: tuple[Review, ...] = ()

    def price_for(self, options: Mapping[str, str]) -> float:
        """Dollars to pay with these options chosen; unknown names and values cost nothing extra.

        >>> cable = Product("B000000001", "Cable", "cables", "electronics", "Electronics › Cables", 5.0,
        ...                 options={"length": ("1 m", "3 m")}, option_prices={"length": {"3 m": 2.5}})
        >>> cable.price_for({"length": "3 m"})
        7.5
        """
        extra = sum(self.option_prices.get(name, {}).get(value, 0.0) for name, value in options.items())
        return round(self.price + extra, 2)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON types, without fields that hold their default."""
        record = {name: getattr(self, name) for name in _PRODUCT_FIELDS}
        record["reviews"] = [{"rating": r.rating, "title": r.title, "body": r.body} for r in self.reviews]
        return {name: value for name, value in record.items() if value or name in _REQUIRED}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Product:
        """Rebuild a product from `to_json`, also after a trip through JSON text (lists become tuples again)."""
        known = dict(record)
        known["bullet_points"] = tuple(known.get("bullet_points", ()))
        known["attributes"] = tuple(known.get("attributes", ()))
        known["options"] = {name: tuple(values) for name, values in known.get("options", {}).items()}
        known["reviews"] = tuple(Review(**review) for review in known.get("reviews", ()))
        if known.get("price_range"):
            low, high = known["price_range"]
            known["price_range"] = (low, high)
        return cls(**known)


_PRODUCT_FIELDS = tuple(f.name for f in fields(Product))
_REQUIRED = frozenset({"asin", "title", "query", "category", "product_category", "price"})


@dataclass(frozen=True, slots=True)
class Goal:
    """What the shopper wants: the instruction, and what the reward checks against.

    Attributes:
        asin: The product the goal was written for (gold). Others may satisfy the goal as well.
        query: `Product.query` of the gold product; with `product_category` and `title` it decides the type score.
        category: The gold product's department.
        product_category: The gold product's category path.
        title: The gold product's title.
        instruction: What the agent reads. States every attribute, option value and the price cap.
        attributes: Wanted attributes.
        options: Wanted option name → value.
        price_cap: Highest acceptable price in dollars; `NO_PRICE_CAP` where none is stated.
    """

    asin: str
    query: str
    category: str
    product_category: str
    title: str
    instruction: str
    attributes: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    price_cap: float = NO_PRICE_CAP

    def to_json(self) -> dict[str, Any]:
        """The record as JSON types."""
        return {name: getattr(self, name) for name in _GOAL_FIELDS}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Goal:
        """Rebuild a goal from `to_json`, also after a trip through JSON text."""
        return cls(**{**record, "attributes": tuple(record["attributes"])})


_GOAL_FIELDS = tuple(f.name for f in fields(Goal))


def stable_fraction(*key: object) -> float:
    """A number in [0, 1) that depends on `key` alone: the same in every process and on every machine.

    >>> stable_fraction("price", "B000000001") == stable_fraction("price", "B000000001")
    True
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48
