"""Sampled groups: what they look like, and that their means are the exact values."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.envs.bifurcation import FAMILIES, Spec, build, sample_batch
from turnwise.rewards.tabular import epsilon_optimal_policy, evaluate, uniform_policy


@pytest.mark.parametrize("family", FAMILIES)
def test_monte_carlo_agrees_with_dynamic_programming(family: str) -> None:
    mdp = build(Spec(family), seed=2).mdp
    policy = epsilon_optimal_policy(mdp, 0.5)
    values = evaluate(mdp, policy)
    sample = sample_batch(mdp, policy, 1000, 8, np.random.default_rng(0))
    outcome = sample.batch.outcome[sample.batch.row]
    for code, exact in ((sample.state, values.v), (sample.state * mdp.actions + sample.action, values.q.ravel())):
        count = np.bincount(code, minlength=exact.size)
        mean = np.bincount(code, weights=outcome, minlength=exact.size) / np.maximum(count, 1)
        often = count >= 100
        assert often.sum() > 3
        # Outcomes lie in [0, 1]: five standard errors are at most this.
        assert (np.abs(mean - exact)[often] < 2.5 / np.sqrt(count[often])).all()
        assert np.average((mean - exact)[often], weights=count[often]) == pytest.approx(0.0, abs=0.02)


def test_rows_are_trajectories_end_to_end() -> None:
    mdp = build(Spec("recoverable"), seed=0).mdp
    sample = sample_batch(mdp, uniform_policy(mdp), 50, 4, np.random.default_rng(0))
    batch, last = sample.batch, sample.batch.is_last
    assert len(set(batch.lengths.tolist())) > 1
    assert batch.group.tolist() == np.repeat(np.arange(50), 4).tolist()
    assert (sample.state[batch.starts] == mdp.initial.argmax()).all()
    assert (sample.next_state[:-1] == sample.state[1:])[~last[:-1]].all()
    assert mdp.terminal[sample.next_state[last]].all()
    assert not mdp.terminal[sample.state].any()
    assert (batch.reward[last] == batch.outcome).all()
    assert (batch.reward[~last] == 0).all()
    assert (batch.outcome == mdp.outcome[sample.next_state[last]]).all()
    assert (batch.channel("bonus") == mdp.signals["bonus"][sample.state, sample.action]).all()
    assert (batch.anchor == sample.state).all()


def test_the_generator_decides_everything() -> None:
    mdp = build(Spec("stochastic"), seed=0).mdp
    one, same, other = (
        sample_batch(mdp, uniform_policy(mdp), 5, 4, np.random.default_rng(seed)).state for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_policy_without_a_choice_takes_none() -> None:
    mdp = build(Spec("decisive"), seed=0).mdp
    policy = np.zeros((mdp.states, mdp.actions))
    policy[:, 2] = 1.0
    assert set(sample_batch(mdp, policy, 10, 4, np.random.default_rng(0)).action.tolist()) == {2}


def test_empty_groups_are_refused() -> None:
    mdp = build(Spec("decisive"), seed=0).mdp
    with pytest.raises(ValueError, match="num_groups and group_size must be at least 1, got 0 and 4"):
        sample_batch(mdp, uniform_policy(mdp), 0, 4, np.random.default_rng(0))
