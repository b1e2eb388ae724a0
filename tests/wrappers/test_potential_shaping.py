"""Potential-based shaping: the published numbers, and that it cannot change what is best."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv, play

from turnwise.wrappers import PotentialShapingReward

PHI = [0.1, 0.4, 0.3]


def test_the_published_terms(vectors):
    env = PotentialShapingReward(ScriptedEnv([[Beat()] * 3]), lambda info: PHI[info["turn"]], gamma=0.95)
    rewards, _ = play(env)
    assert rewards == pytest.approx(vectors["pbrs_F"])
    discounted = sum(0.95**t * reward for t, reward in enumerate(rewards))
    assert discounted == pytest.approx(vectors["pbrs_disc_sum(expect -Phi0)"])


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=8).flatmap(
        lambda phi: st.tuples(st.just(phi), st.integers(1, len(phi)))
    ),
    st.floats(0, 1),
)
def test_the_discounted_sum_is_minus_the_first_potential_whatever_happens(case, gamma):
    phi, turns = case
    env = PotentialShapingReward(ScriptedEnv([[Beat()] * turns]), lambda info: (phi + phi)[info["turn"]], gamma)
    rewards, info = play(env)
    assert sum(gamma**t * reward for t, reward in enumerate(rewards)) == pytest.approx(-phi[0], abs=1e-9)
    assert info["turn_rewards"].tolist() == rewards


def test_truncation_keeps_the_last_potential():
    env = PotentialShapingReward(ScriptedEnv([[Beat()] * 2], truncate=True), lambda info: info["turn"] + 1.0, gamma=0.5)
    assert play(env)[0] == [0.5 * 2 - 1, 0.5 * 3 - 2]


def test_the_term_is_logged_beside_the_outcome():
    env = PotentialShapingReward(KeyDoorEnv(), lambda info: float(info["privileged"]["key"]), gamma=1.0)
    env.reset(options={"task_id": "key-3"})
    for action in ("move[right]", "pick[]", "move[right]"):
        assert env.step(action)[1] == 0.0
    _, reward, *_, info = env.step("open[]")
    assert reward == 1.0 - 3.0
    assert info["reward_terms"] == {"outcome": 1.0, "potential_shaping": -3.0}


@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_gamma_is_a_discount(gamma):
    with pytest.raises(ValueError, match=r"gamma must lie in \[0, 1\]"):
        PotentialShapingReward(KeyDoorEnv(), lambda info: 0.0, gamma)


def test_a_potential_that_is_no_number_is_an_error():
    env = PotentialShapingReward(KeyDoorEnv(), lambda info: float("nan"), 1.0)
    with pytest.raises(ValueError, match="potential_shaping"):
        env.reset(seed=0)
