"""The turn and episode clocks: the emission rule on any stack, and what a wrapper refuses."""

from __future__ import annotations

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv, play

from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.progress import LinearProgressEstimator, text_turn_features
from turnwise.rewards.table_probe import TableProbe
from turnwise.wrappers import (
    AnchorStateGrouping,
    EpisodeRewardWrapper,
    GatedRewardAccumulation,
    InformationGainReward,
    MissingRequirementError,
    PotentialShapingReward,
    ProgressAttributionReward,
    TurnRewardWrapper,
)

NUMBERS = st.floats(-10, 10, width=32)


def turn_layer(index, value):
    return lambda env: TurnRewardWrapper(env, lambda turn: value * turn.index, name=f"turn{index}", weight=0.5)


def episode_layer(index, value):
    def reward(trajectory):
        return value + np.arange(len(trajectory))

    return lambda env: EpisodeRewardWrapper(env, reward, name=f"episode{index}", weight=-2.0)


def gate_layer(index, value):
    rewards = {f"gated{index}": lambda turn: value}
    return lambda env: GatedRewardAccumulation(env, threshold=value, turn_rewards=rewards, name=f"gate{index}")


def shaping_layer(index, value):
    return lambda env: PotentialShapingReward(env, lambda info: value * info["turn"], gamma=0.9)


def progress_layer(index, value):
    estimator = LinearProgressEstimator(partial(text_turn_features, dim=8))
    return lambda env: ProgressAttributionReward(env, estimator, alpha=value, fit_every=1)


def gain_layer(index, value):
    return lambda env: InformationGainReward(env, TableProbe(lambda context, _: -float(len(context) % 3)), weight=value)


def group_layer(index, value):
    return lambda env: AnchorStateGrouping(env, group_size=2)


ONCE = [shaping_layer, progress_layer, gain_layer, group_layer]
LAYERS = st.lists(
    st.tuples(st.sampled_from([turn_layer, episode_layer, gate_layer, *ONCE]), NUMBERS), max_size=5
).filter(lambda layers: all(sum(make is once for make, _ in layers) <= 1 for once in ONCE))
ROLLOUTS = st.lists(
    st.lists(st.builds(Beat, reward=NUMBERS, valid=st.booleans()), min_size=1, max_size=6), min_size=1, max_size=3
)


@settings(max_examples=150, deadline=None)
@given(LAYERS, ROLLOUTS, st.booleans())
def test_a_plain_loop_sees_the_sum_of_the_turn_rewards_whatever_the_stack(layers, rollouts, truncate):
    env = ScriptedEnv(rollouts, truncate=truncate)
    for index, (make, value) in enumerate(layers):
        env = make(index, value)(env)
    for rollout in [*rollouts, rollouts[0]]:
        rewards, info = play(env)
        assert len(rewards) == len(rollout)
        if layers:
            assert len(info["turn_rewards"]) == len(rollout)
            assert sum(rewards) == pytest.approx(info["turn_rewards"].sum(), abs=1e-9)
        assert info["reward_terms"]["outcome"] == rollout[-1].reward


@given(st.permutations([0, 1, 2, 3]))
def test_layers_add_up_in_any_order(order):
    """Two rewards of each clock: the turns are worth the same, whoever is outside."""
    layers = [turn_layer(0, 1.0), turn_layer(1, -3.0), episode_layer(2, 0.5), episode_layer(3, 2.0)]
    env = ScriptedEnv([[Beat(reward=1.0), Beat(), Beat(reward=2.0)]])
    for i in order:
        env = layers[i](env)
    t = np.arange(3)
    expected = np.array([1.0, 0.0, 2.0]) + 0.5 * t - 1.5 * t - 2.0 * (0.5 + t) - 2.0 * (2.0 + t)
    assert play(env)[1]["turn_rewards"].tolist() == pytest.approx(expected.tolist())


def test_a_turn_reward_is_paid_inside_the_step():
    env = TurnRewardWrapper(KeyDoorEnv(), lambda turn: float(turn.valid), name="valid", weight=0.25)
    env.reset(options={"task_id": "key-1"})
    assert env.step("move[left]")[1] == 0.25
    _, reward, _, _, info = env.step("fly[up]")
    assert reward == 0.0
    assert info["reward_terms"] == {"outcome": 0.0, "valid": 0.0}


def test_hindsight_is_paid_with_the_last_step_and_told_turn_by_turn():
    env = EpisodeRewardWrapper(ScriptedEnv([[Beat(), Beat(), Beat(reward=1.0)]]), lambda t: [3, 2, 1], name="steps")
    rewards, info = play(env)
    assert rewards == [0.0, 0.0, 7.0]
    assert info["turn_rewards"] == PerTurn([3.0, 2.0, 2.0])
    assert info["turn_terms"]["steps"] == PerTurn([3.0, 2.0, 1.0])
    assert info["reward_terms"]["outcome"] == 1.0


def test_a_turn_reward_with_memory_begins_anew_with_each_episode():
    class Novelty:
        def begin(self, observation, privileged):
            self.seen = {observation}
            self.key = privileged["key"]

        def __call__(self, turn):
            new = turn.next_observation not in self.seen
            self.seen.add(turn.next_observation)
            return float(new)

    novelty = Novelty()
    env = TurnRewardWrapper(KeyDoorEnv(), novelty, name="novelty")
    for key in (0, 3):
        env.reset(options={"task_id": f"key-{key}"})
        assert novelty.key == key
        assert [env.step(action)[1] for action in ("move[left]", "move[right]", "move[left]")] == [1.0, 1.0, 0.0]


def test_a_wrapper_sees_the_turn_as_it_happened():
    turns = []
    env = TurnRewardWrapper(KeyDoorEnv(), lambda turn: turns.append(turn) or 0.0, name="watch")
    first, before = env.reset(options={"task_id": "key-3"})
    second, *_ = env.step("move[right]")
    third, *_, info = env.step("pick[]")
    assert [(t.index, t.observation, t.action, t.next_observation) for t in turns] == [
        (0, first, "move[right]", second),
        (1, second, "pick[]", third),
    ]
    assert turns[0].anchor == before["state_hash"]
    assert turns[0].next_anchor == turns[1].anchor
    assert turns[1].events == {"key_taken"}
    assert turns[1].channels == {"outcome": 0.0, "progress": 0.5}
    assert turns[1].admissible_actions == ("move[left]", "move[right]", "pick[]")
    assert turns[1].tool_calls == ({"name": "pick", "arguments": {}},)
    assert turns[1].privileged == info["privileged"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_an_error_that_names_it(value):
    env = TurnRewardWrapper(KeyDoorEnv(), lambda turn: value, name="broken")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="broken: a reward must be a finite number"):
        env.step("move[left]")


@pytest.mark.parametrize("values", [[1.0], [1.0, float("nan")], [[1.0, 2.0]], 1.0])
def test_hindsight_of_another_shape_is_an_error_and_never_broadcast(values):
    env = EpisodeRewardWrapper(ScriptedEnv([[Beat(), Beat()]]), lambda t: values, name="odd")
    with pytest.raises(ValueError, match="odd: an episode of 2 turns needs 2 finite rewards"):
        play(env)


def test_two_terms_of_one_name_are_an_error():
    env = ScriptedEnv([[Beat()]])
    for _ in range(2):
        env = TurnRewardWrapper(env, lambda turn: 1.0, name="same")
    with pytest.raises(ValueError, match="'same' already"):
        play(env)
    env = ScriptedEnv([[Beat()]])
    for _ in range(2):
        env = EpisodeRewardWrapper(env, lambda t: [1.0], name="same")
    with pytest.raises(ValueError, match="'same' already"):
        play(env)


def test_a_name_is_needed():
    with pytest.raises(ValueError, match="name must not be empty"):
        TurnRewardWrapper(KeyDoorEnv(), lambda turn: 0.0, name="")


def test_only_turn_environments_can_be_wrapped():
    with pytest.raises(MissingRequirementError, match=r"CartPoleEnv.*instructions.*state_hash"):
        TurnRewardWrapper(gym.make("CartPole-v1"), lambda turn: 0.0, name="x")


def test_an_environment_that_does_not_give_the_info_keys_is_found_out_at_reset():
    class Forgetful(KeyDoorEnv):
        def reset(self, **kwargs):
            observation, info = super().reset(**kwargs)
            del info["state_hash"], info["events"]
            return observation, info

    env = TurnRewardWrapper(Forgetful(), lambda turn: 0.0, name="x")
    with pytest.raises(MissingRequirementError, match=r"\['events', 'state_hash'\]"):
        env.reset(seed=0)


def test_step_before_reset_is_gymnasiums_error():
    env = TurnRewardWrapper(KeyDoorEnv(), lambda turn: 0.0, name="x")
    with pytest.raises(gym.error.ResetNeeded, match="TurnRewardWrapper: call reset"):
        env.step("move[left]")


def test_an_abandoned_episode_leaves_no_trace():
    env = EpisodeRewardWrapper(ScriptedEnv([[Beat()] * 3]), lambda t: np.ones(len(t)), name="one")
    env.reset()
    env.step("go[]")
    assert play(env)[0] == [0.0, 0.0, 3.0]


def test_truncation_by_gymnasiums_time_limit_is_seen_inside():
    env = EpisodeRewardWrapper(
        gym.wrappers.TimeLimit(ScriptedEnv([[Beat()] * 9]), 2), lambda t: np.ones(len(t)), name="one"
    )
    rewards, info = play(env)
    assert rewards == [0.0, 2.0]
    assert info["turn_rewards"] == PerTurn([1.0, 1.0])


def test_a_wrapped_environment_can_be_made_again_from_its_spec():
    if "test/KeyDoor-v0" not in gym.registry:
        gym.register("test/KeyDoor-v0", entry_point="key_door:KeyDoorEnv", order_enforce=False)
    env = TurnRewardWrapper(gym.make("test/KeyDoor-v0"), length_of_action, name="length", weight=0.5)
    again = gym.make(env.spec)
    for one in (env, again):
        one.reset(seed=0)
    assert env.step("move[left]")[1] == again.step("move[left]")[1] == 5.0


def length_of_action(turn):
    return len(turn.action)
