"""G-RA, VeRPO, durations and rates on `SWEEnv` itself: one episode of each outcome level, in a real sandbox."""

from __future__ import annotations

import json

import pytest
from patch_env import act

from turnwise.agents import ScriptedPolicy, collect
from turnwise.envs.core import ToolCall
from turnwise.envs.swe.env import SWEEnv
from turnwise.envs.swe.tasks import Project, Task, TaskSet
from turnwise.rewards import OutcomeLevels
from turnwise.rewards.summary import summarize
from turnwise.rewards.turns import ToolOrderReward
from turnwise.wrappers import (
    ActionPrice,
    DifficultyWeightedTests,
    GatedRewardAccumulation,
    GroupCreditReward,
    MeasuredDuration,
)

SOURCE = b"def add(a, b):\n    return a + b\n"
TESTS = b"""from calc import add


def test_add():
    assert add(2, 1) == 3


def test_zero():
    assert add(2, 0) == 2
"""
BUG = "--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a + b\n+    return a - b\n"
FAILS, PASSES = "tests/test_calc.py::test_add", "tests/test_calc.py::test_zero"
TASKS = TaskSet(
    Project("calc", "1", {"calc.py": SOURCE, "tests/test_calc.py": TESTS}, ("calc.py",), ("tests",)),
    (Task("calc-1", "add(2, 1) gives 1", BUG, (FAILS,), (PASSES,)),),
)

VIEW = str(ToolCall("view", {"path": "calc.py"}))
SUBMIT = str(ToolCall("submit"))


def edit(new: str) -> str:
    call = ToolCall("edit", {"path": "calc.py", "old": "a - b", "new": new})
    return f"<tool_call>{json.dumps(call.to_json())}</tool_call>"


NO_SUBMIT, EMPTY = [VIEW] * 4, [VIEW, SUBMIT]
FAILING, PASSING = [VIEW, edit("a * b"), SUBMIT], [VIEW, edit("a + b"), SUBMIT]
EPISODES = (NO_SUBMIT, EMPTY, FAILING, PASSING)
LEVELS = OutcomeLevels({"submitted": -0.5, "patched": 0.25, "resolved": 1.0}, none=-1.0)


@pytest.fixture
def swe():
    env = SWEEnv(tasks=TASKS, sandbox="process", split="all", max_turns=4)
    yield env
    env.close()


def test_levels_gate_and_rates(swe: SWEEnv) -> None:
    steps = {"looked": ToolOrderReward("view", "edit", 0.1, same="path")}
    env = GatedRewardAccumulation(
        MeasuredDuration(swe), outcome=LEVELS, threshold=LEVELS["patched"], turn_rewards=steps
    )
    trajectories = [collect(ScriptedPolicy(actions), env, 1, seed=0)[0] for actions in EPISODES]
    assert [sum(t.rewards) for t in trajectories] == pytest.approx([-1.0, -0.5, 0.25 + 0.1, 1.0 + 0.1])
    assert trajectories[3].turn_rewards == pytest.approx([0.0, 0.1, 1.0])
    rates = summarize(trajectories).milestones
    assert {name: rate.count for name, rate in rates.items()} == {"completion": 3, "modification": 2, "resolution": 1}
    assert all(turn.channels["duration"] > 0.0 for t in trajectories for turn in t.turns)


def test_tests_weighted_by_difficulty(swe: SWEEnv) -> None:
    options = {"difficulty": lambda rate: 1.0 - rate, "success_weight": 1.0, "norm_by_std": False}
    by_wrapper = DifficultyWeightedTests(swe, 4, **options)
    by_name = GroupCreditReward(swe, "verpo", group_size=4, rollout_inputs={"passed": "test_results"}, **options)
    for env in (by_wrapper, by_name):
        for actions in EPISODES:
            _, info = act(env, actions)
        # Of three graded rollouts one passes test_add and two (a * b does not) test_zero: weights 2/3 and 1/3.
        scores = [0.0, 1 / 3, 0.0, 2.0]
        expected = [score - sum(scores) / 4 for score in scores]
        assert [entry["turn_advantages"][0] for entry in info["group_credit"]] == pytest.approx(expected)


def test_a_price_on_what_a_submission_costs(swe: SWEEnv) -> None:
    env = ActionPrice(swe, 0.5, cost="submitted")
    assert act(env, PASSING)[0] == [0.0, 0.0, 0.5]
