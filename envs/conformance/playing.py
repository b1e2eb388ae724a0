"""Playing episodes, and writing down all that an environment says in a form that can be compared byte by byte."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from turnwise.envs.core import Action, ToolCall, TurnEnv

INVALID = "I am not sure what to do."
"""A text that is no call in any environment."""


class Step(NamedTuple):
    """One turn: the action and what `step` returned. The first of an episode is the reset, with the action None."""

    action: Action | None
    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.terminated or self.truncated


Choose = Callable[[TurnEnv, Step], Action]


def begin(env: TurnEnv, task_id: str | None = None, seed: int | None = None) -> Step:
    """Reset, as a `Step`."""
    observation, info = env.reset(seed=seed, options=None if task_id is None else {"task_id": task_id})
    return Step(None, observation, 0.0, False, False, info)


def episode(env: TurnEnv, choose: Choose, task_id: str | None = None, seed: int | None = None) -> Iterator[Step]:
    """Play one episode, from the reset to the end; no further than twice the turn limit."""
    step = begin(env, task_id, seed)
    yield step
    yield from go_on(env, choose, step)


def go_on(env: TurnEnv, choose: Choose, step: Step) -> Iterator[Step]:
    """Play on after a step."""
    for _ in range(2 * env.max_turns):
        if step.ended:
            return
        action = choose(env, step)
        step = Step(action, *env.step(action))
        yield step


def scripted(actions: Sequence[Action]) -> Choose:
    """Plays a list of actions."""
    remaining = iter(actions)
    return lambda env, step: next(remaining)


def random_agent(rng: np.random.Generator) -> Choose:
    """Any admissible action, or where they are not listed, any tool with arguments out of the observation."""

    def choose(env: TurnEnv, step: Step) -> Action:
        admissible = step.info["admissible_actions"]
        if admissible:
            return str(admissible[rng.integers(len(admissible))])
        return random_call(env, str(step.observation), rng)

    return choose


def explorer(rng: np.random.Generator) -> Choose:
    """Gets far and sees much: in part the oracle's plan, in part random, now and then invalid."""
    plan: list[ToolCall] = []
    at_random = random_agent(rng)

    def choose(env: TurnEnv, step: Step) -> Action:
        if step.action is None:
            plan[:] = env.oracle()
        draw = rng.random()
        if draw < 0.15:
            return INVALID
        return plan.pop(0) if plan and draw < 0.5 else at_random(env, step)

    return choose


def random_call(env: TurnEnv, text: str, rng: np.random.Generator) -> ToolCall:
    """A call of a random tool; its arguments fit their types."""
    schema = list(env.tools.values())[rng.integers(len(env.tools))]
    words = text.split() or ["word"]
    return ToolCall(schema.name, {p.name: _argument(p.json_type, words, rng) for p in schema.parameters if p.required})


def _argument(json_type: Mapping[str, Any], words: list[str], rng: np.random.Generator) -> Any:
    json_type = json_type.get("anyOf", [json_type])[0]
    if "enum" in json_type:
        return json_type["enum"][rng.integers(len(json_type["enum"]))]
    kind = json_type.get("type", "string")
    simple: dict[str, Any] = {
        "integer": int(rng.integers(10)), "number": float(rng.integers(10)), "boolean": bool(rng.integers(2)),
        "array": [], "object": {}, "null": None,
    }  # fmt: skip
    return simple[kind] if kind in simple else words[rng.integers(len(words))]


@dataclass(frozen=True)
class Recording:
    """One episode: enough to play it again, and what was said in it."""

    task_id: str
    seed: int
    actions: tuple[Action, ...]
    trace: tuple[str, ...]


def record(env: TurnEnv, choose: Choose, seed: int) -> Recording:
    """Play an episode of a random task and write it down."""
    steps = list(episode(env, choose, seed=seed))
    actions = tuple(step.action for step in steps if step.action is not None)
    return Recording(steps[0].info["task_id"], seed, actions, trace(steps))


def replay(env: TurnEnv, recording: Recording) -> tuple[str, ...]:
    """What an environment says when an episode's seed and actions are given to it."""
    return trace(episode(env, scripted(recording.actions), seed=recording.seed))


def trace(steps: Iterator[Step] | Sequence[Step]) -> tuple[str, ...]:
    """One text for each step: all that it returned."""
    return tuple(fingerprint(tuple(step[1:])) for step in steps)


def first_difference(expected: Sequence[str], got: Sequence[str]) -> str:
    """Where two traces part, in words; empty where they are equal."""
    for turn, (a, b) in enumerate(zip(expected, got, strict=False)):
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
            start = max(0, at - 30)
            return f"turn {turn}: …{a[start : at + 50]!r} became …{b[start : at + 50]!r}"
    return "" if len(expected) == len(got) else f"{len(expected)} steps became {len(got)}"


def fingerprint(value: Any) -> str:
    """Any value as text: equal values give equal texts, in every process."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(fingerprint(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, {f.name: _plain(getattr(value, f.name)) for f in fields(value)}]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__dict__") and not callable(value):
        return [type(value).__name__, _plain(vars(value))]
    return hashlib.sha256(pickle.dumps(value)).hexdigest()
