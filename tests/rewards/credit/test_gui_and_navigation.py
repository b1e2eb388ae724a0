"""UI-S1's cut returns and group filter; SRGPO's random chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from credit_batches import VECTORS, batches, close_rows, ragged
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import gigpo, grpo
from turnwise.rewards.credit.srgpo import approach_reward, random_chunks, srgpo
from turnwise.rewards.credit.ui_s1 import cut_returns, step_reward, ui_s1
from turnwise.rewards.returns import discounted_returns

REWARDS = [[1, 1, 1], [1, 0.55, 1], [0.55, 1, 1], [1, 1, 0.19]]
MATCH = [[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0]]


def screens() -> TurnBatch:
    return ragged(REWARDS, [1, 0, 0, 0], channels={"match": np.concatenate(MATCH)})


def test_ui_s1_returns() -> None:
    batch = screens()
    close_rows(batch, cut_returns(batch, batch.channel("match") == 1, 0.5), "uis1_returns")


def test_ui_s1_step_part_compares_the_same_turn_of_the_group() -> None:
    batch = screens()
    returns = np.array(VECTORS["uis1_returns"])
    step = ui_s1(batch, episode_weight=0.0, min_spread=None).advantage.reshape(4, 3)
    assert_allclose(step, (returns - returns.mean(axis=0)) / (returns.std(axis=0, ddof=1) + 1e-6), atol=1e-9)


def test_ui_s1_episode_part_is_gigpo_s() -> None:
    batch = screens()
    for cross_steps in (True, False):
        ours = ui_s1(batch, step_weight=0.0, cross_steps=cross_steps, min_spread=None).advantage
        assert_allclose(ours, gigpo(batch, step_weight=0.0, cross_steps=cross_steps).advantage, atol=1e-12)


@given(batches(), st.sampled_from([0.0, 0.5, 1.0]))
def test_returns_without_a_mismatch_are_ordinary_and_with_none_matching_the_rewards(
    batch: TurnBatch, gamma: float
) -> None:
    everywhere = np.ones(batch.turns, dtype=bool)
    assert_allclose(cut_returns(batch, everywhere, gamma), discounted_returns(batch, batch.reward, gamma), atol=1e-9)
    assert_allclose(cut_returns(batch, ~everywhere, gamma), batch.reward, atol=0)


@given(batches(min_length=1))
def test_cut_returns_equal_a_loop_over_turns(batch: TurnBatch) -> None:
    match = batch.channel("bit") == 1
    expected = np.empty(batch.turns)
    for start, length in zip(batch.starts, batch.lengths, strict=True):
        after = 0.0
        for row in range(start + length - 1, start - 1, -1):
            expected[row] = batch.reward[row] + (0.5 * after if match[row] else 0.0)
            after = expected[row] if match[row] else 0.0
    assert_allclose(cut_returns(batch, match, 0.5), expected, atol=1e-12)


def test_groups_whose_first_returns_are_alike_are_dropped_and_groups_of_one_stay() -> None:
    batch = TurnBatch.pack(lengths=[1] * 5, group=[0, 0, 1, 1, 2], reward=[1.0, 0.4, 1.0, 0.3, 0.2], outcome=[0.0] * 5)
    # first returns spread by 0.3 (not more than 0.3) in group 0 and by 0.35 in group 1
    credit = ui_s1(batch, np.ones(5))
    assert credit.keep.tolist() == [False, False, True, True, True]
    assert credit.weight.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert credit.advantage[:2].tolist() == [0.0, 0.0]
    assert ui_s1(batch, np.ones(5), min_spread=None).keep.all()
    assert ui_s1(batch, np.ones(5), singleton="drop").keep.tolist() == [False, False, True, True, False]


def test_match_must_be_bits() -> None:
    with pytest.raises(ValueError, match="match must hold 0 and 1 only, got 0"):
        ui_s1(ragged([[0], [0]], [0, 0]), [1, 0.5])


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"parsed": True, "type_match": True, "exact": True}, 1.0),
        ({"parsed": True, "type_match": True, "exact": False}, 0.55),
        ({"parsed": True, "type_match": False, "exact": False}, 0.19),
        ({"parsed": False, "type_match": False, "exact": False}, 0.1),
        ({"parsed": True, "type_match": True, "exact": True, "annotation": "HARMFUL"}, 0.1),
        ({"parsed": False, "type_match": False, "exact": False, "annotation": "NEUTRAL"}, 0.55),
    ],
)
def test_ui_s1_step_reward(facts: dict[str, Any], expected: float) -> None:
    assert step_reward(True, **facts) == pytest.approx(expected)
    assert step_reward(False, **facts) == pytest.approx(expected - 0.1)


def walk(groups: list[int], process: list[float], outcome: list[float], **more: Any) -> TurnBatch:
    each = len(process) // len(groups)
    return TurnBatch.pack(
        lengths=[each] * len(groups),
        group=groups,
        reward=np.zeros(len(process)),
        outcome=outcome,
        channels={"process": process},
        **more,
    )


def test_srgpo_one_chunk() -> None:
    batch = walk([0, 0], [1, 0, 1, 1], [1, 1])
    step = srgpo(batch, rng=np.random.default_rng(0), step_weight=1.0).advantage
    assert_allclose(step, (np.array([1, 0, 1, 1]) - 0.75) / (0.5 + 1e-6), atol=1e-9)


@given(st.integers(0, 5), st.integers(1, 7), st.integers(0, 3))
def test_chunks_are_of_the_asked_size_and_stay_in_their_pool(seed: int, size: int, pools: int) -> None:
    pool = np.random.default_rng(seed).integers(0, pools + 1, size=23)
    chunks = random_chunks(pool, size, np.random.default_rng(seed))
    for chunk in np.unique(chunks.code):
        members = pool[chunks.code == chunk]
        assert len(set(members.tolist())) == 1
        assert len(members) <= size
    used = np.bincount(pool)
    assert len(np.unique(chunks.code)) == sum(-(-count // size) for count in used)


def test_equal_generators_give_equal_credit_and_others_do_not() -> None:
    batch = walk([0, 0], np.random.default_rng(1).random(64).tolist(), [1, 0])
    first, again, other = (srgpo(batch, rng=np.random.default_rng(seed)).advantage for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_chunks_within_a_task_and_the_release_that_does_not_heed_it() -> None:
    batch = walk([0, 1], [0.0, 0.0, 1.0, 1.0], [1, 1])

    def step(**more: Any) -> list[float]:
        rng = np.random.default_rng(0)
        return srgpo(batch, rng=rng, chunk=-1, step_weight=1.0, singleton="zero", **more).advantage.tolist()

    assert step(within="task") == [0.0] * 4  # equal inside each task
    whole = step(within="batch")
    assert whole[0] < 0 < whole[2]
    assert step(within="task", compat="released") == whole
    assert step(within="trajectory", compat="released") == [0.0] * 4  # only `task` is overridden


def test_srgpo_episode_part_is_grpo_s_and_penalties_touch_one_turn() -> None:
    batch = walk([0, 0], [0.0] * 4, [1, 0], valid=[True, False, True, True])
    base = srgpo(batch, rng=np.random.default_rng(0), step_weight=0.0, invalid_penalty=0.0)
    assert_allclose(base.advantage, grpo(batch).advantage)
    charged = srgpo(batch, rng=np.random.default_rng(0), step_weight=0.0, norm_by_std=False)
    assert_allclose(charged.advantage, [0.5, 0.4, -0.5, -0.5])


def test_approach_reward() -> None:
    reward = approach_reward([2.0, 2.0, 2.0, 2.0], [1.995, 1.9, 3.0, 3.0], [0, 0, 0, 1], [0, 0, 1, 1])
    assert reward.tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("chunk", [0, -2])
def test_a_chunk_holds_a_turn_or_all(chunk: int) -> None:
    with pytest.raises(ValueError, match="chunk must be at least 1, or -1"):
        srgpo(walk([0, 0], [0.0] * 4, [1, 0]), rng=np.random.default_rng(0), chunk=chunk)
