"""Implicit PRM, PRIME, iStar and SWEET: rewards from log-ratios of two language models."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from credit_batches import VECTORS, batches, close, close_rows, ragged
from hypothesis import given
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import rloo
from turnwise.rewards.credit.implicit_prm import implicit_prm, outcome_cross_entropy, turn_log_ratios
from turnwise.rewards.credit.istar import istar, istar_dpo_loss
from turnwise.rewards.credit.prime import against_mean_rows, implicit_rewards, prime
from turnwise.rewards.credit.sweet import sweet, sweet_dpo_loss
from turnwise.rewards.returns import discounted_returns

TOKENS = [[0.2, -0.1, 0.4], [-0.3, -0.2], [0.1, 0.1, 0.1], [-0.4, 0.1]]
TURNS = [[1, 0.5, 2], [-0.5, 0.2, -1], [0.3, 0.4, 0.5], [-1, -0.2, -0.6]]


def tokens() -> tuple[TurnBatch, np.ndarray]:
    return ragged([[0.0] * len(row) for row in TOKENS], [1, 0, 1, 0]), np.concatenate(TOKENS)


def turns() -> tuple[TurnBatch, np.ndarray]:
    return ragged([[0.0] * 3] * 4, [1, 0, 1, 0]), np.concatenate(TURNS)


def test_prime_vectors() -> None:
    batch, q = tokens()
    normed = implicit_rewards(batch, q, 1.0, batch_norm=True)
    close_rows(batch, normed, "prime_normed")
    close_rows(batch, against_mean_rows(batch, normed), "prime_rloo_token")
    close_rows(batch, discounted_returns(batch, against_mean_rows(batch, normed), 1.0), "prime_process_return")
    total = prime(batch, q, whitened=False, compat="released")
    close_rows(batch, total.advantage, "prime_total_return")
    close_rows(batch, total.reward, "prime_normed")
    close(outcome_cross_entropy(batch, q), "prime_ce")


def test_prime_whitens_over_all_tokens() -> None:
    batch, q = tokens()
    advantage = prime(batch, q).advantage
    assert advantage.mean() == pytest.approx(0.0, abs=1e-12)
    assert advantage.std(ddof=1) == pytest.approx(1.0, abs=1e-6)


def test_released_prime_ignores_its_coefficients() -> None:
    batch, q = tokens()
    plain = prime(batch, q, whitened=False, compat="released")
    assert_allclose(prime(batch, q, whitened=False, compat="released", process_weight=5.0).advantage, plain.advantage)
    weighted = prime(batch, q, whitened=False, process_weight=0.0, outcome_weight=5.0)
    assert_allclose(weighted.advantage, 5.0 * rloo(batch).advantage)


def test_beta_cancels_under_batch_norm_and_scales_without_it() -> None:
    batch, q = tokens()
    small, large = (prime(batch, q, beta=beta, batch_norm=True, whitened=False) for beta in (0.5, 5.0))
    assert_allclose(small.advantage, large.advantage, atol=1e-4)
    assert_allclose(prime(batch, q, beta=0.5, batch_norm=False).reward, 0.5 * q)


def test_prime_discounts_each_signal_by_its_own_gamma() -> None:
    batch = ragged([[0, 0], [0, 0]], [1, 0])
    credit = prime(batch, np.zeros(4), batch_norm=False, whitened=False, gamma_outcome=0.5)
    assert credit.advantage.tolist() == [0.5, 1.0, -0.5, -1.0]
    credit = prime(batch, [0, 1, 0, 0], beta=1.0, batch_norm=False, whitened=False, gamma_process=0.0)
    # 2 * q - 0.5 (the sum of the mean rows 0.5 and 0), and the outcome 1 against 0
    assert credit.advantage.tolist() == [0.5, 2.5, -1.5, -1.5]


def test_the_only_rollout_keeps_its_raw_rewards() -> None:
    batch = ragged([[0, 0]], [1])
    assert prime(batch, [0.5, 0.25], beta=1.0, batch_norm=False, whitened=False).advantage.tolist() == [1.75, 1.25]
    assert istar(batch, [0.5, 0.5], beta=1.0, batch_norm=False, singleton="zero").advantage.tolist() == [0.0, 0.0]
    assert istar(batch, [1.0, 0.5], beta=1.0, batch_norm=False, compat="released").advantage.tolist() == [2.0, 1.5]


def test_istar_vectors() -> None:
    batch, q = turns()
    close_rows(batch, istar(batch, q, batch_norm=False).reward, "istar_step_reward")
    close_rows(batch, istar(batch, q).reward, "istar_step_reward_batchnorm")
    close(istar(batch, q, step_weight=0.0).advantage[batch.starts], "istar_A_E")
    released = istar(batch, q, compat="released").advantage
    close_rows(batch, released, "istar_A_release")
    episode = istar(batch, q, step_weight=0.0, compat="released").advantage
    close_rows(batch, released - episode, "istar_A_S_release_first_step")
    close(istar_dpo_loss(batch, q, compat="released"), "istar_dpo_mean_release")


def test_istar_of_the_paper_compares_with_all_other_turns() -> None:
    batch, q = turns()
    step = istar(batch, q, beta=1.0, batch_norm=False).advantage - istar(batch, q, step_weight=0.0).advantage
    others = np.array([np.delete(q, row).mean() for row in range(len(q))])
    assert_allclose(step, q - others, atol=1e-12)


def test_istar_with_deviations() -> None:
    batch, q = turns()
    step = (
        istar(batch, q, norm="grpo", eps=0.0).advantage - istar(batch, q, norm="grpo", eps=0.0, step_weight=0).advantage
    )
    assert_allclose(step, (q - q.mean()) / q.std(ddof=1), atol=1e-9)


def test_istar_charges_an_invalid_action_in_the_episode_part_only() -> None:
    batch = ragged([[0, 0], [0]], [1, 0], valid=[True, False, True])
    credit = istar(batch, np.zeros(3), invalid_penalty=0.25)
    assert credit.advantage.tolist() == [1.0, 0.5, -1.0]
    assert credit.reward.tolist() == [0.0, 0.0, 0.0]


def test_dpo_pairs_every_success_with_every_failure_of_its_own_group() -> None:
    batch = TurnBatch.pack(
        lengths=[1] * 7, group=[0, 0, 0, 1, 1, 2, 2], reward=np.zeros(7), outcome=[1, 0, 0, 1, 1, 0, 1]
    )
    q = np.array([2.0, 1.0, 0.5, 9.0, -9.0, 0.0, 3.0])
    margins = [2.0 - 1.0, 2.0 - 0.5, 3.0 - 0.0]  # group 1 holds no failure
    assert istar_dpo_loss(batch, q, beta=1.0) == pytest.approx(np.mean([np.log1p(np.exp(-m)) for m in margins]))
    assert istar_dpo_loss(replace(batch, outcome=np.ones(7)), q) == 0.0


def test_dpo_sums_over_turns_and_the_release_averages() -> None:
    batch = ragged([[0, 0], [0]], [1, 0])
    assert istar_dpo_loss(batch, [1, 1, 0], beta=1.0) == pytest.approx(np.log1p(np.exp(-2.0)))
    assert istar_dpo_loss(batch, [1, 1, 0], beta=1.0, compat="released") == pytest.approx(np.log1p(np.exp(-1.0)))


@given(batches())
def test_process_rewards_sum_to_the_implicit_outcome(batch: TurnBatch) -> None:
    single = implicit_prm(batch, "score", beta=0.5)
    total = 0.5 * np.bincount(batch.row, weights=batch.channel("score"), minlength=len(batch))
    assert_allclose(np.bincount(batch.row, weights=single.reward, minlength=len(batch)), total, atol=1e-9)
    begun = batch.lengths > 0
    assert_allclose(single.advantage[batch.starts[begun]], total[begun], atol=1e-9)
    values = implicit_prm(batch, "score", beta=0.5, scoring="accumulative").reward
    assert_allclose(values[batch.is_last], total[begun], atol=1e-9)


def test_token_log_ratios_to_turns() -> None:
    assert turn_log_ratios([1, 2, 3, 4], [2, 0, 2, 0], 4).tolist() == [6.0, 0.0, 4.0, 0.0]
    assert turn_log_ratios([1, 2, 3, 4], [2, 0, 2, 0], 4, "mean").tolist() == [3.0, 0.0, 2.0, 0.0]
    assert turn_log_ratios([], [], 2).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"turn must lie in \[0, 2\), got 0 to 2"):
        turn_log_ratios([1, 2], [0, 2], 2)
    with pytest.raises(ValueError, match="turn must have the shape of token_log_ratio"):
        turn_log_ratios([1, 2], [0], 2)


def test_sweet_vectors() -> None:
    means = turn_log_ratios([0.4, 0.2, 0.3, -0.1, 0.1, 0.6, 0, 0.3, 0.3], [0] * 3 + [1] * 2 + [2] * 4, 3, "mean")
    credit = sweet(ragged([[0, 0, 1]], [1]), means)
    close(credit.advantage, "sweet_A")
    assert sweet_dpo_loss([0.3, 0.1], [-0.1, 0.0]) == pytest.approx(VECTORS["sweet_loss"], abs=2e-6)


def test_losses_of_extreme_margins_neither_overflow_nor_vanish() -> None:
    assert sweet_dpo_loss([-1e5], [1e5], beta=1.0) == pytest.approx(2e5)
    assert sweet_dpo_loss([], []) == pytest.approx(log(2))
    batch = ragged([[0], [0]], [1, 0])
    assert istar_dpo_loss(batch, [-1e6, 1e6], beta=1.0) == pytest.approx(2e6)
    assert outcome_cross_entropy(batch, [-1e6, 1e6], beta=1.0) == pytest.approx(1e6)
