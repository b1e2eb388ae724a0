"""ONI's counts, UI-S1's step reward, and rewards that are written functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Turn
from turnwise.rewards.turns import CallableReward, ONIReward, UIStepReward
from turnwise.rewards.turns.callable_reward import sign_mix
from turnwise.rewards.turns.oni import oni
from turnwise.rewards.turns.ui_step import call_match, ui_step


def test_oni_divides_by_a_power_of_the_count():
    np.testing.assert_allclose(oni([0] * 3, [1] * 3, [1, 2, 3], intrinsic_weight=0.1), [0.1, 0.0125, 0.1 / 27])
    with pytest.raises(ValueError, match="count must be at least 1"):
        oni([0], [1], [0])


def test_oni_counts_the_first_observation_and_forgets_at_reset():
    reward = ONIReward({"a key": 1.0}, intrinsic_weight=1.0, exponent=1.0)
    found = Turn(0, "", "", "a key")
    for _ in range(2):
        reward.begin("a key", {})
        assert [reward(found), reward(found)] == pytest.approx([1 / 2, 1 / 3])
    reward.begin("a wall", {})
    assert reward(found) == 1.0


def test_oni_labels_may_come_later_and_the_environment_is_paid_a_share():
    labels: dict[str, float] = {}
    reward = ONIReward(labels, extrinsic_weight=0.5, intrinsic_weight=1.0)
    reward.begin("", {})
    assert reward(Turn(0, "", "", "a key", reward=1.0)) == 0.5
    labels["a key"] = 8.0
    assert reward(Turn(0, "", "", "a key", reward=1.0)) == 0.5 + 8.0 / 2**3
    by_fact = ONIReward(len, caption="caption", intrinsic_weight=1.0)
    by_fact.begin("", {})
    assert by_fact.needs == {"caption"}
    assert by_fact(Turn(0, "", "", privileged={"caption": "four"})) == 4.0


@pytest.mark.parametrize(
    ("match", "score"), [("unparsable", 0.0), ("wrong_type", 0.1), ("right_type", 0.5), ("exact", 1.0)]
)
def test_ui_step(match, score):
    assert ui_step(True, match) == pytest.approx(0.1 + 0.9 * score)
    assert ui_step(False, match, "HARMFUL") == pytest.approx(0.9 * (1 - score))
    assert ui_step(True, match, "NEUTRAL") == pytest.approx(0.55)


def test_ui_step_choices():
    with pytest.raises(ValueError, match="match must be one of"):
        ui_step(True, "close")
    with pytest.raises(ValueError, match="annotation must be None or one of"):
        ui_step(True, "exact", "GOOD")


TAP = {"name": "tap", "arguments": {"id": 3}}


@pytest.mark.parametrize(
    ("calls", "match"),
    [
        ((), "unparsable"),
        (({"name": "swipe", "arguments": {}},), "wrong_type"),
        (({"name": "tap", "arguments": {"id": 4}},), "right_type"),
        ((TAP,), "exact"),
    ],
)
def test_ui_calls_are_compared_with_the_experts(calls, match):
    turn = Turn(0, "", "<think>hm</think> tap[3]", tool_calls=calls, privileged={"expert_action": TAP, "harm": None})
    assert call_match(turn, TAP) == match
    assert UIStepReward()(turn) == pytest.approx(ui_step(True, match))
    assert UIStepReward(annotation="harm", match=lambda turn: "exact")(turn) == 1.0
    assert UIStepReward(match=lambda turn: "exact").needs == frozenset()


def test_ui_step_where_the_expert_is_done():
    assert call_match(Turn(0, "", "", tool_calls=(TAP,)), None) == "wrong_type"


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1))
def test_sign_mix_bounds(sparse, dense, weight):
    mixed = sign_mix([sparse], [dense], dense_weight=weight)
    assert abs(mixed[0]) <= 1 + weight
    assert mixed[0] == np.sign(sparse) + weight * np.sign(dense)


def test_callable_reward():
    turn = Turn(0, "", "", reward=7.0)
    assert CallableReward(lambda turn: -3.0, dense_weight=0.1)(turn) == pytest.approx(0.9)
    assert CallableReward(lambda turn: 3.0, dense_weight=0.1, clip=1.0)(turn) == 1.0
    with pytest.raises(ValueError, match="function must return a finite number, got nan"):
        CallableReward(lambda turn: float("nan"), dense_weight=0.1)(turn)
    with pytest.raises(ValueError, match="clip must be positive"):
        CallableReward(lambda turn: 0.0, dense_weight=0.1, clip=0.0)
    with pytest.raises(TypeError, match="dense_weight"):
        CallableReward(lambda turn: 0.0)
