"""How alike texts are by their words: cosine of TF-IDF vectors, weighted as scikit-learn's defaults do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from turnwise.rewards.batch import FloatArray

_WORD = re.compile(r"\b\w\w+\b")


def tf_idf_similarity(text: str, references: Sequence[str]) -> FloatArray:
    """Cosine in [0, 1] between a text and each reference, with word weights fitted on exactly these texts.

    Words are runs of two or more letters, digits or underscores, in lower case. A word's weight is its count times
    `ln((1 + n) / (1 + df)) + 1` for n texts, of which df have it.

    Args:
        text: Any text. One without words is like nothing.
        references: K texts.

    Returns:
        (K,) similarities; 0 where a text has no words.

    >>> tf_idf_similarity("red shoes", ["red shoes", "blue hat"]).round(6).tolist()
    [1.0, 0.0]
    """
    counts = [Counter(_WORD.findall(each.lower())) for each in (text, *references)]
    column = {word: i for i, word in enumerate(dict.fromkeys(word for count in counts for word in count))}
    weights = np.zeros((len(counts), len(column)))
    for row, count in zip(weights, counts, strict=True):
        row[[column[word] for word in count]] = list(count.values())
    weights *= np.log((1 + len(counts)) / (1 + np.count_nonzero(weights, axis=0))) + 1.0
    lengths = np.sqrt((weights * weights).sum(axis=1))
    weights /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
    similarity: FloatArray = weights[1:] @ weights[0]
    return similarity
