"""Stable-Baselines3's plain PPO shops in `turnwise/WebShop-v0`, once on the outcome alone and once with a turn reward.

    pip install "turnwise[sb3,plot]"
    python examples/webshop_ppo.py                    # 3 seeds, about 3 minutes on two cores
    python examples/webshop_ppo.py --steps 2048 --seeds 1

The id is the one that language models train on. `DiscreteActions` turns the admissible actions into `Discrete`,
`TextFeatures` the text into `Box`; PPO and its hyper-parameters are Stable-Baselines3's own, action masks are not used.
Both curves show the environment's own outcome, so that the turn reward cannot flatter itself. Left out: evaluation on
other tasks than those trained on (with twelve tasks there is nothing to generalise from).
"""

from __future__ import annotations

import argparse
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

import turnwise
from turnwise.rewards import Turn
from turnwise.wrappers import DiscreteActions, TextFeatures, TurnRewardWrapper

TASKS = 12


class Milestones:
    """A `TurnReward`: 0.2 for opening the goal's item, 0.1 for each of its options, each once an episode."""

    worth: ClassVar[dict[str, float]] = {"goal_item_opened": 0.2, "goal_option_chosen": 0.1}

    def begin(self, observation: str, privileged: dict[str, Any]) -> None:
        self._paid: set[tuple[str, str]] = set()

    def __call__(self, turn: Turn) -> float:
        reached = {(event, turn.action) for event in turn.events if event in self.worth} - self._paid
        self._paid |= reached
        return sum(self.worth[event] for event, _ in reached)


class FewTasks(gym.Wrapper[Any, Any, Any, Any]):
    """Draws from the first few tasks only, so that minutes of training suffice to see something."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.env.reset(seed=seed)
        task = int(self.unwrapped.np_random.integers(TASKS))
        return self.env.reset(options={"task_id": self.unwrapped.tasks[task], **(options or {})})


def make_env(turn_reward: bool) -> gym.Env[Any, Any]:
    env: gym.Env[Any, Any] = FewTasks(gym.make("turnwise/WebShop-v0", products=100, max_turns=10))
    if turn_reward:
        env = TurnRewardWrapper(env, Milestones(), name="milestones")
    return TextFeatures(DiscreteActions(env, max_actions=32), dim=64, slot_dim=8)


class OutcomeCurve(BaseCallback):
    """Keeps the mean outcome of the last 100 episodes."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.outcomes: list[float] = []
        self._last: deque[float] = deque(maxlen=100)

    def _on_step(self) -> bool:
        for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
            if done:
                self._last.append(info["reward_terms"]["outcome"])
        return True

    def _on_rollout_end(self) -> None:
        self.steps.append(self.num_timesteps)
        self.outcomes.append(float(np.mean(self._last)) if self._last else 0.0)


def train(turn_reward: bool, seed: int, steps: int) -> OutcomeCurve:
    torch.set_num_threads(1)  # the network is small: more threads would only wait for each other
    envs = make_vec_env(lambda: make_env(turn_reward), n_envs=8, seed=seed)
    curve = OutcomeCurve()
    model = PPO("MlpPolicy", envs, n_steps=128, batch_size=256, ent_coef=0.01, seed=seed, device="cpu")
    model.learn(steps, callback=curve)
    envs.close()
    return curve


def plot(curves: dict[str, list[OutcomeCurve]], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for label, runs in curves.items():
        outcomes = np.array([run.outcomes for run in runs])  # (seeds, rollouts)
        (line,) = axes.plot(runs[0].steps, outcomes.mean(axis=0), label=label)
        axes.fill_between(runs[0].steps, outcomes.min(axis=0), outcomes.max(axis=0), alpha=0.2, color=line.get_color())
    axes.set(xlabel="environment steps", ylabel="outcome, last 100 episodes", title="PPO in turnwise/WebShop-v0")
    axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30_720, help="environment steps of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/webshop_ppo.svg"))
    arguments = parser.parse_args()
    print(f"turnwise {turnwise.__version__}: {arguments.seeds} seeds, {arguments.steps:,} steps each")

    curves: dict[str, list[OutcomeCurve]] = {}
    for label, turn_reward in (("outcome alone", False), ("outcome and milestones", True)):
        for seed in range(arguments.seeds):
            curve = train(turn_reward, seed, arguments.steps)
            curves.setdefault(label, []).append(curve)
            print(f"{label}, seed {seed}: outcome {curve.outcomes[0]:.2f} -> {curve.outcomes[-1]:.2f}", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    plot(curves, arguments.out)
    print(f"both curves: {arguments.out}")


if __name__ == "__main__":
    main()
