"""C-GRPO, VeRPO and DRPO, GTPO and GRPO-S: outcomes reshaped before or while they are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from credit_batches import VECTORS, batches, close, close_rows, ragged
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import grpo
from turnwise.rewards.credit.cgrpo import cgrpo
from turnwise.rewards.credit.drpo import drpo, drpo_objective, drpo_weights
from turnwise.rewards.credit.grpo_s import grpo_s
from turnwise.rewards.credit.gtpo import gtpo
from turnwise.rewards.credit.verpo import difficulty_weights, pass_rates, verpo


def answers(outcome: list[float], group: list[int] | None = None) -> TurnBatch:
    n = len(outcome)
    return TurnBatch.pack(lengths=[1] * n, group=group or [0] * n, reward=outcome, outcome=outcome)


def test_cgrpo_vectors() -> None:
    batch, rubric = answers([1, 1, 0]), [0.375, 0.625, 0.125]
    close(cgrpo(batch, rubric, compat="released").reward, "cgrpo_released")
    paper = cgrpo(batch, rubric)
    assert_allclose(paper.reward, [0.7 + 0.3 * 0.6, 1.0, 0.0], atol=1e-12)  # the figure's rubric over the largest
    assert_allclose(paper.advantage, grpo(batch, scores=paper.reward).advantage, atol=1e-12)


@given(batches(min_length=1), st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=8, max_size=8))
def test_a_rubric_never_pays_a_wrong_answer_nor_more_than_the_outcome(batch: TurnBatch, rubric: list[float]) -> None:
    binary = TurnBatch.pack(
        lengths=batch.lengths, group=batch.group, reward=batch.reward, outcome=(batch.outcome > 0).astype(float)
    )
    paid = cgrpo(binary, rubric[: len(batch)]).reward[binary.is_last]
    assert (paid[binary.outcome == 0] == 0.0).all()
    assert ((paid[binary.outcome == 1] >= 0.7) & (paid[binary.outcome == 1] <= 1.0)).all()


def test_a_group_without_rubrics_is_not_divided_by_zero() -> None:
    assert cgrpo(answers([1, 0]), [0, 0]).reward.tolist() == [0.7, 0.0]
    with pytest.raises(ValueError, match="rubric must hold finite rewards >= 0"):
        cgrpo(answers([1, 0]), [0.5, np.nan])


PASSED = [[1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 0]]


def harder(rate: np.ndarray) -> np.ndarray:
    return 1.0 - rate


def test_verpo_vectors() -> None:
    batch = answers([1, 0, 0, 0])
    close(pass_rates(batch, PASSED)[0], "verpo_rho")
    close(difficulty_weights(batch, PASSED, harder)[0], "verpo_w")
    close(verpo(batch, PASSED, difficulty=harder, success_weight=0.0).reward, "verpo_dense")
    total = verpo(batch, PASSED, difficulty=harder, success_weight=1.0)
    assert_allclose(total.reward, np.add(VECTORS["verpo_dense"], [1, 0, 0, 0]), atol=2e-6)
    assert_allclose(total.advantage, grpo(batch, scores=total.reward).advantage, atol=1e-12)


def test_verpo_uses_each_group_s_own_tests() -> None:
    batch = answers([0, 0, 0, 0], group=[0, 0, 1, 1])
    passed = [[1, 0], [0, 0], [1, np.nan], [0, np.nan]]
    assert difficulty_weights(batch, passed, harder).tolist() == [[1 / 3, 2 / 3]] * 2 + [[1.0, 0.0]] * 2
    reward = verpo(batch, passed, difficulty=harder, success_weight=1.0).reward
    assert_allclose(reward, [1 / 3, 0.0, 2.0, 0.0], atol=1e-12)


def test_tests_that_all_pass_weigh_alike() -> None:
    batch = answers([1, 1])
    assert difficulty_weights(batch, [[1, 1], [1, 1]], harder).tolist() == [[0.5, 0.5]] * 2
    assert verpo(batch, [[1, 1], [1, 1]], difficulty=harder, success_weight=1.0).advantage.tolist() == [0.0, 0.0]
    nothing = verpo(batch, np.zeros((2, 0)), difficulty=harder, success_weight=1.0)
    assert nothing.reward.tolist() == [0.0, 0.0]


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=3, max_size=3), min_size=1, max_size=6))
def test_partial_success_is_a_share(passed: list[list[float]]) -> None:
    dense = verpo(answers([0.0] * len(passed)), passed, difficulty=harder, success_weight=0.0).reward
    assert (dense >= 0.0).all()
    assert (dense <= 1.0 + 1e-12).all()


@pytest.mark.parametrize(
    ("passed", "difficulty", "message"),
    [
        ([[1, 1]], harder, r"passed must have shape \(2, J\)"),
        ([[1, 2], [0, 0]], harder, "passed must hold 0, 1, or NaN"),
        ([[1, 0], [0, 0]], lambda rate: rate - 1, "difficulty must give finite weights >= 0"),
    ],
)
def test_wrong_test_bits_are_named(passed: Any, difficulty: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        verpo(answers([1, 0]), passed, difficulty=difficulty, success_weight=1.0)


RATIOS, LIKELIHOOD = np.array([0.2, 0.6, 0.5, 0.9]), np.array([-0.5, -0.8, -0.6, -1.0])


def test_drpo_weights_vector() -> None:
    close(drpo_weights(answers([1, 1, 0, 0]), RATIOS), "drpo_pos_weights")


def test_drpo_advantage_is_the_derivative_of_its_objective() -> None:
    batch = answers([1, 1, 0, 0, 1, 0], group=[0, 0, 0, 0, 1, 1])
    ratios, scores = np.append(RATIOS, [0.3, 0.4]), np.append(LIKELIHOOD, [-0.7, -0.2])
    arguments: dict[str, Any] = {"tau": 0.5, "lam": 0.3}
    advantage = drpo(batch, ratios, scores, **arguments).advantage
    step = 1e-6
    for i in range(6):
        nudged = scores + step * (np.arange(6) == i)
        slope = drpo_objective(batch, ratios, nudged, **arguments) - drpo_objective(batch, ratios, scores, **arguments)
        assert 2 * slope / step == pytest.approx(advantage[i], abs=1e-5)  # the objective is a mean over two questions


def test_drpo_skips_questions_without_both_signs_but_counts_them() -> None:
    batch = answers([1, 0, 1, 1], group=[0, 0, 1, 1])
    credit = drpo(batch, RATIOS, LIKELIHOOD)
    assert credit.keep.tolist() == [True, True, False, False]
    assert credit.advantage.tolist() == [1.0, -1.0, 0.0, 0.0]
    first = answers([1, 0])
    assert drpo_objective(batch, RATIOS, LIKELIHOOD) == pytest.approx(
        drpo_objective(first, RATIOS[:2], LIKELIHOOD[:2]) / 2
    )
    assert drpo_objective(answers([1, 1]), RATIOS[:2], LIKELIHOOD[:2]) == 0.0


def test_drpo_errors() -> None:
    batch = answers([1, 0])
    with pytest.raises(ValueError, match="lam must be positive, got 0"):
        drpo(batch, RATIOS[:2], LIKELIHOOD[:2], lam=0)
    with pytest.raises(ValueError, match="scores must be finite"):
        drpo(batch, RATIOS[:2], [np.nan, 0.0])


ENTROPY = [[0.5, 1, 0.2], [0.3, 0.6, 0.4]]


def test_gtpo_vector() -> None:
    batch = ragged([[0.0] * 3] * 2, [1, 1])
    close_rows(batch, gtpo(batch, np.concatenate(ENTROPY), entropy_weight=0.1).reward, "gtpo_reward")


def test_grpo_s_worked_by_hand() -> None:
    batch = ragged([[0.0, 0.0], [0.0], [0.0]], [1, 1, 0])
    credit = grpo_s(batch, [0.25, 0.75, 1.5, 9.0], entropy_weight=0.5, norm_by_std=False)
    # mean entropies 0.5 and 1.5 of the two successes: shares 0.5 and 1.5
    assert credit.reward.tolist() == [0.0, 0.75, 1.25, 0.0]
    assert_allclose(credit.advantage, np.array([0.75, 0.75, 1.25, 0.0]) - 2 / 3, atol=1e-12)
    weighted = grpo_s(batch, [0.25, 0.75, 1.5, 9.0], entropy_weight=0.5, tokens=[1, 3, 1, 1])
    assert weighted.reward[1] == pytest.approx(0.5 + 0.5 * 2 * 0.625 / 2.125)


@given(batches(), st.sampled_from([0.0, 0.3, 1.0]))
def test_entropy_moves_reward_between_successes_and_creates_none(batch: TurnBatch, weight: float) -> None:
    won = batch.outcome > 0
    ones = TurnBatch.pack(lengths=batch.lengths, group=batch.group, reward=batch.reward, outcome=won.astype(float))
    reward = gtpo(ones, batch.channel("entropy"), entropy_weight=weight).reward
    cells = ones.group[ones.row] * 4 + ones.position
    assert_allclose(np.bincount(cells, weights=reward), np.bincount(cells, weights=won[ones.row]), atol=1e-9)


@given(batches())
def test_without_entropy_weight_grpo_s_is_grpo(batch: TurnBatch) -> None:
    assert_allclose(grpo_s(batch, entropy_weight=0.0).advantage, grpo(batch).advantage, atol=1e-12)


@pytest.mark.parametrize("method", [gtpo, grpo_s])
def test_entropies_and_their_weight_are_checked(method: Any) -> None:
    batch = answers([1, 1])
    with pytest.raises(ValueError, match=r"entropy_weight must lie in \[0, 1\], got 1.5"):
        method(batch, [0.5, 0.5], entropy_weight=1.5)
    with pytest.raises(ValueError, match="entropy must not be negative, got -1"):
        method(batch, [0.5, -1.0], entropy_weight=0.5)
    with pytest.raises(TypeError, match="entropy_weight"):
        method(batch, [0.5, 0.5])
