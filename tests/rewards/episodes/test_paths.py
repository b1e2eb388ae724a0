"""Rewards that compare an episode with other episodes: ProgRM, STeCa; and StepTool and Mobile-R1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.episodes import (
    DeviationDetector,
    MobileR1Reward,
    ProgRMReward,
    StepToolEpisodeReward,
    progrm_labels,
    progrm_recipes,
)
from turnwise.rewards.episodes.mobile_r1 import mobile_r1
from turnwise.rewards.episodes.steca import steca
from turnwise.rewards.episodes.step_tool import step_tool

ATOL = 2e-6
words = st.lists(st.sampled_from("abcd"), max_size=8)


def episode(actions, outcome=0.0, replies=None, **more):
    rewards = [0.0] * (len(actions) - 1) + [outcome]
    replies = replies or [""] * len(actions)
    turns = [Turn(i, "", a, replies[i], reward=rewards[i]) for i, a in enumerate(actions)]
    return Trajectory(turns, **more)


# ProgRM


def test_progrm_published_labels(vectors):
    labels = progrm_labels(["open", "scroll", "search", "back", "select"], ["open", "search", "select", "buy"])
    np.testing.assert_allclose(labels, vectors["progrm_labels"], atol=ATOL)


@given(words, words.filter(len))
def test_progrm_labels_never_fall_and_end_at_one_only_with_the_whole_recipe(steps, recipe):
    labels = progrm_labels(steps, recipe)
    assert labels.shape == (len(steps),)
    assert (np.diff(labels, prepend=0) >= 0).all()
    assert progrm_labels(steps + recipe, recipe)[-1] == pytest.approx(1.0)


@given(st.lists(words, max_size=5), st.floats(0.1, 1.0))
def test_every_success_has_done_a_recipe(successes, similarity):
    recipes = progrm_recipes(successes, similarity=similarity)
    for steps in filter(len, successes):
        assert max(progrm_labels(steps, recipe)[-1] for recipe in recipes) == pytest.approx(1.0)


def test_progrm_pays_the_closest_recipe_of_the_task():
    recipes = {"shop": [["open", "buy"], ["call", "ask", "wait", "pay"]]}
    walk = episode(["call", "open", "ask", "buy"], task_id="shop")
    assert ProgRMReward(recipes, pay="difference")(walk).tolist() == [0, 0.5, 0, 0.5]
    assert ProgRMReward(recipes, pay="progress")(walk).tolist() == [0, 0.5, 0.5, 1.0]
    assert not ProgRMReward(recipes, pay="progress")(episode(["open"], task_id="other")).any()
    assert ProgRMReward(recipes, pay="difference")(episode([], task_id="shop")).shape == (0,)
    loose = ProgRMReward(recipes, pay="difference", same=lambda a, b: a[0] == b[0])
    assert loose(episode(["only", "buys"], task_id="shop")).tolist() == [0.5, 0.5]


def test_progrm_arguments():
    with pytest.raises(ValueError, match="recipe must hold"):
        progrm_labels(["a"], [])
    with pytest.raises(ValueError, match=r"similarity must lie in \(0, 1\]"):
        progrm_recipes([], similarity=0.0)
    with pytest.raises(ValueError, match="pay must be"):
        ProgRMReward({}, pay="all")
    with pytest.raises(TypeError, match="pay"):
        ProgRMReward({})


# STeCa


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [False, False, True, False]),
        ({"success": True}, [False] * 4),
        ({"similarity": [0, 0, 0.95, 0]}, [False] * 4),
        ({"expert_values": [0.5, 0.39, 0.49, 1.0]}, [False] * 4),
        ({"expert_values": [0.5, 0.4, 1.0, 1.0]}, [False, False, True, True]),  # equality deviates
        ({"expert_values": []}, [False] * 4),
        ({"expert_values": [0.9, 0.9]}, [False] * 4),  # the expert was done
    ],
)
def test_the_deviation_rule(change, expected):
    given_ = {"expert_values": [0.9, 0.4, 0.3, 1.0], "similarity": [0.0] * 4, "success": False, **change}
    values = [0.1, 0.1, 0.4, 0.5]
    assert steca(values, **given_).tolist() == expected


def test_the_detector_compares_actions_of_the_same_turn():
    facts = {"expert_actions": ["a", "b", "c", "d"], "expert_values": [1.0, 1.0, 1.0, 1.0]}
    asked = []

    def similarity(left, right):
        asked.append((left, right))
        return 0.0

    detector = DeviationDetector(lambda trajectory: [0.0] * len(trajectory), similarity=similarity)
    rewards = detector(episode(["a", "x", "c", "y", "z"], privileged=facts))
    assert rewards.tolist() == [0, 0, 0, 1, 0]
    assert asked == [("x", "b"), ("y", "d")]
    assert not detector(episode(["q"] * 4, outcome=1.0, privileged=facts)).any()
    assert detector(episode([], privileged=facts)).shape == (0,)
    assert detector.needs == {"expert_actions", "expert_values"}
    with pytest.raises(ValueError, match="similarity must have shape"):
        steca([0.0], [0.0], [0.0, 0.0], success=False)


# StepTool


def test_step_tool_published_numbers(vectors):
    labels = {"success": [1, 0], "contribution": [0.8, 0.2], "solved": 1.0, "alpha": 1.0}
    np.testing.assert_allclose(step_tool(**labels), vectors["steptool_plain"], atol=ATOL)
    np.testing.assert_allclose(step_tool(**labels, compat="released"), vectors["steptool_released_scale"], atol=ATOL)


def test_step_tool_by_judge_and_by_rule(vectors):
    calls = episode(["call", "call", "answer 7 degrees"], 1.0, replies=["7 degrees", "error", ""])
    judged = StepToolEpisodeReward(lambda t: [4, 1, 0], contribution_values=lambda label: label / 5, alpha=1.0)
    np.testing.assert_allclose(judged(calls), vectors["steptool_plain"], atol=ATOL)
    by_rule = StepToolEpisodeReward(contribution_values={0: 0.0, 1: 1.0}, alpha=0.5)
    calls.turns[1].next_observation = "wrong: ZZZZZZZZZZZZZZZZZZZZ"
    assert by_rule(calls).tolist() == [1.0, 0.0, 1.0]
    given_bits = StepToolEpisodeReward(contribution_values={0: 0.0, 1: 1.0}, alpha=0.5, success=lambda t: [0, 1, 0])
    assert given_bits(calls).tolist() == [0.5, 0.5, 1.0]
    assert by_rule(episode(["answer"], 1.0)).tolist() == [1.0]
    assert by_rule(episode([])).shape == (0,)
    with pytest.raises(TypeError, match="contribution_values"):
        StepToolEpisodeReward(alpha=1.0)
    with pytest.raises(KeyError, match="no value for the label 4"):
        StepToolEpisodeReward(lambda t: [4, 1, 0], contribution_values={}, alpha=1.0)(calls)
    with pytest.raises(ValueError, match="compat must be None or 'released'"):
        step_tool([], [], 1.0, alpha=1.0, compat="paper")
    with pytest.raises(ValueError, match=r"one shape \(T - 1,\)"):
        step_tool([1], [1, 0], 1.0, alpha=1.0)


# Mobile-R1


def test_mobile_r1_switches_between_its_channels():
    reward = MobileR1Reward(lambda turn: float(turn.index), stage="action")
    walk = episode(["a", "b", "c"], 1.0)
    assert reward(walk).tolist() == [0, 1, 2]
    reward.stage = "task"
    assert reward(walk).tolist() == [0, 0, 1]
    assert reward(episode([])).shape == (0,)
    with pytest.raises(ValueError, match="stage must be one of"):
        mobile_r1([], 0.0, "third")
