"""G-RA through its wrapper: the published numbers, the gate at equality, and what is paid when."""

from __future__ import annotations

import pytest
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv, play

from turnwise.rewards.per_turn import PerTurn
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
