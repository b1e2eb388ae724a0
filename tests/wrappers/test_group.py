"""The group clock: one class for environments and vector environments, and when a group is complete."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv, play

import turnwise
from turnwise.envs.vector import TurnVectorEnv
from turnwise.rewards.credit import grpo
from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.wrappers import (
    AnchorStateGrouping,
    EpisodeRewardWrapper,
    GroupLedger,
    GroupWrapper,
    MissingRequirementError,
    RecordTrajectories,
    TurnRewardWrapper,
)
from turnwise.wrappers.group import member_info

WIN, LOSE = [Beat(), Beat(reward=1.0)], [Beat(), Beat(), Beat()]


class MeanBaseline(GroupWrapper):
    """Outcome minus the group's mean; pays the number of the turn besides."""

    def __init__(self, env, group_size, bonus=0.0):
        self.bonus = bonus
        self.batches = []
        super().__init__(env, group_size=group_size)

    def credit(self, batch, rollouts):
        self.batches.append(batch)
        return grpo(batch, norm_by_std=False)

    def pay_turns(self, episodes):
        return [(self.bonus, {"reward_terms": {"bonus": self.bonus}}) for _ in episodes]


# What it is


@pytest.fixture(params=["env", "vector"])
def either(request):
    return KeyDoorEnv() if request.param == "env" else SyncVectorEnv([KeyDoorEnv] * 2)


def test_one_class_serves_both_kinds(either):
    kind = gym.Env if isinstance(either, gym.Env) else gym.vector.VectorEnv
    wrapper = MeanBaseline(either, 2)
    assert isinstance(wrapper, MeanBaseline)
    assert isinstance(wrapper, GroupWrapper)
    assert isinstance(wrapper, kind)
    assert wrapper.unwrapped is either
    assert "MeanBaseline" in repr(wrapper)


def test_anchor_grouping_is_what_it_says_over_both_kinds(either):
    wrapper = AnchorStateGrouping(either, 2)
    assert isinstance(wrapper, AnchorStateGrouping)
    assert repr(wrapper).startswith("<AnchorStateGrouping")


def test_it_can_be_pickled_and_copied_in_the_middle_of_a_group(either):
    for env in [either] if isinstance(either, gym.Env) else either.envs:
        env.tools = dict(env.tools)  # the read-only view that TurnEnv has cannot be pickled
    wrapper = AnchorStateGrouping(either, 2)
    action = "move[left]" if isinstance(either, gym.Env) else ("move[left]",) * 2
    wrapper.reset(seed=3)
    wrapper.step(action)
    for twin in (pickle.loads(pickle.dumps(wrapper)), copy.deepcopy(wrapper)):
        assert type(twin) is type(wrapper)
        assert isinstance(twin, AnchorStateGrouping)
        assert twin.step(action)[0] == copy.deepcopy(wrapper).step(action)[0]


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match="Env or VectorEnv, got str"):
        MeanBaseline("WebShop", 2)


@pytest.mark.parametrize("size", [0, 1])
def test_one_rollout_is_no_group(either, size):
    with pytest.raises(MissingRequirementError, match="at least 2"):
        MeanBaseline(either, size)


def test_members_that_are_no_turn_environments_are_refused():
    envs = SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2)
    with pytest.raises(MissingRequirementError, match="lacks"):
        MeanBaseline(envs, 2)


def test_groups_of_another_size_than_the_vector_environment_makes_are_refused():
    with pytest.raises(MissingRequirementError, match=r"groups of 4.*makes groups of 2.*group_size=4"):
        MeanBaseline(TurnVectorEnv([KeyDoorEnv] * 4, group_size=2), 4)


# A plain environment


def test_the_last_episode_of_a_group_brings_the_credit_of_all():
    env = MeanBaseline(ScriptedEnv([WIN, LOSE, LOSE, WIN]), 4)
    for _ in range(2):
        infos = [play(env)[1] for _ in range(4)]
        assert ["group_credit" in info for info in infos] == [False, False, False, True]
        credit = infos[-1]["group_credit"]
        assert [entry["member"] for entry in credit] == [0, 1, 2, 3]
        assert [entry["turn_advantages"].tolist() for entry in credit] == [[0.5] * 2, [-0.5] * 3, [-0.5] * 3, [0.5] * 2]
        assert infos[-1]["turn_advantages"] == credit[3]["turn_advantages"]
        assert len({info["group_id"] for info in infos}) == 1
    assert [batch.lengths.tolist() for batch in env.batches] == [[2, 3, 3, 2]] * 2


class Dice(KeyDoorEnv):
    """Draws its start from `np_random`, and draws again in every turn."""

    def begin(self, task_id):
        text = super().begin(task_id)
        return f"{text} {self.np_random.integers(10**9)}"

    def step(self, action):
        self.np_random.random(3)
        return super().step(action)


def test_reset_goes_back_to_the_same_task_and_start_until_the_group_is_complete():
    env = MeanBaseline(Dice(max_turns=3), 3)
    first, _ = env.reset(seed=0)
    play_on = [first]
    for _ in range(8):
        for _ in range(3):
            env.step("move[left]")
        play_on.append(env.reset()[0])
    assert [len(set(play_on[i : i + 3])) for i in (0, 3, 6)] == [1, 1, 1]
    assert len(set(play_on)) == 3


def test_the_sequence_of_tasks_does_not_depend_on_what_the_agent_did():
    def starts(turns):
        env = MeanBaseline(Dice(max_turns=turns), 2)
        env.reset(seed=5)
        seen = []
        for _ in range(8):
            for _ in range(turns):
                env.step("move[left]")
            seen.append(env.reset()[0])
        return seen

    assert starts(1) == starts(4)


@pytest.mark.parametrize("again", [{}, {"seed": 7, "options": {"task_id": "key-0"}}])
def test_the_arguments_that_began_a_group_go_on_with_it(again):
    env = MeanBaseline(Dice(max_turns=1), 2)
    first, info = env.reset(seed=7, options={"task_id": "key-0"})
    env.step("move[left]")
    second, same = env.reset(**again)
    assert (second, same["group_id"]) == (first, info["group_id"])
    assert "group_credit" in env.step("move[left]")[-1]


def test_other_arguments_drop_the_group():
    env = MeanBaseline(Dice(max_turns=1), 2)
    _, info = env.reset(seed=7)
    env.step("move[left]")
    _, other = env.reset(options={"task_id": "key-3"})
    assert other["group_id"] != info["group_id"]
    assert "group_credit" not in env.step("move[left]")[-1]
    assert env.reset()[1]["task_id"] == "key-3"
    assert "group_credit" in env.step("move[left]")[-1]


def test_an_abandoned_episode_is_repeated_and_not_counted():
    env = MeanBaseline(Dice(max_turns=2), 2)
    start, _ = env.reset(seed=1)
    env.step("move[left]")
    assert env.reset()[0] == start
    for expected in (False, True):
        env.step("move[left]")
        assert ("group_credit" in env.step("move[left]")[-1]) is expected
        env.reset()


def test_it_works_with_gymnasiums_checks():
    check_env(AnchorStateGrouping(KeyDoorEnv(), 2), skip_render_check=True)


# A vector environment


def members(count, *, mode=AutoresetMode.NEXT_STEP, wrap=lambda env: env):
    """Member i plays rollout i of four, then i + 1 and so on."""
    script = [WIN, LOSE, WIN, LOSE]
    makers = [lambda i=i: wrap(ScriptedEnv(script, first=i)) for i in range(count)]
    return SyncVectorEnv(makers, autoreset_mode=mode)


def final_infos(envs, steps, mode):
    """(step, member, info) of each episode that ended."""
    envs.reset(seed=0)
    for step in range(steps):
        *_, terminations, truncations, infos = envs.step(("go[]",) * envs.num_envs)
        ended = terminations | truncations
        last = infos.get("final_info", infos) if mode is AutoresetMode.SAME_STEP else infos
        yield from ((step, int(i), member_info(last, i)) for i in np.flatnonzero(ended))
        if mode is AutoresetMode.DISABLED and ended.any():
            envs.reset(options={"reset_mask": ended})


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_group_over_a_vector_environment_in_every_autoreset_mode(mode):
    envs = MeanBaseline(members(2, mode=mode), 2, bonus=0.25)
    found = list(final_infos(envs, 4, mode))
    # Member 0 wins in step 1, member 1 loses in step 2: the group is complete there.
    assert [(step, member) for step, member, _ in found[:2]] == [(1, 0), (2, 1)]
    early, late = found[0][2], found[1][2]
    assert "group_credit" not in early
    assert early["turn_rewards"] == PerTurn([0.25, 1.25])
    assert early["reward_terms"] == {"outcome": 1.0, "bonus": 0.25}
    assert [(e["member"], e["episode"]) for e in late["group_credit"]] == [(0, 0), (1, 0)]
    assert [e["turn_advantages"].tolist() for e in late["group_credit"]] == [[0.5] * 2, [-0.5] * 3]
    assert late["turn_advantages"] == PerTurn([-0.5] * 3)
    assert late["turn_rewards"] == PerTurn([0.25] * 3)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_plain_vector_loop_sees_the_sum_of_the_turn_rewards(mode):
    def hindsight(env):
        return EpisodeRewardWrapper(env, lambda t: np.arange(len(t)), name="late")

    envs = MeanBaseline(members(3, mode=mode, wrap=hindsight), 3, bonus=0.25)
    envs.reset(seed=0)
    running, over = np.zeros(3), np.zeros(3, dtype=bool)
    sums = []
    for _ in range(12):
        _, rewards, terminations, truncations, infos = envs.step(("go[]",) * 3)
        running += rewards
        over = terminations | truncations
        last = infos.get("final_info", infos) if mode is AutoresetMode.SAME_STEP else infos
        for i in np.flatnonzero(over):
            sums.append((running[i], last["turn_rewards"][i].sum()))
            running[i] = 0.0
        if mode is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over})
    assert len(sums) >= 9
    assert [seen for seen, _ in sums] == pytest.approx([told for _, told in sums])


def test_members_that_end_together_each_get_their_own():
    script = [WIN, [Beat(), Beat()]]
    envs = SyncVectorEnv([lambda i=i: ScriptedEnv(script, first=i) for i in range(2)])
    infos = [info for _, _, info in final_infos(MeanBaseline(envs, 2), 2, AutoresetMode.NEXT_STEP)]
    assert [info["turn_advantages"].tolist() for info in infos] == [[0.5, 0.5], [-0.5, -0.5]]
    assert ["group_credit" in info for info in infos] == [False, True]


def test_groups_go_by_group_id_where_there_is_one():
    envs = turnwise.make_vec("turnwise/WebShop-v0", 4, group_size=2, products=50, max_turns=2)
    wrapper = MeanBaseline(envs, 2)
    wrapper.reset(seed=0)
    groups = []
    for _ in range(5):
        *_, infos = wrapper.step(("click[nothing]",) * 4)
        if "group_credit" in infos:
            groups += [tuple(e["member"] for e in credit) for credit in infos["group_credit"] if credit]
    assert groups == [(0, 1), (2, 3)] * 2
    wrapper.close()


def test_without_group_ids_a_group_is_a_task():
    envs = MeanBaseline(SyncVectorEnv([lambda: KeyDoorEnv(max_turns=1)] * 4), 2)
    envs.reset(options={"task_id": "key-0"})
    *_, infos = envs.step(("move[left]",) * 4)
    complete = [tuple(e["member"] for e in credit) for credit in infos["group_credit"] if credit]
    assert complete == [(0, 1), (2, 3)]


def test_vector_step_before_reset_is_gymnasiums_error():
    with pytest.raises(gym.error.ResetNeeded, match="MeanBaseline: call reset"):
        MeanBaseline(members(2), 2).step(("go[]", "go[]"))


def test_env_and_vector_give_the_same_credit():
    script = [WIN, LOSE, WIN, LOSE]
    alone = MeanBaseline(ScriptedEnv(script), 4)
    for _ in script:
        _, info = play(alone)
    together = MeanBaseline(members(4), 4)
    [credit] = [i["group_credit"] for *_, i in final_infos(together, 3, AutoresetMode.NEXT_STEP) if "group_credit" in i]
    by_member = sorted(credit, key=lambda entry: entry["member"])
    assert [e["turn_advantages"] for e in by_member] == [e["turn_advantages"] for e in info["group_credit"]]


# The ledger, and what lies around


def rollout(reward, turns=1):
    return Trajectory([Turn(i, "", "", reward=reward if i == turns - 1 else 0.0) for i in range(turns)])


def test_a_ledger_keeps_groups_apart_and_starts_them_anew():
    ledger = GroupLedger(2, lambda batch, rollouts: grpo(batch, norm_by_std=False))
    assert ledger.add("a", 0, rollout(1.0)) == []
    assert ledger.add("b", 1, rollout(1.0)) == []
    first = ledger.add("a", 2, rollout(0.0))
    assert [(e["member"], e["turn_advantages"].tolist()) for e in first] == [(0, [0.5]), (2, [-0.5])]
    assert ledger.add("a", 0, rollout(1.0)) == []
    assert [(e["member"], e["episode"]) for e in ledger.add("a", 0, rollout(0.0))] == [(0, 1), (0, 2)]


def test_a_ledger_passes_weights_and_filters_on():
    def filtered(batch, rollouts):
        credit = grpo(batch)
        credit.weight[:] = 0.5
        credit.keep[1] = False
        return credit

    ledger = GroupLedger(2, filtered)
    ledger.add("a", 0, rollout(1.0, 2))
    entries = ledger.add("a", 1, rollout(0.0, 3))
    assert [e["turn_weights"].tolist() for e in entries] == [[0.5] * 2, [0.5] * 3]
    assert [e["turn_rewards"].tolist() for e in entries] == [[0.0, 1.0], [0.0, 0.0, 0.0]]
    assert [e["keep"] for e in entries] == [True, False]


def test_a_recorder_outside_keeps_the_advantages():
    kept = []
    env = RecordTrajectories(MeanBaseline(ScriptedEnv([WIN, LOSE]), 2), kept.append)
    for _ in range(2):
        play(env)
    assert [t.turn_advantages for t in kept] == [None, [-0.5] * 3]
    assert kept[0].group_id == kept[1].group_id == "only/1"


def test_group_credit_is_made_of_what_inner_wrappers_pay():
    inner = TurnRewardWrapper(ScriptedEnv([WIN, LOSE]), lambda turn: 1.0, name="one")
    env = MeanBaseline(inner, 2)
    for _ in range(2):
        play(env)
    assert env.batches[0].reward.tolist() == [1.0, 2.0, 1.0, 1.0, 1.0]
    assert "one" in env.batches[0].channels
