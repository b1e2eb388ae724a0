"""Nuggets: each rung of the ladder, what the ladder asks whom, and the score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.episodes import NuggetReward
from turnwise.rewards.nuggets import (
    EmbeddingMatcher,
    ExactMatcher,
    JudgeMatcher,
    LexicalMatcher,
    NuggetLadder,
    NuggetMatcher,
    brevity_factor,
    nugget_score,
)
from turnwise.rewards.text_features import hashed_ngrams


def embed(texts: Sequence[str]) -> np.ndarray:
    return np.stack([hashed_ngrams(text, 256, n=(1,)) for text in texts])


def judge(question: str, answer: str, nuggets: Sequence[str]) -> list[str]:
    return [
        "support" if nugget in answer else "partial_support" if nugget[:3] in answer else "not_support"
        for nugget in nuggets
    ]


RUNGS = [ExactMatcher(), LexicalMatcher(0.7), EmbeddingMatcher(embed, 0.6), JudgeMatcher(judge, 0.5)]


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_each_rung_finds_what_is_said_and_not_what_is_not(rung: NuggetMatcher) -> None:
    assert isinstance(rung, NuggetMatcher)
    values = rung.match([["tower of Paris"], ["bridge in Rome"]], "The tower of Paris", "What is it?")
    assert values.tolist() == [1.0, 0.0]
    assert rung.match([], "anything", "").shape == (0,)
    assert rung.match([["tower"]], "", "").tolist() == [0.0]
    assert rung.provenance in ("read", "unverified")


def test_exact_wants_the_words_in_a_row() -> None:
    match = lambda answer, **options: ExactMatcher(**options).match([["the New York", "NYC"]], answer, "")[0]  # noqa: E731
    assert match("It's New York!") == match("nyc, I think") == 1.0
    assert match("York, New") == match("Newer York") == match("Anew York") == 0.0
    assert match("New York", whole=True) == 1.0 and match("in New York", whole=True) == 0.0
    assert ExactMatcher().match([["the"], [""], []], "the", "").tolist() == [0.0, 0.0, 0.0], "nothing is no fact"
    assert ExactMatcher(whole=True).match([["no"]], "No.", "").tolist() == [1.0]


def test_lexical_counts_words_however_they_stand() -> None:
    match = lambda nugget, answer, threshold=0.75: LexicalMatcher(threshold).match([[nugget]], answer, "")[0]  # noqa: E731
    assert match("tower opened in 1889", "1889, when the tower was opened") == 1.0
    assert match("tower opened in 1889", "1889, when the tower was closed") == 0.0
    assert match("tower opened in 1889", "1889, the tower", 0.5) == 1.0
    assert match("Baden Baden", "Baden", 0.75) == 0.0, "a repeated word has to be said twice"


def test_embedding_looks_at_each_sentence() -> None:
    matcher = EmbeddingMatcher(embed, 0.85)
    long = "Nothing of note here. The lamp is red. And so on and so forth, for a while."
    assert matcher.match([["the lamp is red"], ["the lamp is blue and old"], [""]], long, "").tolist() == [
        1.0,
        0.0,
        0.0,
    ]
    assert matcher.match([["unknown", "the lamp is red"]], long, "").tolist() == [1.0], "any way of saying it"
    with pytest.raises(ValueError, match=r"embed must give \(2, d\) numbers, got \(2,\)"):
        EmbeddingMatcher(lambda texts: np.zeros(len(texts)), 0.5).match([["x"]], "y", "")


def test_a_judge_is_asked_with_the_question_and_its_labels_count() -> None:
    asked = []
    matcher = JudgeMatcher(lambda *given: asked.append(given) or ["partial_support", "support"], 0.25)
    assert matcher.match([["a", "other"], ["b"]], "answer", "question").tolist() == [0.25, 1.0]
    assert asked == [("question", "answer", ["a", "b"])]
    assert JudgeMatcher(lambda *_: None, 0.5).match([["a"]], "", "").tolist() == [0.0], "the judge failed"
    for labels in (["support"], ["support", "yes"]):
        with pytest.raises(
            ValueError, match=r"must give 2 labels out of \['not_support', 'partial_support', 'support'\]"
        ):
            JudgeMatcher(lambda *_, labels=labels: labels, 0.5).match([["a"], ["b"]], "", "")


def test_the_ladder_asks_dearer_rungs_only_for_what_is_left_and_says_who_found_it() -> None:
    asked: list[int] = []

    class Counting:
        name, provenance = "counting", "verified"

        def match(self, nuggets: Sequence[Sequence[str]], answer: str, question: str) -> np.ndarray:
            asked.append(len(nuggets))
            return np.full(len(nuggets), 0.5)

    ladder = NuggetLadder([ExactMatcher(), LexicalMatcher(0.6), Counting(), JudgeMatcher(judge, 0.25)])
    matches = ladder.matches([["tower"], ["opened the tower"], ["tom"], ["xyz"]], "tower that opened; tom")
    assert [(m.rung, m.value, m.provenance) for m in matches] == [
        ("exact", 1.0, "read"),
        ("lexical", 1.0, "read"),
        ("exact", 1.0, "read"),
        ("counting", 0.5, "verified"),
    ]
    assert asked == [1]
    assert ladder.match([["tower"]], "tower", "").tolist() == [1.0] and asked == [1]
    assert ladder.provenance == "read" and NuggetLadder(RUNGS).provenance == "unverified"


def test_wrong_matchers_are_refused() -> None:
    class Wild:
        name, provenance = "wild", "read"

        def match(self, nuggets: object, answer: str, question: str) -> list[float]:
            return [2.0]

    with pytest.raises(ValueError, match=r"a matcher must give 1 values in \[0, 1\], got \[2\.0\]"):
        NuggetLadder([Wild()]).match([["x"]], "y", "")
    with pytest.raises(ValueError, match="at least one matcher"):
        NuggetLadder([])
    for threshold in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="threshold must lie in"):
            LexicalMatcher(threshold)
    with pytest.raises(ValueError, match="partial must lie in"):
        JudgeMatcher(judge, 2.0)
    with pytest.raises(TypeError, match="matcher must be a NuggetMatcher"):
        NuggetReward(lambda *_: [1.0])
    with pytest.raises(ValueError, match="brevity must be positive"):
        NuggetReward(ExactMatcher(), brevity=0)


values = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(values, st.data())
def test_the_score_is_a_weighted_mean(stated: list[float], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 5), min_size=len(stated), max_size=len(stated)))
    assert nugget_score(stated) == pytest.approx(np.mean(stated))
    assert nugget_score(stated, weights) == pytest.approx(np.average(stated, weights=weights))


def test_scores_without_nuggets_or_weights() -> None:
    assert nugget_score([]) == nugget_score([1.0], [0.0]) == 0.0
    for weights in ([1.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match=r"weights must be \(2,\) numbers of at least 0"):
            nugget_score([1.0, 0.0], weights)


def test_brevity() -> None:
    nuggets = [["Eiffel Tower", "Tower"], ["1889"]]  # three words
    assert brevity_factor("The Eiffel Tower, in 1889", nuggets, 2.0) == 1.0  # "the" is no word
    assert brevity_factor("a b c d e f g h i j k l m", nuggets, 2.0) == 0.5
    assert brevity_factor("", nuggets, 2.0) == 1.0


def episode(text: str, **privileged: object) -> Trajectory:
    calls = ({"name": "search", "arguments": {"query": "x"}}, {"name": "answer", "arguments": {"text": text}})
    turns = [Turn(0, "Question: where?", ""), Turn(1, "", "", terminated=True, tool_calls=calls)]
    return Trajectory(turns, terminated=True, privileged={"nuggets": [["Paris"], "1889", "iron"], **privileged})


def test_long_answers_are_scored_by_all_their_nuggets() -> None:
    reward = NuggetReward(ExactMatcher(), weights="weights")
    assert reward(episode("In Paris, of iron", weights=[2.0, 1.0, 1.0])).tolist() == [0.0, 0.75]
    assert reward.needs == {"nuggets", "weights"}
    assert NuggetReward(ExactMatcher())(episode("In Paris, of iron"))[-1] == pytest.approx(2 / 3)
    assert NuggetReward(ExactMatcher())(episode("x", nuggets=[])).tolist() == [0.0, 0.0]
    with pytest.raises(KeyError, match="weights='weights' is no key"):
        reward(episode("x"))


def test_the_judge_sees_the_first_observation_as_the_question() -> None:
    asked = []
    matcher = JudgeMatcher(lambda q, a, n: asked.append(q) or ["support"] * len(n), 0.5)
    assert NuggetReward(matcher)(episode("x"))[-1] == 1.0
    assert asked == ["Question: where?"]


def test_an_episode_that_was_cut_off_has_no_answer() -> None:
    cut = episode("Paris")
    cut.terminated, cut.turns[-1].terminated = False, False
    assert NuggetReward(ExactMatcher())(cut).tolist() == [0.0, 0.0]
    assert NuggetReward(ExactMatcher())(Trajectory(privileged={"nuggets": ["x"]})).shape == (0,)
