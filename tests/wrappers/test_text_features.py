"""`TextFeatures`: what is in the vector, that it is the same everywhere, and that others' checks pass."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from key_door import KeyDoorEnv

import turnwise
from turnwise.rewards.text_features import hashed_ngrams
from turnwise.wrappers import (
    DiscreteActions,
    InformationGainReward,
    MissingRequirementError,
    RecordTrajectories,
    TextFeatures,
    TurnRewardWrapper,
)

assert turnwise.__version__


def featured(max_actions=4, env=None, **options):
    options = {"dim": 16, "slot_dim": 8, **options}
    return TextFeatures(DiscreteActions(env or KeyDoorEnv(), max_actions), **options)


def parts(vector, dim=16, slot_dim=8):
    return vector[:dim], vector[dim : 2 * dim], vector[2 * dim], vector[2 * dim + 1 :].reshape(-1, 4 + slot_dim)


class Shop(KeyDoorEnv):
    """Three opaque ids, one of which the task describes."""

    def begin(self, task_id):
        super().begin(task_id)
        return "Buy a red cotton shirt."

    def step(self, action):
        _, *rest = super().step("pick[]")
        return "A1 | red cotton shirt\nB2 | blue denim trousers\nC3 | red shoes", *rest

    def admissible_actions(self):
        return ["click[A1]", "click[B2]", "click[C3]"]


def test_task_page_and_time():
    env = featured(env=KeyDoorEnv(max_turns=4))
    vector, _ = env.reset(options={"task_id": "key-3"})
    task, page, used, _ = parts(vector)
    text = "You stand in cell 2 of 5. A key lies in cell 3."
    assert np.array_equal(task, hashed_ngrams(text, 16))
    assert np.array_equal(page, task)
    assert used == 0.0
    vector, *_, info = env.step(1)
    task_now, page, used, _ = parts(vector)
    assert np.array_equal(task_now, task)
    assert np.array_equal(page, hashed_ngrams("You stand in cell 3.", 16))
    assert used == 0.25
    assert info["observation_text"] == "You stand in cell 3."


def test_slots_say_what_is_there_and_what_was_taken():
    env = featured()
    slots = parts(env.reset(options={"task_id": "key-3"})[0])[3]
    assert slots[:, 0].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert not slots[2:].any()
    assert slots[:, 3].tolist() == [0.0] * 4
    env.step(0)
    slots = parts(env.step(1)[0])[3]
    assert slots[:, 3].tolist() == [0.5, 0.5, 0.0, 0.0]
    env.step(0)
    assert parts(env.step(1)[0])[3][1, 3] == pytest.approx(2 / 3)
    assert not parts(env.reset()[0])[3][:, 3].any()


def test_the_line_of_an_opaque_id_says_how_well_it_fits_the_task():
    env = featured(max_actions=3, env=Shop())
    env.reset(seed=0)
    slots = parts(env.step(0)[0])[3]
    assert slots[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert slots[:, 2] == pytest.approx([0.75, 0.0, 1 / 3])


def test_a_slot_is_its_text_wherever_it_stands():
    class Turned(Shop):
        def admissible_actions(self):
            return super().admissible_actions()[::-1]

    straight, turned = featured(3, Shop()), featured(3, Turned())
    for env in (straight, turned):
        env.reset(seed=0)
    one, other = (parts(env.step(1)[0])[3] for env in (straight, turned))
    assert np.array_equal(one, other[::-1])


def test_every_vector_is_in_the_space():
    env = featured()
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(30):
        vector, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert vector in env.observation_space
        if terminated or truncated:
            env.reset()


def test_the_same_vector_in_every_process():
    code = (
        "from key_door import KeyDoorEnv; from turnwise.wrappers import *; "
        "env = TextFeatures(DiscreteActions(KeyDoorEnv(), 4), dim=16, slot_dim=8); env.reset(seed=3); "
        "print(env.step(0)[0].tobytes().hex())"
    )
    path = [entry for entry in sys.path if entry.endswith("tests")]
    found = {
        subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path += {path!r}; {code}"],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    env = featured()
    env.reset(seed=3)
    assert found == {f"{env.step(0)[0].tobytes().hex()}\n".encode()}


def test_without_slots():
    for env in (TextFeatures(KeyDoorEnv(), 16), featured(include_admissible=False)):
        assert env.observation_space.shape == (33,)
        assert env.reset(seed=0)[0].shape == (33,)
    with pytest.raises(MissingRequirementError, match="DiscreteActions inside"):
        TextFeatures(KeyDoorEnv(), include_admissible=True)


def test_reward_wrappers_work_outside_too():
    from turnwise.rewards.table_probe import TableProbe

    kept = []
    env = InformationGainReward(featured(), TableProbe({"You stand in cell 1.": -1.0}, default=-2.0))
    env = RecordTrajectories(TurnRewardWrapper(env, lambda turn: 0.0, name="x"), kept.append)
    env.reset(options={"task_id": "key-1"})
    assert env.step(0)[1] == pytest.approx(np.exp(-1) - np.exp(-2))
    for _ in range(11):
        env.step(3)
    assert kept[0].turns[0].observation == "You stand in cell 2 of 5. A key lies in cell 1."
    assert kept[0].turns[1].observation == "You stand in cell 1."


def test_nothing_privileged_reaches_the_vector():
    """Two tasks that differ in nothing but what is privileged give the same vectors."""

    class Secretive(KeyDoorEnv):
        def begin(self, task_id):
            super().begin(task_id)
            return "Find the key."

    vectors = []
    for task in ("key-0", "key-1"):
        env = featured(env=Secretive())
        vectors.append([env.reset(options={"task_id": task})[0], env.step(1)[0]])
    assert np.array_equal(*vectors)


@pytest.mark.parametrize("option", ["dim", "slot_dim"])
def test_sizes_are_at_least_one(option):
    with pytest.raises(ValueError, match=f"{option} must be at least 1"):
        featured(**{option: 0})


def test_gymnasiums_check_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gymnasium_check(featured(), skip_render_check=True)


def test_stable_baselines_check_passes():
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(featured())


def test_maskable_ppo_trains_on_it():
    contrib = pytest.importorskip("sb3_contrib")
    model = contrib.MaskablePPO("MlpPolicy", featured(), n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu")
    model.learn(64)
    env = featured()
    vector, _ = env.reset(seed=0)
    action, _ = model.predict(vector, action_masks=env.action_masks(), deterministic=True)
    assert env.action_masks()[int(action)]


def test_it_can_be_made_again_from_its_spec():
    env = TextFeatures(DiscreteActions(gym.make("turnwise/WebShop-v0", products=50), 12), 16, slot_dim=4)
    again = gym.make(env.spec)
    assert np.array_equal(env.reset(seed=1)[0], again.reset(seed=1)[0])
