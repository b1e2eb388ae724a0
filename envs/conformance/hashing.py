"""`state_hash` is the anchor of anchor-state grouping: equal where, and only where, the future is equal."""

from __future__ import annotations

import re
from typing import NamedTuple

from turnwise.envs.conformance.playing import INVALID, Step, episode, explorer, fingerprint
from turnwise.envs.conformance.registry import Subject, expect, requirement
from turnwise.envs.core import Snapshot, TurnEnv

COMPARED = 40
"""How many pairs of moments with one hash are compared per task, and how many actions in each."""
ACTIONS = 4


class _Moment(NamedTuple):
    snapshot: Snapshot
    hash: str
    state: str
    actions: tuple[str, ...]


@requirement
def state_hash_ignores_history(subject: Subject) -> None:
    """Moments with the same state have the same hash, whatever came before; an invalid action does not change it."""
    with subject.open() as env:
        for task_id in subject.tasks(env):
            by_state: dict[str, str] = {}
            for moment in _moments(subject, env, task_id):
                expect(re.fullmatch("[0-9a-f]{16}", moment.hash) is not None, f"the hash {moment.hash!r} is not 16 hex")
                known = by_state.setdefault(moment.state, moment.hash)
                expect(known == moment.hash, f"task {task_id!r}: one state has the hashes {known} and {moment.hash}")
                env.restore(moment.snapshot)
                expect(env.state_hash() == moment.hash, f"task {task_id!r}: restoring a snapshot changes the hash")
                after = env.step(INVALID)[4]["state_hash"]
                expect(after == moment.hash, f"task {task_id!r}: an invalid action changes the hash")


@requirement
def state_hash_decides_the_future(subject: Subject) -> None:
    """At two moments of a task with one hash, the same action does the same."""
    with subject.open() as env:
        for task_id in subject.tasks(env):
            by_hash: dict[str, _Moment] = {}
            compared = 0
            for moment in _moments(subject, env, task_id):
                first = by_hash.setdefault(moment.hash, moment)
                if first is not moment and compared < COMPARED and first.snapshot.rng == moment.snapshot.rng:
                    compared += 1
                    _expect_same_future(env, first, moment)


def _moments(subject: Subject, env: TurnEnv, task_id: str) -> list[_Moment]:
    """Moments of several episodes of a task, from which episodes go on."""
    rng = subject.rng()
    moments = []
    for _ in range(subject.episodes):
        for step in episode(env, explorer(rng), task_id, seed=0):
            if not step.ended:
                moments.append(_Moment(env.snapshot(), step.info["state_hash"], _state(env), _actions(step)))
    return moments


def _actions(step: Step) -> tuple[str, ...]:
    admissible = step.info["admissible_actions"] or ()
    return tuple(admissible[:: max(1, len(admissible) // ACTIONS)][:ACTIONS])


def _state(env: TurnEnv) -> str:
    snapshot = env.snapshot()
    return fingerprint((snapshot.rng, snapshot.state))


def _expect_same_future(env: TurnEnv, first: _Moment, second: _Moment) -> None:
    for action in first.actions:
        outcomes = [_outcome(env, moment, action) for moment in (first, second)]
        expect(
            outcomes[0] == outcomes[1],
            f"turns {first.snapshot.turn} and {second.snapshot.turn} of task {first.snapshot.task_id!r} have the hash "
            f"{first.hash}, and {action!r} gives {outcomes[0]} and {outcomes[1]}",
        )


def _outcome(env: TurnEnv, moment: _Moment, action: str) -> tuple[str, float, bool, str]:
    env.restore(moment.snapshot)
    observation, reward, terminated, _, info = env.step(action)
    return fingerprint(observation), reward, terminated, info["state_hash"]
