"""Controls: one draw a prompt group, seeded; and rewards for how a text is written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import TurnBatch
from turnwise.rewards.controls import flip_outcomes, reasoning_pattern_outcomes


def batch(groups, outcomes, turns=2):
    n = len(groups)
    reward = np.zeros((n, turns))
    if turns:
        reward[:, -1] = outcomes
    return TurnBatch.pack(lengths=[turns] * n, group=groups, reward=reward.ravel(), outcome=outcomes)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=30), st.floats(0, 1), st.integers(0, 99))
def test_a_group_is_flipped_whole_or_not_at_all(groups, probability, seed):
    outcomes = np.linspace(0, 0.4, len(groups))
    noisy = flip_outcomes(batch(groups, outcomes), probability, np.random.default_rng(seed))
    flipped = noisy.outcome > 0.5
    for name in set(groups):
        assert len({bool(flipped[i]) for i, group in enumerate(groups) if group == name}) == 1
    np.testing.assert_allclose(noisy.outcome, np.where(flipped, 1 - outcomes, outcomes))
    np.testing.assert_allclose(noisy.reward[noisy.is_last], noisy.outcome)
    assert not noisy.reward[~noisy.is_last].any()


def test_draws_follow_the_groups_first_rollouts():
    # Three groups, in order of appearance z, a, m; draws of this seed are 0.64, 0.27, 0.04.
    noisy = flip_outcomes(batch(list("zamza"), [1.0] * 5), 0.3, np.random.default_rng(0))
    assert noisy.outcome.tolist() == [1, 0, 0, 1, 0]
    by_number = flip_outcomes(batch(np.array([9, 2, 5, 9, 2]), [1.0] * 5), 0.3, np.random.default_rng(0))
    assert by_number.outcome.tolist() == noisy.outcome.tolist()


def test_the_share_of_flipped_groups_is_the_probability():
    groups = np.repeat(np.arange(20_000), 2)
    noisy = flip_outcomes(batch(groups, np.ones(40_000)), 0.4, np.random.default_rng(1))
    assert np.mean(noisy.outcome == 0) == pytest.approx(0.4, abs=0.02)


def test_the_original_stays_as_it_is():
    original = batch("a", [1.0])
    flip_outcomes(original, 1.0, np.random.default_rng(0))
    assert original.outcome.tolist() == [1.0]
    assert original.reward.tolist() == [0.0, 1.0]


def test_rollouts_without_turns_and_empty_batches():
    assert flip_outcomes(batch("ab", [1.0, 0.0], turns=0), 1.0, np.random.default_rng(0)).outcome.tolist() == [0, 1]
    assert len(flip_outcomes(batch([], []), 0.5, np.random.default_rng(0))) == 0


def test_reasoning_patterns():
    pattern = [0.25, 0.5, 0.75]
    paid = reasoning_pattern_outcomes(batch("aab", [1, 0, 0.5]), pattern, only_failures=True)
    assert paid.outcome.tolist() == [1, 0.5, 0.5]
    assert paid.reward[paid.is_last].tolist() == [1, 0.5, 0.5]
    assert (
        reasoning_pattern_outcomes(batch("aab", [1, 0, 0.5]), pattern, only_failures=False).outcome.tolist() == pattern
    )


def test_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="probability must lie"):
        flip_outcomes(batch("a", [1.0]), 1.5, rng)
    with pytest.raises(ValueError, match="outcomes must lie in"):
        flip_outcomes(batch("a", [10.0]), 0.5, rng)
    with pytest.raises(ValueError, match="pattern must hold 1 finite numbers"):
        reasoning_pattern_outcomes(batch("a", [1.0]), [np.nan], only_failures=True)
