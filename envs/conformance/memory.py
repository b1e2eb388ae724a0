"""What outlives an episode, a clone or an environment: nothing."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from turnwise.envs.conformance.playing import Recording, begin, explorer, fingerprint, record, replay
from turnwise.envs.conformance.registry import NotApplicable, Subject, bare, expect, requirement
from turnwise.envs.core import TurnEnv

BYTES_PER_EPISODE = 64
"""Growth of Python's own memory that passes for noise; one entry of a dictionary is more."""
RESIDENT_BYTES_PER_EPISODE = 64 * 1024
"""Growth of the process that passes for noise: allocators hand memory back late."""


@requirement
def history_ends_with_reset(subject: Subject) -> None:
    """First observations and snapshots do not grow over many episodes of one task."""
    with subject.open() as env:
        task_id, rng = subject.tasks(env)[0], subject.rng()
        first = begin(env, task_id, seed=0)
        size = len(pickle.dumps(env.snapshot()))
        for number in range(10 * subject.episodes):
            record(env, explorer(rng), seed=number)
            again = begin(env, task_id, seed=0)
            expect(
                fingerprint(again.observation) == fingerprint(first.observation),
                f"after {number + 1} episodes the first observation of task {task_id!r} is "
                f"{len(str(again.observation))} characters long, {len(str(first.observation))} before: {again.observation!r:.200}",
            )
            now = len(pickle.dumps(env.snapshot()))
            expect(now <= 1.05 * size + 64, f"after {number + 1} episodes a snapshot takes {now} bytes, {size} before")


@requirement
def memory_is_bounded(subject: Subject) -> None:
    """Playing the same few episodes again and again takes no more memory, in Python's heap and in the process."""
    with subject.open() as env:
        rng = subject.rng()
        recordings = [record(env, explorer(rng), seed) for seed in range(min(4, subject.episodes))]
        rounds = 10 * subject.episodes
        _play(env, recordings, rounds)
        resident = _resident_bytes()
        grown = _traced_growth(lambda: _play(env, recordings, rounds)) / rounds
        expect(grown < BYTES_PER_EPISODE, f"Python's heap grows by {grown:.0f} bytes per episode")
        if resident is not None:
            grown = ((_resident_bytes() or 0) - resident) / rounds
            expect(grown < RESIDENT_BYTES_PER_EPISODE, f"the process grows by {grown / 1024:.0f} KiB per episode")


@requirement
def closing_frees_memory(subject: Subject) -> None:
    """Making, playing and closing environments takes no more memory, however many there were."""
    with subject.open() as env:
        recording = record(env, explorer(subject.rng()), seed=0)

    def cycle() -> None:
        for _ in range(2 * subject.episodes):
            with subject.open() as env:
                replay(env, recording)

    cycle()
    grown = _traced_growth(cycle) / (2 * subject.episodes)
    expect(grown < 4 * BYTES_PER_EPISODE, f"{grown:.0f} bytes are left behind by each environment")


@requirement
def closing_frees_resources(subject: Subject) -> None:
    """Environments and clones can be collected once closed, and leave no open file, thread or child process."""
    _open_and_close(subject)
    before = _resources()
    left = [_open_and_close(subject) for _ in range(subject.episodes)]
    gc.collect()
    for kind, count in _resources().items():
        expect(count <= before[kind], f"{subject.episodes} environments left {count - before[kind]} {kind} behind")
    for name, reference in (pair for references in left for pair in references):
        expect(reference() is None, f"{name} is still referenced after close()")


def _open_and_close(subject: Subject) -> list[tuple[str, weakref.ref[TurnEnv]]]:
    env = subject.make()
    inner = bare(env)
    begin(inner, seed=0)
    twin = inner.clone()
    begin(twin, seed=1)
    references = [("an environment", weakref.ref(inner)), ("a clone", weakref.ref(twin))]
    twin.close()
    env.close()
    return references


def _play(env: TurnEnv, recordings: Sequence[Recording], rounds: int) -> None:
    for number in range(rounds):
        replay(env, recordings[number % len(recordings)])


def _traced_growth(play: Callable[[], None]) -> int:
    """Bytes of Python's heap that a call leaves behind."""
    if tracemalloc.is_tracing():
        raise NotApplicable("tracemalloc is running already")
    tracemalloc.start()
    try:
        play()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def _resident_bytes() -> int | None:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else None


def _resources() -> dict[str, int]:
    counts = {"threads": threading.active_count(), "child processes": len(multiprocessing.active_children())}
    if Path("/proc/self/fd").exists():
        counts["open files"] = len(os.listdir("/proc/self/fd"))
        children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
        counts["child processes"] = sum(map(len, children))
    return counts
