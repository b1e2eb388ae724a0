from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.progress import LinearProgressEstimator, text_turn_features
from turnwise.rewards.protocols import FittedTurnScorer

WORTH = {"key": 0.5, "door": 0.5, "wait": 0.0, "look": 0.0}


def rollout(actions: list[str]) -> Trajectory:
    """A trajectory that is paid, at its end, the sum of what its actions are worth."""
    turns = [Turn(index, f"room {index % 2}", action) for index, action in enumerate(actions)]
    if turns:
        turns[-1].reward = sum(WORTH[action] for action in actions)
    return Trajectory(turns)


def rollouts(count: int, seed: int = 0) -> list[Trajectory]:
    rng = np.random.default_rng(seed)
    return [rollout(rng.choice(list(WORTH), size=rng.integers(1, 9)).tolist()) for _ in range(count)]


def test_it_is_a_fitted_turn_scorer() -> None:
    assert isinstance(LinearProgressEstimator(), FittedTurnScorer)


def test_unfitted_scores_are_zero() -> None:
    assert LinearProgressEstimator().score(rollout(["key", "wait"])).tolist() == [0.0, 0.0]


def test_it_finds_the_turns_that_earned_the_outcome() -> None:
    estimator = LinearProgressEstimator(l2=1e-4)
    losses = [estimator.fit(rollouts(32, seed)) for seed in range(6)]
    assert losses[-1] < 0.02 * losses[0]
    scores = estimator.score(rollout(["wait", "key", "look", "door"]))
    assert_allclose(scores, [0.0, 0.5, 0.0, 0.5], atol=0.06)
    assert scores.sum() == pytest.approx(1.0, abs=0.05)


def test_what_no_feature_explains_is_shared_equally() -> None:
    estimator = LinearProgressEstimator(lambda trajectory: np.zeros((len(trajectory), 1)), l2=1e-9)
    estimator.fit([rollout(["key", "door", "wait", "look"])])
    assert_allclose(estimator.score(rollout(["wait", "key"])), [0.25, 0.25])


def test_the_fit_minimises_the_published_loss() -> None:
    data = rollouts(200)
    estimator = LinearProgressEstimator(l2=1e-6)
    estimator.fit(data)

    def loss() -> float:
        return float(np.mean([(estimator.score(t).sum() - t.outcome) ** 2 for t in data]))

    best = loss()
    state = estimator.state_dict()
    for seed in range(5):
        nudge = 1e-2 * np.random.default_rng(seed).normal(size=state["weights"].shape)
        estimator.load_state_dict({**state, "weights": state["weights"] + nudge})
        assert loss() > best


def test_batches_in_any_split_and_order_give_one_result() -> None:
    data = rollouts(30)
    at_once, in_parts = LinearProgressEstimator(), LinearProgressEstimator()
    at_once.fit(data)
    in_parts.fit(data[20:])
    in_parts.fit(data[:20])
    assert_allclose(in_parts.score(data[0]), at_once.score(data[0]), atol=1e-8)


def test_forgetting_follows_a_change() -> None:
    steady, forgetful = LinearProgressEstimator(), LinearProgressEstimator(forgetting=0.1)
    before, after = rollout(["look", "wait"]), rollout(["look", "wait"])
    after.turns[-1].reward = 1.0
    for estimator in (steady, forgetful):
        for _ in range(5):
            estimator.fit([before])
        for _ in range(3):
            estimator.fit([after])
    assert forgetful.score(after).sum() > 0.95
    assert steady.score(after).sum() < 0.5


def test_loss_is_from_before_the_update() -> None:
    estimator = LinearProgressEstimator()
    data = [rollout(["key", "door"]), rollout(["wait"])]
    assert estimator.fit(data) == pytest.approx(0.5)
    assert estimator.fit(data) < 0.01


def test_nothing_to_learn_from() -> None:
    estimator = LinearProgressEstimator()
    assert np.isnan(estimator.fit([]))
    assert np.isnan(estimator.fit([Trajectory()]))
    assert estimator.score(Trajectory()).shape == (0,)
    estimator.fit([rollout(["key"]), Trajectory()])
    assert estimator.score(Trajectory()).shape == (0,)


def test_state_survives_a_round_trip_and_is_a_copy() -> None:
    estimator, twin = LinearProgressEstimator(), LinearProgressEstimator()
    estimator.fit(rollouts(10))
    state = estimator.state_dict()
    twin.load_state_dict(state)
    state["weights"][:] = 0.0
    probe = rollout(["key", "wait"])
    assert twin.score(probe).tolist() == estimator.score(probe).tolist()
    assert twin.fit(rollouts(10, 1)) == estimator.fit(rollouts(10, 1))
    assert twin.score(probe).tolist() == estimator.score(probe).tolist()
    with pytest.raises(ValueError, match=r"state lacks \['gram'\]"):
        twin.load_state_dict({"moment": np.zeros(2), "weights": np.zeros(2)})
    with pytest.raises(ValueError, match="state shapes do not fit"):
        twin.load_state_dict({"gram": np.eye(3), "moment": np.zeros(2), "weights": np.zeros(2)})


def test_any_features_will_do() -> None:
    hidden = {"key": [1.0, 0.0], "door": [0.0, 1.0], "wait": [0.0, 0.0], "look": [1.0, 1.0]}
    estimator = LinearProgressEstimator(lambda t: np.array([hidden[turn.action] for turn in t.turns]), l2=1e-6)
    data = [rollout(["key", "wait"]), rollout(["door"]), rollout(["wait"])]
    estimator.fit(data)
    assert_allclose(estimator.score(rollout(["door", "key", "wait"])), [0.5, 0.5, 0.0], atol=1e-4)


def test_bad_features_and_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features must have shape \(1, d\), got \(1,\)"):
        LinearProgressEstimator(lambda t: np.zeros(len(t))).fit([rollout(["key"])])
    with pytest.raises(ValueError, match="features must be finite"):
        LinearProgressEstimator(lambda t: np.full((len(t), 2), np.nan)).fit([rollout(["key"])])
    with pytest.raises(ValueError, match="l2 must be positive"):
        LinearProgressEstimator(l2=0.0)
    with pytest.raises(ValueError, match="forgetting must lie in"):
        LinearProgressEstimator(forgetting=0.0)
    growing = LinearProgressEstimator(lambda t: np.ones((len(t), len(t))))
    growing.fit([rollout(["key", "key"])])
    with pytest.raises(ValueError, match="features have width 1, but the estimator was fitted on 2"):
        growing.score(rollout(["key"]))
    broken = rollout(["key"])
    broken.turns[0].reward = float("nan")
    with pytest.raises(ValueError, match="outcomes must be finite"):
        LinearProgressEstimator().fit([broken])


def test_text_features_separate_observation_and_action() -> None:
    features = text_turn_features(Trajectory([Turn(0, "key", ""), Turn(1, "", "key")]), dim=9)
    assert features.shape == (2, 9)
    assert features[0, :4].any() and not features[0, 4:].any()
    assert features[1, 4:].any() and not features[1, :4].any()
