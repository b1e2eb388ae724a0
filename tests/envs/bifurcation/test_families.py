"""Each family makes hard what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.envs.bifurcation import FAMILIES, Room, Spec, build, sample_batch
from turnwise.rewards.tabular import epsilon_optimal_policy, evaluate, optimal, uniform_policy


def _decisive_depths(family: str) -> list[int]:
    world = build(Spec(family), seed=3)
    advantage = evaluate(world.mdp, uniform_policy(world.mdp)).advantage
    depths = {place.depth for place, row in zip(world.places, advantage, strict=True) if np.abs(row).max() > 1e-9}
    return sorted(depths)


def test_decisive_has_one_turn_that_counts() -> None:
    assert len(_decisive_depths("decisive")) == 1


def test_delayed_has_the_first_and_the_last() -> None:
    assert _decisive_depths("delayed") == [0, 7]


def test_long_has_every_tenth() -> None:
    assert _decisive_depths("long") == [9, 19, 29, 39, 49]


def test_the_distractors_bonus_pays_for_harm_alone() -> None:
    mdp = build(Spec("distractor"), seed=3).mdp
    advantage = evaluate(mdp, uniform_policy(mdp)).advantage
    paid = mdp.signals["bonus"] > 0
    assert paid.any()
    assert (advantage[paid] <= 1e-12).all()
    assert (advantage[paid] < -1e-3).any()


def test_a_mistake_can_be_made_good_while_some_are_to_spare() -> None:
    world = build(Spec("recoverable", spare_mistakes=1), seed=0)
    value = dict(zip(world.places, optimal(world.mdp).v, strict=True))
    aside = [place for place in world.places if isinstance(place, Room) and place.flag]
    assert aside
    assert all(value[place] == 1.0 for place in aside)
    under = dict(zip(world.places, evaluate(world.mdp, epsilon_optimal_policy(world.mdp, 0.5)).v, strict=True))
    start = under[Room(0)]
    assert all(0.0 < under[place] < start for place in aside if place.depth == 0)  # it costs something all the same


def test_slips_spare_some_of_the_wrong_choices() -> None:
    values = [
        float(mdp.initial @ evaluate(mdp, uniform_policy(mdp)).v)
        for mdp in (build(Spec("stochastic", slip=slip), seed=0).mdp for slip in (0.0, 0.5, 0.9))
    ]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0.25**6)


def test_the_anchor_rate_is_a_dial() -> None:
    met = []
    for rate in (0.0, 0.3, 0.6, 1.0):
        mdp = build(Spec("anchors", horizon=5, actions=3, anchor_rate=rate), seed=0).mdp
        sample = sample_batch(mdp, uniform_policy(mdp), 200, 4, np.random.default_rng(0))
        batch = sample.batch
        pairs = np.stack([batch.group[batch.row], sample.state])[:, batch.position > 0]
        _, count = np.unique(pairs, axis=1, return_counts=True)
        met.append(float(count[count > 1].sum() / count.sum()))
    assert met == sorted(met)
    assert met[0] < 0.7 < met[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_door_does_not_depend_on_chance(family: str) -> None:
    """The oracle lists its calls before the first is made: along every path of an optimal policy they stay right."""
    for seed in range(3):
        mdp = build(Spec(family), seed).mdp
        best, here = optimal(mdp), {int(mdp.initial.argmax())}
        while here := {s for s in here if not mdp.terminal[s]}:
            (action,) = {int(best.q[min(here)].argmax())}
            assert all(best.q[s, action] == pytest.approx(1.0) for s in here)
            here = {int(s) for state in here for s in np.flatnonzero(mdp.transition[state, action])}
