"""Turns a second of every credit method on one core, and of GiGPO as trainers write it, with dictionaries and loops.

    python benchmarks/credit.py [--trajectories 1024] [--turns 50] [--group-size 8] [--repeats 20]

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

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core; read when NumPy loads its linear algebra

import numpy as np

from turnwise.rewards import Credit, TurnBatch
from turnwise.rewards.batch import FloatArray
from turnwise.rewards.credit import (
    METHODS,
    gae,
    gated,
    gigpo,
    grpo,
    igpo,
    reinforce_pp,
    rloo,
    spa,
    turn_gae,
)


def make_batch(trajectories: int, turns: int, group_size: int, seed: int = 0) -> TurnBatch:
    """Random rewards and outcomes; in a group, a turn has one of `turns` states, or one of its own."""
    rng = np.random.default_rng(seed)
    m = trajectories * turns
    group = np.arange(trajectories) // group_size
    shared = np.repeat(group, turns) * turns + rng.integers(0, turns, m)
    channel_names = ("value", "answer_logprob", "progress", "steps", "tokens")
    return TurnBatch.pack(
        lengths=np.full(trajectories, turns),
        group=group,
        reward=rng.random(m) * (rng.random(m) < 0.1),
        outcome=rng.integers(0, 2, trajectories),
        anchor=np.where(rng.random(m) < 0.5, shared, trajectories * turns + np.arange(m)),
        valid=rng.random(m) < 0.9,
        channels={name: -rng.random(m) if name == "answer_logprob" else rng.random(m) for name in channel_names},
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


CALLS: dict[str, Callable[[TurnBatch], Credit]] = {
    "gae": gae,
    "gated": partial(gated, levels=["steps"], thresholds=[0.5]),
    "gigpo": gigpo,
    "grpo": grpo,
    "igpo": igpo,
    "reinforce_pp": partial(reinforce_pp, tokens="tokens"),
    "rloo": rloo,
    "spa": spa,
    "turn_gae": turn_gae,
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


if __name__ == "__main__":
    main()
