from __future__ import annotations

import numpy as np

from turnwise.envs.vector.infos import batch_infos


def test_types_are_decided_by_all_values_not_the_first() -> None:
    infos = batch_infos([{"x": 1, "y": True, "z": 3, "w": None}, {"x": 0.5, "y": "text", "z": None, "w": 2}])
    assert infos["x"].dtype == np.float64 and infos["x"].tolist() == [1.0, 0.5]
    assert infos["y"].tolist() == [True, "text"]
    assert infos["z"].tolist() == [3, None] and infos["w"].tolist() == [None, 2]


def test_numbers_keep_their_types() -> None:
    infos = batch_infos([{"a": True, "b": 2, "c": 0.5, "d": np.float32(1)}, None])
    assert [infos[key].dtype for key in "abcd"] == [np.bool_, np.int64, np.float64, np.float32]
    assert infos["_a"].tolist() == [True, False]


def test_dictionaries_are_batched_in_turn_with_masks() -> None:
    infos = batch_infos([{"terms": {"outcome": 1.0}}, {}, {"terms": {"outcome": 0.0, "bonus": 2.0}}])
    assert infos["_terms"].tolist() == [True, False, True]
    assert infos["terms"]["outcome"].tolist() == [1.0, 0.0, 0.0]
    assert infos["terms"]["_bonus"].tolist() == [False, False, True]


def test_arrays_tuples_and_lists_are_kept_whole() -> None:
    arrays = [np.zeros(2), np.ones((2, 3))]
    infos = batch_infos([{"x": array, "y": (1, 2), "z": [3]} for array in arrays])
    assert infos["x"].dtype == object and infos["x"][1] is arrays[1]
    assert infos["y"].tolist() == [(1, 2), (1, 2)] and infos["z"][0] == [3]
    assert batch_infos([{"x": np.zeros(2)}, {"x": np.zeros(2)}])["x"].shape == (2,)  # object array: one element each


def test_nothing_to_say() -> None:
    assert batch_infos([None, {}]) == {}
