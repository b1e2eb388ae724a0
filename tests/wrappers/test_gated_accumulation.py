"""G-RA through its wrapper: the published numbers, the gate at equality, and what is paid when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from key_door import KeyDoorEnv
from patch_env import EMPTY, FAILING, NO_SUBMIT, PASSING, PatchEnv, act
from scripted import Beat, ScriptedEnv, play

from turnwise.rewards import OutcomeLevels
from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.turns import ActionFormatReward, ToolOrderReward
from turnwise.wrappers import GatedRewardAccumulation, TurnRewardWrapper

OUTCOMES = [1, -0.5, 0, -1]
STEPS = [[0.1, 0.1, 0], [0.1, 0, 0.1], [0.1, 0.1, 0.1], [0, 0.1, 0.1]]
ROLLOUTS = [
    [Beat(terms={"step": s[0]}), Beat(terms={"step": s[1]}), Beat(reward=r, terms={"step": s[2]})]
    for r, s in zip(OUTCOMES, STEPS, strict=True)
]


def totals(env):
    rewards = [play(env)[0] for _ in ROLLOUTS]
    assert all(early == 0.0 for row in rewards for early in row[:-1])
    return [sum(row) for row in rewards]


def test_the_published_totals_and_turns(vectors):
    env = GatedRewardAccumulation(ScriptedEnv(ROLLOUTS), threshold=0.0, turn_rewards=["step"])
    assert totals(env) == pytest.approx(vectors["gra_total_thr0.0"])
    for steps, outcome in zip(vectors["gra_steps_thr0.0"], OUTCOMES, strict=True):
        _, info = play(env)
        assert info["turn_terms"]["gated"].tolist() == pytest.approx(steps)
        assert info["turn_rewards"].tolist() == pytest.approx([*steps[:2], steps[2] + outcome])


def test_direct_accumulation_has_no_gate(vectors):
    env = GatedRewardAccumulation(ScriptedEnv(ROLLOUTS), threshold=None, turn_rewards=["step"])
    assert totals(env) == pytest.approx(vectors["dra_total"])


@pytest.mark.parametrize("inclusive", [True, False])
def test_the_comparison_at_equality_is_an_argument(inclusive):
    env = GatedRewardAccumulation(ScriptedEnv([ROLLOUTS[2]]), threshold=0.0, turn_rewards="step", inclusive=inclusive)
    rewards, info = play(env)
    assert info["gate_open"] is inclusive
    assert sum(rewards) == pytest.approx(0.3 if inclusive else 0.0)


def test_functions_are_logged_when_earned_and_paid_at_the_end():
    env = GatedRewardAccumulation(
        KeyDoorEnv(), threshold=1.0, turn_rewards={"valid": lambda turn: 0.1 * turn.valid, "late": lambda turn: 0.0}
    )
    env.reset(options={"task_id": "key-3"})
    steps = [env.step(action) for action in ("move[right]", "fly[]", "pick[]", "move[right]", "open[]")]
    assert [step[1] for step in steps] == pytest.approx([0, 0, 0, 0, 1.4])
    assert [step[4]["reward_terms"]["valid"] for step in steps] == [0.1, 0.0, 0.1, 0.1, 0.1]
    assert steps[-1][4]["turn_rewards"].tolist() == pytest.approx([0.1, 0.0, 0.1, 0.1, 1.1])


def test_running_out_of_turns_closes_the_gate():
    env = GatedRewardAccumulation(KeyDoorEnv(max_turns=2), threshold=0.5, turn_rewards={"one": lambda turn: 1.0})
    rewards, info = play(env, "move[left]")
    assert rewards == [0.0, 0.0]
    assert info["gate_open"] is False
    assert info["turn_rewards"] == PerTurn([0.0, 0.0])


def test_a_turn_without_the_term_has_nothing_of_it():
    env = GatedRewardAccumulation(KeyDoorEnv(), threshold=1.0, turn_rewards=["progress"])
    env.reset(options={"task_id": "key-3"})
    for action in ("move[right]", "pick[]", "move[right]"):
        env.step(action)
    info = env.step("open[]")[-1]
    assert info["turn_rewards"] == PerTurn([0.0, 0.5, 0.0, 1.0])


def test_step_rewards_with_memory_begin_anew():
    class First:
        def begin(self, observation, privileged):
            self.first = True

        def __call__(self, turn):
            first, self.first = self.first, False
            return float(first)

    env = GatedRewardAccumulation(ScriptedEnv(ROLLOUTS[:1]), threshold=None, turn_rewards={"first": First()})
    for _ in range(2):
        assert play(env)[1]["turn_terms"]["gated"] == PerTurn([1.0, 0.0, 0.0])


def test_a_term_that_is_paid_already_is_refused_and_a_logged_one_is_not():
    paid = TurnRewardWrapper(ScriptedEnv(ROLLOUTS), lambda turn: 1.0, name="one")
    with pytest.raises(ValueError, match=r"'one' is paid already.*weight=0"):
        GatedRewardAccumulation(paid, threshold=0.0, turn_rewards=["one"])
    logged = TurnRewardWrapper(ScriptedEnv(ROLLOUTS), lambda turn: 1.0, name="one", weight=0.0)
    assert sum(play(GatedRewardAccumulation(logged, threshold=0.0, turn_rewards=["one"]))[0]) == 4.0


def test_two_levels_stack():
    env = GatedRewardAccumulation(ScriptedEnv(ROLLOUTS), threshold=0.5, turn_rewards={"a": lambda t: 1.0}, name="high")
    env = GatedRewardAccumulation(env, threshold=0.0, turn_rewards={"b": lambda t: 10.0}, name="low")
    assert totals(env) == pytest.approx([34.0, -0.5, 30.0, -1.0])


def test_the_threshold_has_no_default_and_a_step_reward_is_needed():
    with pytest.raises(TypeError, match="threshold"):
        GatedRewardAccumulation(ScriptedEnv(ROLLOUTS), turn_rewards=["step"])
    with pytest.raises(ValueError, match="at least one step reward"):
        GatedRewardAccumulation(ScriptedEnv(ROLLOUTS), threshold=0.0, turn_rewards=[])


# Outcome levels, as in software engineering. The numbers are ours.

LEVELS = OutcomeLevels({"submitted": -0.5, "patched": 0.25, "resolved": 1.0}, none=-1.0)


def gated_patching(threshold=LEVELS["patched"], **options):
    steps = {"format": ActionFormatReward(valid=0.01, invalid=-0.01), "looked": ToolOrderReward("view", "edit", 0.1)}
    return GatedRewardAccumulation(PatchEnv(), outcome=LEVELS, threshold=threshold, turn_rewards=steps, **options)


@pytest.mark.parametrize(
    ("actions", "outcome", "steps"),
    [
        (NO_SUBMIT, -1.0, 0.0),
        (EMPTY, -0.5, 0.0),
        (FAILING, 0.25, 0.03 + 0.1),
        (PASSING, 1.0, 0.04 + 0.1),
        (["view[a]", "edit[q]", "edit[a]", "submit[]"], 0.25, 0.02 + 0.1),
        (["submit["] * 6, -1.0, 0.0),
    ],
)
def test_each_level_pays_its_number_and_the_gate_opens_at_a_patch(actions, outcome, steps):
    rewards, info = act(gated_patching(), actions)
    assert rewards[:-1] == [0.0] * (len(actions) - 1)
    assert rewards[-1] == pytest.approx(outcome + steps)
    assert sum(rewards) == pytest.approx(info["turn_rewards"].sum())
    assert info["gate_open"] is (outcome >= 0.25)
    assert info["turn_rewards"][-1] == pytest.approx(outcome + info["turn_terms"]["gated"][-1])
    assert info["reward_terms"]["outcome"] == float(outcome == 1.0)  # what the environment says stays on record


def test_a_gate_above_the_failing_patch_wastes_its_steps():
    assert sum(act(gated_patching(LEVELS["resolved"]), FAILING)[0]) == pytest.approx(0.25)
    assert sum(act(gated_patching(None), EMPTY)[0]) == pytest.approx(-0.5 + 0.02)
    assert sum(act(gated_patching(inclusive=False), FAILING)[0]) == pytest.approx(0.25)


def test_an_outcome_is_replaced_once():
    with pytest.raises(ValueError, match="replaced already by an inner GatedRewardAccumulation"):
        GatedRewardAccumulation(gated_patching(), outcome=LEVELS, threshold=0.0, turn_rewards=["commands"], name="low")


# Several levels of step rewards

ONE_EPISODE = [[Beat(terms={"a": 0.25, "b": 4.0}), Beat(reward=0.5, terms={"a": 0.25, "c": 16.0})]]


@pytest.mark.parametrize(
    ("thresholds", "total", "open_levels"),
    [
        ([0.5, 0.5, 4.0], 0.5 + 0.5 + 4.0 + 16.0, 3),
        ([0.5, 0.6, 0.0], 0.5 + 0.5, 1),  # a closed gate closes those below it, whatever they ask for
        ([0.6, 0.0, 0.0], 0.5, 0),
        ([None, None, 4.1], 0.5 + 0.5 + 4.0, 2),
    ],
)
def test_a_level_counts_only_where_all_above_it_passed(thresholds, total, open_levels):
    levels = [["a"], {"d": lambda turn: turn.channels.get("b", 0.0)}, "c"]
    env = GatedRewardAccumulation(ScriptedEnv(ONE_EPISODE), threshold=thresholds, turn_rewards=levels)
    rewards, info = play(env)
    assert sum(rewards) == pytest.approx(total) == info["turn_rewards"].sum()
    assert (info["open_levels"], info["gate_open"]) == (open_levels, open_levels > 0)


@given(
    outcome=st.sampled_from([0.0, 0.5, 1.0]),
    steps=st.lists(st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5])] * 2), min_size=1, max_size=5),
    thresholds=st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 2.0])] * 2),
    inclusive=st.booleans(),
)
def test_the_total_is_the_published_sum_of_products(outcome, steps, thresholds, inclusive):
    beats = [Beat(terms={"a": a, "b": b}, reward=outcome * (i == len(steps) - 1)) for i, (a, b) in enumerate(steps)]
    env = GatedRewardAccumulation(
        ScriptedEnv([beats]), threshold=thresholds, turn_rewards=[["a"], ["b"]], inclusive=inclusive
    )
    totals = [outcome, sum(a for a, _ in steps), sum(b for _, b in steps)]
    gates = [r >= t if inclusive else r > t for r, t in zip(totals, thresholds, strict=False)]
    expected = totals[0] + totals[1] * gates[0] + totals[2] * gates[0] * gates[1]
    rewards, info = play(env)
    assert sum(rewards) == pytest.approx(expected)
    assert info["turn_rewards"].sum() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("threshold", "turn_rewards", "message"),
    [
        (0.0, [["a"], ["b"]], "threshold must hold 2 numbers"),
        ([0.0, 0.0], ["a"], "threshold must hold 1 numbers"),
        ([0.0, 0.0], [["a"], []], "at least one step reward a level"),
        ([0.0, 0.0], [["a"], ["a", "b"]], r"name \['a'\] twice"),
    ],
)
def test_wrong_levels_are_named(threshold, turn_rewards, message):
    with pytest.raises(ValueError, match=message):
        GatedRewardAccumulation(ScriptedEnv(ONE_EPISODE), threshold=threshold, turn_rewards=turn_rewards)
