"""Every task can be solved, and not by accident."""

from __future__ import annotations

import numpy as np

from turnwise.envs.conformance.playing import INVALID, Choose, Step, begin, episode, random_agent
from turnwise.envs.conformance.registry import Subject, expect, requirement
from turnwise.envs.core import TurnEnv

NOTHING = 0.05
"""An agent that never makes a valid call must score less."""


@requirement
def oracle_solves(subject: Subject) -> None:
    """The oracle's calls, listed before the first is made, take every sampled task to the reward 1.0 in time."""
    with subject.open() as env:
        for task_id in subject.tasks(env):
            step = begin(env, task_id, seed=0)
            total, plan = 0.0, list(env.oracle())
            for call in plan:
                if step.ended:
                    break
                step = Step(call, *env.step(call))
                total += step.reward
                expect(
                    step.info["is_action_valid"],
                    f"task {task_id!r}: the oracle's {call} is refused: {step.observation}",
                )
            expect(
                step.terminated and abs(total - 1.0) < 1e-9,
                f"task {task_id!r}: {len(plan)} calls of the oracle gave the reward {total} and the stop reason "
                f"{step.info['stop_reason']!r}, must be 1.0 and the end of the task",
            )


@requirement
def invalid_agents_score_nothing(subject: Subject) -> None:
    """An agent that writes nothing, or no call, scores less than 0.05."""
    with subject.open() as env:
        for text in ("", INVALID):
            score = float(np.mean(_scores(env, _always(text), subject.episodes)))
            expect(score < NOTHING, f"an agent that always writes {text!r} scores {score:.3f}")


@requirement
def random_agents_score_little(subject: Subject) -> None:
    """An agent that acts at random scores less than the bound of this run, give or take two standard errors."""
    with subject.open() as env:
        scores = _scores(env, random_agent(subject.rng()), 10 * subject.episodes)
    score, error = float(np.mean(scores)), float(np.std(scores)) / len(scores) ** 0.5
    expect(
        score - 2 * error < subject.random_bound,
        f"a random agent scores {score:.3f} ± {error:.3f}, must be below {subject.random_bound}",
    )


def _always(text: str) -> Choose:
    return lambda env, step: text


def _scores(env: TurnEnv, agent: Choose, episodes: int) -> list[float]:
    return [sum(step.reward for step in episode(env, agent, seed=seed)) for seed in range(episodes)]
