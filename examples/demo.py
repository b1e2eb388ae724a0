"""The main job in under three minutes on two cores: `make demo`.

A random agent, an oracle and a tiny language model (built here from nothing) shop in `turnwise/WebShop-v0`; four
wrappers pay each turn; a short training run moves the language model's success rate; one HTML page holds it all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import turnwise
from turnwise.agents import OraclePolicy, RandomPolicy, Reinforce, TransformersPolicy, collect, success_rate, warm_up
from turnwise.agents.tiny import build, texts_of
from turnwise.rewards import Trajectory, TurnBatch
from turnwise.rewards.credit import gigpo
from turnwise.view import Section, comparison_table, line_chart, render
from turnwise.wrappers import (
    AnchorStateGrouping,
    GatedRewardAccumulation,
    InformationGainReward,
    ProgressAttributionReward,
    write_trajectories,
)

ID = "turnwise/WebShop-v0"
SHOP = {"products": 100, "max_turns": 10}
GROUP = 8


def make_envs(groups: int, split: str = "train") -> turnwise.envs.vector.TurnVectorEnv:
    """Environments in groups of `GROUP` that share their task and their start."""
    return turnwise.make_vec(ID, groups * GROUP, group_size=GROUP, split=split, **SHOP)


def evaluate(policy: object, task_ids: list[str], seed: int) -> list[Trajectory]:
    """One episode on each task."""
    envs = turnwise.make_vec(ID, 32, **SHOP)
    trajectories = collect(policy, envs, len(task_ids), seed=seed, task_ids=task_ids)
    envs.close()
    return trajectories


def language_model(progress: Progress, seconds: float) -> TransformersPolicy:
    """A decoder of about a million parameters and its tokenizer, warmed up on oracle episodes."""
    envs = turnwise.make_vec(ID, 16, **SHOP)
    demonstrations = collect(OraclePolicy(), envs, 600, seed=1)
    model, tokenizer = build(texts_of(demonstrations), seed=0)
    policy = TransformersPolicy(
        model, tokenizer, window=1, include_instructions=False, max_new_tokens=24, answer_prefix="", answer_suffix=""
    )
    bar = progress.add_task("warming the language model up on oracle episodes", total=seconds)
    begin = time.monotonic()
    warm_up(
        policy, demonstrations, steps=100_000, seconds=seconds,
        progress=lambda step, loss: progress.update(bar, completed=time.monotonic() - begin),
    )  # fmt: skip
    progress.update(bar, completed=seconds)
    return policy


def pay_every_turn(policy: TransformersPolicy, groups: int) -> list[Trajectory]:
    """Roll out with all four wrappers at once: three on each environment, the group's on the vector environment."""
    envs = turnwise.make_vec(
        ID, groups * GROUP, group_size=GROUP, **SHOP,
        wrappers=[
            lambda env: InformationGainReward(env, policy),
            lambda env: GatedRewardAccumulation(env, threshold=0.5, turn_rewards={"format": lambda t: 0.1 * t.valid}),
            lambda env: ProgressAttributionReward(env, keep_outcome=True),
        ],
    )  # fmt: skip
    trajectories = collect(policy, AnchorStateGrouping(envs, GROUP), groups * GROUP, seed=2)
    envs.close()
    return trajectories


def train(policy: TransformersPolicy, progress: Progress, seconds: float) -> list[tuple[float, float]]:
    """Policy gradient with GiGPO's turn-level advantages; returns (update, success rate of its rollouts)."""
    envs = make_envs(groups=8)
    trainer = Reinforce(policy, learning_rate=3e-4, epochs=2, minibatches=2)
    bar = progress.add_task("training with anchor-state grouping", total=seconds)
    begin, curve = time.monotonic(), []
    while (elapsed := time.monotonic() - begin) < seconds:
        progress.update(bar, completed=elapsed)
        trajectories = collect(policy, envs, envs.num_envs, seed=1000 + len(curve))
        trainer.update(trajectories, gigpo(TurnBatch.from_trajectories(trajectories), invalid_penalty=0.01))
        curve.append((float(len(curve)), success_rate(trajectories)))
    progress.update(bar, completed=seconds)
    envs.close()
    return curve


def smooth(curve: list[tuple[float, float]], width: int = 5) -> list[tuple[float, float]]:
    """Mean of each point and those before it."""
    values = [y for _, y in curve]
    return [(x, float(np.mean(values[max(0, i - width + 1) : i + 1]))) for i, (x, _) in enumerate(curve)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    parser.add_argument("--warm-up", type=float, default=50.0, help="seconds of imitation")
    parser.add_argument("--train", type=float, default=50.0, help="seconds of reinforcement")
    parser.add_argument("--episodes", type=int, default=64, help="episodes in each evaluation")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    console = Console()
    console.print(f"turnwise {turnwise.__version__}, {torch.get_num_threads()} threads, no download needed")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        whole = progress.add_task("demo", total=6)
        probe = turnwise.make_vec(ID, 1, split="train", **SHOP)
        tasks = list(probe.call("tasks")[0][: arguments.episodes])
        probe.close()
        sets = {"random": evaluate(RandomPolicy(seed=0), tasks, seed=3), "oracle": evaluate(OraclePolicy(), tasks, 3)}
        progress.advance(whole)
        policy = language_model(progress, arguments.warm_up)
        progress.advance(whole)
        sets["language model, warmed up"] = evaluate(policy, tasks, seed=3)
        progress.advance(whole)
        paid = pay_every_turn(policy, groups=2)
        progress.advance(whole)
        curve = train(policy, progress, arguments.train)
        progress.advance(whole)
        sets["language model, trained"] = evaluate(policy, tasks, seed=3)
        progress.advance(whole)

    chart = line_chart(
        {"each update": curve, "mean of 5": smooth(curve)},
        x_label="update", y_label="success rate of the rollouts", y_range=(0.0, 1.0),
    )  # fmt: skip
    sections = [
        Section("Who shops how well", comparison_table(sets)),
        Section("Training the language model with anchor-state grouping (GiGPO)", chart),
    ]
    arguments.out.mkdir(parents=True, exist_ok=True)
    shown = [*paid, *sets["oracle"][:4], *sets["random"][:4], *sets["language model, trained"][:8]]
    (arguments.out / "trajectories.jsonl").unlink(missing_ok=True)
    write_trajectories(arguments.out / "trajectories.jsonl", shown)
    report = arguments.out / "report.html"
    report.write_text(render(shown, title="Turnwise demo: every turn is paid", sections=sections), encoding="utf-8")
    for name, trajectories in sets.items():
        console.print(f"{name:>28}: success {success_rate(trajectories):.0%} of {len(trajectories)} episodes")
    console.print(f"\nEvery turn of every episode, and what each wrapper paid for it: [bold]{report.resolve()}[/bold]")


if __name__ == "__main__":
    main()
