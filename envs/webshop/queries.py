"""Search queries made of an instruction's own words: what an agent can type without knowing the product."""

from __future__ import annotations

import re
from functools import lru_cache

# "with a price lower than 40.00 dollars", "and price lower than 40.00 dollars", "that costs no more than $40", …
_PRICE = re.compile(
    r"[,;.]?\s*\b(?:and|with|for|that|which|at)?\s*(?:is|are|has)?\s*(?:a|an|the|my)?\s*"
    r"(?:price|priced|prices|cost|costs|costing|budget|less than|under|below|lower than|no more than)\b"
    r"[^,;.?!$\d]{0,40}\$?\s*\d+(?:\.\d+)?\s*(?:dollars|usd|\$)?",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?:,\s*(?:and\b|with\b)?|\bwith\b|\band\b)\s*(?:(?!with\b|and\b)\w+ ?){1,3}:\s*([^,;:]+)", re.IGNORECASE
)
_JOINT = re.compile(r"\b(?:with|for|that|which|in|made|from|having)\b|[.;:?!]\s|\s[-–(]", re.IGNORECASE)
_CONTAINER = re.compile(
    r"\b(?:bags?|bottles?|box(?:es)?|jars?|pairs?|sets?|tubs?|packs?|cans?) of\b(?! \d)", re.IGNORECASE
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FILLER_WORDS = (
    "a about also am an and any are as at be been buy by can come comes could do dollars find for "
    "from get give go good got has have having help here hi i i'd i'm id if im in into is it item its kind like look "
    "looking lower made make me might more most must my need needs no not of on one or our out pair please "
    "product really see shop should show so some something than that the them there these they thing this "
    "those to type up us use want wants was we what which will with would you your price priced less under "
    "below"
)
_FILLER = frozenset(_FILLER_WORDS.split())


def keyword_queries(instruction: str) -> tuple[str, ...]:
    """3 or 4 different queries, most specific first; fewer where the instruction has few words. Never empty strings.

    In order: everything asked for; without the option values; the head of the request; its last two words, which
    usually name the kind of product. The price clause and filler words are left out throughout.

    >>> keyword_queries("I need a pair of breathable running shoes with arch support, color: teal, priced under 50.00 dollars.")
    ('breathable running shoes arch support teal', 'breathable running shoes arch support', 'breathable running shoes', 'running shoes')
    """  # noqa: E501
    wish = _CONTAINER.sub(" ", _PRICE.sub(" ", instruction))
    everything = _content(_OPTION.sub(r" \1", wish))
    without_options = _content(_OPTION.sub(" ", wish))
    head = _head(wish)
    queries = (everything, without_options, head, head[-2:])
    return tuple(dict.fromkeys(" ".join(words) for words in queries if words))


@lru_cache(maxsize=1024)
def suggested_queries(instruction: str) -> tuple[str, ...]:
    """What to offer to whoever picks from a list: all words asked for, and each of them alone.

    >>> suggested_queries("I need a red mug, priced under 9.00 dollars.")
    ('red mug', 'red', 'mug')
    """
    everything = next(iter(keyword_queries(instruction)), "")
    return tuple(dict.fromkeys(filter(None, (everything, *everything.split()))))


def _head(wish: str) -> tuple[str, ...]:
    """Content words of the first phrase that has any, up to "with", "for" and the like."""
    phrases = _JOINT.split(_OPTION.split(wish, maxsplit=1)[0])
    return next((words for words in map(_content, phrases) if words), ())


def _content(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(w for w in _WORD.findall(text.lower()) if w not in _FILLER))
