"""IGPO through its wrapper: the published numbers, failing probes, batches, and no leak."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from key_door import KeyDoorEnv
from scripted import Beat, ScriptedEnv, play

from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.table_probe import TableProbe
from turnwise.wrappers import EpisodeRewardWrapper, InformationGainReward, MissingRequirementError

M = [[-2, -1.2, -0.3], [-2, -2.1, -1.9], [-2, -1.5, -0.8], [-2, -2, -2.5]]
F1 = [1, 0, 0.5, 0]
ROLLOUTS = [[Beat(), Beat(), Beat(reward=f1)] for f1 in F1]
TABLE = {f"{i}/{t}": m for i, row in enumerate(M) for t, m in enumerate(row)}
ADVANTAGES = [
    ("igpo_prob_diff_joint_adv_g1", {}),
    ("igpo_prob_diff_separate_adv_g0.9", {"norm": "separate", "gamma": 0.9}),
    ("igpo_log_prob_diff_joint_adv_g1", {"kind": "log_prob_diff"}),
]


class Listening(TableProbe):
    """Remembers what it was asked."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = []

    def answer_logprobs(self, contexts, answers):
        self.asked.append((list(contexts), list(answers)))
        return super().answer_logprobs(contexts, answers)


@pytest.mark.parametrize("kind", ["prob_diff", "log_prob_diff"])
def test_the_published_gains_are_paid_inside_the_step(vectors, kind):
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), TableProbe(TABLE), kind=kind)
    for gains, f1 in zip(vectors[f"igpo_{kind}_ig"], F1, strict=True):
        rewards, info = play(env)
        assert rewards == pytest.approx([*gains, f1], abs=1e-6)
        assert info["turn_rewards"].tolist() == rewards
        assert "information_gain" not in info["reward_terms"]


@pytest.mark.parametrize(("name", "options"), ADVANTAGES)
def test_the_published_advantages_on_a_plain_environment(vectors, name, options):
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), TableProbe(TABLE), group_size=4, **options)
    for _ in ROLLOUTS:
        _, info = play(env)
    found = [entry["turn_advantages"].tolist() for entry in info["group_credit"]]
    np.testing.assert_allclose(found, vectors[name], atol=2e-6)


@pytest.mark.parametrize(("name", "options"), ADVANTAGES)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_published_advantages_on_a_vector_environment(vectors, name, options, mode):
    probe = Listening(TABLE)
    envs = SyncVectorEnv([lambda i=i: ScriptedEnv(ROLLOUTS, first=i) for i in range(4)], autoreset_mode=mode)
    env = InformationGainReward(envs, probe, group_size=4, **options)
    env.reset(seed=0)
    seen = []
    for _ in range(3):
        _, rewards, _, _, infos = env.step(("go[]",) * 4)
        seen.append(rewards)
    last = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
    [credit] = [credit for credit in last["group_credit"] if credit]
    np.testing.assert_allclose([entry["turn_advantages"] for entry in credit], vectors[name], atol=2e-6)
    gains = vectors[f"igpo_{options.get('kind', 'prob_diff')}_ig"]
    np.testing.assert_allclose(np.transpose(seen), [[*g, f1] for g, f1 in zip(gains, F1, strict=True)], atol=1e-6)
    assert last["turn_advantages"][2] == credit[2]["turn_advantages"]


def test_one_call_of_the_probe_serves_all_members():
    probe = Listening({}, default=-1.0)
    rollouts = [[Beat()] * 3, [Beat()] * 2]
    envs = SyncVectorEnv([lambda i=i: ScriptedEnv(rollouts, first=i) for i in range(2)])
    env = InformationGainReward(envs, probe)
    env.reset(seed=0)
    for _ in range(3):
        env.step(("go[]", "go[]"))
    # reset: 2; first step: 2; second step: one goes on; third step: none goes on, and one has begun again.
    assert [len(contexts) for contexts, _ in probe.asked] == [2, 2, 1, 1]


def test_the_answer_is_an_argument_and_never_in_a_context():
    probe = Listening({}, default=-1.0)
    env = InformationGainReward(KeyDoorEnv(), probe)
    observation, info = env.reset(options={"task_id": "key-3"})
    seen = [observation]
    for action in ("move[right]", "pick[]", "fly[]", "move[right]"):
        observation, *_, info = env.step(action)
        seen.append(observation)
    answer = info["privileged"]["answer"]
    assert {answer for _, answers in probe.asked for answer in answers} == {answer}
    assert answer not in repr([contexts for contexts, _ in probe.asked])
    assert all(answer not in text for text in seen)


def test_the_probe_sees_the_conversation_up_to_now():
    probe = Listening({}, default=-1.0)
    env = InformationGainReward(KeyDoorEnv(), probe)
    first, _ = env.reset(seed=0)
    second, *_ = env.step("move[left]")
    system = {"role": "system", "content": env.unwrapped.instructions}
    prior = [system, {"role": "user", "content": first}]
    after = [*prior, {"role": "assistant", "content": "move[left]"}, {"role": "user", "content": second}]
    assert [contexts for contexts, _ in probe.asked] == [[prior], [after]]


def test_the_mean_over_the_tokens_of_the_answer_counts():
    probe = TableProbe({"0/0": [-1.0, -3.0], "0/1": [-0.5]})
    env = InformationGainReward(ScriptedEnv([[Beat(), Beat()]]), probe, kind="log_prob_diff", weight=2.0)
    rewards, _ = play(env)
    assert rewards == [3.0, 0.0]


@pytest.mark.parametrize("bad", [math.nan, -math.inf, math.inf, []])
def test_a_probe_that_fails_pays_nothing_and_says_so(bad):
    table = {"0/0": -2.0, "0/1": bad, "0/2": -1.0, "0/3": -0.5}
    env = InformationGainReward(ScriptedEnv([[Beat(), Beat(), Beat(), Beat(reward=1.0)]]), TableProbe(table))
    env.reset()
    steps = [env.step("go[]") for _ in range(4)]
    assert [step[1] for step in steps] == pytest.approx([0.0, 0.0, math.exp(-0.5) - math.exp(-1.0), 1.0])
    infos = [step[4] for step in steps]
    assert [info["probe_failed"] for info in infos] == [True, True, False, False]
    assert ["information_gain" in info["reward_terms"] for info in infos] == [False, False, True, False]
    assert ["answer_logprob" in info["reward_terms"] for info in infos] == [True, False, True, True]


def test_a_rollout_with_a_failed_probe_keeps_its_outcome_only():
    """As in the authors' code: all its turns get the normalised outcome, and the others' statistics do not see it."""
    broken = {**TABLE, "3/1": math.nan}
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), TableProbe(broken), group_size=4, norm="separate")
    for _ in ROLLOUTS:
        _, info = play(env)
    advantage = [entry["turn_advantages"] for entry in info["group_credit"]]
    assert advantage[3].tolist() == pytest.approx([-0.904532] * 3, abs=1e-5)
    assert advantage[0][2] == pytest.approx(1.507553, abs=1e-5)
    assert np.isfinite(np.concatenate(advantage)).all()


def test_an_answer_without_tokens_gives_no_gain():
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), TableProbe(TABLE), answer=lambda privileged: "")
    assert play(env)[0] == [0.0, 0.0, 1.0]


def test_the_answer_may_be_a_list_of_aliases_or_a_function():
    class Aliases(KeyDoorEnv):
        privileged_keys = frozenset({"names"})

        def privileged(self):
            return {"names": ["first alias", "second"]}

    for answer, expected in (("names", "first alias"), (lambda p: p["names"][1], "second")):
        probe = Listening({}, default=-1.0)
        InformationGainReward(Aliases(), probe, answer=answer).reset(seed=0)
        assert probe.asked[0][1] == [expected]


def test_a_truncated_last_turn_gets_no_gain():
    env = InformationGainReward(ScriptedEnv([ROLLOUTS[0]], truncate=True), TableProbe(TABLE))
    assert play(env)[0][-1] == 1.0


def test_no_group_no_advantage():
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), TableProbe(TABLE))
    for _ in ROLLOUTS:
        assert "turn_advantages" not in play(env)[1]


def test_gain_and_hindsight_add_up():
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), TableProbe(TABLE), kind="log_prob_diff")
    env = EpisodeRewardWrapper(env, lambda t: np.ones(len(t)), name="one")
    rewards, info = play(env)
    assert rewards == pytest.approx([0.8, 0.9, 4.0])
    assert np.allclose(info["turn_rewards"], PerTurn([1.8, 1.9, 2.0]))


class Wordless(KeyDoorEnv):
    privileged_keys = frozenset({"key"})


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize(
    ("env", "probe", "options", "message"),
    [
        (KeyDoorEnv, None, {}, "give `probe`, a PolicyProbe"),
        (KeyDoorEnv, "no probe", {}, "probe"),
        (
            Wordless,
            TableProbe({}),
            {},
            r"Wordless|SyncVectorEnv.*must promise it in `privileged_keys` \(it has \['key'\]\)",
        ),
        (KeyDoorEnv, TableProbe({}), {"answer": "solution"}, "solution"),
        (KeyDoorEnv, TableProbe({}), {"group_size": 1}, "at least 2"),
    ],
)
def test_what_is_missing_is_said_before_the_first_rollout(env, probe, options, message, vector):
    made = SyncVectorEnv([env] * 2) if vector else env()
    with pytest.raises(MissingRequirementError, match=message):
        InformationGainReward(made, probe, **options)


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="prob_diff"):
        InformationGainReward(KeyDoorEnv(), TableProbe({}), kind="ratio")


class ReadsTrajectories(Listening):
    """Also answers for whole trajectories, in one call."""

    def answer_logprobs_by_turn(self, trajectories, answers, *, after_last):
        assert not after_last
        contexts = [t.messages(turn) for t in trajectories for turn in range(len(t))]
        repeated = [a for a, t in zip(answers, trajectories, strict=True) for _ in range(len(t))]
        values = iter(self.answer_logprobs(contexts, repeated))
        return [[next(values) for _ in range(len(t))] for t in trajectories]


@pytest.mark.parametrize("probe", [Listening, ReadsTrajectories])
@pytest.mark.parametrize("kind", ["prob_diff", "log_prob_diff"])
def test_at_the_end_the_same_gains_are_paid_at_once(vectors, kind, probe):
    env = InformationGainReward(ScriptedEnv(ROLLOUTS), probe(TABLE), kind=kind, when="end", weight=2.0)
    for number, (gains, f1) in enumerate(zip(vectors[f"igpo_{kind}_ig"], F1, strict=True)):
        rewards, info = play(env)
        assert rewards == pytest.approx([0.0, 0.0, 2 * sum(gains) + f1], abs=1e-6)
        assert np.allclose(info["turn_rewards"], [*np.multiply(2, gains), f1], atol=1e-6)
        assert info["turn_rewards"].sum() == pytest.approx(sum(rewards))
        assert np.allclose(info["turn_terms"]["information_gain"], [*gains, 0.0], atol=1e-6)
        assert info["turn_terms"]["answer_logprob"].tolist() == M[number]
        assert len(env.probe.asked) == number + 1 and info["probe_failed"] is False


@pytest.mark.parametrize(("name", "options"), ADVANTAGES)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_at_the_end_a_vector_environment_gets_the_same_advantages(vectors, name, options, mode):
    envs = SyncVectorEnv([lambda i=i: ScriptedEnv(ROLLOUTS, first=i) for i in range(4)], autoreset_mode=mode)
    probe = ReadsTrajectories(TABLE)
    env = InformationGainReward(envs, probe, group_size=4, when="end", **options)
    env.reset(seed=0)
    seen = [env.step(("go[]",) * 4) for _ in range(3)]
    infos = seen[-1][4]
    last = infos["final_info"] if mode is AutoresetMode.SAME_STEP else infos
    [credit] = [credit for credit in last["group_credit"] if credit]
    np.testing.assert_allclose([entry["turn_advantages"] for entry in credit], vectors[name], atol=2e-6)
    gains = vectors[f"igpo_{options.get('kind', 'prob_diff')}_ig"]
    np.testing.assert_allclose([step[1] for step in seen[:2]], 0.0)
    np.testing.assert_allclose(seen[2][1], [sum(g) + f1 for g, f1 in zip(gains, F1, strict=True)], atol=1e-6)
    for i, f1 in enumerate(F1):
        assert np.allclose(last["turn_rewards"][i], [*gains[i], f1], atol=1e-6)
        assert last["turn_terms"]["answer_logprob"][i].tolist() == M[i]
    assert len(probe.asked) == 1


@pytest.mark.parametrize("bad", [math.nan, -math.inf, []])
def test_at_the_end_a_probe_that_fails_pays_nothing_and_says_so(bad):
    table = {"0/0": -2.0, "0/1": bad, "0/2": -1.0, "0/3": -0.5}
    env = InformationGainReward(
        ScriptedEnv([[Beat(), Beat(), Beat(), Beat(reward=1.0)]]), TableProbe(table), when="end"
    )
    _, info = play(env)
    gain = math.exp(-0.5) - math.exp(-1.0)
    assert np.allclose(info["turn_rewards"], [0.0, 0.0, gain, 1.0]) and info["probe_failed"] is True
    assert np.allclose(info["turn_terms"]["information_gain"], [np.nan, np.nan, gain, 0.0], equal_nan=True)


def test_at_the_end_other_hindsight_adds_up():
    inner = EpisodeRewardWrapper(ScriptedEnv(ROLLOUTS), lambda t: np.arange(len(t)), name="one")
    env = InformationGainReward(inner, TableProbe(TABLE), kind="log_prob_diff", when="end")
    env = EpisodeRewardWrapper(env, lambda t: np.ones(len(t)), name="two")
    rewards, info = play(env)
    assert np.allclose(info["turn_rewards"], [1.8, 2.9, 4.0])
    assert sum(rewards) == pytest.approx(8.7) and rewards[:2] == [0.0, 0.0]


def test_a_time_that_is_none_is_named():
    with pytest.raises(ValueError, match="when must be one of"):
        InformationGainReward(KeyDoorEnv(), TableProbe({}), when="never")
