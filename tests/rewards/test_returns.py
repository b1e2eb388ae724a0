from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.returns import discounted_returns, generalised_advantage, reverse_scan


def looped(values: np.ndarray, lengths: np.ndarray, discount: float) -> np.ndarray:
    out, end = np.array(values, dtype=np.float64), 0
    for length in lengths.tolist():
        end += length
        for row in range(end - 2, end - length - 1, -1):
            out[row] += discount * out[row + 1]
    return out


@given(st.lists(st.integers(0, 9), max_size=8), st.sampled_from([0.0, 0.5, 0.95, 1.0]), st.integers(0, 99))
def test_scan_agrees_with_a_loop(lengths: list[int], discount: float, seed: int) -> None:
    sizes = np.array(lengths, dtype=np.int64)
    values = np.random.default_rng(seed).normal(size=sizes.sum())
    assert_allclose(reverse_scan(values, sizes, discount), looped(values, sizes, discount), atol=1e-12)


@pytest.mark.parametrize("discount", [0.1, 0.999, 1.0])
@pytest.mark.parametrize("lengths", [[257], [256, 0, 512, 1, 700, 3], [70_000, 2]])
def test_long_trajectories_are_scanned_in_blocks(lengths: list[int], discount: float) -> None:
    sizes = np.array(lengths, dtype=np.int64)
    values = np.random.default_rng(0).normal(size=sizes.sum())
    assert_allclose(reverse_scan(values, sizes, discount), looped(values, sizes, discount), rtol=1e-10, atol=1e-10)


def test_a_million_discounted_turns_stay_finite() -> None:
    # A formula with gamma ** -t is infinite after 13,000 turns at this discount.
    returns = reverse_scan(np.ones(1_000_000), np.array([1_000_000]), 0.95)
    assert_allclose(returns[:-1000], 20.0)
    assert_allclose(returns[-3:], [2.8525, 1.95, 1.0])


def test_input_is_left_alone() -> None:
    batch = TurnBatch.pack(lengths=[3], group=[0], reward=[0, 0, 1], outcome=[1])
    discounted_returns(batch, batch.reward, 0.5)
    assert batch.reward.tolist() == [0, 0, 1]


@pytest.mark.parametrize("gamma", [-0.1, 1.01, float("nan")])
def test_discounts_outside_the_unit_interval_are_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"gamma must lie in \[0, 1\], got"):
        reverse_scan(np.ones(2), np.array([2]), gamma)


def test_gae_with_lambda_one_is_return_minus_value() -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([3, 0, 1, 5])
    reward, values = rng.normal(size=(2, 9))
    bootstrap = np.array([2.0, 7.0, 0.0, -1.0])
    with_end = reward.copy()
    with_end[[2, 3, 8]] += 0.9 * bootstrap[[0, 2, 3]]
    advantage = generalised_advantage(reward, values, lengths, gamma=0.9, lam=1.0, bootstrap=bootstrap)
    assert_allclose(advantage, looped(with_end, lengths, 0.9) - values, atol=1e-12)
