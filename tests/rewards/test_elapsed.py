"""Discounting by elapsed time: against a loop, against discounting by the turn, and in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import METHODS, duration_aware, grpo, semi_markov, turn_gae
from turnwise.rewards.elapsed import elapsed_advantage, elapsed_returns, variable_scan
from turnwise.rewards.returns import discounted_returns

LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=6)
GAMMAS = st.sampled_from([0.25, 0.9, 1.0])


def drawn(lengths: list[int], seed: int, **channels: Any) -> TurnBatch:
    rng = np.random.default_rng(seed)
    m = sum(lengths)
    return TurnBatch.pack(
        lengths=lengths,
        group=[0] * len(lengths),
        reward=rng.normal(size=m),
        outcome=rng.normal(size=len(lengths)),
        channels={"duration": rng.exponential(3.0, size=m), "value": rng.normal(size=m), **channels},
    )


def looped(batch: TurnBatch, gamma: float, unit: float, at_end: bool) -> list[float]:
    """Every reward of a trajectory, discounted by the time between the start of the turn and the reward."""
    duration = batch.channel("duration")
    returns = []
    for start, length in zip(batch.starts, batch.lengths, strict=True):
        for t in range(start, start + length):
            total = 0.0
            for later in range(t, start + length):
                waited = duration[t:later].sum() + (duration[later] - unit if at_end else 0.0)
                total += gamma ** (waited / unit) * batch.reward[later]
            returns.append(total)
    return returns


@given(LENGTHS, st.integers(0, 99), GAMMAS, st.sampled_from([0.5, 4.0]), st.booleans())
def test_a_reward_is_discounted_by_the_time_until_it_comes(
    lengths: list[int], seed: int, gamma: float, unit: float, at_end: bool
) -> None:
    batch = drawn(lengths, seed)
    found = elapsed_returns(batch, batch.reward, gamma=gamma, unit=unit, paid_at="end" if at_end else "start")
    assert_allclose(found, looped(batch, gamma, unit, at_end), atol=1e-9)


@given(LENGTHS, st.integers(0, 99), GAMMAS, st.sampled_from([0.01, 7.0]), st.sampled_from(["start", "end"]))
def test_turns_of_one_unit_are_discounted_by_the_turn(
    lengths: list[int], seed: int, gamma: float, unit: float, paid_at: Any
) -> None:
    batch = drawn(lengths, seed, duration=np.full(sum(lengths), unit))
    by_turn = discounted_returns(batch, batch.reward, gamma)
    assert_allclose(elapsed_returns(batch, batch.reward, gamma=gamma, unit=unit, paid_at=paid_at), by_turn, atol=1e-9)
    critic = semi_markov(batch, gamma=gamma, unit=unit, paid_at=paid_at, values="value", lam=0.5).advantage
    assert_allclose(critic, turn_gae(batch, gamma=gamma, lam=0.5).advantage, atol=1e-9)


@given(LENGTHS, st.integers(0, 99), GAMMAS, st.sampled_from(["start", "end"]))
def test_with_lambda_1_the_advantage_is_return_minus_value(
    lengths: list[int], seed: int, gamma: float, paid_at: Any
) -> None:
    batch = drawn(lengths, seed)
    critic = semi_markov(batch, gamma=gamma, unit=2.0, values="value", lam=1.0, paid_at=paid_at).advantage
    plain = semi_markov(batch, gamma=gamma, unit=2.0, paid_at=paid_at).advantage
    assert_allclose(critic, plain - batch.channel("value"), atol=1e-9)


@given(LENGTHS, st.integers(0, 99), st.integers(1, 4))
def test_time_in_other_units_is_the_same_time(lengths: list[int], seed: int, factor: int) -> None:
    batch = drawn(lengths, seed)
    scaled = elapsed_returns(batch, batch.reward, batch.channel("duration") * factor, gamma=0.9, unit=3.0 * factor)
    assert_allclose(scaled, elapsed_returns(batch, batch.reward, gamma=0.9, unit=3.0), atol=1e-12)


@given(st.integers(0, 99), st.sampled_from([0.25, 0.9]), st.booleans())
def test_waiting_longer_makes_a_success_worth_less(seed: int, gamma: float, at_end: bool) -> None:
    batch = drawn([4], seed)
    reward = np.array([0.0, 0.0, 0.0, 1.0])
    slower = batch.channel("duration") + np.array([0.0, 5.0, 0.0, 0.0])
    options: dict[str, Any] = {"gamma": gamma, "unit": 1.0, "paid_at": "end" if at_end else "start"}
    quick, slow = (elapsed_returns(batch, reward, d, **options) for d in (batch.channel("duration"), slower))
    assert (slow[:2] < quick[:2]).all()
    assert_allclose(slow[2:], quick[2:])


def test_a_slow_last_action_delays_the_outcome_only_where_rewards_come_at_the_end() -> None:
    batch = TurnBatch.pack(lengths=[2], group=[0], reward=[0, 1], outcome=[1], channels={"duration": [1, 3]})
    assert semi_markov(batch, gamma=0.5, unit=1.0).advantage.tolist() == [0.5, 1.0]
    assert semi_markov(batch, gamma=0.5, unit=1.0, paid_at="end").advantage.tolist() == [0.125, 0.25]


def test_a_critic_needs_to_know_how_truncated_episodes_go_on() -> None:
    batch = TurnBatch.pack(
        lengths=[1], group=[0], reward=[0.0], outcome=[0], truncated=[True], channels={"duration": [2], "value": [0.0]}
    )
    with pytest.raises(ValueError, match="truncated: pass bootstrap"):
        semi_markov(batch, gamma=0.5, unit=1.0, values="value")
    found = semi_markov(batch, gamma=0.5, unit=1.0, values="value", bootstrap=8.0)
    assert found.advantage.tolist() == [2.0]


@pytest.mark.parametrize("lengths", [[257], [256, 0, 512, 1, 700, 3], [5_000, 2]])
def test_long_trajectories_are_scanned_in_blocks(lengths: list[int]) -> None:
    rng = np.random.default_rng(0)
    values, discounts = rng.normal(size=sum(lengths)), rng.uniform(size=sum(lengths))
    expected, end = values.copy(), 0
    for length in lengths:
        end += length
        for row in range(end - 2, end - length - 1, -1):
            expected[row] += discounts[row] * expected[row + 1]
    assert_allclose(variable_scan(values, np.array(lengths), discounts), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": 1.5}, r"gamma must lie in \[0, 1\]"),
        ({"gamma": 0.0, "paid_at": "end"}, "gamma must be above 0"),
        ({"unit": 0.0}, "unit must be a positive duration"),
        ({"unit": np.nan}, "unit must be a positive duration"),
        ({"paid_at": "noon"}, r"paid_at must be one of \('start', 'end'\)"),
        ({"durations": [1.0, -1.0]}, r"durations must be finite and >= 0, got -1\.0 in row 1 \(1 such rows\)"),
        ({"durations": [np.nan, 1.0]}, "durations must be finite and >= 0, got nan in row 0"),
        ({"durations": [1.0]}, r"durations must have shape \(2,\), one a turn"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    batch = drawn([2], 0)
    with pytest.raises(ValueError, match=message):
        elapsed_returns(batch, batch.reward, **{"gamma": 0.9, "unit": 1.0, **arguments})


def test_a_missing_channel_and_a_wrong_lambda_are_named() -> None:
    batch = drawn([2], 0)
    with pytest.raises(KeyError, match="no channel 'seconds'"):
        elapsed_returns(batch, batch.reward, "seconds", gamma=0.9, unit=1.0)
    with pytest.raises(ValueError, match="lam must lie"):
        elapsed_advantage(batch, batch.channel("value"), gamma=0.9, unit=1.0, lam=2.0)


# Duration-aware gradients


@given(LENGTHS, st.integers(0, 99))
def test_advantages_are_scaled_by_durations_over_their_mean(lengths: list[int], seed: int) -> None:
    batch = drawn(lengths, seed)
    duration = batch.channel("duration")
    factor = duration / duration.mean() if len(duration) else duration
    assert_allclose(duration_aware(batch).advantage, factor * grpo(batch).advantage, atol=1e-12)


def test_they_undo_the_bias_of_asynchronous_actors_to_quick_actions() -> None:
    """Two actions are equally likely and equally good: in a fixed time the quick one is sampled ten times as often.
    Scaled, both push the policy alike."""
    quick, slow = 100, 10
    durations = [1.0] * quick + [10.0] * slow
    batch = TurnBatch.pack(
        lengths=[1] * 110, group=[0] * 110, reward=[1.0] * 110, outcome=[1.0] * 110, channels={"duration": durations}
    )
    push = duration_aware(batch, advantages=np.ones(110)).advantage
    assert push[:quick].sum() == pytest.approx(push[quick:].sum())
    assert push.sum() == pytest.approx(110.0)


def test_turns_out_of_the_loss_stay_out_and_do_not_count() -> None:
    batch = TurnBatch.pack(
        lengths=[1, 1, 1], group=[0, 0, 1], reward=[0] * 3, outcome=[1, 0, 1], channels={"duration": [1, 3, 50]}
    )
    credit = duration_aware(batch, singleton="drop", norm_by_std=False)
    assert credit.advantage[:2].tolist() == [0.25, -0.75]
    assert credit.weight.tolist() == [1.0, 1.0, 0.0] and credit.keep.tolist() == [True, True, False]


def test_where_nothing_took_time_each_turn_counts_once() -> None:
    batch = drawn([2, 1], 0, duration=[0.0, 0.0, 0.0])
    assert duration_aware(batch).advantage.tolist() == grpo(batch).advantage.tolist()


def test_both_are_registered_and_say_that_nobody_has_compared_them() -> None:
    assert METHODS["semi_markov"].provenance == METHODS["duration_aware"].provenance == "unverified"
    assert METHODS["semi_markov"].needs == {"durations"}
    with pytest.raises(TypeError, match="gamma"):
        semi_markov(drawn([2], 0))  # type: ignore[call-arg]
