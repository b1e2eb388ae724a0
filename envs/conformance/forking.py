"""Snapshots, restores and clones are exact: what follows is the same to the byte."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from turnwise.envs.conformance.playing import (
    Recording,
    Step,
    begin,
    explorer,
    fingerprint,
    first_difference,
    record,
    replay,
    trace,
)
from turnwise.envs.conformance.registry import Subject, Violation, expect, requirement
from turnwise.envs.core import TurnEnv


@dataclass(frozen=True)
class _Fork:
    """A moment in a recorded episode: after its first `turn` actions."""

    recording: Recording
    turn: int

    def advance(self, env: TurnEnv) -> None:
        """Bring an environment to the moment."""
        begin(env, seed=self.recording.seed)
        for action in self.recording.actions[: self.turn]:
            env.step(action)

    def expect_same_rest(self, env: TurnEnv, how: str) -> None:
        """Play the rest of the episode, and hold it to the recording."""
        steps = [Step(action, *env.step(action)) for action in self.recording.actions[self.turn :]]
        difference = first_difference(self.recording.trace[self.turn + 1 :], trace(steps))
        expect(not difference, f"seed {self.recording.seed}, {how} after turn {self.turn}: in the rest, {difference}")


def _forks(subject: Subject, env: TurnEnv) -> Iterator[_Fork]:
    rng = subject.rng()
    for seed in range(2 * subject.episodes):
        recording = record(env, explorer(rng), seed)
        yield _Fork(recording, int(rng.integers(len(recording.actions))))


@requirement
def snapshots_restore_exactly(subject: Subject) -> None:
    """After `restore` an episode goes on as it did after `snapshot`, whatever was played in between, every time."""
    with subject.open() as env:
        rng = subject.rng()
        for fork in _forks(subject, env):
            fork.advance(env)
            before = _moment(env)
            snapshot = env.snapshot()
            fork.expect_same_rest(env, "snapshot")
            for attempt in ("restored", "restored again"):
                record(env, explorer(rng), seed=1000 + fork.turn)
                env.restore(snapshot)
                expect(_moment(env) == before, f"seed {fork.recording.seed}: {before} was {attempt} as {_moment(env)}")
                fork.expect_same_rest(env, attempt)


@requirement
def snapshots_travel(subject: Subject) -> None:
    """A snapshot can be pickled and restored into another environment."""
    with subject.open() as env:
        for fork in _forks(subject, env):
            fork.advance(env)
            before, pickled = _moment(env), pickle.dumps(env.snapshot())
            with subject.open() as other:
                try:
                    other.restore(pickle.loads(pickled))
                except Exception as error:
                    raise Violation(f"a new environment cannot restore it: {type(error).__name__}: {error}") from error
                expect(_moment(other) == before, f"{before} arrived in a new environment as {_moment(other)}")
                fork.expect_same_rest(other, "in a new environment, restored")


@requirement
def clones_are_independent(subject: Subject) -> None:
    """A clone goes on as the original would, and neither notices what the other does."""
    with subject.open() as env:
        for fork in _forks(subject, env):
            fork.advance(env)
            before, twin, late = _moment(env), env.clone(), env.clone()
            expect(twin is not env, "clone() returned the environment itself")
            fork.expect_same_rest(twin, "cloned")
            expect(_moment(env) == before, f"playing a clone changed the original: {before} became {_moment(env)}")
            replay(twin, fork.recording)
            twin.close()
            fork.expect_same_rest(env, "beside its clone")
            expect(_moment(late) == before, f"playing the original changed a clone: {before} became {_moment(late)}")
            fork.expect_same_rest(late, "cloned, and the original played on,")
            late.close()


def _moment(env: TurnEnv) -> dict[str, Any]:
    """What a snapshot must bring back."""
    snapshot = env.snapshot()
    state = fingerprint((snapshot.rng, snapshot.state))
    return {
        "task_id": snapshot.task_id,
        "turn": snapshot.turn,
        "observation": snapshot.observation,
        "state_hash": env.state_hash(),
        "state": state,
    }
