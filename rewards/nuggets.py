"""Nuggets: short facts that a good answer states, and a ladder of ways to see whether it does, cheapest first.

| rung        | says yes where                                        | provenance                            |
|-------------|-------------------------------------------------------|---------------------------------------|
| `exact`     | the answer contains the nugget's words in a row       | read (SQuAD's normalisation)          |
| `lexical`   | enough of the nugget's words occur in the answer      | read (ROUGE-1 recall, Lin 2004)       |
| `embedding` | a sentence of the answer is near the nugget           | unverified (no published threshold)   |
| `judge`     | a model says so                                       | read (the labels of Search-Gen-V)     |

A rung is anything with `name`, `provenance` and `match`; `NuggetLadder` asks each for what those before did not find.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.method import Provenance
from turnwise.rewards.outcome import normalize_answer

Nugget: TypeAlias = Sequence[str]
"""One fact in the ways in which it may be said; the first is the usual one."""

Label: TypeAlias = Literal["support", "partial_support", "not_support"]
Judge: TypeAlias = Callable[[str, str, Sequence[str]], Sequence[str] | None]
"""From question, answer and K nuggets to K labels, or None where the judge failed."""

_SENTENCE = re.compile(r"(?<=[.!?;\n])\s+")


@runtime_checkable
class NuggetMatcher(Protocol):
    """One way to see which nuggets an answer states."""

    @property
    def name(self) -> str:
        """Of the rung."""
        ...

    @property
    def provenance(self) -> Provenance:
        """How far the rule has been checked against its source."""
        ...

    def match(self, nuggets: Sequence[Nugget], answer: str, question: str) -> FloatArray:
        """(K,) values in [0, 1]: how far the answer states each nugget."""
        ...


@dataclass(frozen=True, slots=True)
class NuggetMatch:
    """What is known of one nugget.

    Attributes:
        value: How far the answer states it, in [0, 1].
        rung: The matcher that found it; empty where none did.
        provenance: Of that matcher.
    """

    value: float
    rung: str = ""
    provenance: Provenance | None = None


class ExactMatcher:
    """A nugget is stated where the answer contains its words in a row, after SQuAD's normalisation.

    Args:
        whole: The answer must be the nugget and nothing else (exact match).

    >>> ExactMatcher().match([["Eiffel Tower"], ["1889"]], "It is the Eiffel Tower, in Paris.", "").tolist()
    [1.0, 0.0]
    """

    name, provenance = "exact", "read"

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole

    def match(self, nuggets: Sequence[Nugget], answer: str, question: str) -> FloatArray:
        """(K,) ones and zeros."""
        normal = normalize_answer(answer)
        return np.array([any(self._is_in(normalize_answer(w), normal) for w in n) for n in nuggets], dtype=np.float64)

    def _is_in(self, wanted: str, answer: str) -> bool:
        if self.whole:
            return wanted == answer
        return bool(wanted) and f" {wanted} " in f" {answer} "


class LexicalMatcher:
    """A nugget is stated where at least `threshold` of its words, counting repeated ones, occur in the answer.

    Args:
        threshold: In (0, 1]. No published value is known.

    >>> LexicalMatcher(0.6).match([["tower opened in 1889"]], "The tower was opened 1889", "").tolist()
    [1.0]
    """

    name, provenance = "lexical", "read"

    def __init__(self, threshold: float) -> None:
        self.threshold = _share(threshold, "threshold")

    def match(self, nuggets: Sequence[Nugget], answer: str, question: str) -> FloatArray:
        """(K,) ones and zeros."""
        said = Counter(normalize_answer(answer).split())
        return np.array([max(map(_recall(said), n), default=0.0) >= self.threshold for n in nuggets], dtype=np.float64)


class EmbeddingMatcher:
    """A nugget is stated where a sentence of the answer, or all of it, is near it by the cosine of two vectors.

    Args:
        embed: From B texts to (B, d) vectors, for example of a sentence-embedding model.
        threshold: In (0, 1]. It belongs to the model; no published value is known.
    """

    name, provenance = "embedding", "unverified"

    def __init__(self, embed: Callable[[Sequence[str]], ArrayLike], threshold: float) -> None:
        self.embed, self.threshold = embed, _share(threshold, "threshold")

    def match(self, nuggets: Sequence[Nugget], answer: str, question: str) -> FloatArray:
        """(K,) ones and zeros."""
        values = np.zeros(len(nuggets))
        parts = list(dict.fromkeys(part for part in (answer, *_SENTENCE.split(answer)) if part.strip()))
        ways = [(k, way) for k, nugget in enumerate(nuggets) for way in nugget if way.strip()]
        if not parts or not ways:
            return values
        vectors = np.asarray(self.embed([*parts, *(way for _, way in ways)]), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(parts) + len(ways):
            raise ValueError(f"embed must give ({len(parts) + len(ways)}, d) numbers, got {vectors.shape}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / np.where(lengths > 0.0, lengths, 1.0)
        near = (vectors[len(parts) :] @ vectors[: len(parts)].T).max(axis=1) >= self.threshold
        for (k, _), yes in zip(ways, near, strict=True):
            values[k] = max(values[k], float(yes))
        return values


class JudgeMatcher:
    """A model labels each nugget `support`, `partial_support` or `not_support`, judged by the answer alone.

    Args:
        judge: The model behind a function, see `Judge`. None from it counts as no support.
        partial: What partial support is worth, in [0, 1]. The paper's value is not known, so there is no default.

    Raises:
        ValueError: The judge gives other labels, or not one a nugget.

    >>> judge = JudgeMatcher(lambda question, answer, nuggets: ["support", "partial_support"], partial=0.5)
    >>> judge.match([["a"], ["b"]], "an answer", "a question").tolist()
    [1.0, 0.5]
    """

    name, provenance = "judge", "read"

    def __init__(self, judge: Judge, partial: float) -> None:
        self.judge, self.partial = judge, partial
        if not 0.0 <= partial <= 1.0:
            raise ValueError(f"partial must lie in [0, 1], got {partial!r}")

    def match(self, nuggets: Sequence[Nugget], answer: str, question: str) -> FloatArray:
        """(K,) values: 1, `partial` or 0."""
        labels = self.judge(question, answer, [nugget[0] if nugget else "" for nugget in nuggets])
        if labels is None:
            return np.zeros(len(nuggets))
        worth = {"support": 1.0, "partial_support": self.partial, "not_support": 0.0}
        if len(labels) != len(nuggets) or not set(labels) <= worth.keys():
            raise ValueError(f"a judge must give {len(nuggets)} labels out of {sorted(worth)}, got {list(labels)}")
        return np.array([worth[label] for label in labels], dtype=np.float64)


class NuggetLadder:
    """Asks one matcher after the other, each only for the nuggets that are not yet found in full.

    Args:
        rungs: Cheapest first.

    Raises:
        ValueError: There is none.

    >>> ladder = NuggetLadder([ExactMatcher(), LexicalMatcher(0.5)])
    >>> [match.rung for match in ladder.matches([["Paris"], ["built by Eiffel"], ["steel"]], "Paris; Eiffel built it")]
    ['exact', 'lexical', '']
    """

    name = "ladder"

    def __init__(self, rungs: Sequence[NuggetMatcher]) -> None:
        if not rungs:
            raise ValueError("rungs must hold at least one matcher")
        self.rungs = tuple(rungs)

    @property
    def provenance(self) -> Provenance:
        """That of the least checked rung."""
        order: tuple[Provenance, ...] = ("unverified", "read", "verified")
        return min((rung.provenance for rung in self.rungs), key=order.index)

    def match(self, nuggets: Sequence[Nugget], answer: str, question: str) -> FloatArray:
        """(K,) the best value that any rung gave."""
        return np.array([match.value for match in self.matches(nuggets, answer, question)], dtype=np.float64)

    def matches(self, nuggets: Sequence[Nugget], answer: str, question: str = "") -> list[NuggetMatch]:
        """For each nugget how far it is stated, and which rung found it."""
        found = [NuggetMatch(0.0)] * len(nuggets)
        for rung in self.rungs:
            open_ones = [k for k, match in enumerate(found) if match.value < 1.0]
            if not open_ones:
                break
            values = checked_values(rung.match([nuggets[k] for k in open_ones], answer, question), len(open_ones))
            for k, value in zip(open_ones, values, strict=True):
                if value > found[k].value:
                    found[k] = NuggetMatch(float(value), rung.name, rung.provenance)
        return found


def nugget_score(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """`sum(w * v) / sum(w)`: the weighted share of the nuggets that are stated.

    Args:
        values: (K,) in [0, 1].
        weights: (K,) not negative; default 1 each.

    Returns:
        In [0, 1]; 0 without nuggets or where all weights are 0.

    Raises:
        ValueError: The shapes differ, or a weight is negative.

    Source: Search-Gen-V (arXiv 2510.14660).

    >>> nugget_score([1.0, 0.5, 0.0], [2.0, 1.0, 1.0])
    0.625
    """
    stated = np.asarray(values, dtype=np.float64)
    weight = np.ones_like(stated) if weights is None else np.asarray(weights, dtype=np.float64)
    if stated.shape != weight.shape or (weight < 0).any():
        raise ValueError(f"weights must be {stated.shape} numbers of at least 0, got {weight.tolist()}")
    return float((weight * stated).sum() / weight.sum()) if weight.sum() > 0 else 0.0


def brevity_factor(answer: str, nuggets: Sequence[Nugget], allowance: float) -> float:
    """1 for an answer of at most `allowance` times the words of its nuggets; beyond, the share that was allowed.

    >>> brevity_factor("Paris", [["Paris"]], 2.0), brevity_factor("Rome Paris Oslo Bern", [["Paris"]], 2.0)
    (1.0, 0.5)
    """
    said = len(normalize_answer(answer).split())
    wanted = sum(max((len(normalize_answer(way).split()) for way in nugget), default=0) for nugget in nuggets)
    return min(1.0, allowance * wanted / said) if said else 1.0


def checked_values(values: Any, count: int) -> FloatArray:
    """(K,) values of a matcher.

    Raises:
        ValueError: They are not K numbers in [0, 1].
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (count,) or not ((array >= 0.0) & (array <= 1.0)).all():
        raise ValueError(f"a matcher must give {count} values in [0, 1], got {array.tolist()}")
    return array


def _recall(said: Counter[str]) -> Callable[[str], float]:
    def recall(way: str) -> float:
        words = Counter(normalize_answer(way).split())
        return (words & said).total() / words.total() if words else 0.0

    return recall


def _share(value: float, name: str) -> float:
    if not 0.0 < value <= 1.0:
        raise ValueError(f"{name} must lie in (0, 1], got {value!r}")
    return value
