"""What must hold for any rewards: invariance, reduction, conservation and bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import Credit, TurnBatch
from turnwise.rewards.credit import (
    gated,
    gigpo,
    grpo,
    igpo,
    information_gain,
    reinforce_pp,
    rloo,
    spa,
    turn_gae,
)

GRID = st.integers(-8, 8).map(lambda k: k / 4)  # values whose differences are either 0 or not small


@st.composite
def batches(draw: st.DrawFn, min_length: int = 1) -> TurnBatch:
    lengths = draw(st.lists(st.integers(min_length, 4), min_size=2, max_size=7))
    n, m = len(lengths), sum(lengths)
    per_turn = st.lists(GRID, min_size=m, max_size=m)
    return TurnBatch.pack(
        lengths=lengths,
        group=draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)),
        reward=draw(per_turn),
        outcome=draw(st.lists(GRID, min_size=n, max_size=n)),
        anchor=draw(st.lists(st.sampled_from("abc"), min_size=m, max_size=m)),
        valid=draw(st.lists(st.booleans(), min_size=m, max_size=m)),
        channels={"probe": draw(st.lists(st.floats(-5, 0), min_size=m, max_size=m)), "steps": draw(per_turn)},
    )


def permuted(batch: TurnBatch, order: np.ndarray) -> tuple[TurnBatch, np.ndarray]:
    """The batch with its trajectories in another order, and where each of its rows came from."""
    rows = np.concatenate([np.arange(batch.starts[i], batch.starts[i] + batch.lengths[i]) for i in order])
    shuffled = TurnBatch(
        lengths=batch.lengths[order],
        group=batch.group[order],
        reward=batch.reward[rows],
        outcome=batch.outcome[order],
        anchor=batch.anchor[rows],
        valid=batch.valid[rows],
        truncated=batch.truncated[order],
        channels={name: values[rows] for name, values in batch.channels.items()},
    )
    return shuffled, rows


METHODS: dict[str, Callable[[TurnBatch], Credit]] = {
    "grpo": grpo,
    "dr_grpo": lambda b: grpo(b, norm_by_std=False),
    "rloo": rloo,
    "gigpo": gigpo,
    "gigpo_rows": lambda b: gigpo(b, cross_steps=True, norm_by_std=False),
    "igpo": lambda b: igpo(b, "probe", gamma=0.9),
    "igpo_separate": lambda b: igpo(b, "probe", norm="separate", gain="log_prob_diff"),
    "igpo_oct2025": lambda b: igpo(b, "probe", compat="oct2025"),
    "spa": lambda b: spa(b, "steps", gamma=0.9),
    "spa_released": lambda b: spa(b, compat="released"),
    "gated": lambda b: gated(b, ["steps"], thresholds=[0.0]),
    "turn_gae": lambda b: turn_gae(b, "probe"),
    "reinforce_pp": reinforce_pp,
}


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=40)
@given(batch=batches(), seed=st.integers(0, 99))
def test_order_of_rollouts_does_not_matter(name: str, batch: TurnBatch, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(batch))
    shuffled, rows = permuted(batch, order)
    assert_allclose(METHODS[name](shuffled).advantage, METHODS[name](batch).advantage[rows], atol=1e-7)


@given(batches(), st.sampled_from([0.5, 3.0]), st.sampled_from([-2.0, 0.0, 5.0]))
def test_group_normalisation_ignores_units(batch: TurnBatch, scale: float, shift: float) -> None:
    moved = replace(batch, outcome=scale * batch.outcome + shift)
    with_std: dict[str, Any] = {"singleton": "zero", "eps": 1e-12}
    without: dict[str, Any] = {"singleton": "zero", "norm_by_std": False}
    assert_allclose(grpo(moved, **with_std).advantage, grpo(batch, **with_std).advantage, atol=1e-8)
    assert_allclose(grpo(moved, **without).advantage, scale * grpo(batch, **without).advantage, atol=1e-8)
    assert_allclose(rloo(moved, singleton="zero").advantage, scale * rloo(batch, singleton="zero").advantage, atol=1e-8)


@given(batches(), st.sampled_from([0.5, 3.0]))
def test_gigpo_ignores_the_scale_of_rewards(batch: TurnBatch, scale: float) -> None:
    def advantage(b: TurnBatch) -> Any:
        return gigpo(b, invalid_penalty=0.0, singleton="zero", gamma=0.5, eps=1e-12).advantage

    assert_allclose(advantage(replace(batch, reward=scale * batch.reward)), advantage(batch), atol=1e-8)


@given(batches())
def test_group_methods_sum_to_zero_over_the_rollouts_of_a_group(batch: TurnBatch) -> None:
    for credit in (grpo(batch, singleton="zero"), rloo(batch, singleton="zero")):
        sums = np.bincount(batch.group, weights=credit.advantage[batch.starts])
        assert_allclose(sums, 0.0, atol=1e-7)


@given(batches())
def test_gigpo_step_part_sums_to_zero_in_each_state(batch: TurnBatch) -> None:
    step = gigpo(batch).advantage - gigpo(batch, step_weight=0.0).advantage
    states = batch.group[batch.row] * 3 + batch.anchor
    assert_allclose(np.bincount(states, weights=step), 0.0, atol=1e-7)


@given(batches())
def test_gigpo_without_shared_states_is_its_episode_part(batch: TurnBatch) -> None:
    alone = replace(batch, anchor=np.arange(batch.turns))
    assert_allclose(gigpo(alone).advantage, gigpo(alone, step_weight=0.0).advantage, atol=0)


@given(batches(min_length=0))
def test_gigpo_with_one_state_a_group_and_no_discount_of_one_turn_is_grpo_twice(batch: TurnBatch) -> None:
    lengths = np.minimum(batch.lengths, 1)
    rows = batch.starts[lengths > 0]
    single = TurnBatch.pack(
        lengths=lengths,
        group=batch.group,
        reward=batch.outcome[lengths > 0],
        outcome=batch.outcome,
        anchor=np.zeros(len(rows), dtype=np.int64),
    )
    keep = lengths > 0
    only = TurnBatch.pack(
        lengths=lengths[keep], group=batch.group[keep], reward=single.reward, outcome=batch.outcome[keep]
    )
    together = gigpo(single, cross_steps=True, singleton="zero").advantage
    assert_allclose(together, 2 * grpo(only, singleton="zero").advantage, atol=1e-9)


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=9))
def test_probability_gains_are_bounded_and_telescope(probes: list[float]) -> None:
    gains = information_gain(probes)
    assert (np.abs(gains) <= 1.0).all()
    assert gains.sum() == pytest.approx(np.exp(probes[-1]) - np.exp(probes[0]), abs=1e-12)
    assert information_gain(probes, "log_prob_diff").sum() == pytest.approx(probes[-1] - probes[0], abs=1e-9)


@given(batches())
def test_spa_pays_out_exactly_the_prediction_and_the_bonus(batch: TurnBatch) -> None:
    reward = spa(batch, "steps", alpha=1.0, beta=0.5).reward
    paid = np.bincount(batch.row, weights=reward)
    predicted = np.bincount(batch.row, weights=batch.channel("steps"))
    assert_allclose(paid, predicted + 0.5 * np.bincount(batch.row, weights=batch.valid), atol=1e-12)


@given(batches(), GRID)
def test_a_gate_is_shut_or_open_as_a_whole(batch: TurnBatch, threshold: float) -> None:
    paid = np.bincount(batch.row, weights=gated(batch, ["steps"], thresholds=[threshold]).reward)
    direct = np.bincount(batch.row, weights=gated(batch, ["steps"], thresholds=[threshold], direct=True).reward)
    is_open = batch.outcome >= threshold
    assert_allclose(paid[is_open], direct[is_open])
    assert_allclose(paid[~is_open], batch.outcome[~is_open])
    strictly = np.bincount(
        batch.row, weights=gated(batch, ["steps"], thresholds=[threshold], comparison="strict").reward
    )
    at = batch.outcome == threshold
    assert_allclose(strictly[~at], paid[~at])
    assert_allclose(strictly[at], batch.outcome[at])


@given(batches())
def test_whitened_returns_have_mean_zero_and_variance_at_most_one(batch: TurnBatch) -> None:
    advantage = reinforce_pp(batch).advantage
    assert abs(advantage.mean()) < 1e-9
    assert advantage.var(ddof=1) <= 1.0 + 1e-9
