"""Information gain on `turnwise/SearchQA-v0`: a tiny language model trained with and without it, both curves plotted.

    pip install "turnwise[llm,plot]"
    python examples/search_qa_igpo.py             # about five minutes
    python examples/search_qa_igpo.py --seeds 5   # what the difference is worth

A model of 0.4 million parameters, built here, imitates a few oracle episodes of sixteen one-hop questions: search, open
the document, answer. It then trains on these questions by IGPO (arXiv 2510.14967). Both runs of a seed begin with the
same weights and draw the same tasks; they differ in `gain_weight` alone: with 1 each turn is also paid for how much
likelier it made the right answer, with 0 the outcome is all there is. How likely the answer is before each turn, the
model says itself, for one forward pass over an episode (`answer_logprobs_by_turn`).

What it shows: the loop, and that the gain rises with the success rate. What it does not show: that information gain is
better. Episodes have three or four turns, groups of eight seldom fail as a whole, and so the outcome alone tells nearly
as much; a difference between the curves that is smaller than that between seeds means nothing. The questions trained on
are those of the warm-up; a model this small learns no names that it has not met. Turns that did worse than their group
are left out of the loss: it unlearns faster than it learns.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import turnwise
from turnwise.agents import OraclePolicy, Reinforce, TransformersPolicy, collect, success_rate, warm_up
from turnwise.agents.tiny import build, texts_of
from turnwise.rewards import Trajectory, TurnBatch
from turnwise.rewards.credit import igpo

ID = "turnwise/SearchQA-v0"
WORLD = {"articles": 1000, "hops": 1, "results": 3, "max_turns": 4}
"""The default world; it has 32 training questions of one hop."""
METHODS = {"outcome only": 0.0, "with information gain": 1.0}
GROUP = 8
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36}
"""Standard errors beyond which a mean over so many seeds is not zero, at 95% (Student's t)."""


@dataclass(frozen=True)
class Point:
    """One update: the success rate of its rollouts, and the mean gain of an episode, start to last turn."""

    success: float
    gain: float


def demonstrations(tasks: list[str]) -> list[Trajectory]:
    """The oracle's episodes, with the answer written the short way and without citations."""
    with gym.make(ID, **WORLD) as env:
        episodes = collect(OraclePolicy(), env, len(tasks), task_ids=tasks, seed=0)
    for episode in episodes:
        episode.turns[-1].action = f"answer[{episode.privileged['answer']}]"
    return episodes


def warmed_up(episodes: list[Trajectory], steps: int, seed: int) -> TransformersPolicy:
    """A model that has begun to imitate: it is right about every tenth time."""
    model, tokenizer = build(texts_of(episodes), seed, hidden_size=96, layers=2, vocab_size=2048)
    # As a probe it scores the answer where it would write it.
    policy = TransformersPolicy(
        model, tokenizer, include_instructions=False, max_observation_tokens=200, max_new_tokens=40,
        batch_tokens=4096, answer_prefix="answer[", answer_suffix="]", seed=seed,
    )  # fmt: skip
    warm_up(policy, episodes, steps=steps, batch_size=8, learning_rate=4e-3, seed=seed)
    return policy


def belief(policy: TransformersPolicy, episodes: list[Trajectory]) -> list[np.ndarray]:
    """For each episode the (T,) mean log-probability (nats a token) of the right answer before each turn."""
    # The tiny model has never seen instructions: it is asked without them, as it acts.
    shown = [replace(episode, instructions="") for episode in episodes]
    answers = [episode.privileged["answer"] for episode in episodes]
    by_turn = policy.answer_logprobs_by_turn(shown, answers, after_last=False)
    return [np.array([values.mean() for values in turns]) for turns in by_turn]


def train(
    policy: TransformersPolicy, tasks: list[str], gain_weight: float, updates: int, groups: int, seed: int
) -> list[Point]:
    """Collect, credit, update."""
    envs = turnwise.make_vec(ID, groups * GROUP, group_size=GROUP, **WORLD)
    trainer = Reinforce(policy, learning_rate=1e-3, epochs=2, minibatches=2, seed=seed)
    curve = []
    for update in range(updates):
        chosen = [tasks[(update * groups + i) % len(tasks)] for i in range(groups)]
        episodes = collect(policy, envs, groups * GROUP, seed=1000 * seed + update, task_ids=chosen)
        beliefs = belief(policy, episodes)
        batch = TurnBatch.from_trajectories(episodes)
        credit = igpo(batch, np.concatenate(beliefs), norm="separate", gain_weight=gain_weight)
        trainer.update(episodes, replace(credit, weight=(credit.advantage > 0).astype(float)))
        gains = [np.exp(b[-1]) - np.exp(b[0]) for b in beliefs]
        curve.append(Point(success_rate(episodes), float(np.mean(gains))))
    envs.close()
    return curve


def smooth(values: np.ndarray, width: int = 3) -> np.ndarray:
    """(..., U) mean of each value and those before it."""
    return np.stack(
        [values[..., max(0, i - width + 1) : i + 1].mean(axis=-1) for i in range(values.shape[-1])], axis=-1
    )


def plot(curves: dict[str, np.ndarray], path: Path) -> None:
    """Success and gain, each seed thin and their mean thick."""
    try:
        import matplotlib
    except ImportError:
        print('no plot: pip install "turnwise[plot]"')
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for colour, (name, points) in zip(("tab:grey", "tab:blue"), curves.items(), strict=True):  # points (S, U, 2)
        for panel, values in zip(panels, smooth(np.moveaxis(points, 2, 0)), strict=True):  # values (S, U)
            panel.plot(values.T, color=colour, linewidth=0.7, alpha=0.5)
            panel.plot(values.mean(axis=0), color=colour, linewidth=2.2, label=name)
    panels[0].set(xlabel="update", ylabel="success rate of the rollouts (mean of 3)", ylim=(0, 1))
    panels[1].set(xlabel="update", ylabel="gain in the answer's probability", ylim=(0, 1))
    panels[0].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(f"both curves: {path}")


def report(curves: dict[str, np.ndarray]) -> None:
    """Where the curves end, and how far apart seeds end up."""
    ends = {name: points[:, -5:, 0].mean(axis=1) for name, points in curves.items()}  # (S,) a method
    for name, values in ends.items():
        print(f"{name:>22}: success {values.mean():.2f} over the last updates (seeds: {np.round(values, 2).tolist()})")
    without, with_gain = ends.values()
    difference, seeds = with_gain - without, len(without)
    if seeds == 1:
        print(f"difference {difference[0]:+.2f}: of one seed, and so no evidence either way")
    else:
        error = difference.std(ddof=1) / seeds**0.5
        clear = abs(difference.mean()) > STUDENT[min(seeds, max(STUDENT))] * error
        verdict = "more than chance would do" if clear else "no evidence either way"
        print(f"difference {difference.mean():+.2f} ± {error:.2f} (standard error over {seeds} seeds): {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--warm-up-steps", type=int, default=30)
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--articles", type=int, default=WORLD["articles"], help="size of the world")
    parser.add_argument("--tasks", type=int, default=16, help="that it trains on")
    parser.add_argument("--groups", type=int, default=8, help="of eight rollouts, in each update")
    parser.add_argument("--out", type=Path, default=Path("runs/search_qa_igpo.svg"))
    args = parser.parse_args()

    WORLD["articles"] = args.articles
    torch.set_num_threads(1)  # the model is small: more threads would only wait for each other
    started = time.monotonic()
    with gym.make(ID, **WORLD) as env:
        tasks = list(env.get_wrapper_attr("tasks"))[: args.tasks]
    episodes = demonstrations(tasks)
    found: dict[str, list[Any]] = {name: [] for name in METHODS}
    for seed in range(args.seeds):
        policy = warmed_up(episodes, args.warm_up_steps, seed)
        weights = copy.deepcopy(policy.model.state_dict())
        for name, gain_weight in METHODS.items():
            policy.model.load_state_dict(weights)
            curve = train(policy, tasks, gain_weight, args.updates, args.groups, seed)
            found[name].append([(point.success, point.gain) for point in curve])
            path = " ".join(f"{point.success:.2f}" for point in curve)
            print(f"seed {seed}, {name:>22}: {path}  ({time.monotonic() - started:.0f} s)", flush=True)
    curves = {name: np.array(points) for name, points in found.items()}  # (S, U, 2)
    report(curves)
    plot(curves, args.out)


if __name__ == "__main__":
    main()
