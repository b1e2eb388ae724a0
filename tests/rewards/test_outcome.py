from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import exact_match, purchase_reward, token_f1
from turnwise.rewards.outcome import normalize_answer

STYLES = ["squad", "squad_v2", "hotpotqa"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat\tsat.", "cat sat"),
        ("An apple a day", "apple day"),
        ("theatre and another", "theatre and another"),
        ("U.S.A.", "usa"),
        ("Eiffel-Tower", "eiffeltower"),
        ("a.n. other", "other"),  # punctuation goes first, so that "a.n." becomes an article
        ("«Élan» — été", "«élan» — été"),  # only ASCII punctuation is removed
        ("the", ""),
        ("", ""),
        # As the HotpotQA and SQuAD scripts print them.
        ("İstanbul", "i̇stanbul"),
        ("the日本", "the日本"),  # no border between two letters
        ("The 日本", "日本"),
        ("snake_case", "snakecase"),
        ("1,204", "1204"),
        ("$5.00", "500"),
        ("non\u00a0breaking", "non breaking"),
        ("“the” cat", "“ ” cat"),
        ("rock 'n' roll", "rock n roll"),
        ("a.\u200bb", "\u200bb"),
    ],
)
def test_normalize_answer(text: str, expected: str) -> None:
    assert normalize_answer(text) == expected


@pytest.mark.parametrize("style", STYLES)
def test_exact_match_takes_the_best_alias(style: Any) -> None:
    assert exact_match("the U.S.", ["USA", "US"], style=style) == 1.0
    assert exact_match("United States", ["USA", "US"], style=style) == 0.0
    assert exact_match("Paris", "paris", style=style) == 1.0


def test_f1_counts_repeated_words() -> None:
    assert token_f1("new new york", "new york york") == pytest.approx(2 / 3)
    assert token_f1("Barack Obama", ["Obama", "Michelle Obama"]) == pytest.approx(2 / 3)
    assert token_f1("rain", ["snow"]) == 0.0


@pytest.mark.parametrize(
    ("prediction", "answer", "squad", "squad_v2", "hotpotqa"),
    [
        ("yes", "Yes.", 1.0, 1.0, 1.0),
        ("yes it is", "yes", 0.5, 0.5, 0.0),
        ("no", "no way", 2 / 3, 2 / 3, 0.0),
        ("noanswer", "noanswer given", 2 / 3, 2 / 3, 0.0),
        ("no answer", "noanswer", 0.0, 0.0, 0.0),
        ("", "", 0.0, 1.0, 0.0),
        ("the", "", 0.0, 1.0, 0.0),
        ("", "Paris", 0.0, 0.0, 0.0),
        ("Paris", "the", 0.0, 0.0, 0.0),
    ],
)
def test_f1_where_the_scripts_differ(
    prediction: str, answer: str, squad: float, squad_v2: float, hotpotqa: float
) -> None:
    scores = [token_f1(prediction, answer, style=style) for style in ("squad", "squad_v2", "hotpotqa")]
    assert scores == pytest.approx([squad, squad_v2, hotpotqa])


def test_squad_v2_drops_answers_that_normalise_to_nothing() -> None:
    assert exact_match("the", ["the", "Paris"]) == 1.0
    assert exact_match("the", ["the", "Paris"], style="squad_v2") == 0.0
    assert exact_match("", [], style="squad_v2") == 1.0
    assert token_f1("Paris", [], style="squad_v2") == 0.0


@pytest.mark.parametrize("score", [exact_match, token_f1])
def test_bad_answers_and_styles_are_refused(score: Any) -> None:
    with pytest.raises(ValueError, match="answers must hold at least one"):
        score("Paris", [])
    with pytest.raises(ValueError, match=r"style must be one of .*squad_v2.*got 'squad2'"):
        score("Paris", ["Paris"], style="squad2")


@given(st.text(), st.lists(st.text(), min_size=1, max_size=3), st.sampled_from(STYLES))
def test_scores_are_bounded_and_a_match_is_perfect(prediction: str, answers: list[str], style: Any) -> None:
    f1, match = token_f1(prediction, answers, style=style), exact_match(prediction, answers, style=style)
    assert 0.0 <= f1 <= 1.0
    if match and normalize_answer(prediction):
        assert f1 == 1.0
    assert exact_match(answers[0], answers) == 1.0


@pytest.mark.parametrize(
    ("matched", "asked", "type_score", "expected"),
    [
        ((2, 1, True), (3, 2), 1.0, 4 / 6),
        ((2, 1, True), (3, 2), 0.5, 2 / 6),
        ((2, 1, True), (3, 2), 0.1, 0.4 / 6),
        ((3, 2, True), (3, 2), 1.0, 1.0),
        ((3, 2, False), (3, 2), 1.0, 5 / 6),
        ((3, 0, True), (3, 0), 1.0, 1.0),
        ((0, 0, False), (0, 0), 1.0, 0.0),
        ((3, 2, True), (3, 2), 0.0, 0.0),
    ],
)
def test_purchase_reward(
    matched: tuple[int, int, bool], asked: tuple[int, int], type_score: float, expected: float
) -> None:
    attributes, options, price = matched
    reward = purchase_reward(attributes, options, price, type_score, num_attributes=asked[0], num_options=asked[1])
    assert reward == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributes_matched": 4}, "attributes_matched must lie between 0 and num_attributes=3, got 4"),
        ({"attributes_matched": -1}, "attributes_matched"),
        ({"options_matched": 2}, "options_matched must lie between 0 and num_options=1, got 2"),
        ({"type_score": 1.5}, "type_score"),
        ({"type_score": float("nan")}, "type_score"),
    ],
)
def test_purchase_reward_refuses_impossible_counts(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"attributes_matched": 1, "options_matched": 1, "price_ok": True, "type_score": 1.0}
    with pytest.raises(ValueError, match=message):
        purchase_reward(**{**good, **arguments}, num_attributes=3, num_options=1)
