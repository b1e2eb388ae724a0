"""Members of a group share task and initial state in every episode; vector environments share nothing."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from turnwise.envs.vector import SharedStart, make_vector_env
from turnwise.envs.vector.groups import episode_seed


def starts(envs: Any, turns: int, seed: int | None) -> dict[str, set[tuple[str, str]]]:
    """By group_id: the distinct (task, first observation) that its members saw, over autoresets."""
    seen: dict[str, set[tuple[str, str]]] = {}
    rng = np.random.default_rng(1)

    def note(observations: Any, infos: Any) -> None:
        for i in np.flatnonzero(infos["turn"] == 0):
            seen.setdefault(infos["group_id"][i], set()).add((infos["task_id"][i], observations[i]))

    note(*envs.reset(seed=seed))
    for _ in range(turns):
        # Members part ways at once: some break the lock early, others go on to the limit.
        actions = [("move[right]", "open[]", "what?")[i] for i in rng.choice(3, size=envs.num_envs, p=[0.4, 0.4, 0.2])]
        observations, _, _, _, infos = envs.step(actions)
        note(observations, infos)
    return seen


@pytest.mark.parametrize(("backend", "turns"), [("sync", 150), ("thread", 60), ("process", 60)])
@pytest.mark.parametrize("seed", [7, None])
def test_a_group_starts_alike_in_every_episode(backend: str, turns: int, seed: int | None) -> None:
    envs = make_vector_env("KeyDoor-v0", 4, group_size=2, backend=backend, max_turns=5)
    seen = starts(envs, turns, seed)
    envs.close()
    assert len(seen) > 12 and all(len(distinct) == 1 for distinct in seen.values())
    # The episodes differ from one another: the sequence of a group is not one task again and again.
    assert len({next(iter(distinct))[0] for name, distinct in seen.items() if name.startswith("g0")}) > 1


def test_without_seed_two_vector_environments_differ() -> None:
    first, second = (make_vector_env("KeyDoor-v0", 40, group_size=2) for _ in range(2))
    assert first.reset()[0] != second.reset()[0]
    first.close(), second.close()


def test_a_seed_begins_the_sequence_again() -> None:
    envs = make_vector_env("KeyDoor-v0", 4, group_size=2, max_turns=5)
    once, again = starts(envs, 40, seed=3), starts(envs, 40, seed=3)
    assert once == again
    assert starts(envs, 40, seed=4).keys().isdisjoint(once)  # another seed, other group_ids
    envs.close()


def test_the_seed_of_the_first_member_counts() -> None:
    envs = make_vector_env("KeyDoor-v0", 4, group_size=2)
    by_int = envs.reset(seed=5)
    by_list = envs.reset(seed=[5, 99, 7, 99])
    assert by_int[0] == by_list[0] and by_int[1]["group_id"].tolist() == by_list[1]["group_id"].tolist()
    single = gym.make("KeyDoor-v0")
    assert [single.reset(seed=5)[0], single.reset(seed=7)[0]] == [by_int[0][0], by_int[0][2]]
    with pytest.raises(ValueError, match="different tasks"):
        envs.reset(options={"task_ids": ["key-0", "key-1", "key-2", "key-2"]})
    envs.close()


def test_the_ready_set_shares_starts_too() -> None:
    envs = make_vector_env("KeyDoor-v0", 2, group_size=2)
    for seed in (9, None, None):
        first = {}
        for index in (1, 0):
            envs.send_reset(index, seed=seed)
            first[index] = envs.recv()[0]
        assert first[0].observation == first[1].observation
        assert first[0].info["group_id"] == first[1].info["group_id"]
    envs.close()


def test_shared_start_works_under_gymnasiums_vector_environment() -> None:
    def make(member: int) -> gym.Env[Any, Any]:
        return SharedStart(gym.make("KeyDoor-v0", max_turns=3), member, group=0, seed=1)

    envs = SyncVectorEnv([lambda member=member: make(member) for member in range(3)])
    assert all(len(distinct) == 1 for distinct in starts(envs, 30, seed=8).values())
    envs.close()


def test_episode_seeds_differ_from_each_other_and_between_groups() -> None:
    seeds = [episode_seed(seed, episode) for seed in range(20) for episode in range(1, 50)]
    assert len(set(seeds)) == len(seeds)


def test_interleaved_vector_environments_equal_isolated_ones() -> None:
    def play(envs: Any, rng: np.random.Generator) -> Any:
        yield envs.reset(seed=2)[0]
        for _ in range(40):
            yield envs.step([("move[right]", "open[]", "pick[]")[i] for i in rng.integers(3, size=4)])[:2]

    def text(steps: list[Any]) -> list[str]:
        return [str(step) for step in steps]

    def make() -> Any:
        return make_vector_env("KeyDoor-v0", 4, group_size=2)

    alone = text(list(play(make(), np.random.default_rng(0))))
    pair = [play(make(), np.random.default_rng(0)) for _ in range(2)]
    interleaved = [(str(a), str(b)) for a, b in zip(*pair, strict=True)]
    assert interleaved == [(step, step) for step in alone]
