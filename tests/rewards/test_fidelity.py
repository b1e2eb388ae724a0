"""The measures of fidelity: known values, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from turnwise.rewards.fidelity import choice_codes, fidelity, quantised, ranks, sign_accuracy, spearman

TRUTH = np.repeat([0.5, -0.5, 0.0, 0.0, 0.25, -0.25], 500)
CHOICE = np.repeat(np.arange(6), 500)
STATE = CHOICE // 2
NUMBERS = arrays(np.float64, 20, elements=st.integers(-5, 5).map(float))


def test_the_truth_has_perfect_fidelity() -> None:
    found = fidelity(TRUTH, TRUTH, STATE, CHOICE)
    assert (found.sign_accuracy, found.spearman, found.signal, found.leak) == (
        1.0,
        pytest.approx(1.0),
        pytest.approx(2 / 3),
        0.0,
    )
    assert found.bias == pytest.approx(0.0, abs=1e-9)
    assert found.variance == pytest.approx(0.0, abs=1e-9)


def test_its_opposite_has_none() -> None:
    found = fidelity(-TRUTH, TRUTH, STATE, CHOICE)
    assert (found.sign_accuracy, found.bias, found.scale) == (0.0, 1.0, 0.0)
    assert found.spearman == pytest.approx(-1.0)
    assert np.isnan(found.variance)


def test_silence_is_a_coin_and_all_bias() -> None:
    found = fidelity(np.zeros_like(TRUTH), TRUTH, STATE, CHOICE)
    assert (found.sign_accuracy, found.signal, found.bias) == (0.5, 0.0, 1.0)
    assert np.isnan([found.spearman, found.leak]).all()


def test_unbiased_noise_is_variance_and_not_bias() -> None:
    noisy = TRUTH + np.random.default_rng(0).normal(scale=2.0, size=TRUTH.size)
    found = fidelity(noisy, TRUTH, STATE, CHOICE)
    assert found.bias < 0.25
    assert found.variance == pytest.approx(4.0 / np.mean(TRUTH**2), rel=0.4)


def test_an_offset_of_a_state_is_noise_and_not_bias() -> None:
    offset = np.array([3.0, -2.0, 5.0])[STATE]
    found = fidelity(TRUTH + offset, TRUTH, STATE, CHOICE)
    assert found.bias == pytest.approx(0.0, abs=1e-6)
    assert found.variance == pytest.approx(np.mean(offset**2) / np.mean(TRUTH**2))
    assert found.sign_accuracy == 0.5


def test_an_offset_of_an_action_is_bias() -> None:
    found = fidelity(TRUTH + 0.5 * (CHOICE % 2), TRUTH, STATE, CHOICE)
    assert found.bias > 0.5


def test_credit_on_neutral_turns_leaks() -> None:
    assert fidelity(np.ones_like(TRUTH), TRUTH, STATE, CHOICE).leak == pytest.approx(1 / 3)


def test_more_turns_change_the_precision_and_not_the_figures() -> None:
    rng = np.random.default_rng(1)
    truth, choice = np.tile(np.repeat(rng.normal(size=100), 2) * np.tile([1, -1], 100), 4), np.tile(np.arange(200), 4)
    few = [fidelity(truth + rng.normal(size=800), truth, choice // 2, choice).bias ** 2 for _ in range(40)]
    # Without the correction for chance, four visits of each of two choices would make this about 0.1.
    assert np.mean(few) < 0.05


def test_a_tolerance_says_what_matters() -> None:
    assert fidelity([1.0, 1.0], [0.3, -0.1], [0, 0], [0, 1], tolerance=0.2).sign_accuracy == 1.0
    assert fidelity([1.0, 1.0], [0.3, -0.1], [0, 0], [0, 1], tolerance=[0.2, 0.05]).sign_accuracy == 0.5


@given(NUMBERS, NUMBERS)
def test_spearman_is_the_correlation_of_ranks(a: np.ndarray, b: np.ndarray) -> None:
    if np.ptp(a) and np.ptp(b):
        assert spearman(a, b) == pytest.approx(np.corrcoef(ranks(a), ranks(b))[0, 1])
        assert spearman(np.exp(a), b**3) == pytest.approx(spearman(a, b))
    else:
        assert np.isnan(spearman(a, b))


@given(NUMBERS)
def test_ranks_are_means_over_ties(values: np.ndarray) -> None:
    by_definition = [(values < x).sum() + 0.5 * ((values == x).sum() + 1) for x in values]
    assert ranks(values).tolist() == by_definition


@given(NUMBERS, NUMBERS, st.floats(1e-3, 1e3))
def test_units_do_not_matter(estimate: np.ndarray, truth: np.ndarray, unit: float) -> None:
    choice = np.arange(20) // 4
    one, other = (fidelity(scaled, truth, choice // 2, choice) for scaled in (estimate, unit * estimate))
    for name in ("sign_accuracy", "spearman", "bias", "signal", "leak"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-6, nan_ok=True)


def test_rounding_errors_make_no_order() -> None:
    assert quantised(np.array([1.0, 1.0 + 1e-14, 1e-13])).tolist() == [1e9, 1e9, 0.0]
    assert quantised(np.zeros(2)).tolist() == [0.0, 0.0]


def test_without_turns_that_matter_there_is_no_sign() -> None:
    assert np.isnan(sign_accuracy(np.zeros(0), np.zeros(0)))
    assert np.isnan(fidelity([1.0, 2.0], [0.0, 0.0], [0, 0], [0, 0]).bias)


def test_choices_are_pairs() -> None:
    assert len(set(choice_codes(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])).tolist())) == 4


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="estimate, truth, state and choice must have one shape"):
        fidelity([1.0], [1.0, 2.0], [0, 0], [0, 0])
    with pytest.raises(ValueError, match="M >= 1"):
        fidelity([], [], [], [])
    with pytest.raises(ValueError, match="estimate must be finite, but 1 of 2"):
        fidelity([1.0, np.nan], [1.0, 2.0], [0, 0], [0, 1])
