"""TEMPO's prefix tree and ArCHer's double critic."""

from __future__ import annotations

import numpy as np
import pytest
from credit_batches import batches, close, ragged
from hypothesis import given
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import grpo
from turnwise.rewards.credit.archer import archer, archer_q_targets
from turnwise.rewards.credit.tempo import branch_differences, tempo


def test_values_change_only_where_rollouts_part_ways() -> None:
    batch = ragged([[0.0] * 3] * 4, [1, 0, 1, 1])
    actions = list("abc") + list("abd") + list("aec") + list("aec")
    change = tempo(batch, actions, branch_weight=1.0).reward.reshape(4, 3)
    # all share a (0.75); then b (0.5) against e (1.0); then c (1) against d (0); the last two never part
    assert change.tolist() == [[0, -0.25, 0.5], [0, -0.25, -0.5], [0, 0.25, 0], [0, 0.25, 0]]


def test_a_rollout_that_stops_parts_from_those_that_go_on() -> None:
    batch = ragged([[0.0], [0.0, 0.0]], [1, 0])
    assert tempo(batch, list("aab"), branch_weight=1.0).reward.tolist() == [0.0, 0.0, -0.5]


def test_groups_do_not_share_prefixes() -> None:
    batch = TurnBatch.pack(lengths=[1, 1], group=[0, 1], reward=[0, 0], outcome=[1, 0])
    assert tempo(batch, list("aa"), branch_weight=1.0).reward.tolist() == [0.0, 0.0]


def by_dictionary(batch: TurnBatch, actions: np.ndarray) -> np.ndarray:
    """The same values from a dictionary of all prefixes."""
    scores: dict[tuple[int, ...], list[float]] = {}
    keys = []
    for i in range(len(batch)):
        path = actions[batch.starts[i] : batch.starts[i] + batch.lengths[i]].tolist()
        keys.append([(int(batch.group[i]), *path[:t]) for t in range(len(path) + 1)])
        for key in keys[-1]:
            scores.setdefault(key, []).append(batch.outcome[i])
    change = [np.mean(scores[key[t + 1]]) - np.mean(scores[key[t]]) for key in keys for t in range(len(key) - 1)]
    return np.array(change)


@given(batches())
def test_prefix_values_equal_those_of_a_dictionary(batch: TurnBatch) -> None:
    actions = batch.channel("action").astype(np.int64)
    assert_allclose(branch_differences(batch, actions, batch.outcome), by_dictionary(batch, actions), atol=1e-12)


@given(batches())
def test_value_changes_telescope_to_the_outcome_against_the_group(batch: TurnBatch) -> None:
    actions = np.arange(batch.turns)  # all part at their first row
    change = branch_differences(batch, actions, batch.outcome)
    begun = batch.lengths > 0
    total = np.bincount(batch.row, weights=change, minlength=len(batch))
    expected = grpo(batch, norm_by_std=False, singleton="zero").advantage
    assert_allclose(total[begun], expected[batch.starts[begun]], atol=1e-12)
    assert_allclose(tempo(batch, actions, branch_weight=0.0).advantage, grpo(batch).advantage, atol=0)


def test_archer_vector_and_truncation() -> None:
    batch = ragged([[0, 0, 1]], [1])
    close(archer_q_targets(batch, [0.2, 0.5, 0.8]), "archer_Q_targets")
    cut = ragged([[0, 0], [0]], [0, 0], truncated=[True, False])
    targets = archer_q_targets(cut, [0.2, 0.5, 0.4], gamma=0.5, bootstrap=[0.8, 0.9])
    assert targets.tolist() == [0.25, 0.4, 0.0]  # only a truncated episode goes on beyond its end


def test_archer_is_pessimistic_about_both() -> None:
    batch = ragged([[0, 0]], [0])
    credit = archer(batch, [0.7, 0.1], [0.65, 0.9], [0.5, 0.3], [0.55, 0.2])
    assert_allclose(credit.advantage, [0.15, -0.1], atol=1e-12)
    with pytest.raises(ValueError, match="q2 must be finite, got nan in row 0"):
        archer(batch, [0.7, 0.1], [np.nan, 0.9], [0.5, 0.3], [0.55, 0.2])
