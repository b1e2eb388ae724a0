"""Rewards by tool name: format, choice and order of calls."""

from __future__ import annotations

import math
from typing import Any

import pytest

from turnwise.rewards import Turn
from turnwise.rewards.turns import ActionFormatReward, ToolOrderReward, ToolUseReward


def turn(*calls: tuple[str, dict[str, Any]] | str, valid: bool = True) -> Turn:
    named = [(call, {}) if isinstance(call, str) else call for call in calls]
    return Turn(0, "", "", valid=valid, tool_calls=tuple({"name": n, "arguments": a} for n, a in named))


def test_format_pays_by_validity() -> None:
    reward = ActionFormatReward(valid=0.5, invalid=-2.0)
    assert [reward(turn("bash")), reward(turn(valid=False))] == [0.5, -2.0]


def test_use_adds_up_over_the_calls_of_a_turn() -> None:
    reward = ToolUseReward({"bash": 1.0, "view": 0.25}, default=-1.0)
    assert [reward(turn("view", "bash", "submit")), reward(turn())] == [0.25, 0.0]


def test_order_pays_the_first_call_once_an_episode() -> None:
    reward = ToolOrderReward("view", "edit", 1.0, otherwise=-1.0)
    assert [reward(turn(name)) for name in ("view", "edit", "edit")] == [0.0, 1.0, 0.0]
    reward.begin("task", {})
    assert [reward(turn(name)) for name in ("edit", "view", "edit")] == [-1.0, 0.0, 0.0]


def test_order_can_pay_every_call() -> None:
    reward = ToolOrderReward(("view", "bash"), "edit", 1.0, otherwise=-1.0, every=True)
    assert [reward(turn(name)) for name in ("edit", "bash", "edit", "edit")] == [-1.0, 0.0, 1.0, 1.0]


def test_order_inside_a_turn_is_that_of_its_calls() -> None:
    assert ToolOrderReward("view", "edit", 1.0)(turn("view", "edit")) == 1.0
    assert ToolOrderReward("view", "edit", 1.0)(turn("edit", "view")) == 0.0


def test_order_of_one_tool_with_itself_needs_two_calls() -> None:
    reward = ToolOrderReward("bash", "bash", 1.0, every=True)
    assert [reward(turn("bash")), reward(turn("bash"))] == [0.0, 1.0]


def test_both_calls_can_have_to_name_the_same_thing() -> None:
    reward = ToolOrderReward("view", "edit", 1.0, otherwise=-1.0, same="path")
    seen = [("view", {"path": "a"}), ("edit", {"path": "b"}), ("edit", {"path": "a"}), ("edit", {"path": "a"}), "edit"]
    assert [reward(turn(call)) for call in seen] == [0.0, -1.0, 1.0, 0.0, 0.0]


def test_what_an_invalid_action_tried_does_not_count() -> None:
    reward = ToolOrderReward("view", "edit", 1.0)
    assert [reward(turn("view", valid=False)), reward(turn("edit", valid=False)), reward(turn("edit"))] == [0.0] * 3


def test_calls_are_told_apart_by_a_function() -> None:
    reward = ToolOrderReward(lambda call: "pytest" in call["arguments"].get("command", ""), "submit", 1.0)
    assert reward(turn(("bash", {"command": "ls"}))) == 0.0
    assert [reward(turn(("bash", {"command": "pytest -q"}))), reward(turn("submit"))] == [0.0, 1.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: ActionFormatReward(valid=bad, invalid=0.0),
        lambda bad: ToolUseReward({"bash": bad}, default=0.0),
        lambda bad: ToolOrderReward("view", "edit", bad),
    ],
)
def test_amounts_must_be_finite_and_have_no_defaults(make: Any) -> None:
    with pytest.raises(ValueError, match="must be finite, got nan"):
        make(math.nan)
    with pytest.raises(TypeError, match="valid"):
        ActionFormatReward()  # type: ignore[call-arg]
