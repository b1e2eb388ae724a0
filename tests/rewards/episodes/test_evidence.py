"""LongRLVR and CaRR: rewards for the evidence behind an answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.episodes import CaRRReward, LongRLVRReward
from turnwise.rewards.episodes.carr import carr
from turnwise.rewards.episodes.long_rlvr import context_score, long_rlvr


def episode(turns=2, outcome=1.0, **privileged):
    rewards = [0.0] * (turns - 1) + [outcome]
    record = [Turn(i, "", "", reward=rewards[i]) for i in range(turns)]
    return Trajectory(record, terminated=True, privileged=privileged)


@pytest.mark.parametrize(
    ("cited", "accuracy", "score", "total"),
    [([1, 2, 3], 1, 10 / 11, 1 + 10 / 11), ([1, 2, 3], 0, 10 / 11, 1 / 11), ([1], 1, 5 / 9, 1 + 5 / 9)],
)
def test_long_rlvr_by_hand(cited, accuracy, score, total):
    assert context_score(cited, [1, 2]) == pytest.approx(score)
    assert long_rlvr(accuracy, score) == pytest.approx(total)
    rewards = LongRLVRReward()(episode(outcome=accuracy, cited_chunks=cited, gold_chunks=[1, 2]))
    assert rewards.tolist() == pytest.approx([0.0, total])


ids = st.lists(st.integers(0, 5), max_size=8)


@given(ids, ids.filter(len), st.sampled_from([0.0, 1.0]))
def test_long_rlvr_bounds(cited, gold, accuracy):
    score = context_score(cited, gold)
    assert 0 <= score <= 1
    assert context_score(gold, gold) == pytest.approx(1.0) or len(set(gold)) < len(gold)
    assert accuracy <= long_rlvr(accuracy, score) <= 2 * accuracy + 0.1


def test_needless_and_repeated_chunks_cost_precision_only():
    assert context_score([1, 1], [1]) == pytest.approx(5 * 0.5 / 3)
    assert context_score([1], [1, 1]) == 1.0
    assert context_score([], [1]) == context_score([2], [1]) == 0.0
    with pytest.raises(ValueError, match="gold must hold at least one"):
        context_score([1], [])


def test_with_beta_1_recall_and_precision_count_alike():
    many = list(range(100))
    assert context_score(many, [0, 1, 2, 3, 4, 5]) > context_score([0], [0, 1, 2, 3, 4, 5])
    assert context_score(many, [0, 1, 2, 3, 4, 5], beta=1.0) < context_score([0], [0, 1, 2, 3, 4, 5], beta=1.0)
    assert context_score([1, 2, 3], [1, 2], beta=1.0) == pytest.approx(0.8)
    rewards = LongRLVRReward(beta=1.0)(episode(outcome=0.0, cited_chunks=[1, 2, 3], gold_chunks=[1, 2]))
    assert rewards.tolist() == pytest.approx([0.0, 0.08])
    with pytest.raises(ValueError, match="beta must be positive"):
        LongRLVRReward(beta=0.0)


def test_long_rlvr_edges():
    reward = LongRLVRReward()
    assert reward(episode(cited_chunks=None, gold_chunks=[1])).tolist() == [0.0, 0.0]
    assert reward(Trajectory()).shape == (0,)
    assert LongRLVRReward(accuracy="judged").needs == {"cited_chunks", "gold_chunks", "judged"}
    with pytest.raises(KeyError, match="cited='cited_chunks'"):
        reward(episode(gold_chunks=[1]))


# CaRR: the published case, and what connects what

PUBLISHED = [{"E0", "E1"}, {"E1", "E2"}, {"E3", "E4"}, {"E0"}]


def test_carr_walks_over_supported_rubrics_only():
    assert np.flatnonzero(carr(PUBLISHED, [True, True, True, False])).tolist() == [0, 1]
    assert carr(PUBLISHED, [False, True, True, False]).tolist() == [False] * 4
    chain = [{f"E{i}", f"E{i + 1}"} for i in reversed(range(6))]
    assert carr(chain, [True] * 6).all()


@given(
    st.lists(st.tuples(st.frozensets(st.sampled_from("ABCDEF"), max_size=3), st.booleans()), max_size=8),
    st.sampled_from("ABCDEF"),
)
def test_carr_is_the_connected_part(rubrics, answer):
    entities, supported = [names for names, _ in rubrics], [bit for _, bit in rubrics]
    counts = carr(entities, supported, answer=answer)
    reached = {answer}.union(*(names for names, bit in zip(entities, counts, strict=True) if bit))
    for names, bit, counted in zip(entities, supported, counts, strict=True):
        assert counted == (bit and bool(names & reached))


def test_carr_reads_placeholders_and_pays_the_share_at_the_end():
    rubrics = ["<E0> was born in <E1>", "<E1> lies by <E12>", "<E2> sings"]
    rewards = CaRRReward()(episode(3, rubrics=rubrics, rubrics_supported=[True, True, True]))
    assert rewards.tolist() == pytest.approx([0, 0, 2 / 3])
    assert CaRRReward().needs == {"rubrics", "rubrics_supported"}


def test_carr_pays_nothing_without_evidence():
    reward = CaRRReward()
    assert not reward(episode(rubrics=[], rubrics_supported=[])).any()
    assert not reward(episode(rubrics=["<E0>"], rubrics_supported=None)).any()
    cut_off = episode(rubrics=["<E0>"], rubrics_supported=[True])
    cut_off.terminated, cut_off.truncated = False, True
    assert not reward(cut_off).any()
    assert reward(Trajectory()).shape == (0,)
    with pytest.raises(ValueError, match="one bit a rubric: 1 rubrics, 2 bits"):
        carr([{"E0"}], [True, True])
