"""TF-IDF similarity, longest common subsequences, and facts: what turn and episode rewards are built from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.facts import first_argument, privileged_keys, read_fact
from turnwise.rewards.sequences import lcs_length, lcs_pairs
from turnwise.rewards.tf_idf import tf_idf_similarity


def test_tf_idf_as_scikit_learn_computes_it():
    # TfidfVectorizer().fit_transform(texts) and cosine_similarity of scikit-learn 1.9
    similarity = tf_idf_similarity("tower in paris", ["the tower", "opened in paris in 1889", "x"])
    np.testing.assert_allclose(similarity, SKLEARN, atol=1e-9)


SKLEARN = [0.3574550433, 0.6042124691, 0.0]


@given(st.text(), st.lists(st.text(), max_size=4))
def test_tf_idf_is_a_cosine(text, references):
    similarity = tf_idf_similarity(text, [*references, text])
    assert similarity.shape == (len(references) + 1,)
    assert ((similarity >= 0) & (similarity <= 1 + 1e-9)).all()
    assert similarity[-1] == pytest.approx(1.0) or not similarity.any()


short = st.text(alphabet="abc", max_size=9)


def plain_lcs(left, right):
    if not left or not right:
        return 0
    if left[0] == right[0]:
        return 1 + plain_lcs(left[1:], right[1:])
    return max(plain_lcs(left[1:], right), plain_lcs(left, right[1:]))


@given(short, short)
def test_lcs_against_the_definition(left, right):
    assert lcs_length(left, right) == len(lcs_pairs(left, right)) == plain_lcs(left, right)


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30))
def test_lcs_pairs_are_an_alignment(left, right):
    pairs = lcs_pairs(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(pairs))


def test_lcs_of_long_texts_is_cheap():
    assert lcs_length("ab" * 20_000, "ba" * 2_000) == 4_000


def test_facts():
    turn = Turn(0, "", "", privileged={"gold": [1]})
    assert read_fact("gold", turn, "gold") == [1]
    assert read_fact(lambda turn: turn.index, turn, "gold") == 0
    assert read_fact("gold", Trajectory(privileged={"gold": 2}), "gold") == 2
    with pytest.raises(KeyError, match=r"gold='docs' is no key of the privileged record, which has \['gold'\]"):
        read_fact("docs", turn, "gold")
    assert privileged_keys("a", None, len) == {"a"}
    assert first_argument(turn, "query") == ""
    assert first_argument(Turn(0, "", "", tool_calls=({"name": "x"}, {"arguments": {"query": 7}})), "query") == "7"
