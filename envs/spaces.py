"""`Utterance`: the space of ordinary text, which `gymnasium.spaces.Text` rejects."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import utils as vector_utils

_SAMPLE_ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,:;!?'\"[](){}<>=/\\-_\n\té×日🙂"


class Utterance(gym.Space[str]):
    r"""All strings of at most `max_length` characters: any character, any script, the empty string too.

    `gymnasium.spaces.Text` takes alphanumeric characters only unless told otherwise, and no empty string, so that
    an ordinary observation is outside it.

    Args:
        max_length: The most characters that a member may have.
        seed: Seed of the space's own generator, used by `sample` only.

    >>> space = Utterance(max_length=16)
    >>> "search[red shirt]" in space, "two\nlines" in space, "" in space
    (False, True, True)
    """

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1, got {max_length}")
        self.max_length = int(max_length)
        super().__init__(shape=(), dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: text has no fixed-size array form. `turnwise.wrappers.TextFeatures` makes one."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A random string of at most 64 characters, with punctuation, new lines and non-ASCII letters among them."""
        if mask is not None or probability is not None:
            raise ValueError("Utterance.sample takes neither a mask nor a probability")
        length = int(self.np_random.integers(0, min(self.max_length, 64) + 1))
        letters = self.np_random.integers(0, len(_SAMPLE_ALPHABET), size=length)
        return "".join(_SAMPLE_ALPHABET[i] for i in letters)

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Utterance) and self.max_length == other.max_length

    def __hash__(self) -> int:
        return hash((Utterance, self.max_length))

    def __repr__(self) -> str:
        return f"Utterance({self.max_length})"


# A batch of texts is a tuple of strings, as Gymnasium does for its own Text space.


@vector_utils.batch_space.register(Utterance)
def _batch_space(space: Utterance, n: int = 1) -> gym.spaces.Tuple[Any]:
    return gym.spaces.Tuple(tuple(deepcopy(space) for _ in range(n)))


@vector_utils.batch_differing_spaces.register(Utterance)
def _batch_differing_spaces(spaces: list[Utterance]) -> gym.spaces.Tuple[Any]:  # type: ignore[misc]
    return gym.spaces.Tuple(tuple(deepcopy(space) for space in spaces))


@vector_utils.concatenate.register(Utterance)
def _concatenate(space: Utterance, items: Iterable[str], out: Any) -> tuple[str, ...]:
    return tuple(items)


@vector_utils.create_empty_array.register(Utterance)
def _create_empty_array(space: Utterance, n: int = 1, fn: Any = None) -> tuple[str, ...]:
    return ("",) * n


# `iterate` is not registered on purpose, as it is not for Gymnasium's Text: a Tuple whose members all have it is taken
# for a tuple of batches, and a batch of texts would be iterated letter by letter.
