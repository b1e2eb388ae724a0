"""What an answer is worth: the official scripts' edge cases, and saying that there is no answer."""

from __future__ import annotations

from typing import Any

import pytest

from turnwise.envs.search_qa.answers import accepted_answers, citation_scores, score_answer
from turnwise.envs.search_qa.records import Question

PLACE = Question("t", "Where?", ("the Eiffel-Tower", "Tour Eiffel"))
MISSING = Question("t", "Who founded it?", ("Harrow Mill", "Harrow Mill (museum)"), answerable=False)
UNNAMED = Question("t", "Who?", (), answerable=False)


@pytest.mark.parametrize(
    ("text", "exact", "f1"),
    [
        ("The  EIFFEL-tower.", 1.0, 1.0),
        ("Eiffel Tower", 0.0, 0.5),  # the hyphen goes and leaves one word; the other alias shares one
        ("«Tour Eiffel»", 0.0, 0.0),  # only ASCII punctuation is removed
        ("tour", 0.0, 2 / 3),
        ("tour tour eiffel", 0.0, 0.8),
        ("", 0.0, 0.0),
        ("the", 0.0, 0.0),
        ("unanswerable", 0.0, 0.0),
        ("unanswerable: Tour Eiffel", 0.0, 0.8),
    ],
)
def test_answers_are_scored_as_the_official_scripts_do(text: str, exact: float, f1: float) -> None:
    assert score_answer(PLACE, text) == exact
    assert score_answer(PLACE, text, "f1") == pytest.approx(f1)


@pytest.mark.parametrize(
    ("style", "text", "f1"), [("hotpotqa", "yes it is", 0.0), ("squad", "yes it is", 0.5), ("hotpotqa", "Yes.", 1.0)]
)
def test_styles_differ_at_yes_and_no(style: Any, text: str, f1: float) -> None:
    assert score_answer(Question("t", "Is it?", ("yes",)), text, "f1", style) == f1


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("unanswerable: Harrow Mill", 1.0),
        ("Unanswerable: the Harrow Mill (museum).", 1.0),
        ("UNANSWERABLE - harrow mill", 1.0),
        ("The question is unanswerable (Harrow Mill)", 1.0),
        ("unanswerable", 0.0),
        ("unanswerable:", 0.0),
        ("unanswerable: Harrow", 0.0),
        ("Harrow Mill", 0.0),
        ("", 0.0),
        ("unanswerably Harrow Mill", 0.0),
    ],
)
def test_a_missing_fact_wants_the_name_of_the_thing(text: str, exact: float) -> None:
    assert score_answer(MISSING, text) == exact
    assert score_answer(MISSING, accepted_answers(MISSING)[1]) == 1.0
    if "harrow" not in text.lower() or "unanswerable" not in text.lower():
        assert score_answer(MISSING, text, "f1") == 0.0


def test_where_nothing_can_be_named_the_word_is_enough() -> None:
    assert accepted_answers(UNNAMED) == ("unanswerable",)
    for text, score in (("unanswerable", 1.0), ("Unanswerable.", 1.0), ("", 1.0), (" ", 1.0), ("Paris", 0.0)):
        assert score_answer(UNNAMED, text) == score_answer(UNNAMED, text, "f1", "squad_v2") == score


def test_citations_count_each_document_once() -> None:
    assert citation_scores([], ["a"]) == {"citation_precision": 0.0, "citation_recall": 0.0}
    assert citation_scores(["a", "a"], ["a"]) == {"citation_precision": 1.0, "citation_recall": 1.0}
    assert citation_scores(["a"], []) == {"citation_precision": 0.0, "citation_recall": 0.0}
    stuffed = citation_scores([str(i) for i in range(100)], ["7"])
    assert stuffed == {"citation_precision": 0.01, "citation_recall": 1.0}
