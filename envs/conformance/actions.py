"""What an agent may write: anything. What the environment lists as admissible: is accepted."""

from __future__ import annotations

from turnwise.envs.conformance.nasty import nasty_texts
from turnwise.envs.conformance.playing import INVALID, Choose, Step, begin, episode, explorer, fingerprint, random_call
from turnwise.envs.conformance.registry import NotApplicable, Subject, Violation, expect, requirement
from turnwise.envs.core import Action, TurnEnv


@requirement
def any_text_is_an_action(subject: Subject) -> None:
    """No text makes `step` raise, and an invalid one leaves state, generator and state hash untouched."""
    with subject.open() as env:
        texts = nasty_texts(env.tools)
        step = begin(env, seed=subject.seed)
        for number, text in enumerate(texts):
            if step.ended:
                step = begin(env, seed=subject.seed + number)
            step = _try(env, step, text)


@requirement
def invalid_actions_change_nothing(subject: Subject) -> None:
    """In the middle of an episode too, a text that is no call, or a call that is refused, changes nothing."""
    with subject.open() as env:
        rng = subject.rng()
        for seed in range(4 * subject.episodes):
            step = _midway(env, explorer(rng), seed, turns=int(rng.integers(1, env.max_turns + 1)))
            if not step.ended:
                after = _try(env, step, INVALID)
                expect(not after.info["is_action_valid"], f"{INVALID!r} counts as valid")
                expect(after.info["tool_call"] is None, f"{INVALID!r} became {after.info['tool_call']}")
                step = after
            while not step.ended:
                step = _try(env, step, random_call(env, str(step.observation), rng))


def _midway(env: TurnEnv, choose: Choose, seed: int, turns: int) -> Step:
    """The last of the first steps of an episode."""
    steps = episode(env, choose, seed=seed)
    last = next(steps)
    for _ in range(turns):
        last = next(steps, last)
    return last


def _try(env: TurnEnv, before: Step, action: Action) -> Step:
    text = str(action)
    shown = f"{text[:40]!r}… ({len(text):,} characters)" if len(text) > 40 else repr(text)
    state = _state(env)
    try:
        step = Step(action, *env.step(action))
    except Exception as error:
        raise Violation(f"the action {shown} raised {type(error).__name__}: {error}") from error
    if not step.info["is_action_valid"]:
        expect(_state(env) == state, f"the invalid action {shown} changed the state")
        expect(
            step.info["state_hash"] == before.info["state_hash"], f"the invalid action {shown} changed the state hash"
        )
        expect(step.reward == 0.0, f"the invalid action {shown} was paid {step.reward}")
        expect(not step.terminated, f"the invalid action {shown} ended the task")
    return step


def _state(env: TurnEnv) -> str:
    snapshot = env.snapshot()
    return fingerprint((snapshot.task_id, snapshot.rng, snapshot.state))


@requirement
def admissible_actions_are_accepted(subject: Subject) -> None:
    """Every action that `info` lists as admissible is valid."""
    with subject.open() as env:
        rng = subject.rng()
        listed = 0
        for seed in range(subject.episodes):
            step = _midway(env, explorer(rng), seed, turns=int(rng.integers(0, env.max_turns)))
            if step.ended:
                step = begin(env, seed=seed)
            snapshot = env.snapshot()
            for action in step.info["admissible_actions"] or ():
                env.restore(snapshot)
                info = env.step(action)[4]
                listed += 1
                expect(info["is_action_valid"], f"seed {seed}: {action!r} is listed as admissible and was refused")
        if not listed:
            raise NotApplicable("it lists no admissible actions")
