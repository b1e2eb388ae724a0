"""Invented names: the n-th of each class is a pure function of seed and n, and no two of a class are equal.

Names are built of syllables; each class has endings of its own, so that a town is never called as a family is.
Numbers are spread over all combinations by a one-to-one map, so that neighbours do not sound alike.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

from turnwise.envs.draws import Draws

_words = str.split
_FIRST = _words(
    "Bar Bel Bor Cal Cor Dar Del Dor Fal Fen Gar Gol Hal Har Jor Kal Kar Kel Lan Lor Mar Mel Mor Nar Nel Nor Ol Or Pal "
    "Pel Quen Ral Ran Rel Sal Sar Sel Sor Tal Tar Tel Tor Ul Val Var Vel Vor Wal War Wel Yar Zal Zor Bryn Cres Dres "
    "Fros Gris Kros Plen Stel Tren Vren Skal"
)
_MIDDLE = [consonant + vowel for consonant in "dklmnrstvgbp" for vowel in "aeio"]
_TOWN = _words(
    "vik stad mere ford holm wick moor gate dale haven brook fell garth combe minster stow thorpe hurst mouth cliff "
    "ness port shaw worth den ley low mont rise sund tarn vale water weir wold wyke bourne cote dun firth"
)
_FAMILY = _words(
    "rik vek dahn mond quist sar tov wen zik bern cott dler fant gren hult jarn kov lund mar nett pold rast sken tann "
    "umer vost wyl yard zell brand crest drun fisk gast hoff jell krant lisk moss nard"
)
_THING = [c + end for c in "bdfgklmnprstvwyz" for end in _words("ane ell ine ora une eth ian os um is ax ey")]
_COUNTRY = _words("ria nia via land mark reach onia avia")
_GIVEN_FIRST = _words(
    "Ad Al An Ar Bel Cas Cor Dan Del Ed El Em Er Fal Gar Hel Hen Il Is Jas Jor Kat Lar Len Lor Mar Mel Mir Nat Nor Ol "
    "Or Per Ros Sel Tam Tor Ul Val Wil"
)
_GIVEN_LAST = _words(
    "avro edru ikal iven ondo orim ustel emor aelin issom olfa urien eska andru imel orva ethin aska undel irro enko "
    "arli ostin elva imond"
)

_COINED = len(_FIRST) * len(_MIDDLE)
_STEP = 1_000_003 * 7_919  # a prime times a prime that divide none of the spaces below


def town_name(seed: int, number: int) -> str:
    """A town: one word.

    >>> town_name(0, 0) != town_name(0, 1)
    True
    """
    return _coined("town", seed, number, _TOWN)


def country_name(seed: int, number: int) -> str:
    """A country: one word."""
    return _coined("country", seed, number, _COUNTRY)


def thing_name(seed: int, number: int) -> str:
    """A word to call a bridge, a prize, a company or a book by."""
    return _coined("thing", seed, number, _THING)


def person_name(seed: int, number: int) -> str:
    """A given and a family name."""
    families = _COINED * len(_FAMILY)
    givens = len(_GIVEN_FIRST) * len(_GIVEN_LAST)
    place = _spread("person", seed, number, families * givens)
    given, family = divmod(place, families)
    first, last = divmod(given, len(_GIVEN_LAST))
    return f"{_GIVEN_FIRST[first]}{_GIVEN_LAST[last]} {_word(family, _FAMILY)}"


def _coined(kind: str, seed: int, number: int, endings: list[str]) -> str:
    return _word(_spread(kind, seed, number, _COINED * len(endings)), endings)


def _word(place: int, endings: list[str]) -> str:
    place, ending = divmod(place, len(endings))
    first, middle = divmod(place, len(_MIDDLE))
    return _FIRST[first] + _MIDDLE[middle] + endings[ending]


def _spread(kind: str, seed: int, number: int, space: int) -> int:
    """A one-to-one map of [0, space)."""
    if not 0 <= number < space:
        raise ValueError(f"there are {space:,} names of the class {kind!r}, number {number} is not among them")
    return (number * _STEP + _offset(kind, seed, space)) % space


@lru_cache(maxsize=64)
def _offset(kind: str, seed: int, space: int) -> int:
    assert gcd(_STEP, space) == 1, f"{_STEP} must not share a factor with {space}"
    return Draws("names", kind, seed).below(space)
