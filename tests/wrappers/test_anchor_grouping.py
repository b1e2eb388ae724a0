"""GiGPO through its wrapper: the published numbers, on plain and on vector environments."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scripted import Beat, ScriptedEnv, play

from turnwise.wrappers import AnchorStateGrouping, MissingRequirementError

A = [Beat("s0"), Beat("s1"), Beat("s2", 10.0)]
B = [Beat("s0"), Beat("s1", valid=False)]
C = [Beat("s0"), Beat("s4"), Beat("s2", 10.0)]
D = [Beat("s0"), Beat("s1"), Beat("s1")]
RELEASED = {"cross_steps": True, "invalid_penalty": 0.1, "gamma": 0.95}


def advantages_alone(**options):
    env = AnchorStateGrouping(ScriptedEnv([A, B, C, D]), 4, **options)
    for _ in range(4):
        rewards, info = play(env)
        assert info["turn_rewards"].tolist() == rewards
    return np.concatenate([entry["turn_advantages"] for entry in info["group_credit"]])


def advantages_together(autoreset, **options):
    envs = SyncVectorEnv([lambda i=i: ScriptedEnv([A, B, C, D], first=i) for i in range(4)], autoreset_mode=autoreset)
    env = AnchorStateGrouping(envs, 4, **options)
    env.reset(seed=0)
    while True:
        *_, terminations, truncations, infos = env.step(("go[]",) * 4)
        last = infos.get("final_info", infos) if autoreset is AutoresetMode.SAME_STEP else infos
        if "group_credit" in last:
            break
        if autoreset is AutoresetMode.DISABLED and (terminations | truncations).any():
            # Go on with the others; the one that has ended begins its next episode.
            env.reset(options={"reset_mask": terminations | truncations})
    [credit] = [credit for credit in last["group_credit"] if credit]
    by_member = sorted(credit, key=lambda entry: entry["member"])
    return np.concatenate([entry["turn_advantages"] for entry in by_member])


def test_the_published_advantages(vectors):
    found = advantages_alone(mode="mean_norm", **RELEASED)
    np.testing.assert_allclose(found, vectors["gigpo_mean_norm_A"], atol=2e-6)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_published_advantages_on_a_vector_environment(vectors, mode):
    found = advantages_together(mode, mode="mean_norm", **RELEASED)
    np.testing.assert_allclose(found, vectors["gigpo_mean_norm_A"], atol=2e-6)


def test_the_published_episode_parts(vectors):
    found = advantages_alone(mode="mean_std_norm", step_weight=0.0, **RELEASED)
    np.testing.assert_allclose(found, vectors["gigpo_mean_std_norm_A_E"], atol=2e-6)
    paper = advantages_alone(mode="mean_std_norm", step_weight=0.0, invalid_penalty=0.0)
    np.testing.assert_allclose(paper[[0, 3, 5, 8]], vectors["gigpo_paper_A_E_std_ddof1"], atol=2e-6)


def test_the_published_step_part(vectors):
    both, episode = (advantages_alone(step_weight=w, **RELEASED) for w in (1.0, 0.0))
    np.testing.assert_allclose(both - episode, vectors["gigpo_mean_norm_A_S"], atol=2e-6)


def test_similar_observations_may_count_as_one_state():
    """Observations are "i/t": two of three characters are alike between rollouts at one turn."""
    exact = advantages_alone(invalid_penalty=0.0)
    alike = advantages_alone(invalid_penalty=0.0, similarity_threshold=0.6)
    assert not np.allclose(exact, alike)
    # Rollout 2's second turn met its state alone; now it has company.
    episode = advantages_alone(invalid_penalty=0.0, step_weight=0.0)
    assert (exact - episode)[6] == pytest.approx(0.0)
    assert (alike - episode)[6] != pytest.approx(0.0)


def test_without_shared_states_only_the_episode_part_is_left():
    rollouts = [[Beat(f"{i}-{t}", float(i)) for t in range(3)] for i in range(3)]

    def advantages(weight):
        env = AnchorStateGrouping(ScriptedEnv(rollouts), 3, step_weight=weight)
        return [play(env)[1] for _ in rollouts][-1]["group_credit"]

    assert advantages(1.0) == advantages(0.0)


def test_an_unknown_mode_and_a_group_of_one_are_refused():
    with pytest.raises(ValueError, match="mode must be one of"):
        AnchorStateGrouping(ScriptedEnv([A]), 4, mode="median")
    with pytest.raises(MissingRequirementError, match="at least 2"):
        AnchorStateGrouping(ScriptedEnv([A]), 1)
