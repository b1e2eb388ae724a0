"""CM2: checklists at the level of trajectories, user turns and steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from credit_batches import VECTORS, close_rows, ragged
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import grpo
from turnwise.rewards.credit.cm2 import cm2, cm2_steps

SCORES = [[1, 0.7], [0.6, 0.3], [0.6, 1], [0, 0], [0.3, 0.5]]


def conversation() -> TurnBatch:
    return ragged([[0.0, 0.0]] * 5, [0.0] * 5, channels={"checklist_score": np.concatenate(SCORES)})


def test_turn_level_vector() -> None:
    batch = conversation()
    close_rows(batch, cm2(batch).advantage, "cm2_turn_adv_nostd")


def test_trajectory_level_vector() -> None:
    batch = conversation()
    score = np.array(VECTORS["cm2_traj_reward"])
    assert_allclose(cm2(batch, level="trajectory").advantage[batch.starts], score - score.mean(), atol=1e-12)
    assert_allclose(
        cm2(batch, level="trajectory", norm_by_std=True).advantage, grpo(batch, scores=score).advantage, atol=1e-12
    )


def test_planned_turns_that_were_not_reached_score_nothing() -> None:
    batch = ragged([[0.0], [0.0, 0.0]], [0.0, 0.0])
    credit = cm2(batch, [1.0, 0.5, 0.5], level="trajectory", planned=[2, 2])
    assert credit.advantage.tolist() == [0.0, 0.0, 0.0]
    credit = cm2(batch, [1.0, 0.5, 0.5], level="trajectory")
    assert credit.advantage.tolist() == [0.25, -0.25, -0.25]


def test_a_turn_with_four_samples_gets_nothing() -> None:
    batch = ragged([[0.0, 0.0]] * 4 + [[0.0]], [0.0] * 5)
    score = [1, 1, 0, 1, 0, 0, 0, 0, 1]
    credit = cm2(batch, score)
    assert_allclose(credit.advantage[batch.position == 0], np.array([1, 0, 0, 0, 1]) - 0.4, atol=1e-12)
    assert credit.advantage[batch.position == 1].tolist() == [0.0] * 4
    assert (cm2(batch, score, min_samples=4).advantage[batch.position == 1] != 0.0).all()


def test_rollouts_with_a_failed_call_are_out() -> None:
    batch = ragged([[0.0]] * 6, [0.0] * 6)
    credit = cm2(batch, [1, 0, 0, 0, 0, 9], valid=[1, 1, 1, 1, 1, 0])
    assert_allclose(credit.advantage, [0.8, -0.2, -0.2, -0.2, -0.2, 0.0], atol=1e-12)
    assert credit.keep.tolist() == [True] * 5 + [False]
    assert credit.weight.tolist() == [1.0] * 5 + [0.0]
    # a valid flag more takes the turn below five samples
    assert cm2(batch, [1, 0, 0, 0, 0, 9], valid=[1, 1, 1, 1, 0, 0]).advantage.tolist() == [0.0] * 6


def steps(met: list[list[list[int]]], **more: Any) -> Any:
    """Rollouts of steps of items; one user turn unless said otherwise."""
    batch = ragged([[0.0] * len(rollout) for rollout in met], [0.0] * len(met))
    items = len(met[0][0])
    arguments: dict[str, Any] = {
        "weights": [1.0] * items,
        "depends": [[]] * items,
        "user_turn": np.zeros(batch.turns),
        "item_turn": [0] * items,
        "min_samples": 2,
        **more,
    }
    return cm2_steps(batch, [row for rollout in met for row in rollout], **arguments)


def test_steps_up_to_the_one_that_meets_an_item_share_its_score() -> None:
    credit = steps([[[0], [1], [0]], [[0], [0]]])
    # scores 1 and 0, mean 0.5; after it is met the item is closed
    assert credit.advantage.tolist() == [0.5, 0.5, 0.0, -0.5, -0.5]
    assert credit.reward.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_delay_discounts_the_score() -> None:
    credit = steps([[[0], [1]], [[1]]], eta=0.5)
    assert credit.advantage.tolist() == [-0.25, -0.25, 0.25]  # scores 0.5 and 1


def test_an_item_opens_after_what_it_depends_on() -> None:
    met = [[[1, 0], [0, 1]], [[1, 1], [0, 0]]]
    credit = steps(met, depends=[[], [0]])
    # item 0: both meet it at once, no difference. Item 1 opens at the second step: met there, or not (the bit of the
    # first step came too early).
    assert credit.advantage.tolist() == [0.0, 0.5, 0.0, -0.5]


def test_rollouts_that_never_opened_an_item_do_not_count_for_it() -> None:
    met = [[[1, 0], [0, 1]], [[1, 0], [0, 0]], [[0, 1], [0, 1]]]
    credit = steps(met, depends=[[], [0]])
    third = 1 / 3
    # item 0: scores 1, 1, 0; item 1: scores 1, 0 and not open
    assert_allclose(credit.advantage, [third, 0.5, third, -0.5, -2 * third, -2 * third], atol=1e-12)


def test_items_count_in_their_own_user_turn_only() -> None:
    met = [[[1, 1], [0, 1]], [[0, 0], [1, 0]]]
    turns = {"user_turn": [0, 1, 0, 1], "item_turn": [0, 1]}
    assert steps(met, **turns).advantage.tolist() == [0.5, 0.5, -0.5, -0.5]


def test_weights_and_their_normalisation() -> None:
    met = [[[1, 0]], [[0, 0]]]
    assert steps(met, weights=[0.75, 0.25]).advantage.tolist() == [0.375, -0.375]
    assert_allclose(steps(met, weights=[3.0, 1.0], norm_by_weight=True).advantage, [0.375, -0.375])


def test_too_few_rollouts_and_invalid_ones() -> None:
    met = [[[1]], [[0]], [[0]]]
    assert steps(met, min_samples=4).advantage.tolist() == [0.0, 0.0, 0.0]
    credit = steps(met, valid=[True, True, False])
    assert credit.advantage.tolist() == [0.5, -0.5, 0.0]
    assert credit.keep.tolist() == [True, True, False]


def test_wrong_checklists_are_named() -> None:
    with pytest.raises(ValueError, match=r"depends\[0\] must name items before 0, got \[1\]"):
        steps([[[1, 0]], [[0, 0]]], depends=[[1], []])
    with pytest.raises(ValueError, match="item_turn and depends must have 1 entries, got 1 and 0"):
        steps([[[1]], [[0]]], depends=[])
    batch = TurnBatch.pack(lengths=[1, 1], group=[0, 1], reward=[0, 0], outcome=[0, 0])
    rest: dict[str, Any] = {"weights": [1.0], "depends": [[]], "user_turn": [0, 0], "item_turn": [0]}
    with pytest.raises(ValueError, match="one group at a time"):
        cm2_steps(batch, [[1], [0]], **rest)
    with pytest.raises(ValueError, match=r"met must have shape \(1, 1\), steps by items, got \(2, 1\)"):
        cm2_steps(ragged([[0.0]], [0.0]), [[1], [0]], **rest)
