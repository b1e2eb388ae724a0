"""Random streams that belong to an episode and a turn, not to the order in which a batch happened to form."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, episode_id: str, turn: int) -> np.random.Generator:
    """A generator that depends on these three values only, the same in every process.

    Environments become ready in an order that timing decides. A policy that drew from one generator in that order
    would write something else every time; one that draws from these streams does not.

    >>> a, b = stream(0, "e1", 2), stream(0, "e1", 2)
    >>> a.random() == b.random()
    True
    """
    digest = hashlib.blake2b(f"{seed}\0{episode_id}\0{turn}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def derived_seed(seed: int, index: int) -> int:
    """A 32-bit seed for the index-th episode (or group) of a collection.

    Not `seed + index`: collections with the seeds 0, 1, 2, as a training loop asks for, would share almost all of
    their episodes.
    """
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
