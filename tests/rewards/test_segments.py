from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from turnwise.rewards.segments import Segments, kept_groups, normalise, whiten

VALUES = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-100, 100))


@given(VALUES, st.data())
def test_statistics_agree_with_a_loop_over_any_keys(values: np.ndarray, data: st.DataObject) -> None:
    keys = data.draw(hnp.arrays(np.int64, (2, len(values)), elements=st.sampled_from([-(2**62), -1, 0, 1, 2**62])))
    segments = Segments.of(keys[0], keys[1])
    members: dict[tuple[int, int], list[float]] = defaultdict(list)
    for a, b, value in zip(*keys.tolist(), values.tolist(), strict=True):
        members[a, b].append(value)
    rows = [members[a, b] for a, b in zip(*keys.tolist(), strict=True)]
    assert segments.count[segments.code].tolist() == [len(row) for row in rows]
    assert_allclose(segments.mean(values)[segments.code], [np.mean(row) for row in rows], atol=1e-9)
    for ddof in (0, 1):
        expected = [np.var(row, ddof=ddof) if len(row) > ddof else 0.0 for row in rows]
        assert_allclose(segments.variance(values, ddof)[segments.code], expected, atol=1e-9)


def test_variance_survives_a_large_mean() -> None:
    values = 1e9 + np.array([0.0, 1.0, 2.0])
    assert_allclose(Segments.of(np.zeros(3, dtype=np.int64)).variance(values)[0], 1.0)


def test_singleton_rules() -> None:
    values, segments = np.array([1.0, 3.0, 5.0]), Segments.of(np.array([0, 0, 9]))
    half = 1 / np.sqrt(2)
    assert_allclose(normalise(values, segments, singleton="raw"), [-half, half, 5.0], atol=1e-6)
    assert_allclose(normalise(values, segments, singleton="zero"), [-half, half, 0.0], atol=1e-6)
    assert_allclose(normalise(values, segments, singleton="drop"), [-half, half, 0.0], atol=1e-6)
    assert kept_groups(segments, "drop").tolist() == [True, True, False]
    assert kept_groups(segments, "raw").all()
    with pytest.raises(ValueError, match=r"singleton must be one of .* got 'skip'"):
        normalise(values, segments, singleton="skip")  # type: ignore[arg-type]


def test_equal_values_normalise_to_zero_even_without_eps() -> None:
    segments = Segments.of(np.array([0, 0, 0]))
    assert normalise(np.full(3, 2.0), segments, eps=0.0).tolist() == [0.0, 0.0, 0.0]


def test_no_rows() -> None:
    empty = np.zeros(0)
    segments = Segments.of(np.zeros(0, dtype=np.int64))
    assert normalise(empty, segments).shape == (0,)
    assert whiten(empty).shape == (0,)


def test_whitening_counts_values_as_often_as_their_weight() -> None:
    values, counts = np.array([0.0, 1.0, 4.0]), np.array([2, 1, 3])
    repeated = whiten(np.repeat(values, counts))
    weighted = whiten(values, counts.astype(np.float64))
    assert_allclose(np.repeat(weighted, counts), repeated)
    assert_allclose([repeated.mean(), repeated.var(ddof=1)], [0.0, 1.0], atol=1e-7)


def test_whitening_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one counted value"):
        whiten(np.array([3.0]))
    with pytest.raises(ValueError, match="more than one counted value"):
        whiten(np.array([3.0, 4.0]), np.array([0.0, 1.0]))
