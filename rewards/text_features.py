"""Text as a vector without a model: hashed word n-grams."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+|[^\w\s]")
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplication by it loses nothing
_SHIFT = np.uint64(29)
_SIGN = np.uint64(63)


def hashed_ngrams(text: str, dim: int, *, n: tuple[int, ...] = (1, 2)) -> NDArray[np.float32]:
    """A unit vector of signed, hashed counts of word n-grams, equal in every process and on every machine.

    Words are runs of letters, digits and underscores in lower case; every other character that is not white space is a
    word by itself. Two n-grams that share an entry have random signs, so that inner products stay unbiased.

    Args:
        text: Any text.
        dim: Length of the vector, at least 1.
        n: Which n-grams to count: 1 for words, 2 for pairs of neighbours.

    Returns:
        (dim,) float32 vector of Euclidean length 1, or of zeros for a text without words.

    Raises:
        ValueError: `dim` or an entry of `n` is smaller than 1.

    Source: Feature Hashing for Large Scale Multitask Learning (arXiv 0902.2206).

    >>> a, b = hashed_ngrams("put the lamp", 256), hashed_ngrams("Put the  lamp", 256)
    >>> a.shape, bool((a == b).all()), round(float(a @ a), 4)
    ((256,), True, 1.0)
    """
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    if not n or min(n) < 1:
        raise ValueError(f"n must hold sizes of at least 1, got {n}")
    words = _WORD.findall(text.lower())
    hashes = np.fromiter(map(_word_hash, words), dtype=np.uint64, count=len(words))
    grams = np.concatenate([_gram_hashes(hashes, size) for size in n])
    signs = 1.0 - 2.0 * (grams >> _SIGN).astype(np.float64)
    counts = np.bincount((grams % np.uint64(dim)).astype(np.int64), weights=signs, minlength=dim)
    length = np.sqrt(counts @ counts)
    return (counts / length if length else counts).astype(np.float32)


@lru_cache(maxsize=1 << 16)
def _word_hash(word: str) -> int:
    # Python's own hash() differs from process to process. Lone surrogates cannot be encoded without the error handler.
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _gram_hashes(words: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """One hash for each run of `size` words; the order of words matters."""
    count = max(len(words) - size + 1, 0)
    hashes = words[:count].copy()
    for offset in range(1, size):
        hashes = (hashes ^ (hashes >> _SHIFT)) * _MIX + words[offset : offset + count]
    return hashes ^ (hashes >> _SHIFT)
