"""Turns a second of every credit method on one core, and of GiGPO as trainers write it, with dictionaries and loops.

    python benchmarks/credit.py [--trajectories 1024] [--turns 50] [--group-size 8] [--repeats 20]
    python benchmarks/credit.py --scaling              # also up to 10 million turns, with a figure; about 2.2 GB

The batch is the same for all: groups of rollouts, half of whose turns meet a state that others meet too. Times are the
best of some repeats, of the whole call, with nothing kept from an earlier one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core; read when NumPy loads its linear algebra

import numpy as np

from turnwise.rewards import Credit, TurnBatch, credit
from turnwise.rewards.batch import FloatArray
from turnwise.rewards.credit import METHODS, gigpo

CHANNELS = ("value", "answer_logprob", "progress", "steps", "tokens", "score", "entropy", "bit", "action", "next_value")


def make_batch(trajectories: int, turns: int, group_size: int, seed: int = 0) -> TurnBatch:
    """Random rewards and outcomes; in a group, a turn has one of `turns` states, or one of its own."""
    rng = np.random.default_rng(seed)
    m = trajectories * turns
    group = np.arange(trajectories) // group_size
    shared = np.repeat(group, turns) * turns + rng.integers(0, turns, m)
    channels = {name: rng.random(m) for name in CHANNELS}
    channels["answer_logprob"] *= -1
    channels["bit"] = (channels["bit"] < 0.5).astype(np.float64)
    channels["action"] = np.floor(4 * channels["action"])
    return TurnBatch.pack(
        lengths=np.full(trajectories, turns),
        group=group,
        reward=rng.random(m) * (rng.random(m) < 0.1),
        outcome=rng.integers(0, 2, trajectories),
        anchor=np.where(rng.random(m) < 0.5, shared, trajectories * turns + np.arange(m)),
        valid=rng.random(m) < 0.9,
        channels=channels,
    )


def looped_gigpo(batch: TurnBatch, gamma: float = 0.95, penalty: float = 0.1, eps: float = 1e-6) -> FloatArray:
    """GiGPO row by row: a list of scores for each group and each state, looked up in dictionaries."""
    groups, anchors = batch.group[batch.row].tolist(), batch.anchor.tolist()
    rewards, valid = batch.reward.tolist(), batch.valid.tolist()
    returns, scores = [0.0] * len(rewards), [0.0] * len(rewards)
    for start, length in zip(batch.starts.tolist(), batch.lengths.tolist(), strict=True):
        running = 0.0
        total = sum(rewards[start : start + length])
        for row in range(start + length - 1, start - 1, -1):
            running = rewards[row] + gamma * running
            lost = 0.0 if valid[row] else penalty
            returns[row], scores[row] = running - lost, total - lost
    by_group: dict[int, list[float]] = defaultdict(list)
    by_state: dict[tuple[int, int], list[float]] = defaultdict(list)
    for group, anchor, score, value in zip(groups, anchors, scores, returns, strict=True):
        by_group[group].append(score)
        by_state[group, anchor].append(value)
    group_stats = {key: (np.mean(values), np.std(values, ddof=1)) for key, values in by_group.items()}
    state_stats = {
        key: (np.mean(values), np.std(values, ddof=1)) if len(values) > 1 else (values[0], 1.0)
        for key, values in by_state.items()
    }
    advantage = np.empty(len(rewards))
    for row, (group, anchor) in enumerate(zip(groups, anchors, strict=True)):
        mean, std = group_stats[group]
        state_mean, state_std = state_stats[group, anchor]
        advantage[row] = (scores[row] - mean) / (std + eps) + (returns[row] - state_mean) / (state_std + eps)
    return advantage


def actions(batch: TurnBatch) -> FloatArray:
    """The action channel as keys."""
    return batch.channel("action").astype(np.int64)


def test_bits(batch: TurnBatch) -> FloatArray:
    """Four unit tests a trajectory."""
    return np.random.default_rng(0).integers(0, 2, (len(batch), 4)).astype(np.float64)


CALLS: dict[str, Callable[[TurnBatch], Credit]] = {
    "archer": lambda b: credit.archer(b, "score", "value", "entropy", "next_value"),
    "cgrpo": lambda b: credit.cgrpo(b, b.outcome / 2),
    "cm2": lambda b: credit.cm2(b, "score"),
    "drpo": lambda b: credit.drpo(b, b.lengths / b.lengths.max(), -np.ones(len(b))),
    "gae": credit.gae,
    "gated": partial(credit.gated, levels=["steps"], thresholds=[0.5]),
    "gigpo": gigpo,
    "grpo": credit.grpo,
    "grpo_s": partial(credit.grpo_s, entropy_weight=0.3),
    "gtpo": partial(credit.gtpo, entropy_weight=0.3),
    "igpo": credit.igpo,
    "implicit_prm": lambda b: credit.implicit_prm(b, "score", beta=0.05),
    "istar": lambda b: credit.istar(b, "score"),
    "prime": lambda b: credit.prime(b, "score"),
    "prof": lambda b: credit.prof(b, "score", kept=4),
    "prorag": lambda b: credit.prorag(b, "score", tokens="tokens"),
    "pure": lambda b: credit.pure(b, "score", tokens="tokens"),
    "reinforce_pp": partial(credit.reinforce_pp, tokens="tokens"),
    "rloo": credit.rloo,
    "salt": lambda b: credit.salt(b, actions(b), window=0, repeats="each"),
    "spa": credit.spa,
    "srgpo": lambda b: credit.srgpo(b, "bit", rng=np.random.default_rng(0)),
    "sweet": lambda b: credit.sweet(b, "score"),
    "tempo": lambda b: credit.tempo(b, actions(b), branch_weight=0.5),
    "turn_gae": credit.turn_gae,
    "ui_s1": lambda b: credit.ui_s1(b, "bit"),
    "verpo": lambda b: credit.verpo(b, test_bits(b), difficulty=lambda rate: 1 - rate, success_weight=1.0),
}


def best_seconds(call: Callable[[TurnBatch], object], batch: TurnBatch, repeats: int) -> float:
    """Shortest wall time of one call. Each gets a fresh batch, whose derived columns are not computed yet."""
    seconds = []
    for _ in range(repeats):
        fresh = replace(batch)
        begin = time.perf_counter()
        call(fresh)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--trajectories", 1024), ("--turns", 50), ("--group-size", 8), ("--repeats", 20)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--scaling", action="store_true", help="also time 100 thousand to 10 million turns")
    parser.add_argument("--figure", type=Path, default=Path("runs/credit_scaling.svg"))
    options = parser.parse_args()
    if missing := sorted(set(METHODS) - set(CALLS)):
        print(f"not measured: {', '.join(missing)}")

    batch = make_batch(options.trajectories, options.turns, options.group_size)
    vectorised, looped = gigpo(batch, cross_steps=True).advantage, looped_gigpo(batch)
    if not np.allclose(vectorised, looped, atol=1e-6):
        raise SystemExit("the looped GiGPO disagrees with turnwise's: the comparison would mean nothing")

    print(f"{options.trajectories} trajectories x {options.turns} turns, groups of {options.group_size}, one core\n")
    print(f"{'method':<16}{'ms':>10}{'turns/s':>16}")
    for name, call in sorted(CALLS.items()):
        seconds = best_seconds(call, batch, options.repeats)
        print(f"{name:<16}{1e3 * seconds:>10.2f}{batch.turns / seconds:>16,.0f}")
    slow = best_seconds(looped_gigpo, batch, max(options.repeats // 5, 1))
    fast = best_seconds(partial(gigpo, cross_steps=True), batch, options.repeats)
    print(f"{'gigpo, looped':<16}{1e3 * slow:>10.2f}{batch.turns / slow:>16,.0f}")
    print(f"\nvectorised GiGPO is {slow / fast:.0f} times as fast as the looped one, with equal results")
    if options.scaling:
        scaling(options.turns, options.group_size, options.figure)


def scaling(turns: int, group_size: int, figure: Path) -> None:
    """Nanoseconds a turn from 100 thousand to 10 million turns; a straight line in a log-log plot is linear growth."""
    sizes = (100_000, 1_000_000, 10_000_000)
    print("\n" + f"{'ns a turn at':<16}" + "".join(f"{size:>14,}" for size in sizes))
    seconds: dict[str, list[float]] = {name: [] for name in sorted(CALLS)}
    for size in sizes:
        batch = make_batch(size // turns // group_size * group_size, turns, group_size)
        for name in seconds:
            seconds[name].append(best_seconds(CALLS[name], batch, 2) * size / batch.turns)
    for name, taken in seconds.items():
        print(f"{name:<16}" + "".join(f"{1e9 * t / n:>14.0f}" for t, n in zip(taken, sizes, strict=True)))
    import matplotlib.pyplot as plt

    drawing, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for name, taken in seconds.items():
        axes.loglog(sizes, taken, marker=".", label=name)
    axes.set(xlabel="turns", ylabel="seconds, one core", title="Credit estimators")
    axes.legend(ncols=3, fontsize="x-small")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure)
    print(f"figure: {figure}")


if __name__ == "__main__":
    main()
