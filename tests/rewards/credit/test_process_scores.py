"""PURE, ProRAG and PROF: what to do with the scores of a process reward model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from credit_batches import VECTORS, batches, close, close_rows, permuted, ragged
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import grpo
from turnwise.rewards.credit.prof import dropped_counts, prof
from turnwise.rewards.credit.prorag import prorag, prorag_outcome
from turnwise.rewards.credit.pure import min_form, others_baseline, pure

SCORES = [[0.8, -0.2, 0.6], [0.5, 0.4, 0.3], [-0.9, 0.7], [0.2]]
STEP_TOKENS = np.array([4, 3, 2, 3, 3, 3, 5, 4, 6], dtype=np.float64)


def scored() -> tuple[TurnBatch, np.ndarray]:
    return ragged([[0.0] * len(row) for row in SCORES], [1, 1, 0, 0]), np.concatenate(SCORES)


def test_pure_vectors() -> None:
    batch, p = scored()
    weighted = min_form(batch, p)
    close_rows(batch, weighted, "pure_weighted")
    close(np.bincount(batch.row, weights=weighted), "pure_outcome")
    close_rows(batch, weighted - others_baseline(batch, weighted, STEP_TOKENS, "token"), "pure_token_baseline")


def test_pure_sums_to_the_end_and_adds_the_verifier() -> None:
    batch, p = scored()
    alone = pure(batch, p, tokens=STEP_TOKENS, verifier_weight=0.0)
    signal = [np.array(row) for row in VECTORS["pure_token_baseline"]]
    assert_allclose(alone.advantage, np.concatenate([row[::-1].cumsum()[::-1] for row in signal]), atol=1e-5)
    both = pure(batch, p, tokens=STEP_TOKENS)
    # v = [0, 0, -1, -1], centred by the other rollouts: 2/3 and -2/3, over every step of the rollout
    assert_allclose(both.advantage - alone.advantage, np.array([2, 2, -2, -2])[batch.row] / 3, atol=1e-12)


def test_an_unknown_answer_counts_like_a_solved_one() -> None:
    batch, p = scored()
    known = pure(batch, p, solved=[1, 1, 0, 0])
    assert_allclose(pure(batch, p, solved=[np.nan, 1, 0, 0]).advantage, known.advantage)


def test_pure_step_baseline_and_kl_worked_by_hand() -> None:
    batch = ragged([[0, 0], [0]], [0, 0])
    credit = pure(batch, [0.5, 0.5, -1.0], baseline="step", kl=[1.0, 2.0, 0.0], kl_weight=0.1)
    assert credit.reward.tolist() == [0.25, 0.25, -1.0]
    # the others' reward a step: -1 for the first rollout, 0.25 for the second
    assert_allclose(credit.advantage, [1.25 - 0.1 + 1.25 - 0.2, 1.25 - 0.2, -1.25], atol=1e-12)


def test_equal_weights_give_the_mean() -> None:
    batch, p = scored()
    sums = np.bincount(batch.row, weights=min_form(batch, p, weighted=False))
    assert_allclose(sums, [np.mean(row) for row in SCORES], atol=1e-12)


@given(batches(min_length=1), st.sampled_from([0.02, 0.1, 1.0]))
def test_the_sum_lies_between_the_smallest_and_the_mean_score(batch: TurnBatch, tau: float) -> None:
    p = batch.channel("score")
    sums = np.bincount(batch.row, weights=min_form(batch, "score", tau=tau))
    lowest = np.minimum.reduceat(p, batch.starts)
    assert (sums >= lowest - 1e-9).all()
    assert (sums <= np.bincount(batch.row, weights=p) / batch.lengths + 1e-9).all()


def test_one_step_keeps_its_score_at_any_temperature() -> None:
    batch = ragged([[0], [0]], [1, 0])
    for tau in (1e-4, 0.1, 1e4):
        assert min_form(batch, [0.7, -0.9], tau=tau).tolist() == [0.7, -0.9]
    with pytest.raises(ValueError, match="tau must be positive, got 0"):
        min_form(batch, [0.7, -0.9], tau=0)


PRORAG = [[0.9, 0.8], [0.2], [0.1, 0.3], [0.6, 0.7]]


def test_prorag_vectors() -> None:
    batch = ragged([[0.0] * len(row) for row in PRORAG], [3, 1, -1, 1])
    score, tokens = np.concatenate(PRORAG), [2, 1, 2, 1, 1, 1, 2]
    close(prorag(batch, score, tokens=tokens, beta=0.0).advantage[batch.starts], "prorag_A_O")
    close_rows(batch, prorag(batch, score, tokens=tokens).advantage, "prorag_A_beta0.3")


@given(batches())
def test_prorag_steps_average_to_nothing_over_the_tokens_of_a_group(batch: TurnBatch) -> None:
    tokens = batch.channel("tokens")
    step = prorag(batch, "score", tokens="tokens", beta=1.0).advantage - prorag(batch, "score", beta=0.0).advantage
    assert_allclose(np.bincount(batch.group[batch.row], weights=tokens * step), 0.0, atol=1e-6)


def test_prorag_outcome_and_its_errors() -> None:
    assert prorag_outcome([1.0, 0.2, 0.19], [True, True, False]).tolist() == [3.0, 1.4, -1.0]
    with pytest.raises(ValueError, match="tokens must not be negative, got -1"):
        prorag(ragged([[0], [0]], [1, 0]), [0.5, 0.5], tokens=[1, -1])


CORRECT, WRONG = [0.9, 0.75, 0.75, 0.5, 0.4], [0.1, 0.2, 0.45]


def process() -> tuple[TurnBatch, list[float]]:
    return ragged([[0.0]] * 8, [1.0] * 5 + [0.0] * 3), CORRECT + WRONG


def test_prof_vector() -> None:
    assert [int(k) for k in dropped_counts(5, 3, 4)] == VECTORS["prof_k"]
    batch, score = process()
    credit = prof(batch, score, kept=4)
    # the three lowest of the correct and the highest of the wrong are gone (of the tied 0.75 the earlier one)
    assert credit.keep.tolist() == [True, False, True, False, False, True, True, False]
    assert credit.weight.tolist() == credit.keep.tolist()


def test_prof_compares_the_survivors_only() -> None:
    batch, score = process()
    credit = prof(batch, score, kept=4)
    survivors = grpo(ragged([[0.0]] * 4, [1, 1, 0, 0])).advantage
    assert_allclose(credit.advantage[credit.keep], survivors, atol=1e-12)
    assert credit.advantage[~credit.keep].tolist() == [0.0] * 4


def test_prof_can_drop_wrong_rollouts_at_random() -> None:
    batch, score = process()
    kept = {
        tuple(prof(batch, score, kept=4, drop_wrong="random", rng=np.random.default_rng(seed)).keep[5:].tolist())
        for seed in range(20)
    }
    assert len(kept) == 3
    assert all(sum(keep) == 2 for keep in kept)
    with pytest.raises(ValueError, match="rng must be given"):
        prof(batch, score, kept=4, drop_wrong="random")


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 12))
def test_prof_keeps_as_many_as_asked_for_and_balances(correct: int, wrong: int, kept: int) -> None:
    from_correct, from_wrong = (int(k) for k in dropped_counts(correct, wrong, kept))
    assert 0 <= from_correct <= correct
    assert 0 <= from_wrong <= wrong
    assert correct + wrong - from_correct - from_wrong == min(kept, correct + wrong)
    left = abs((correct - from_correct) - (wrong - from_wrong))
    best = min(
        (
            abs((correct - k) - (wrong - (max(correct + wrong - kept, 0) - k)))
            for k in range(correct + 1)
            if 0 <= max(correct + wrong - kept, 0) - k <= wrong
        ),
        default=0,
    )
    assert left == best


@given(batches(min_length=1), st.integers(0, 99))
def test_prof_does_not_depend_on_the_order_of_different_scores(batch: TurnBatch, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(batch))
    distinct = np.arange(len(batch), dtype=np.float64)[batch.row]
    shuffled, rows = permuted(batch, order)
    here = prof(batch, distinct, kept=2)
    there = prof(shuffled, distinct[rows], kept=2)
    assert there.keep.tolist() == here.keep[order].tolist()
    assert_allclose(there.advantage, here.advantage[rows], atol=1e-9)


def test_prof_refuses_to_keep_nothing() -> None:
    batch, score = process()
    arguments: dict[str, Any] = {"kept": 0}
    with pytest.raises(ValueError, match="kept must be at least 1, got 0"):
        prof(batch, score, **arguments)
