"""How episodes end, and what they pay."""

from __future__ import annotations

import math
from collections.abc import Iterator

from turnwise.envs.conformance.playing import INVALID, Choose, Step, episode, explorer, random_agent, scripted
from turnwise.envs.conformance.registry import Subject, expect, requirement
from turnwise.envs.core import TurnEnv


def _episodes(subject: Subject, env: TurnEnv) -> Iterator[tuple[str, list[Step]]]:
    """Episodes of all kinds: random, mixed, solved, and never begun in earnest."""
    rng = subject.rng()
    agents: dict[str, Choose] = {
        "a random agent": random_agent(rng),
        "a mixed agent": explorer(rng),
        "an agent that writes no calls": lambda env, step: INVALID,
    }
    for task_id in subject.tasks(env):
        for name, agent in agents.items():
            yield f"{name} on {task_id!r}", list(episode(env, agent, task_id, seed=0))
        env.reset(seed=0, options={"task_id": task_id})
        plan = scripted([*env.oracle(), *[INVALID] * 2 * env.max_turns])
        yield f"the oracle on {task_id!r}", list(episode(env, plan, task_id, seed=0))


@requirement
def endings_are_never_merged(subject: Subject) -> None:
    """No step both terminates and truncates; the two flags are booleans."""
    with subject.open() as env:
        for name, steps in _episodes(subject, env):
            for turn, step in enumerate(steps):
                flags = (step.terminated, step.truncated)
                expect(all(isinstance(flag, bool) for flag in flags), f"{name}, turn {turn}: the flags are {flags}")
                expect(flags != (True, True), f"{name}, turn {turn}: terminated and truncated at once")


@requirement
def stop_reasons_are_given(subject: Subject) -> None:
    """`stop_reason` is None while an episode goes on, and `max_turns` exactly where the turn limit truncates it."""
    with subject.open() as env:
        for name, steps in _episodes(subject, env):
            for turn, step in enumerate(steps):
                reason = step.info["stop_reason"]
                expect(bool(reason) == step.ended, f"{name}, turn {turn}: stop_reason {reason!r}, ended {step.ended}")
            turns = len(steps) - 1
            expect(steps[-1].ended and turns <= env.max_turns, f"{name}: {turns} turns, max_turns is {env.max_turns}")
            if "no calls" in name:
                got = (turns, steps[-1].terminated, steps[-1].truncated, steps[-1].info["stop_reason"])
                wanted = (env.max_turns, False, True, "max_turns")
                expect(got == wanted, f"{name}: (turns, terminated, truncated, stop_reason) is {got}, must be {wanted}")


@requirement
def rewards_are_outcomes(subject: Subject) -> None:
    """Rewards are numbers in [0, 1], so is their sum over an episode, and `reward_terms` names the outcome."""
    with subject.open() as env:
        for name, steps in _episodes(subject, env):
            for turn, step in enumerate(steps):
                expect(
                    isinstance(step.reward, (int, float)) and math.isfinite(step.reward) and 0 <= step.reward <= 1,
                    f"{name}, turn {turn}: the reward is {step.reward!r}",
                )
                outcome = step.info["reward_terms"]["outcome"]
                expect(outcome == step.reward, f"{name}, turn {turn}: outcome {outcome}, reward {step.reward}")
            total = sum(step.reward for step in steps)
            expect(total <= 1 + 1e-9, f"{name}: the rewards sum to {total}")
