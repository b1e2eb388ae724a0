"""What a wrapper costs: microseconds a turn beside the bare environment, measured in the same run.

`python benchmarks/wrappers.py [--environment turnwise/WebShop-v0] [--repeats 15] [--turns 1000]`

Every environment plays the same episodes (the task's solution over and over). In each repeat all of them take their
turn, the bare one first, and a wrapper's cost is its time minus the bare one's in that repeat; the table gives the
median over the repeats. Times are CPU times of this process, so that other work on the machine counts little. The bar
is 30 µs a turn for wrappers that call no model and extract no features.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym

import turnwise
from turnwise.rewards.table_probe import TableProbe
from turnwise.wrappers import (
    AnchorStateGrouping,
    DiscreteActions,
    EpisodeRewardWrapper,
    GatedRewardAccumulation,
    InformationGainReward,
    PotentialShapingReward,
    ProgressAttributionReward,
    RecordTrajectories,
    TextFeatures,
    TurnRewardWrapper,
)

BAR_US = 30.0
Env = gym.Env[Any, Any]


def wrappers(folder: Path) -> dict[str, tuple[bool, Callable[[Env], Env]]]:
    """By name: whether the bar holds for it, and how it is put on an environment."""
    valid = {"valid": lambda turn: 0.1 * turn.valid}
    return {
        "TurnRewardWrapper": (True, lambda env: TurnRewardWrapper(env, lambda turn: 0.1 * turn.valid, name="valid")),
        "EpisodeRewardWrapper": (True, lambda env: EpisodeRewardWrapper(env, lambda t: [0.1] * len(t), name="one")),
        "PotentialShapingReward": (True, lambda env: PotentialShapingReward(env, lambda info: info["turn"], 0.95)),
        "GatedRewardAccumulation": (
            True,
            lambda env: GatedRewardAccumulation(env, threshold=0.5, turn_rewards=valid),
        ),
        "AnchorStateGrouping": (True, lambda env: AnchorStateGrouping(env, 8)),
        "RecordTrajectories (file)": (True, lambda env: RecordTrajectories(env, folder / "runs.jsonl")),
        "RecordTrajectories (function)": (True, lambda env: RecordTrajectories(env, lambda trajectory: None)),
        "DiscreteActions (text in)": (True, lambda env: _Listed(env)),
        "InformationGainReward (table)": (False, lambda env: InformationGainReward(env, TableProbe({}, default=-1.0))),
        "ProgressAttributionReward": (False, lambda env: ProgressAttributionReward(env)),
        "TextFeatures": (False, lambda env: TextFeatures(_Listed(env), 128)),
    }


class _Listed(DiscreteActions):
    """`DiscreteActions` that takes the text, so that it plays the same episodes as the others."""

    def __init__(self, env: Env) -> None:
        super().__init__(env, 32)

    def step(self, action: Any) -> Any:
        if action not in self.offered:
            self.offered = (*self.offered[: self.max_actions - 1], action)
        return super().step(self.offered.index(action))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="turnwise/WebShop-v0")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--turns", type=int, default=1000, help="turns in each repeat")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(arguments.environment, arguments.repeats, arguments.turns, Path(folder))


def report(environment: str, repeats: int, turns: int, folder: Path) -> None:
    """Print one line for each wrapper."""
    choices = wrappers(folder)
    bare = gym.make(environment)
    wrapped = {name: wrap(gym.make(environment)) for name, (_, wrap) in choices.items()}
    actions = solution(bare)
    times: dict[str, list[float]] = {name: [] for name in ("bare", *wrapped)}
    for _ in range(repeats):
        for name, env in {"bare": bare, **wrapped}.items():
            times[name].append(microseconds_a_turn(env, actions, turns))
    print(f"turnwise {turnwise.__version__}, {environment}: {len(actions)} turns an episode")
    print(f"{'bare environment':32s} {statistics.median(times['bare']):7.1f} µs a turn")
    for name, (rule_based, _) in choices.items():
        cost = statistics.median(w - b for w, b in zip(times[name], times["bare"], strict=True))
        verdict = "" if not rule_based else "ok" if cost < BAR_US else f"over the bar of {BAR_US:.0f} µs"
        print(f"{name:32s} {cost:+7.1f} µs a turn  {verdict}")


def solution(env: Env) -> list[str]:
    """The texts that solve the task of seed 0."""
    env.reset(seed=0)
    return [str(call) for call in list(env.unwrapped.oracle())]  # type: ignore[attr-defined]


def microseconds_a_turn(env: Env, actions: list[str], turns: int) -> float:
    """Play whole episodes, resets included, until `turns` turns are over."""
    taken = 0
    start = time.process_time()
    while taken < turns:
        env.reset(seed=0)
        for action in actions:
            env.step(action)
        taken += len(actions)
    return (time.process_time() - start) / taken * 1e6


if __name__ == "__main__":
    main()
