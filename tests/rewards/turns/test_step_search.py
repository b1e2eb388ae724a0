"""StepSearch: the published numbers, coverage that never pays twice, and what happens without facts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from turnwise.rewards import Turn
from turnwise.rewards.turns.step_search import StepSearchReward, key_score, redundant_share, search_gain, step_search

ATOL = 2e-6
PER_DOCUMENT = [[[0.5, 0.1], [0.2, 0.3]], [[0.4, 0.6], [0.5, 0.1]], [[0.9, 0.2], [0.1, 0.1]]]
BEST = np.array([np.max(search, axis=0) for search in PER_DOCUMENT])
DOCUMENTS = [["d1", "d2"], ["d2", "d3"], ["d1", "d3"]]


def shares():
    seen: set[str] = set()
    return [redundant_share(documents, seen) for documents in DOCUMENTS]


def test_published_numbers(vectors):
    np.testing.assert_allclose(search_gain(BEST), vectors["stepsearch_gain"], atol=ATOL)
    np.testing.assert_allclose(shares(), vectors["stepsearch_pen"], atol=ATOL)
    np.testing.assert_allclose(step_search(BEST, shares(), scale=1.0), vectors["stepsearch_step"], atol=ATOL)
    np.testing.assert_allclose(step_search(BEST, shares()), vectors["stepsearch_scaled_0.6"], atol=ATOL)
    released = step_search(BEST, shares(), compat="released")
    np.testing.assert_allclose(released, vectors["stepsearch_released_1.6"], atol=ATOL)
    alias = step_search([[0.5]], [0.0], compat="released")
    np.testing.assert_allclose(alias, [vectors["stepsearch_alias_check(expect0.8)"]], atol=ATOL)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 1)))
def test_gains_sum_to_the_best_coverage(similarity):
    gain = search_gain(similarity)
    assert (gain >= 0).all()
    assert gain.sum() == pytest.approx(similarity.max(axis=0).mean())


def test_without_searches_or_gold_documents():
    assert search_gain(np.zeros((0, 3))).shape == (0,)
    assert search_gain(np.zeros((2, 0))).tolist() == [0.0, 0.0]


def test_a_later_query_takes_the_earlier_ones_place():
    groups = [["capital of France"], ["height of tower"], ["opening year"]]
    assert key_score(["capital of France"], groups) == pytest.approx(1 / 3)
    worse = key_score(["capital of France", "France trains"], groups)
    assert worse == pytest.approx(0.4 / 3)  # precision 1/2, recall 1/3
    assert key_score(["nothing alike"], groups) == key_score([], groups) == 0.0
    assert key_score(["a"], []) == 0.0


def searching(*documents, query="tower", **more):
    call = {"name": "search", "arguments": {"query": query}}
    facts = {"retrieved_documents": list(documents), "gold_documents": ["Tower in Paris", "Opened long ago"]}
    return Turn(0, "", f"search[{query}]", tool_calls=(call,), privileged={**facts, **more})


def test_an_episode_pays_new_coverage_once():
    reward = StepSearchReward(scale=1.0)
    reward.begin("question", {})
    assert reward(searching("Tower in Paris")) == pytest.approx(0.5)
    assert reward(searching("tower in Paris!")) == pytest.approx(0.0)  # another string, nothing new in it
    assert reward(searching("Tower in Paris")) == pytest.approx(-1.0)
    assert reward(searching("Something else")) == pytest.approx(0.0)
    assert reward(searching("TOWER in Paris")) == pytest.approx(0.0)  # what was covered stays covered
    reward.begin("question", {})
    assert reward(searching("Tower in Paris")) == pytest.approx(0.5)


def test_turns_without_a_search_and_texts_without_words():
    reward = StepSearchReward()
    assert reward(searching()) == 0.0
    assert reward(Turn(0, "", "", privileged={"retrieved_documents": None, "gold_documents": []})) == 0.0
    assert reward(searching("the", "a")) == 0.0  # articles only
    assert StepSearchReward()(searching("anything", gold_documents=[])) == 0.0


def test_the_last_turn_is_paid_for_its_queries():
    reward = StepSearchReward(keywords="keywords")
    groups = {"keywords": [["height of tower"], ["opening year"]]}
    assert reward(searching(query="height of tower", **groups)) == 0.0
    answer = Turn(1, "", "answer[1889]", terminated=True, privileged={**searching().privileged, **groups})
    assert reward(answer) == pytest.approx(0.618 * 0.5)


def test_a_missing_fact_names_the_argument():
    reward = StepSearchReward(gold="support")
    assert reward.needs == {"retrieved_documents", "support"}
    with pytest.raises(KeyError, match="gold='support' is no key of the privileged record"):
        reward(searching("Tower"))


def test_bad_arguments():
    with pytest.raises(ValueError, match="compat must be None or 'released'"):
        StepSearchReward(compat="paper")
    with pytest.raises(ValueError, match=r"similarity must have shape \(T, K\)"):
        search_gain([0.5, 0.5])


def test_likeness_below_the_threshold_counts_as_none():
    published, guarded = StepSearchReward(), StepSearchReward(min_similarity=0.9)
    near, right = searching("A tower in Rome"), searching("Tower in Paris")
    assert published(near) > 0.0 and guarded(near) == 0.0
    assert guarded(right) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="min_similarity must lie in"):
        StepSearchReward(min_similarity=1.5)
