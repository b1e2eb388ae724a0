"""What a caller sees: Gymnasium's own checks, spaces, info, tools, instructions, rendering."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from typing import Any

from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from turnwise.envs.conformance.playing import INVALID, begin, episode, explorer, fingerprint
from turnwise.envs.conformance.registry import NotApplicable, Subject, Violation, expect, requirement
from turnwise.envs.core import TurnEnv, TurnInfo

_JSON_TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}


@requirement
def gymnasium_accepts(subject: Subject) -> None:
    """Gymnasium's own `check_env` passes."""
    with subject.open() as env, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about rendering and about array observations
        try:
            check_env(env, skip_render_check=True)
        except AssertionError as error:
            raise Violation(f"check_env: {error}") from error


@requirement
def observations_in_space(subject: Subject) -> None:
    """Every observation is a member of the observation space."""
    with subject.open() as env:
        rng = subject.rng()
        for seed in range(subject.episodes):
            for turn, step in enumerate(episode(env, explorer(rng), seed=seed)):
                shown = repr(step.observation)[:80]
                expect(
                    env.observation_space.contains(step.observation),
                    f"seed {seed}, turn {turn}: {shown} is not in {env.observation_space}",
                )


@requirement
def info_has_its_keys(subject: Subject) -> None:
    """`info` has exactly the keys of `TurnInfo`, with values of their types, after `reset` and every `step`."""
    with subject.open() as env:
        rng = subject.rng()
        for seed in range(subject.episodes):
            for turn, step in enumerate(episode(env, explorer(rng), seed=seed)):
                _expect_info(step.info, turn)


def _expect_info(info: Mapping[str, Any], turn: int) -> None:
    wanted, given = set(TurnInfo.__annotations__), set(info)
    expect(given == wanted, f"turn {turn}: info lacks {sorted(wanted - given)} and adds {sorted(given - wanted)}")
    expect(info["turn"] == turn, f"info['turn'] is {info['turn']} after {turn} turns")
    types: dict[str, Any] = {
        "task_id": str, "state_hash": str, "is_action_valid": bool, "admissible_actions": (list, type(None)),
        "reward_terms": dict, "events": frozenset, "stop_reason": (str, type(None)), "privileged": dict,
    }  # fmt: skip
    for key, kind in types.items():
        expect(isinstance(info[key], kind), f"turn {turn}: info[{key!r}] is a {type(info[key]).__name__}")
    expect("outcome" in info["reward_terms"], f"turn {turn}: info['reward_terms'] has no 'outcome'")


@requirement
def infos_are_fresh(subject: Subject) -> None:
    """An `info` that was handed out is never written to again, and writing to it changes nothing."""
    with subject.open() as env:
        rng = subject.rng()
        kept = [(step.info, fingerprint(step.info)) for step in episode(env, explorer(rng), seed=subject.seed)]
        for turn, (info, before) in enumerate(kept):
            expect(fingerprint(info) == before, f"the info of turn {turn} was changed by a later turn")
        clean = fingerprint(env.reset(seed=subject.seed)[1])
        _, spoiled = env.reset(seed=subject.seed)
        for value in spoiled.values():
            if isinstance(value, (dict, list)):
                value.clear()
        _, again = env.reset(seed=subject.seed)
        expect(fingerprint(again) == clean, "emptying a returned info changed the next one")


@requirement
def instructions_are_constant(subject: Subject) -> None:
    """`instructions` is the same text before the first reset and for every task, and names every tool."""
    with subject.open() as env:
        before = env.instructions
        for task_id in subject.tasks(env):
            begin(env, task_id)
            expect(env.instructions == before, f"instructions are different for task {task_id!r}")
        for name in env.tools:
            expect(name in before, f"instructions do not mention the tool {name!r}")


@requirement
def tool_schemas_are_valid(subject: Subject) -> None:
    """Every tool has a JSON schema that a chat template or a server accepts."""
    with subject.open() as env:
        schemas = env.tool_schemas()
        expect(bool(schemas), "there are no tools")
        json.dumps(schemas)
        for schema in schemas:
            function = schema["function"]
            expect(schema["type"] == "function", f"type is {schema['type']!r}, must be 'function'")
            expect(bool(function["name"] and function["description"]), f"{function['name']!r} needs a description")
            _expect_schema(function["parameters"], function["name"])


def _expect_schema(schema: Mapping[str, Any], where: str) -> None:
    for option in schema.get("anyOf", ()):
        _expect_schema(option, f"{where}.anyOf")
    if "anyOf" not in schema:
        expect(schema.get("type") in _JSON_TYPES, f"{where}: type is {schema.get('type')!r}, none of JSON's types")
    properties = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in properties]
    expect(not missing, f"{where}: {missing} are required and not described")
    for name, inner in properties.items():
        _expect_schema(inner, f"{where}.{name}")
    if "items" in schema:
        _expect_schema(schema["items"], f"{where}.items")


@requirement
def spec_survives_pickling(subject: Subject) -> None:
    """The `EnvSpec` can be pickled, so that workers can make the environment."""
    env = subject.make()
    spec = env.spec
    env.close()
    if spec is None:
        raise NotApplicable("it was made without gym.make and has no spec")
    try:
        restored = pickle.loads(pickle.dumps(spec))
    except Exception as error:
        raise Violation(f"the spec cannot be pickled: {error}") from error
    expect(restored == spec, "the spec that comes back from pickling is another one")


@requirement
def renders_as_text(subject: Subject) -> None:
    """In the render mode `ansi`, `render` returns the last observation's text."""
    with subject.open() as env:
        env.render_mode = "ansi"
        first = begin(env, seed=subject.seed)
        _expect_rendered(env, first.observation)
        observation = env.step(explorer(subject.rng())(env, first))[0]
        rendered = env.render()
        expect(isinstance(rendered, str), f"render returned a {type(rendered).__name__} after {observation!r:.60}")


def _expect_rendered(env: TurnEnv, observation: Any) -> None:
    text = observation["text"] if isinstance(observation, Mapping) else observation
    rendered = env.render()
    expect(rendered == text, f"render returned {rendered!r:.80} for the observation {text!r:.80}")


@requirement
def ended_episodes_want_a_reset(subject: Subject) -> None:
    """`step` before the first `reset`, and after the end of an episode, raises `ResetNeeded`."""
    with subject.open() as env:
        _expect_reset_needed(env, "before the first reset")
        steps = list(episode(env, explorer(subject.rng()), seed=subject.seed))
        expect(steps[-1].ended, f"the episode goes on after {len(steps) - 1} turns; max_turns is {env.max_turns}")
        _expect_reset_needed(env, "after the end of an episode")


def _expect_reset_needed(env: TurnEnv, when: str) -> None:
    try:
        env.step(INVALID)
    except ResetNeeded:
        return
    except Exception as error:
        raise Violation(f"step {when} raised {type(error).__name__}: {error}, must be ResetNeeded") from error
    raise Violation(f"step {when} did not raise ResetNeeded")
