"""Document ids of generated worlds: six characters, unlike those of their neighbours, computed both ways."""

from __future__ import annotations

from functools import lru_cache

from turnwise.envs.draws import Draws

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_PAIRS = tuple(first + second for second in _LETTERS for first in _LETTERS)
_LENGTH = 6
_SPACE: int = len(_LETTERS) ** _LENGTH
_STEP = 737_338_717  # odd: one to one in a power of two
_BACK: int = pow(_STEP, -1, _SPACE)


def doc_id(seed: int, position: int) -> str:
    """The id of the document at a position of the world of a seed.

    >>> position_of(0, doc_id(0, 41))
    41
    """
    number = (position * _STEP + _offset(seed)) % _SPACE
    number, first = divmod(number, len(_PAIRS))
    third, second = divmod(number, len(_PAIRS))
    return _PAIRS[first] + _PAIRS[second] + _PAIRS[third]


def position_of(seed: int, text: str) -> int:
    """The position that has this id, in the endless world of the seed; -1 where the text cannot be an id."""
    if len(text) != _LENGTH or any(letter not in _VALUES for letter in text):
        return -1
    number = 0
    for letter in reversed(text):
        number = number * len(_LETTERS) + _VALUES[letter]
    return (number - _offset(seed)) * _BACK % _SPACE


@lru_cache(maxsize=64)
def _offset(seed: int) -> int:
    return Draws("documents", seed).below(_SPACE)
