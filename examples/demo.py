"""The main job in under three minutes on two cores: `make demo`.

A random agent, an oracle and a tiny language model (built here from nothing) shop in `turnwise/WebShop-v0`; four
wrappers pay each turn; a short training run moves the language model's success rate; one HTML page holds it all.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import turnwise
from turnwise.agents import (
    OraclePolicy,
    Policy,
    RandomPolicy,
    Reinforce,
    TransformersPolicy,
    collect,
    success_rate,
    warm_up,
)
from turnwise.agents.tiny import build, texts_of
from turnwise.rewards import Trajectory, TurnBatch
from turnwise.rewards.credit import gigpo
from turnwise.rewards.progress import LinearProgressEstimator
from turnwise.view import Section, comparison_table, line_chart, render
from turnwise.wrappers import (
    AnchorStateGrouping,
    GatedRewardAccumulation,
    InformationGainReward,
    ProgressAttributionReward,
    write_trajectories,
)

ID = "turnwise/WebShop-v0"
Point = tuple[float, float]
SHOP = {"products": 30, "max_turns": 10}
GROUP = 8
TRAINED_TASKS = 12


def evaluate(policy: Policy, task_ids: list[str], attempts: int = 8) -> list[Trajectory]:
    """Several episodes on each task, batched over environments."""
    envs = turnwise.make_vec(ID, 48, **SHOP)
    trajectories = collect(policy, envs, attempts * len(task_ids), seed=3, task_ids=task_ids)
    envs.close()
    return trajectories


def language_model(progress: Progress, task_ids: list[str], steps: int) -> TransformersPolicy:
    """A decoder of a third of a million parameters and its tokenizer, warmed up on oracle episodes."""
    envs = turnwise.make_vec(ID, 16, **SHOP)
    demonstrations = collect(OraclePolicy(), envs, len(task_ids), seed=0, task_ids=task_ids)
    envs.close()
    model, tokenizer = build(texts_of(demonstrations), seed=0, hidden_size=96, layers=2)
    # It sees the task and the present page; as a probe it scores the bare answer.
    policy = TransformersPolicy(
        model, tokenizer, window=1, include_instructions=False, max_observation_tokens=160, max_new_tokens=24,
        batch_tokens=2048, answer_prefix="", answer_suffix="",
    )  # fmt: skip
    bar = progress.add_task("warming the language model up on oracle episodes", total=steps)
    warm_up(
        policy, demonstrations, steps=steps, batch_size=16, learning_rate=4e-3,
        progress=lambda step, loss: progress.update(bar, completed=step + 1),
    )  # fmt: skip
    return policy


def pay_every_turn(policy: TransformersPolicy, seen: list[Trajectory], groups: int) -> list[Trajectory]:
    """Roll out with all four wrappers at once: three on each environment, the group's on the vector environment.

    The language model is the probe of information gain; the progress estimator has learned from the episodes `seen`.
    """
    estimator = LinearProgressEstimator()
    estimator.fit(seen)
    envs = turnwise.make_vec(
        ID, groups * GROUP, group_size=GROUP, **SHOP,
        wrappers=[
            lambda env: InformationGainReward(env, policy, kind="log_prob_diff"),
            lambda env: GatedRewardAccumulation(env, threshold=0.5, turn_rewards={"format": lambda t: 0.1 * t.valid}),
            lambda env: ProgressAttributionReward(env, estimator, beta=0.1, keep_outcome=True),
        ],
    )  # fmt: skip
    trajectories = collect(policy, AnchorStateGrouping(envs, GROUP), groups * GROUP, seed=2)
    envs.close()
    return trajectories


def train(policy: TransformersPolicy, progress: Progress, task_ids: list[str], seconds: float) -> list[Point]:
    """Policy gradient with GiGPO's turn-level advantages; returns (update, success rate of its rollouts).

    As in the paper's WebShop runs only a full success is rewarded. Turns that did worse than their group are left out
    of the loss: a model this small unlearns faster than it learns.
    """
    envs = turnwise.make_vec(ID, len(task_ids) * GROUP, group_size=GROUP, **SHOP)
    trainer = Reinforce(policy, learning_rate=1e-3, epochs=2, minibatches=2)
    bar = progress.add_task("training with anchor-state grouping", total=seconds)
    begin = time.monotonic()
    curve: list[Point] = []
    while (elapsed := time.monotonic() - begin) < seconds:
        progress.update(bar, completed=elapsed)
        trajectories = collect(policy, envs, envs.num_envs, seed=1000 + len(curve), task_ids=task_ids)
        batch = TurnBatch.from_trajectories(trajectories)
        solved = batch.outcome == 1.0
        credit = gigpo(replace(batch, reward=batch.reward * solved[batch.row], outcome=solved.astype(float)), gamma=1.0)
        trainer.update(trajectories, replace(credit, weight=(credit.advantage > 0).astype(float)))
        curve.append((float(len(curve)), success_rate(trajectories)))
    progress.update(bar, completed=seconds)
    envs.close()
    return curve


def smooth(curve: list[Point], width: int = 5) -> list[Point]:
    """Mean of each point and those before it."""
    values = [y for _, y in curve]
    return [(x, float(np.mean(values[max(0, i - width + 1) : i + 1]))) for i, (x, _) in enumerate(curve)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    parser.add_argument("--warm-up", type=int, default=160, help="gradient steps of imitation")
    parser.add_argument("--train", type=float, default=45.0, help="seconds of reinforcement")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the model is small: more threads would only wait for each other
    console = Console()
    console.print(f"turnwise {turnwise.__version__}: about two minutes, no download")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        whole = progress.add_task("demo", total=5)
        with gym.make(ID, **SHOP) as env:
            tasks = list(env.get_wrapper_attr("tasks"))
        shown_tasks = tasks[:TRAINED_TASKS]
        sets = {"random": evaluate(RandomPolicy(seed=0), shown_tasks), "oracle": evaluate(OraclePolicy(), shown_tasks)}
        progress.advance(whole)
        policy = language_model(progress, tasks, arguments.warm_up)
        progress.advance(whole)
        sets["language model, warmed up"] = evaluate(policy, shown_tasks)
        paid = pay_every_turn(policy, sets["language model, warmed up"], groups=2)
        progress.advance(whole)
        curve = train(policy, progress, shown_tasks, arguments.train)
        progress.advance(whole)
        sets["language model, trained"] = evaluate(policy, shown_tasks)
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
    # Not wrapped: a path is there to be copied.
    console.print("\nEvery turn of every episode, and what each wrapper paid for it:")
    console.print(f"[bold]{report.resolve()}[/bold]", soft_wrap=True)


if __name__ == "__main__":
    main()
