"""The same seed and actions give the same bytes: again, interleaved, in another process, at another time."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.conformance.playing import (
    Recording,
    begin,
    episode,
    explorer,
    first_difference,
    record,
    replay,
    trace,
)
from turnwise.envs.conformance.registry import NotApplicable, Subject, Violation, expect, requirement

REPLAY_SECONDS = 300.0
"""How long another process may take to play the episodes again."""


def _recordings(subject: Subject) -> list[Recording]:
    with subject.open() as env:
        rng = subject.rng()
        return [record(env, explorer(rng), seed) for seed in range(subject.episodes)]


@requirement
def resets_are_deterministic(subject: Subject) -> None:
    """`reset` with one seed, or one seed and one task, returns the same bytes every time."""
    with subject.open() as env, subject.open() as other:
        starts: list[tuple[str | None, int]] = [(None, seed) for seed in range(subject.episodes)]
        starts += [(task_id, 0) for task_id in subject.tasks(env)]
        for task_id, seed in starts:
            first = trace([begin(env, task_id, seed)])
            for name, one in (("the same", env), ("another", other)):
                difference = first_difference(first, trace([begin(one, task_id, seed)]))
                expect(not difference, f"seed {seed}, task {task_id}, in {name} environment: {difference}")


@requirement
def steps_are_deterministic(subject: Subject) -> None:
    """An episode's seed and actions give the same bytes again, in the same and in a new environment."""
    recordings = _recordings(subject)
    with subject.open() as env:
        for recording in recordings * 2:
            difference = first_difference(recording.trace, replay(env, recording))
            expect(not difference, f"seed {recording.seed}, {difference}")


@requirement
def environments_share_nothing(subject: Subject) -> None:
    """Two environments that take turns equal two that run alone."""
    recordings = _recordings(subject)
    pairs = list(zip(recordings, recordings[1:] + recordings[:1], strict=True))
    with subject.open() as one, subject.open() as two:
        for first, second in pairs:
            said: tuple[list[str], list[str]] = ([], [])
            for i, texts in enumerate(_interleaved((one, first), (two, second))):
                said[i % 2].extend(texts)
            for recording, texts_of_one in zip((first, second), said, strict=True):
                difference = first_difference(recording.trace, texts_of_one)
                expect(not difference, f"seed {recording.seed}, beside another environment, {difference}")


def _interleaved(*parts: tuple[Any, Recording]) -> Iterator[tuple[str, ...]]:
    """One step of each in turn; nothing from one that has ended."""
    playing = [_replay_steps(env, recording) for env, recording in parts]
    for _ in range(max(len(recording.trace) for _, recording in parts)):
        for steps in playing:
            yield next(steps, ())


def _replay_steps(env: Any, recording: Recording) -> Iterator[tuple[str, ...]]:
    remaining = iter(recording.actions)
    for step in episode(env, lambda *_: next(remaining), seed=recording.seed):
        yield trace([step])


@requirement
def global_randomness_is_not_used(subject: Subject) -> None:
    """`random` and NumPy's global generator are neither read nor seeded nor advanced."""
    with _global_generators_kept():
        recordings = _recordings(subject)
    with subject.open() as env, _global_generators_kept():
        for salt, recording in enumerate(recordings):
            random.seed(salt)
            np.random.seed(salt)
            before = _global_state()
            difference = first_difference(recording.trace, replay(env, recording))
            expect(_global_state() == before, f"seed {recording.seed}: the global generators' state was changed")
            expect(not difference, f"seed {recording.seed}: results depend on a global generator; {difference}")


def _global_state() -> tuple[Any, bytes]:
    return random.getstate(), pickle.dumps(np.random.get_state())


@contextmanager
def _global_generators_kept() -> Iterator[None]:
    kept, kept_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(kept)
        np.random.set_state(kept_numpy)


@requirement
def other_processes_agree(subject: Subject) -> None:
    """Processes with other hash seeds, time zones and dates play the same episodes byte for byte."""
    recordings = _recordings(subject)
    setups = [("hash seed 1", "1", 0), ("hash seed 2", "2", 0), ("hash seed 0, 400 days from now", "0", 400)]
    with tempfile.TemporaryDirectory() as folder:
        order = Path(folder, "episodes.pickle")
        order.write_bytes(_order(subject, recordings))
        # All at once: most of the time goes into their imports.
        started = [_start(order, Path(folder, f"{i}.pickle"), *setup[1:]) for i, setup in enumerate(setups)]
        finished = [_finish(process) for process in started]
        for i, (name, _, _) in enumerate(setups):
            output = Path(folder, f"{i}.pickle")
            expect(output.exists(), f"another process could not play: {finished[i]}")
            for recording, got in zip(recordings, pickle.loads(output.read_bytes()), strict=True):
                difference = first_difference(recording.trace, got)
                expect(not difference, f"process with {name}, seed {recording.seed}, {difference}")


def _order(subject: Subject, recordings: list[Recording]) -> bytes:
    """What a child process is to play. Standard pickle, so that only what it can import passes."""
    try:
        order = pickle.dumps((subject.make, recordings))
    except Exception as error:
        raise NotApplicable(f"another process cannot make it: {error}") from error
    if b"__main__" in order:
        raise NotApplicable("another process cannot make it: it is defined in __main__")
    return order


def _start(order: Path, output: Path, hash_seed: str, days: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
        "TZ": "Pacific/Kiritimati" if days else os.environ.get("TZ", "UTC"),
    }
    command = [sys.executable, "-m", "turnwise.envs.conformance.replaying", str(order), str(output), str(days)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _finish(process: subprocess.Popen[str]) -> str:
    try:
        _, stderr = process.communicate(timeout=REPLAY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Violation(f"another process did not finish in {REPLAY_SECONDS:.0f} s") from None
    return (stderr.strip().splitlines() or ["it said nothing"])[-1]
