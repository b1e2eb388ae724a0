"""Which turn rewards change what is optimal, solved exactly on the Bifurcation families."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.envs.bifurcation import FAMILIES, Spec, build
from turnwise.rewards.invariance import canonical, invariance, potential_shaping, starc_distance
from turnwise.rewards.tabular import TabularMDP, best_actions, expected_reward, optimal

SMALL = {name: Spec(name, actions=3) for name in FAMILIES if name != "long"}


@pytest.fixture(params=SMALL)
def mdp(request: pytest.FixtureRequest) -> TabularMDP:
    return build(SMALL[request.param], seed=1).mdp


def test_potential_shaping_changes_nothing(mdp: TabularMDP) -> None:
    potential = np.random.default_rng(0).normal(size=mdp.states)
    found = invariance(mdp, potential_shaping(mdp, potential))
    assert found.safe
    assert found.invariant
    assert not found.changed.any()
    assert found.regret == pytest.approx(0.0, abs=1e-9)
    assert found.distance == pytest.approx(0.0, abs=1e-6)


def test_potential_shaping_with_a_discount(mdp: TabularMDP) -> None:
    shaping = potential_shaping(mdp, np.random.default_rng(1).normal(size=mdp.states), gamma=0.9)
    assert invariance(mdp, shaping, gamma=0.9).invariant
    assert starc_distance(mdp, None, expected_reward(mdp) + expected_reward(mdp, shaping), gamma=0.9) < 1e-6


def test_a_bonus_for_the_distractor_is_followed() -> None:
    mdp = build(Spec("distractor"), seed=0).mdp
    found = invariance(mdp, mdp.signals["bonus"])
    assert not found.safe
    assert found.changed.any()
    assert found.regret == pytest.approx(1.0)  # two harmful doors on the way are enough to lose all of it
    small = invariance(mdp, 1e-3 * mdp.signals["bonus"])
    assert small.safe
    assert not small.invariant  # where all is lost already, the bonus is taken along


def test_paying_the_way_back_makes_mistakes_worth_while() -> None:
    mdp = build(Spec("recoverable"), seed=0).mdp
    found = invariance(mdp, mdp.signals["bonus"])
    assert not found.invariant
    assert found.safe  # and yet the walk still ends well: the mistakes are made while some are to spare


def test_a_bonus_for_the_decisive_choice_is_safe() -> None:
    mdp = build(Spec("decisive"), seed=0).mdp
    assert invariance(mdp, mdp.signals["bonus"]).safe


def test_regret_is_that_of_the_worst_policy_that_is_optimal_for_the_sum() -> None:
    mdp = build(Spec("decisive"), seed=0).mdp
    cancelled = invariance(mdp, -expected_reward(mdp))  # nothing is worth anything: all policies are optimal
    assert cancelled.regret == pytest.approx(1.0)
    assert cancelled.distance == pytest.approx(1.0)


def test_starc_does_not_depend_on_scale_and_is_symmetric(mdp: TabularMDP) -> None:
    rng = np.random.default_rng(2)
    first, second, third = rng.normal(size=(3, mdp.states, mdp.actions))
    distance = starc_distance(mdp, first, second)
    assert 0.0 < distance <= 2.0
    assert starc_distance(mdp, second, first) == pytest.approx(distance)
    assert starc_distance(mdp, 7.0 * first, 0.1 * second) == pytest.approx(distance)
    assert starc_distance(mdp, first, third) <= distance + starc_distance(mdp, second, third) + 1e-9
    assert starc_distance(mdp, first, -first) == pytest.approx(2.0)


def test_where_the_next_states_reward_goes_does_not_matter(mdp: TabularMDP) -> None:
    reward = np.random.default_rng(3).normal(size=mdp.transition.shape)
    assert starc_distance(mdp, reward, expected_reward(mdp, reward)) == pytest.approx(0.0, abs=1e-9)


def test_the_canonical_reward_orders_actions_like_the_reward(mdp: TabularMDP) -> None:
    levelled = canonical(mdp)
    before, after = optimal(mdp), optimal(mdp, reward=levelled)
    active = mdp.reachable & ~mdp.terminal
    assert (best_actions(before.q, 1e-9) == best_actions(after.q, 1e-9))[active].all()
    assert np.allclose(levelled.mean(axis=1), 0.0)
