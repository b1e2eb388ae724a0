"""Matrices of test results, and the weighted share of what passed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_equal

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit.verpo import pass_rates, verpo
from turnwise.rewards.pass_matrix import pass_matrix, weighted_share

Results = dict[str, bool]
RESULTS = st.lists(st.dictionaries(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=6)


def harder(rate: np.ndarray) -> np.ndarray:
    return 1.0 - rate


def rollouts(n: int, group: list[int] | None = None) -> TurnBatch:
    return TurnBatch.pack(lengths=[1] * n, group=group or [0] * n, reward=[0] * n, outcome=[0] * n)


@given(RESULTS)
def test_a_matrix_says_what_the_mappings_say(results: list[Results]) -> None:
    bits = pass_matrix(results)
    tests = list(dict.fromkeys(test for row in results for test in row))
    assert bits.shape == (len(results), len(tests))
    for row, result in zip(bits, results, strict=True):
        assert {t: bool(b) for t, b in zip(tests, row, strict=True) if not np.isnan(b)} == result
    assert_equal(pass_matrix(results, missing=0.0), np.nan_to_num(bits))


@given(RESULTS, st.integers(0, 99))
def test_verpo_reads_mappings_and_their_matrix_alike(results: list[Results], seed: int) -> None:
    group = np.random.default_rng(seed).integers(2, size=len(results)).tolist()
    batch = rollouts(len(results), group)
    by_name = verpo(batch, results, difficulty=harder, success_weight=1.0)
    as_matrix = verpo(batch, pass_matrix(results), difficulty=harder, success_weight=1.0)
    assert_allclose(by_name.advantage, as_matrix.advantage)
    assert_allclose(by_name.reward, as_matrix.reward)


@given(RESULTS)
def test_rates_are_means_over_the_rollouts_that_ran_a_test(results: list[Results]) -> None:
    bits = pass_matrix(results)
    rates = pass_rates(rollouts(len(results)), bits)
    for j in range(bits.shape[1]):
        assert_allclose(rates[:, j], np.nanmean(bits[:, j]))


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.booleans()), min_size=2, max_size=5), st.data())
def test_making_a_test_disappear_never_pays(results: list[Results], data: st.DataObject) -> None:
    cheat = data.draw(st.integers(0, len(results) - 1))
    failed = sorted(test for test, passed in results[cheat].items() if not passed)
    known_to_others = [t for t in failed if any(t in row for i, row in enumerate(results) if i != cheat)]
    hidden = [{**row} for row in results]
    for test in known_to_others:
        del hidden[cheat][test]
    rates = pass_rates(rollouts(len(results)), pass_matrix(results))
    rates_hidden = pass_rates(rollouts(len(results)), pass_matrix(hidden))
    _, solved = weighted_share(pass_matrix(results), rates, harder)
    _, solved_hidden = weighted_share(pass_matrix(hidden), rates_hidden, harder)
    assert solved_hidden[cheat] == solved[cheat]


def test_a_rollout_that_hides_the_hard_test_has_no_full_share() -> None:
    score = verpo(rollouts(2), [{"a": True}, {"a": True, "b": False}], difficulty=harder, success_weight=1.0).reward
    assert score.tolist() == [0.0, 0.0]  # everyone passes a, which is worth nothing beside b
    score = verpo(rollouts(2), [{"a": True}, {"a": False, "b": True}], difficulty=harder, success_weight=1.0).reward
    assert score.tolist() == [1.0, 0.0]
    assert verpo(rollouts(1), [{}], difficulty=harder, success_weight=1.0).reward.tolist() == [0.0]


@pytest.mark.parametrize(
    ("results", "missing", "message"),
    [
        ([{"a": 2}], np.nan, "result of 'a' must be true or false, got 2"),
        ([{"a": None}], np.nan, "result of 'a' must be true or false, got None"),
        ([{}], 1.0, r"missing must be NaN or 0, got 1\.0"),
    ],
)
def test_wrong_results_are_named(results: Any, missing: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pass_matrix(results, missing=missing)
