"""Which generated world is meant, and where in it a document, a question and a claim stand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from turnwise.envs.search_qa.world.entities import ARTICLES
from turnwise.envs.search_qa.world.questions import PLAN

WORLD_VERSION = 1
"""Rises whenever the same seed gives another article, question or claim; part of a world's key."""
MIN_ARTICLES, MAX_ARTICLES = ARTICLES, 1_000_000
_MOST_TASKS = 100_000


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """A world by its size and seed.

    Args:
        articles: How many; 100 to 1,000,000. A hundred make a country; about the last one, if it is not whole, nothing
            is asked.
        seed: Of everything in it.

    Raises:
        ValueError: A number is out of range or no integer.

    >>> WorldSpec(10_000, 0).name, WorldSpec(10_000, 0).tasks_per_country
    ('searchqa-10000-0', 50)
    """

    articles: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.articles, bool) or not isinstance(self.articles, int):
            raise ValueError(f"articles must be an int, got {self.articles!r}")
        if not MIN_ARTICLES <= self.articles <= MAX_ARTICLES:
            raise ValueError(f"articles must lie in [{MIN_ARTICLES}, {MAX_ARTICLES}], got {self.articles}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ValueError(f"world_seed must be an int, got {self.seed!r}")

    @property
    def name(self) -> str:
        """Short and the same on every machine; task ids begin with it."""
        return f"searchqa-{self.articles}-{self.seed}"

    @property
    def whole_countries(self) -> int:
        """Countries about which is asked."""
        return self.articles // ARTICLES

    @property
    def tasks_per_country(self) -> int:
        """Questions, and as many claims, about each country: 50, and fewer in worlds of more than 200,000 articles."""
        return max(10, min(len(PLAN), _MOST_TASKS // self.whole_countries))

    def key(self) -> str:
        """16 hex digits of all that decides what is on the disk."""
        return hashlib.sha256(repr((WORLD_VERSION, self.articles, self.seed)).encode()).hexdigest()[:16]
