"""Outcome rewards of an episode: text answers (SQuAD, HotpotQA) and purchases (WebShop).

`exact_match` and `token_f1` agree with the official evaluation scripts, which differ from each other where an answer
is empty or is yes or no; `style` says whose rule counts:

| style      | both empty | prediction or answer is yes, no or noanswer       | answers that normalise to nothing  |
|------------|------------|---------------------------------------------------|------------------------------------|
| `squad`    | F1 0, EM 1 | ordinary words                                    | compared like others (SQuAD v1.1)  |
| `squad_v2` | F1 1, EM 1 | ordinary words                                    | dropped; none left: unanswerable   |
| `hotpotqa` | F1 0, EM 1 | F1 0 unless both are the same after normalisation | compared like others               |
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

AnswerStyle: TypeAlias = Literal["squad", "squad_v2", "hotpotqa"]

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CLOSED_ANSWERS = frozenset({"yes", "no", "noanswer"})


def normalize_answer(text: str) -> str:
    """Lower-case, drop ASCII punctuation, drop the articles a, an, the, and collapse white space, in this order.

    >>> normalize_answer("The  Eiffel-Tower, in  Paris!")
    'eiffeltower in paris'
    """
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLE.sub(" ", bare).split())


def exact_match(prediction: str, answers: str | Sequence[str], *, style: AnswerStyle = "squad") -> float:
    """1.0 if the prediction equals one of the answers after normalisation, else 0.0.

    Args:
        prediction: What the agent answered.
        answers: The accepted answer, or its aliases, of which the best counts.
        style: Whose rules; only `squad_v2` differs here (see the module's table).

    Raises:
        ValueError: `answers` is empty (except in `squad_v2`, where that means unanswerable), or `style` is unknown.

    Source: SQuAD (arXiv 1606.05250), SQuAD 2.0 (arXiv 1806.03822), HotpotQA (arXiv 1809.09600): their evaluation
    scripts. Provenance: hotpotqa verified by running the authors' script, squad read.

    >>> exact_match("the Eiffel Tower.", ["Tour Eiffel", "Eiffel tower"])
    1.0
    """
    normal = normalize_answer(prediction)
    return float(any(normal == answer for answer in _accepted(answers, style)))


def token_f1(prediction: str, answers: str | Sequence[str], *, style: AnswerStyle = "squad") -> float:
    """Word-level F1 in [0, 1] between the prediction and the best of the answers, counting repeated words.

    Args:
        prediction: What the agent answered.
        answers: The accepted answer, or its aliases, of which the best counts.
        style: Whose rules for empty and yes or no answers (see the module's table).

    Raises:
        ValueError: `answers` is empty (except in `squad_v2`, where that means unanswerable), or `style` is unknown.

    Source: SQuAD (arXiv 1606.05250), SQuAD 2.0 (arXiv 1806.03822), HotpotQA (arXiv 1809.09600): their evaluation
    scripts. Provenance: hotpotqa verified by running the authors' script, squad read.

    >>> round(token_f1("Paris, France", ["Paris"]), 4), token_f1("yes indeed", "yes", style="hotpotqa")
    (0.6667, 0.0)
    """
    normal = normalize_answer(prediction)
    return max(_f1(normal, answer, style) for answer in _accepted(answers, style))


def purchase_reward(
    attributes_matched: int,
    options_matched: int,
    price_ok: bool,
    type_score: float = 1.0,
    *,
    num_attributes: int,
    num_options: int,
) -> float:
    """WebShop's terminal reward in [0, 1]; 1.0 only for the right kind of product with everything that was asked for.

    `type_score * (attributes_matched + options_matched + price_ok) / (num_attributes + num_options + 1)`

    Args:
        attributes_matched: Attributes of the goal that the product has.
        options_matched: Options of the goal (size, colour) that were chosen.
        price_ok: Whether the price is within the goal's limit. A goal without a limit has no place in the published
            formula; say True for it.
        type_score: How well the kind of product fits: 1.0, 0.5, 0.1 or 0.0 in the published rules.
        num_attributes: Attributes that the goal asks for.
        num_options: Options that the goal asks for.

    Raises:
        ValueError: More matched than asked for, a negative count, or `type_score` outside [0, 1].

    Source: WebShop (arXiv 2207.01206) and its environment code. Provenance: read.

    >>> round(purchase_reward(2, 1, True, num_attributes=3, num_options=2), 4)
    0.6667
    """
    _check_count("attributes_matched", attributes_matched, "num_attributes", num_attributes)
    _check_count("options_matched", options_matched, "num_options", num_options)
    if not 0.0 <= type_score <= 1.0:
        raise ValueError(f"type_score must lie in [0, 1], got {type_score!r}")
    matched = attributes_matched + options_matched + bool(price_ok)
    return type_score * matched / (num_attributes + num_options + 1)


def _accepted(answers: str | Sequence[str], style: AnswerStyle) -> list[str]:
    if style not in get_args(AnswerStyle):
        raise ValueError(f"style must be one of {get_args(AnswerStyle)}, got {style!r}")
    normal = [normalize_answer(answer) for answer in ([answers] if isinstance(answers, str) else answers)]
    if style == "squad_v2":
        return [answer for answer in normal if answer] or [""]
    if not normal:
        raise ValueError('answers must hold at least one answer; for unanswerable questions use style="squad_v2"')
    return normal


def _f1(prediction: str, answer: str, style: AnswerStyle) -> float:
    if style == "hotpotqa" and prediction != answer and not _CLOSED_ANSWERS.isdisjoint((prediction, answer)):
        return 0.0
    predicted, wanted = prediction.split(), answer.split()
    if style == "squad_v2" and not (predicted and wanted):
        return float(predicted == wanted)
    shared = sum((Counter(predicted) & Counter(wanted)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _check_count(name: str, count: int, of_name: str, of: int) -> None:
    if not 0 <= count <= of:
        raise ValueError(f"{name} must lie between 0 and {of_name}={of}, got {count}")
