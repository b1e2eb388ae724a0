from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from turnwise.rewards import Trajectory, TurnBatch
from turnwise.rewards.credit import gigpo
from turnwise.wrappers import read_trajectories

Turnwise = Callable[..., Result]
KEY_DOOR = "tests/KeyDoor-v0"

PROBE = """
from turnwise.rewards.table_probe import TableProbe

def surprise(context, answer):
    return -1.0 if "hold the key" in context[-1]["content"] else -2.0

probe = TableProbe(surprise)

def potential(info):
    return 0.1 * len(info["events"])
"""

INTERRUPTED = """
from key_door import KeyDoorEnv

class Interrupted(KeyDoorEnv):
    resets = 0

    def begin(self, task_id):
        type(self).resets += 1
        if self.resets > 4:
            raise KeyboardInterrupt
        return super().begin(task_id)
"""


def run(turnwise: Turnwise, *arguments: object, env: str = KEY_DOOR, out: str = "out.jsonl") -> list[Trajectory]:
    result = turnwise("run", env, "--out", out, "--overwrite", *arguments)
    assert result.exit_code == 0, result.output
    assert f"turnwise view {out}" in result.output
    return list(read_trajectories(out))


def test_the_oracle_wins_every_episode(turnwise: Turnwise) -> None:
    result = turnwise("run", KEY_DOOR, "--policy", "oracle", "--episodes", 6)
    assert result.exit_code == 0, result.output
    assert "100.0%   (6 of 6, 95 % CI" in result.output and "completed 6" in result.output
    trajectories = list(read_trajectories("runs/KeyDoor-v0-oracle-0.jsonl"))
    assert [t.outcome for t in trajectories] == [1.0] * 6
    assert {t.env_id for t in trajectories} == {KEY_DOOR}


def test_completion_modification_and_resolution_are_printed_apart(turnwise: Turnwise, workplace: Path) -> None:
    (workplace / "patching.py").write_text("from patch_env import PatchEnv\n")
    arguments = ("patching.py:PatchEnv", "-p", "oracle", "-n", 4, "-o", "p.jsonl")
    result = turnwise("run", *arguments, "--env-arg", "max_turns=2")
    lines = [line.split() for line in result.output.splitlines() if " rate " in line]
    assert [line[:3] for line in lines] == [
        ["success", "rate", "0.0%"],
        ["completion", "rate", "0.0%"],
        ["modification", "rate", "0.0%"],
        ["resolution", "rate", "0.0%"],
    ]
    result = turnwise("run", *arguments, "--overwrite")
    assert "resolution rate     100.0%   (4 of 4, 95 % CI 51.0% to 100.0%)" in result.output
    viewed = turnwise("view", "p.jsonl", "--no-open")
    assert "completion rate 100%, modification rate 100%, resolution rate 100%" in viewed.output
    assert "<dt>Resolution rate</dt><dd>100%" in Path("p.html").read_text(encoding="utf-8")


def test_durations_prices_and_weighted_tests_by_name(turnwise: Turnwise, workplace: Path) -> None:
    (workplace / "weighing.py").write_text(
        "from patch_env import PatchEnv\n\ndef harder(rate):\n    return 1.0 - rate\n"
    )
    trajectories = run(
        turnwise,
        *("-p", "random", "-n", 8, "--group-size", 4, "--wrap", "measured", "--wrap", "action-price:price=0.0"),
        *("--wrap", "difficulty:difficulty=weighing:harder,success_weight=1.0"),
        env="weighing.py:PatchEnv",
    )
    turns = [turn for trajectory in trajectories for turn in trajectory.turns]
    assert all(turn.channels["duration"] > 0.0 == turn.channels["action_price"] for turn in turns)
    assert all(len(t.turn_advantages or ()) == len(t) for t in trajectories)
    counted = run(
        turnwise,
        *("-p", "oracle", "-n", 1, "--wrap", "action-price:price=0.25,cost=submitted,limit=0.1"),
        *("--credit", "semi-markov:durations=outcome,gamma=0.5,unit=1.0"),
        env="weighing.py:PatchEnv",
    )
    assert counted[0].turns[-1].reward == 0.9
    assert counted[0].turn_advantages == pytest.approx([0.9, 0.9, 0.9])


def test_files_are_not_overwritten_unasked(turnwise: Turnwise) -> None:
    for _ in range(2):
        assert turnwise("run", KEY_DOOR, "-n", 1).exit_code == 0
    assert sorted(file.name for file in Path("runs").iterdir()) == [
        "KeyDoor-v0-random-0-1.jsonl",
        "KeyDoor-v0-random-0.jsonl",
    ]
    again = turnwise("run", KEY_DOOR, "-n", 1, "--out", "runs/KeyDoor-v0-random-0.jsonl")
    assert again.exit_code == 2 and "exists" in again.output
    run(turnwise, "-n", 2, out="runs/KeyDoor-v0-random-0.jsonl")
    assert len(list(read_trajectories("runs/KeyDoor-v0-random-0.jsonl"))) == 2


def test_the_same_seed_gives_the_same_bytes_on_every_backend(turnwise: Turnwise) -> None:
    for backend in ("sync", "thread", "process"):
        run(turnwise, "-n", 6, "--seed", 3, "--backend", backend, "--num-envs", 3, out=f"{backend}.jsonl")
    first = Path("sync.jsonl").read_bytes()
    assert Path("thread.jsonl").read_bytes() == first == Path("process.jsonl").read_bytes()
    run(turnwise, "-n", 6, "--seed", 4, out="other.jsonl")
    assert Path("other.jsonl").read_bytes() != first


def test_groups_share_their_start(turnwise: Turnwise) -> None:
    trajectories = run(turnwise, "-n", 9, "--group-size", 3)
    groups = [
        [t for t in trajectories if t.group_id == name] for name in dict.fromkeys(t.group_id for t in trajectories)
    ]
    assert [len(group) for group in groups] == [3, 3, 3]
    assert all(len({t.turns[0].observation for t in group}) == 1 for group in groups)


def test_chosen_tasks_are_played_in_turn(turnwise: Turnwise) -> None:
    trajectories = run(
        turnwise, "-p", "noop", "-n", 4, "--task", "key-0", "--task", "key-3", "--env-arg", "max_turns=2"
    )
    assert [t.task_id for t in trajectories] == ["key-0", "key-3", "key-0", "key-3"]
    assert {t.stop_reason for t in trajectories} == {"max_turns"}
    assert not any(turn.valid for t in trajectories for turn in t.turns)


def test_wrappers_stack_and_take_options(turnwise: Turnwise, workplace: Path) -> None:
    (workplace / "probes.py").write_text(PROBE)
    plain = run(turnwise, "-n", 12, "--seed", 3)
    wrapped = run(
        turnwise,
        *("-n", 12, "--seed", 3),
        *("--wrap", "potential:potential=probes:potential,gamma=1.0"),
        *("--wrap", "info:probe=probes:probe,weight=0.5"),
    )
    taken = 0
    for bare, paid in zip(plain, wrapped, strict=True):
        assert [turn.action for turn in bare.turns] == [turn.action for turn in paid.turns]
        gains = [turn.channels.get("information_gain", 0.0) for turn in paid.turns]
        shaping = [turn.channels["potential_shaping"] for turn in paid.turns]
        if any("key_taken" in turn.events for turn in paid.turns[:-1]):
            taken += 1
            assert max(gains) == pytest.approx(np.exp(-1) - np.exp(-2))
        assert [turn.reward for turn in paid.turns] == pytest.approx(
            [turn.reward + 0.5 * gain + shape for turn, gain, shape in zip(bare.turns, gains, shaping, strict=True)]
        )
    assert taken > 0


def test_hindsight_rewards_are_kept(turnwise: Turnwise) -> None:
    trajectories = run(turnwise, "-p", "oracle", "-n", 2, "--wrap", "gated:threshold=0.5,turn_rewards=progress")
    for trajectory in trajectories:
        assert trajectory.turn_rewards is not None
        assert sorted(trajectory.turn_rewards)[-2:] == [0.5, 1.0]
        assert trajectory.turns[-1].reward == 1.5


def test_a_credit_method_gives_every_turn_its_advantage(turnwise: Turnwise) -> None:
    trajectories = run(turnwise, "-n", 32, "--group-size", 8, "--credit", "gigpo:step_weight=0.5")
    advantages = [t.turn_advantages for t in trajectories]
    for trajectory in trajectories:
        trajectory.turn_advantages = None
    batch = TurnBatch.from_trajectories(trajectories)
    expected = gigpo(batch, step_weight=0.5).split(batch)
    assert [len(a) for a in expected] == [len(t) for t in trajectories]
    np.testing.assert_allclose(np.concatenate(advantages), np.concatenate(expected))
    assert np.abs(np.concatenate(expected)).max() > 0


def test_a_group_wrapper_gives_every_rollout_its_advantages(turnwise: Turnwise) -> None:
    trajectories = run(turnwise, "-n", 32, "--group-size", 8, "--wrap", "anchor:gamma=0.9")
    assert any(any(t.turn_advantages or ()) for t in trajectories)
    for start in range(0, 32, 8):
        rollouts = trajectories[start : start + 8]
        batch = TurnBatch.from_trajectories(rollouts)
        expected = gigpo(batch, gamma=0.9, norm_by_std=False, invalid_penalty=0.01, cross_steps=False).split(batch)
        for rollout, advantage in zip(rollouts, expected, strict=True):
            np.testing.assert_allclose(rollout.turn_advantages, advantage)


def test_interrupted_runs_keep_what_has_ended(turnwise: Turnwise, workplace: Path) -> None:
    (workplace / "interrupted.py").write_text(INTERRUPTED)
    result = turnwise("run", "interrupted.py:Interrupted", "-p", "oracle", "-n", 9, "--num-envs", 1, "-o", "part.jsonl")
    assert result.exit_code == 130, result.output
    assert "Interrupted" in result.output
    assert {t.outcome for t in read_trajectories("part.jsonl")} == {1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "orcale"], "Did you mean 'oracle'?"),
        (["--policy-arg", "sed=1"], "unexpected keyword argument 'sed'"),
        (["--wrap", "information_gian"], "Did you mean 'information-gain'?"),
        (["--wrap", "information-gain"], "give --probe or a model --policy"),
        (["--wrap", "progress:apha=1"], "Did you mean 'alpha'?"),
        (["--wrap", "potential"], "missing 2 required positional arguments"),
        (["--wrap", "anchor"], "missing 1 required positional argument: 'group_size'"),
        (["--credit", "gigpo"], "give --group-size 2 or more"),
        (["--credit", "gigpoo"], "Did you mean 'gigpo'?"),
        (["--credit", "gae", "--group-size", "2"], "needs ['values']"),
        (["--task", "key-9"], "has no task 'key-9'"),
        (["--group-size", "3", "--num-envs", "4"], "group_size must divide num_envs"),
        (["--group-size", "3", "--episodes", "4"], "multiple of the group size 3"),
        (["--backend", "cloud"], "backend must be one of"),
    ],
)
def test_mistakes_are_answered_before_anything_is_written(
    turnwise: Turnwise, arguments: list[str], message: str
) -> None:
    result = turnwise("run", KEY_DOOR, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not Path("runs").exists()


def test_a_model_from_a_folder_acts_and_probes_itself(turnwise: Turnwise) -> None:
    pytest.importorskip("transformers")
    from turnwise.agents.tiny import build

    model, tokenizer = build(
        ["You stand in cell 2 of 5. move[left] open[] pick[]"], vocab_size=300, hidden_size=32, heads=2
    )
    model.save_pretrained("model")
    tokenizer.save_pretrained("model")
    wrap = ("--wrap", "information-gain", "--policy-arg", "max_new_tokens=4", "--env-arg", "max_turns=3")
    trajectories = run(turnwise, "--policy", "model", "-n", 2, *wrap)
    for trajectory in trajectories:
        assert all(len(turn.response_ids) == len(turn.response_logprobs) > 0 for turn in trajectory.turns)
        assert all("answer_logprob" in turn.channels for turn in trajectory.turns)
    result = turnwise("run", KEY_DOOR, "--policy", str(Path("runs").parent.resolve()))
    assert result.exit_code == 2 and "could not be loaded" in result.output


def test_webshop(turnwise: Turnwise) -> None:
    trajectories = run(turnwise, "-p", "oracle", "-n", 2, "--env-arg", "products=50", env="turnwise/WebShop-v0")
    assert [t.outcome for t in trajectories] == [1.0, 1.0]
