"""What rewards may know and the agent may not does not reach the agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from turnwise.envs.conformance.playing import INVALID, Step, begin, episode, explorer, random_agent
from turnwise.envs.conformance.registry import NotApplicable, Subject, Violation, expect, requirement
from turnwise.envs.core import TurnEnv

SHORTEST = 4
"""Privileged texts with fewer characters are not looked for: "yes" and "M" are everywhere."""


@requirement
def tasks_do_not_give_the_answer(subject: Subject) -> None:
    """No privileged text is in the instructions, the first observation or the reply to an invalid action.

    The keys in `stated_keys` are free to be there. A question may hold its answer by chance: a key leaks if it does in
    more than half of the tasks.
    """
    with subject.open() as env:
        tasks = subject.tasks(env)
        leaks: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for task_id in tasks:
            first = begin(env, task_id, seed=0)
            shown = [env.instructions, _text(first.observation), _text(env.step(INVALID)[0])]
            found = {key: text for key, text in _found(first.info["privileged"], shown) if key not in env.stated_keys}
            leaks.update(found.keys())
            examples.update(found)
        for key, count in leaks.items():
            if count > len(tasks) / 2:
                raise Violation(
                    f"info['privileged'][{key!r}] is shown before the agent has done anything in {count} of "
                    f"{len(tasks)} tasks, for example {examples[key]!r:.100}; if the task may state it, name it in "
                    "stated_keys"
                )


@requirement
def secrets_are_never_shown(subject: Subject) -> None:
    """No observation of any episode holds a text of the privileged keys in `secret_keys`."""
    with subject.open() as env:
        if not env.secret_keys:
            raise NotApplicable("it declares no secret_keys")
        rng = subject.rng()
        for seed in range(subject.episodes):
            for name, agent in (("random", random_agent(rng)), ("mixed", explorer(rng))):
                steps = episode(env, agent, seed=seed)
                _expect_secrets_kept(env, steps, f"a {name} episode with seed {seed}")
            _expect_secrets_kept(env, _oracle_steps(env, seed), f"the oracle's episode with seed {seed}")


def _oracle_steps(env: TurnEnv, seed: int) -> list[Step]:
    steps = [begin(env, seed=seed)]
    for call in list(env.oracle()):
        if not steps[-1].ended:
            steps.append(Step(call, *env.step(call)))
    return steps


def _expect_secrets_kept(env: TurnEnv, steps: Any, where: str) -> None:
    for turn, step in enumerate(steps):
        missing = env.secret_keys - step.info["privileged"].keys()
        expect(not missing, f"secret_keys names {sorted(missing)}, which info['privileged'] does not have")
        secrets = {key: step.info["privileged"][key] for key in env.secret_keys}
        for key, text in _found(secrets, [_text(step.observation)]):
            raise Violation(f"{where}, turn {turn}: the observation holds the secret {key!r}: {text!r:.100}")


def _found(privileged: Mapping[str, Any], shown: list[str]) -> list[tuple[str, str]]:
    """Keys of `privileged` of which a text is shown, with that text."""
    return [(key, text) for key, value in privileged.items() for text in _texts(value) if any(text in s for s in shown)]


def _texts(value: Any) -> list[str]:
    """All strings in a value that are long enough to be looked for."""
    if isinstance(value, str):
        return [value] if len(value) >= SHORTEST else []
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for item in value for text in _texts(item)]
    return []


def _text(observation: Any) -> str:
    return str(observation["text"] if isinstance(observation, Mapping) else observation)
