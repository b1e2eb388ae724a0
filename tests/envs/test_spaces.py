"""`Utterance`: ordinary text is in it, and Gymnasium's vector utilities and environments can batch it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.vector import utils as vector_utils
from key_door import KeyDoorEnv
from stubborn_door import TextAndLength

from turnwise.envs.spaces import Utterance


def test_membership() -> None:
    space = Utterance(20)
    for text in ("", "search[red shirt]", "two\nlines", "日本語 🙂", "x" * 20, "\x00"):
        assert text in space
    for other in ("x" * 21, b"bytes", None, 3, ["x"]):
        assert other not in space


def test_samples_are_members_and_seeded() -> None:
    space, twin = Utterance(1000, seed=3), Utterance(1000, seed=3)
    samples = [space.sample() for _ in range(200)]
    assert samples == [twin.sample() for _ in range(200)]
    assert all(sample in space for sample in samples) and len(set(samples)) > 150
    assert any(not sample.isascii() for sample in samples) and any("\n" in sample for sample in samples)
    assert all(len(Utterance(3, seed=seed).sample()) <= 3 for seed in range(50))
    with pytest.raises(ValueError, match="mask"):
        space.sample(mask=np.ones(3))


def test_equality_copies_and_json_like_forms() -> None:
    space = Utterance(8)
    assert space == Utterance(8) != Utterance(9) and space != gym.spaces.Text(8)
    assert hash(space) == hash(Utterance(8)) and repr(space) == "Utterance(8)"
    assert pickle.loads(pickle.dumps(space)) == space == copy.deepcopy(space)
    assert space.from_jsonable(space.to_jsonable(["a", "é"])) == ["a", "é"]
    assert not space.is_np_flattenable
    with pytest.raises(ValueError, match="max_length"):
        Utterance(0)


def test_a_batch_is_a_tuple_of_texts() -> None:
    space = Utterance(8)
    batched = vector_utils.batch_space(space, 3)
    assert batched == gym.spaces.Tuple([space] * 3) == vector_utils.batch_differing_spaces([space] * 3)
    texts = ("a", "", "b\n")
    out = vector_utils.concatenate(space, list(texts), vector_utils.create_empty_array(space, 3))
    assert out == texts and out in batched
    assert list(vector_utils.iterate(batched, out)) == list(texts)


def test_inside_a_dict() -> None:
    space = gym.spaces.Dict({"text": Utterance(8), "box": gym.spaces.Box(0, 1, (2,))})
    batched = vector_utils.batch_space(space, 2)
    items = [{"text": text, "box": np.full(2, i, np.float32)} for i, text in enumerate(("ab", "cd"))]
    out = vector_utils.concatenate(space, items, vector_utils.create_empty_array(space, 2))
    assert out in batched and out["text"] == ("ab", "cd") and out["box"].shape == (2, 2)
    assert [item["text"] for item in vector_utils.iterate(batched, out)] == ["ab", "cd"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_gymnasiums_vector_environments(asynchronous: bool) -> None:
    make: list[Any] = [KeyDoorEnv, KeyDoorEnv]
    envs: Any = AsyncVectorEnv(make, shared_memory=False, context="spawn") if asynchronous else SyncVectorEnv(make)
    try:
        observations, _ = envs.reset(seed=1)
        assert observations in envs.observation_space
        for actions in (("move[left]", "pick[]"), ["move[right]", "what?"], envs.action_space.sample()):
            observations, rewards, _, _, infos = envs.step(actions)
            assert isinstance(observations, tuple) and len(observations) == 2 and rewards.shape == (2,)
        assert infos["turn"].tolist() == [3, 3]
    finally:
        envs.close()


def test_a_vector_environment_of_dicts() -> None:
    envs = SyncVectorEnv([lambda: TextAndLength(KeyDoorEnv())] * 2)
    observations, _ = envs.reset(seed=1)
    assert observations["text"][0].startswith("You stand") and observations["length"].shape == (2, 1)
    envs.close()
