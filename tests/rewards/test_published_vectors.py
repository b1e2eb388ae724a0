"""The credit methods against published numbers: computed from the papers, and mostly by the authors' code as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch, tool_call_reward
from turnwise.rewards.credit import (
    gated,
    gated_total,
    gigpo,
    grpo,
    igpo,
    information_gain,
    open_gates,
    rloo,
    spa,
    spa_turn_reward,
    turn_gae,
)
from turnwise.rewards.credit.gae import masked_gae
from turnwise.rewards.credit.spa import outcome_against_others, turns_to_go
from turnwise.rewards.returns import discounted_returns

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("method_vectors.json").read_text())
ATOL = 2e-6


def close(actual: Any, key: str) -> None:
    assert_allclose(actual, VECTORS[key], rtol=0, atol=ATOL, err_msg=key)


def one_turn_each(outcomes: list[float]) -> TurnBatch:
    n = len(outcomes)
    return TurnBatch.pack(lengths=[1] * n, group=[0] * n, reward=outcomes, outcome=outcomes)


def test_grpo() -> None:
    close(grpo(one_turn_each([1, 0, 1, 0])).advantage, "grpo_std")
    close(grpo(one_turn_each([1, 0, 1, 0]), norm_by_std=False).advantage, "grpo_nostd")
    close(grpo(one_turn_each(VECTORS["rloo_r"])).advantage, "grpo_r2_std")


def test_rloo() -> None:
    close(rloo(one_turn_each(VECTORS["rloo_r"])).advantage, "rloo")
    close(rloo(one_turn_each(VECTORS["rloo_r"])).advantage, "rloo_check")


def test_token_gae_steps_over_masked_text() -> None:
    batch = TurnBatch.pack(lengths=[5], group=[0], reward=[0, 0.2, 0, 0, 1], outcome=[1])
    values, mask = np.array([0.1, 0.2, 9, 0.4, 0.5]), np.array([1, 1, 0, 1, 1], dtype=bool)
    advantage, returns = masked_gae(batch, values, mask, gamma=1.0, lam=0.95)
    close(advantage, "gae_masked_raw_adv")
    close(returns, "gae_masked_returns")


def test_turn_gae_worked_by_hand() -> None:
    batch = TurnBatch.pack(lengths=[3], group=[0], reward=[0.2, -0.1, 1], outcome=[1])
    # deltas 0.28, 0.07, 0.4; gamma * lambda = 0.855
    expected = [0.28 + 0.855 * 0.412, 0.07 + 0.855 * 0.4, 0.4]
    assert_allclose(turn_gae(batch, [0.3, 0.4, 0.6], gamma=0.95, lam=0.9).advantage, expected, atol=1e-12)


PROBES = np.array([[-2, -1.2, -0.3], [-2, -2.1, -1.9], [-2, -1.5, -0.8], [-2, -2, -2.5]])


def igpo_batch() -> TurnBatch:
    return TurnBatch.pack(
        lengths=[3] * 4,
        group=[0] * 4,
        reward=np.zeros(12),
        outcome=[1, 0, 0.5, 0],
        channels={"answer_logprob": PROBES.ravel()},
    )


@pytest.mark.parametrize("kind", ["prob_diff", "log_prob_diff"])
def test_information_gain(kind: Any) -> None:
    close([information_gain(row, kind) for row in PROBES], f"igpo_{kind}_ig")
    close(igpo(igpo_batch(), gain=kind).reward.reshape(4, 3)[:, :2], f"igpo_{kind}_ig")


@pytest.mark.parametrize(
    ("key", "kind", "norm", "gamma"),
    [
        ("igpo_prob_diff_joint_adv_g1", "prob_diff", "joint", 1.0),
        ("igpo_prob_diff_separate_adv_g0.9", "prob_diff", "separate", 0.9),
        ("igpo_log_prob_diff_joint_adv_g1", "log_prob_diff", "joint", 1.0),
        # Discount 0 leaves the normalised rewards themselves.
        ("igpo_prob_diff_joint_norm", "prob_diff", "joint", 0.0),
        ("igpo_prob_diff_separate_norm", "prob_diff", "separate", 0.0),
        ("igpo_log_prob_diff_separate_norm", "log_prob_diff", "separate", 0.0),
    ],
)
def test_igpo(key: str, kind: Any, norm: Any, gamma: float) -> None:
    close(igpo(igpo_batch(), gain=kind, norm=norm, gamma=gamma).advantage.reshape(4, 3), key)


def test_igpo_first_release() -> None:
    close(igpo(igpo_batch(), compat="oct2025").advantage.reshape(4, 3), "igpo_oct25_adv")


PROGRESS, GROUNDED = [0.10, 0.25, 0.40, 0.15], [1, 0, 1, 1]


def test_spa() -> None:
    reward = spa_turn_reward(PROGRESS, GROUNDED)
    close(reward, "spa_reward_a1_b0.5")
    batch = TurnBatch.pack(
        lengths=[4], group=[0], reward=[0, 0, 0, 1], outcome=[1], valid=np.array(GROUNDED, dtype=bool)
    )
    close(spa(batch, PROGRESS).reward, "spa_reward_a1_b0.5")
    close(np.sum(PROGRESS), "spa_pred_sum")
    close((np.sum(PROGRESS) - batch.outcome[0]) ** 2, "spa_mse_target1")
    close(turns_to_go(batch) * reward, "spa_released_ppo_scaled")


def test_spa_released_score() -> None:
    close(outcome_against_others(one_turn_each([1, 0.5, 0])), "spa_released_rl_data_org")


GRA_OUTCOMES = [1, -0.5, 0, -1]
GRA_STEPS = np.array([[0.1, 0.1, 0], [0.1, 0, 0.1], [0.1, 0.1, 0.1], [0, 0.1, 0.1]])


def gra_batch() -> TurnBatch:
    return TurnBatch.pack(
        lengths=[3] * 4, group=[0] * 4, reward=np.zeros(12), outcome=GRA_OUTCOMES, channels={"steps": GRA_STEPS.ravel()}
    )


def test_gated_accumulation() -> None:
    totals = np.stack([GRA_OUTCOMES, GRA_STEPS.sum(axis=1)], axis=-1)
    close(gated_total(totals, [0.0]), "gra_total_thr0.0")
    close(np.where(open_gates(totals, [0.0])[:, 1:], GRA_STEPS, 0), "gra_steps_thr0.0")
    paid = gated(gra_batch(), ["steps"], thresholds=[0.0]).reward.reshape(4, 3)
    close(paid.sum(axis=1), "gra_total_thr0.0")
    paid[:, -1] -= GRA_OUTCOMES
    close(paid, "gra_steps_thr0.0")
    direct = gated(gra_batch(), ["steps"], thresholds=[0.0], direct=True).reward.reshape(4, 3)
    close(direct.sum(axis=1), "dra_total")


def test_gate_at_a_lower_threshold() -> None:
    paid = gated(gra_batch(), ["steps"], thresholds=[-0.5]).reward.reshape(4, 3).sum(axis=1)
    assert_allclose(paid, [1.2, -0.3, 0.3, -1.0], atol=ATOL)


def gigpo_batch() -> TurnBatch:
    anchors = [anchor for _, _, anchor in VECTORS["gigpo_rows"]]
    return TurnBatch.pack(
        lengths=[3, 2, 3, 3],
        group=["task"] * 4,
        reward=[0, 0, 10, 0, 0, 0, 0, 10, 0, 0, 0],
        outcome=[1, 0, 1, 0],
        anchor=anchors,
        valid=[True] * 4 + [False] + [True] * 6,
    )


def test_gigpo_returns() -> None:
    batch = gigpo_batch()
    returns = discounted_returns(batch, batch.reward, 0.95)
    close(returns, "gigpo_step_return")
    close(returns - 0.1 * ~batch.valid, "gigpo_step_return_after_penalty")


def test_gigpo_released_modes() -> None:
    released = {"gamma": 0.95, "cross_steps": True, "invalid_penalty": 0.1}
    both = gigpo(gigpo_batch(), norm_by_std=False, **released).advantage
    episode = gigpo(gigpo_batch(), norm_by_std=False, step_weight=0.0, **released).advantage
    close(both, "gigpo_mean_norm_A")
    close(episode, "gigpo_mean_norm_A_E")
    close(both - episode, "gigpo_mean_norm_A_S")
    assert_allclose(episode, VECTORS["gigpo_ep_score"] - np.mean(VECTORS["gigpo_ep_score"]), atol=ATOL)
    close(gigpo(gigpo_batch(), step_weight=0.0, **released).advantage, "gigpo_mean_std_norm_A_E")


def test_gigpo_over_trajectories_as_in_the_paper() -> None:
    batch = gigpo_batch()
    episode = gigpo(batch, step_weight=0.0, invalid_penalty=0.0).advantage
    close(episode[batch.starts], "gigpo_paper_A_E_std_ddof1")


PARIS_C = {"city": "Paris", "unit": "C"}
WEATHER = {"name": "get_weather", "arguments": PARIS_C}
TIME = {"name": "get_time", "arguments": {"city": "Paris"}}
TOOL_CASES: dict[str, list[dict[str, Any]]] = {
    "exact": [WEATHER, TIME],
    "order_swapped": [TIME, WEATHER],
    "wrong_value": [{"name": "get_weather", "arguments": {"city": "Paris", "unit": "F"}}, TIME],
    "missing_tool": [WEATHER],
    "extra_tool": [WEATHER, TIME, {"name": "noop", "arguments": {}}],
    "wrong_name": [{"name": "weather", "arguments": PARIS_C}],
    "empty": [],
}


@pytest.mark.parametrize("case", VECTORS["toolrl_correct"])
def test_toolrl(case: str) -> None:
    calls = TOOL_CASES[case]
    expected = VECTORS["toolrl_correct"][case]
    assert tool_call_reward([WEATHER, TIME], calls) == pytest.approx(expected, abs=ATOL)
    text = "\n".join(json.dumps(call) for call in calls)
    assert tool_call_reward([WEATHER, TIME], text) == pytest.approx(expected, abs=ATOL)
