"""How an answer is scored, and what saying that there is none is worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from turnwise.envs.search_qa.records import Question
from turnwise.rewards.outcome import AnswerStyle, exact_match, token_f1

Metric: TypeAlias = Literal["exact_match", "f1"]
METRICS: tuple[str, ...] = get_args(Metric)
UNANSWERABLE = "unanswerable"

_NO_ANSWER = re.compile(r"\s*(?:the question is )?unanswerable\b", re.IGNORECASE)


def accepted_answers(question: Question) -> tuple[str, ...]:
    """Every answer that is right, as the agent would write it.

    >>> accepted_answers(Question("t", "Who?", ("Harrow Mill",), answerable=False))
    ('unanswerable: Harrow Mill',)
    """
    if question.answerable:
        return question.aliases
    return tuple(f"{UNANSWERABLE}: {name}" for name in question.aliases) or (UNANSWERABLE,)


def score_answer(
    question: Question, text: str, metric: Metric = "exact_match", style: AnswerStyle = "hotpotqa"
) -> float:
    """The score of an answer in [0, 1].

    A question that has an answer is scored by the metric alone, as the official scripts do. One that has none wants
    `unanswerable: NAME`, and the name of the thing whose fact is missing is what the metric scores: so saying
    "unanswerable" to everything earns nothing. Where a data set names no such thing, "unanswerable", and as in SQuAD
    2.0 the empty answer, are right.

    Args:
        question: With its aliases.
        text: What the agent answered.
        metric: `exact_match` or `f1`.
        style: Whose rules, see `turnwise.rewards.exact_match`.

    >>> missing = Question("t", "Who founded the mill by the river?", ("Harrow Mill",), answerable=False)
    >>> score_answer(missing, "Unanswerable: the Harrow Mill"), score_answer(missing, "unanswerable")
    (1.0, 0.0)
    """
    if question.answerable:
        return _score(text, question.aliases, metric, style)
    match = _NO_ANSWER.match(text)
    named = text[match.end() :].strip(" \t\n:,;.()–—-") if match else ""
    if question.aliases:
        return _score(named, question.aliases, metric, style) if named else 0.0
    return float(not text.strip() or (match is not None and not named))


def citation_scores(cited: Sequence[str], gold: Sequence[str]) -> dict[str, float]:
    """Precision and recall of citations, each document counted once; both 0 where nothing is cited.

    >>> citation_scores(["a", "b", "b", "c"], ["a", "d"])
    {'citation_precision': 0.3333333333333333, 'citation_recall': 0.5}
    """
    right = len(set(cited) & set(gold))
    return {
        "citation_precision": right / len(set(cited)) if cited else 0.0,
        "citation_recall": right / len(set(gold)) if gold else 0.0,
    }


def _score(text: str, aliases: Sequence[str], metric: Metric, style: AnswerStyle) -> float:
    score = exact_match if metric == "exact_match" else token_f1
    return score(text, aliases, style=style)
