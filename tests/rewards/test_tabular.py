"""Exact values: against hand-computed ones, and what a `TabularMDP` refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from turnwise.rewards.tabular import (
    TabularMDP,
    best_actions,
    epsilon_optimal_policy,
    evaluate,
    expected_reward,
    optimal,
    uniform_policy,
)

# State 0: action 0 goes to 1; action 1 to 2 or, half of the time, to the end without success.
# State 1: both actions succeed with 0.5. State 2: action 0 succeeds, action 1 fails. States 3 and 4: success, failure.
TRANSITION = np.zeros((5, 2, 5))
TRANSITION[0, 0, 1] = 1.0
TRANSITION[0, 1, [2, 4]] = 0.5
TRANSITION[1, :, [3, 4]] = 0.5
TRANSITION[2, 0, 3] = TRANSITION[2, 1, 4] = 1.0
TRANSITION[3, :, 3] = TRANSITION[4, :, 4] = 1.0
MDP = TabularMDP(
    transition=TRANSITION,
    outcome=np.array([0.0, 0.0, 0.0, 1.0, 0.0]),
    initial=np.array([1.0, 0.0, 0.0, 0.0, 0.0]),
    terminal=np.array([False, False, False, True, True]),
    horizon=2,
)


def test_values_of_the_uniform_policy_by_hand() -> None:
    values = evaluate(MDP, uniform_policy(MDP))
    assert values.v.tolist() == [0.375, 0.5, 0.5, 0.0, 0.0]
    assert values.q[0].tolist() == [0.5, 0.25]
    assert values.q[2].tolist() == [1.0, 0.0]
    assert values.advantage[0].tolist() == [0.125, -0.125]


def test_a_discount_counts_turns() -> None:
    values = evaluate(MDP, uniform_policy(MDP), gamma=0.5)
    assert values.v[0] == pytest.approx(0.5 * 0.375)  # the outcome comes one turn later
    assert values.v[2] == 0.5  # and here in the next


def test_optimal_values_and_ties_by_hand() -> None:
    values = optimal(MDP)
    assert values.v.tolist() == [0.5, 0.5, 1.0, 0.0, 0.0]
    assert best_actions(values.q)[:3].tolist() == [[True, True], [True, True], [True, False]]
    assert values.policy[0].tolist() == [0.5, 0.5]


def test_a_reward_of_transitions_counts_as_its_mean() -> None:
    reward = np.zeros((5, 2, 5))
    reward[0, 1, 2] = 3.0
    assert expected_reward(MDP, reward)[0].tolist() == [0.0, 1.5]
    assert evaluate(MDP, uniform_policy(MDP), reward=reward).v[0] == 0.75


def test_rewards_of_terminal_states_are_not_paid() -> None:
    assert evaluate(MDP, uniform_policy(MDP), reward=np.ones((5, 2))).v.tolist() == [1.75, 1.0, 1.0, 0.0, 0.0]


def test_the_policys_advantage_is_zero_on_average() -> None:
    policy = np.random.default_rng(0).dirichlet([1.0, 1.0], size=5)
    assert np.allclose((policy * evaluate(MDP, policy).advantage).sum(axis=1), 0.0)


def test_epsilon_optimal_runs_from_optimal_to_uniform() -> None:
    assert np.allclose(epsilon_optimal_policy(MDP, 0.0), optimal(MDP).policy)
    assert np.allclose(epsilon_optimal_policy(MDP, 1.0), uniform_policy(MDP))
    assert epsilon_optimal_policy(MDP, 0.5)[2].tolist() == [0.75, 0.25]
    with pytest.raises(ValueError, match="epsilon must lie in"):
        epsilon_optimal_policy(MDP, 1.5)


def test_successors_hold_all_of_the_probability() -> None:
    states, probabilities = MDP.successors
    assert states.shape == (5, 2, 2)
    assert states[0, 0, 0] == 1
    assert np.allclose(probabilities.sum(axis=-1), 1.0)


def test_reachable_states() -> None:
    cut = TRANSITION.copy()
    cut[0, 1] = cut[0, 0]
    assert replace(MDP, transition=cut).reachable.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transition": np.zeros((5, 2))}, r"transition must have shape \(S, A, S\), got \(5, 2\)"),
        ({"transition": 0.5 * TRANSITION}, "transition must hold probabilities"),
        ({"initial": np.ones(5)}, "initial must hold probabilities"),
        ({"outcome": np.ones(5)}, "outcome must lie in .0, 1. and be 0 in states that are not terminal"),
        ({"outcome": np.zeros(4)}, r"outcome must have shape \(5,\), got \(4,\)"),
        ({"horizon": 1}, "every path must end within horizon=1 turns"),
        ({"signals": {"bonus": np.zeros(5)}}, r"signals\['bonus'\] must have shape \(5, 2\)"),
    ],
)
def test_what_is_no_mdp_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MDP, **changes)


def test_wrong_policies_and_rewards_are_refused() -> None:
    with pytest.raises(ValueError, match=r"policy must have shape \(5, 2\), got \(2,\)"):
        evaluate(MDP, [0.5, 0.5])
    with pytest.raises(ValueError, match="policy must hold probabilities"):
        evaluate(MDP, np.ones((5, 2)))
    with pytest.raises(ValueError, match="reward must have shape"):
        evaluate(MDP, uniform_policy(MDP), reward=np.ones(5))
