"""SPA through its wrapper: the published numbers, what becomes of the outcome, and online learning."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scripted import Beat, ScriptedEnv, play

from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.progress import LinearProgressEstimator, text_turn_features
from turnwise.wrappers import MissingRequirementError, ProgressAttributionReward, TurnRewardWrapper

C = [0.10, 0.25, 0.40, 0.15]
ROLLOUT = [Beat(), Beat(valid=False), Beat(), Beat(reward=1.0)]


class Frozen:
    """Always the same scores."""

    def __init__(self, scores):
        self.scores = scores

    def score(self, trajectory):
        return np.array(self.scores)


class Learner(Frozen):
    """Remembers what it learnt from."""

    def __init__(self, scores):
        super().__init__(scores)
        self.batches = []

    def fit(self, trajectories):
        self.batches.append([t.privileged["answer"] + t.turns[0].observation for t in trajectories])
        self.scores = [score + 1.0 for score in self.scores]
        return 0.25


def test_the_published_turn_rewards(vectors):
    rewards, info = play(ProgressAttributionReward(ScriptedEnv([ROLLOUT]), Frozen(C)))
    assert info["turn_rewards"].tolist() == pytest.approx(vectors["spa_reward_a1_b0.5"])
    # Grounding is known at once and paid at once; progress comes with the last step.
    assert rewards == pytest.approx([0.5, 0.0, 0.5, 0.5 + vectors["spa_pred_sum"]])
    assert info["turn_terms"]["progress"] == PerTurn(C)


def test_the_outcome_is_logged_and_not_paid():
    rewards, info = play(ProgressAttributionReward(ScriptedEnv([ROLLOUT]), Frozen([0.0] * 4), beta=0.0))
    assert info["reward_terms"]["outcome"] == 1.0
    assert sum(rewards) == 0.0


def test_the_outcome_can_be_kept():
    rewards, info = play(ProgressAttributionReward(ScriptedEnv([ROLLOUT]), Frozen(C), beta=0.0, keep_outcome=True))
    assert sum(rewards) == pytest.approx(1.9)
    assert info["turn_rewards"].tolist() == pytest.approx([0.1, 0.25, 0.4, 1.15])


def test_an_outcome_before_the_last_turn_is_taken_back():
    env = ProgressAttributionReward(ScriptedEnv([[Beat(reward=0.5), Beat(reward=0.5)]]), Frozen([0.2, 0.2]), beta=0.0)
    rewards, info = play(env)
    assert rewards == pytest.approx([0.5, -0.1])
    assert info["turn_rewards"].tolist() == pytest.approx([0.2, 0.2])


def test_what_inner_wrappers_add_stays():
    inner = TurnRewardWrapper(ScriptedEnv([ROLLOUT]), lambda turn: 10.0, name="ten")
    rewards, info = play(ProgressAttributionReward(inner, Frozen(C), beta=0.0))
    assert info["turn_rewards"].tolist() == pytest.approx([10.1, 10.25, 10.4, 10.15])
    assert sum(rewards) == pytest.approx(40.9)


def test_alpha_beta_and_another_grounding():
    env = ProgressAttributionReward(
        ScriptedEnv([ROLLOUT]), Frozen(C), alpha=2.0, beta=1.0, grounding=lambda turn: float(turn.index == 2)
    )
    _, info = play(env)
    assert info["turn_rewards"].tolist() == pytest.approx([0.2, 0.5, 1.8, 0.3])


def test_an_episode_is_scored_before_it_is_learnt_from():
    learner = Learner([0.0])
    env = ProgressAttributionReward(ScriptedEnv([[Beat()]]), learner, beta=0.0, fit_every=2, replay=3)
    sums, losses = [], []
    for _ in range(5):
        rewards, info = play(env)
        sums.append(sum(rewards))
        losses.append(info.get("estimator_loss"))
    assert sums == [0.0, 0.0, 1.0, 1.0, 2.0]
    assert losses == [None, 0.25, None, 0.25, None]
    assert [len(batch) for batch in learner.batches] == [2, 3]


def test_a_scorer_without_fit_is_frozen():
    env = ProgressAttributionReward(ScriptedEnv([[Beat()]]), Frozen([0.5]), fit_every=1)
    for _ in range(3):
        assert "estimator_loss" not in play(env)[1]


def run(episodes):
    estimator = LinearProgressEstimator(partial(text_turn_features, dim=32))
    script = [[Beat(), Beat(reward=1.0)], [Beat(), Beat(), Beat()]]
    env = ProgressAttributionReward(ScriptedEnv(script), estimator, fit_every=4, replay=4, beta=0.0)
    return [play(env)[1] for _ in range(episodes)]


def test_the_default_kind_of_estimator_learns_what_the_turns_are_worth():
    infos = run(40)
    assert infos[0]["turn_rewards"].sum() == 0.0
    assert infos[-2]["turn_rewards"].sum() == pytest.approx(1.0, abs=0.02)
    assert infos[-1]["turn_rewards"].sum() == pytest.approx(0.0, abs=0.02)
    losses = [info["estimator_loss"] for info in infos if "estimator_loss" in info]
    assert losses[-1] < 0.01 < losses[0]


def test_learning_is_deterministic():
    assert [info["turn_rewards"] for info in run(12)] == [info["turn_rewards"] for info in run(12)]


@pytest.mark.parametrize("scores", [[0.1], [0.1, float("nan"), 0.0, 0.0]])
def test_scores_of_another_length_or_no_numbers_are_errors(scores):
    with pytest.raises(ValueError, match="progress: an episode of 4 turns needs 4 finite rewards"):
        play(ProgressAttributionReward(ScriptedEnv([ROLLOUT]), Frozen(scores)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit_every": 0}, "fit_every must be at least 1"),
        ({"replay": 0}, "replay must be at least 1"),
        ({"grounding": "executable"}, "grounding must be 'valid' or a function"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ProgressAttributionReward(ScriptedEnv([ROLLOUT]), **options)


def test_an_estimator_that_cannot_score_is_refused():
    with pytest.raises(MissingRequirementError, match="give `estimator`, a TurnScorer"):
        ProgressAttributionReward(ScriptedEnv([ROLLOUT]), object())
