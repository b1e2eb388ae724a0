from __future__ import annotations

import pytest
import torch

from turnwise.agents.kept_caches import KeptCaches
from turnwise.agents.kv_buffer import KeysAndValues


def cache(ids: list[int]) -> KeysAndValues:
    """A cache of two layers in which every token's keys are its own id."""
    keys = torch.tensor(ids, dtype=torch.float32)[:, None, None].expand(-1, 2, 4)
    return [(keys.clone(), -keys.clone()), (keys + 0.5, keys - 0.5)]


def held(layers: KeysAndValues) -> list[int]:
    return layers[0][0][:, 0, 0].int().tolist() if layers else []


def test_a_conversation_takes_its_own_cache_as_far_as_it_is_the_same() -> None:
    kept = KeptCaches(100, shortest=2)
    kept.put("a", [1, 2, 3, 4], cache([1, 2, 3, 4]))
    name, layers = kept.take("a", [1, 2, 3, 9, 9])
    assert name == "a" and held(layers) == [1, 2, 3] and layers[1][1].shape == (3, 2, 4)
    assert "a" not in kept and kept.held == 0


def test_the_last_token_is_never_part_of_it() -> None:
    kept = KeptCaches(100, shortest=1)
    kept.put("a", [1, 2, 3], cache([1, 2, 3]))
    assert held(kept.take("a", [1, 2, 3])[1]) == [1, 2]


def test_another_ones_cache_is_read_and_stays() -> None:
    kept = KeptCaches(100, shortest=2)
    kept.put("a", [1, 2, 3, 4], cache([1, 2, 3, 4]))
    kept.put("b", [1, 2, 8], cache([1, 2, 8]))
    name, layers = kept.take("c", [1, 2, 3, 7, 7])
    assert name == "c" and held(layers) == [1, 2, 3] and "a" in kept
    assert kept.take("c", [1, 9, 9]) == ("c", []) == kept.take("c", [])


def test_who_does_not_know_its_name_goes_on_from_the_whole_of_one() -> None:
    kept = KeptCaches(100, shortest=2)
    kept.put("a", [1, 2, 3], cache([1, 2, 3]))
    name, layers = kept.take("", [1, 2, 9, 9])
    assert name == "" and held(layers) == [1, 2] and "a" in kept
    name, layers = kept.take("", [1, 2, 3, 4])
    assert name == "a" and held(layers) == [1, 2, 3] and "a" not in kept


def test_the_least_recently_used_go_first() -> None:
    kept = KeptCaches(10, shortest=1)
    kept.put("a", [1, 1, 1], cache([1, 1, 1]))
    kept.put("b", [2, 2, 2], cache([2, 2, 2]))
    kept.take("x", [1, 1, 5])  # a is used
    kept.put("c", [3, 3, 3, 3, 3], cache([3] * 5))
    assert "a" in kept and "b" not in kept and "c" in kept and kept.held == 8
    kept.put("d", [4] * 11, cache([4] * 11))
    assert "d" not in kept and kept.held == 8
    kept.put("", [5] * 3, cache([5] * 3), evict=False)
    assert len(kept) == 2
    kept.put("", [5] * 2, cache([5] * 2), evict=False)
    assert len(kept) == 3 and kept.held == 10
    kept.put("a", [6], cache([6]))
    assert kept.held == 8
    kept.clear()
    assert len(kept) == kept.held == 0


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="cache_tokens must be 0"):
        KeptCaches(-1)
