"""What outlives an episode, a clone or an environment: nothing."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import sys
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
            lengths = [len(str(step.observation)) for step in (first, again)]
            expect(
                fingerprint(again.observation) == fingerprint(first.observation),
                f"after {number + 1} episodes the first observation of task {task_id!r} has {lengths[1]} characters, "
                f"{lengths[0]} before: {again.observation!r:.200}",
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
        resident, grown = _growth(lambda: _play(env, recordings, rounds))
    expect(grown / rounds < BYTES_PER_EPISODE, f"Python's heap grows by {grown / rounds:.0f} bytes per episode")
    expect(
        resident / rounds < RESIDENT_BYTES_PER_EPISODE,
        f"the process grows by {resident / rounds / 1024:.0f} KiB per episode",
    )


@requirement
def closing_frees_memory(subject: Subject) -> None:
    """Making, playing and closing environments takes no more memory, however many there were."""
    with subject.open() as env:
        recording = record(env, explorer(subject.rng()), seed=0)

    def cycle() -> None:
        for _ in range(2 * subject.episodes):
            with subject.open() as env:
                replay(env, recording)

    _, grown = _growth(cycle)
    each = grown / (2 * subject.episodes)
    expect(each < 4 * BYTES_PER_EPISODE, f"{each:.0f} bytes are left behind by each environment")


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


def _growth(play: Callable[[], None]) -> tuple[int, int]:
    """What a second call adds to the process's resident bytes and to Python's heap; the first one warms up."""
    if tracemalloc.is_tracing():
        raise NotApplicable("tracemalloc is running already")
    tracemalloc.start()
    try:
        play()
        before = _resident_bytes(), _traced_bytes()
        play()
        return _resident_bytes() - before[0], _traced_bytes() - before[1]
    finally:
        tracemalloc.stop()


def _traced_bytes() -> int:
    gc.collect()
    # CPython's cache of method look-ups keeps names alive, and fills for a long time.
    clear = getattr(sys, "_clear_internal_caches", getattr(sys, "_clear_type_cache", None))
    if clear is not None:
        clear()
    return tracemalloc.get_traced_memory()[0]


def _resident_bytes() -> int:
    """0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def _resources() -> dict[str, int]:
    counts = {"threads": threading.active_count(), "child processes": len(multiprocessing.active_children())}
    if Path("/proc/self/fd").exists():
        counts["open files"] = len(os.listdir("/proc/self/fd"))
        children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
        counts["child processes"] = sum(map(len, children))
    return counts
