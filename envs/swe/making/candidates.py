"""Bugs that could become tasks, in the order in which they are tried."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from turnwise.envs.swe.making.baseline import Baseline
from turnwise.envs.swe.making.discovery import source_files
from turnwise.envs.swe.mutation import OPERATORS, Mutation, Source, UnreadableSourceError, mutations
from turnwise.envs.swe.tasks import Project


@dataclass(frozen=True)
class Candidate:
    """Mutations that are tried together.

    Attributes:
        mutations: One, or several in different functions.
        files: The files with the bug in them.
        reaching: The tests that call one of the changed functions.
    """

    mutations: tuple[Mutation, ...]
    files: Mapping[str, bytes] = field(hash=False)
    reaching: tuple[str, ...]

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators, sorted."""
        return tuple(sorted({mutation.operator for mutation in self.mutations}))

    @property
    def functions(self) -> tuple[tuple[str, int], ...]:
        """File and first line of each changed function."""
        return tuple((mutation.path, mutation.line) for mutation in self.mutations)


def read_sources(project: Project) -> tuple[dict[str, Source], dict[str, str]]:
    """The project's sources, and why some cannot be read: not UTF-8, or no Python of this version."""
    sources, unreadable = {}, {}
    for path in source_files(project):
        try:
            sources[path] = Source(path, project.files[path])
        except UnreadableSourceError as error:
            unreadable[path] = str(error)
    return sources, unreadable


def single_candidates(sources: Mapping[str, Source], baseline: Baseline, seed: int) -> Iterator[Candidate]:
    """One mutation each, the operators by turns, in an order that the seed decides.

    Only functions that a test reaches, and that are not called while the tests are being imported.
    """
    tested = frozenset().union(*baseline.reached.values()) - baseline.at_import
    waiting: dict[str, list[Mutation]] = {operator: [] for operator in OPERATORS}
    for source in sources.values():
        for mutation in mutations(source):
            if (mutation.path, mutation.line) in tested:
                waiting[mutation.operator].append(mutation)
    for operator in waiting:
        waiting[operator].sort(key=lambda mutation: mutation.key(seed), reverse=True)
    while any(waiting.values()):
        for operator in OPERATORS:
            if waiting[operator]:
                yield combine(sources, baseline, [waiting[operator].pop()])


def combined_candidates(
    sources: Mapping[str, Source], baseline: Baseline, singles: Sequence[Candidate], seed: int
) -> Iterator[tuple[Candidate, tuple[Candidate, ...]]]:
    """Bugs of two or three functions, made of bugs that are tasks by themselves: the candidate, and its parts."""
    pairs = [(a, b) for i, a in enumerate(singles) for b in singles[i + 1 :] if not set(a.functions) & set(b.functions)]
    pairs.sort(key=lambda pair: _key(seed, pair))
    used: set[int] = set()
    for number, (a, b) in enumerate(pairs):
        if id(a) in used or id(b) in used:
            continue
        parts = [a, b]
        if number % 3 == 2:
            near = (c for c in singles if id(c) not in used and not set(c.functions) & {*a.functions, *b.functions})
            parts += list(near)[:1]
        used |= {id(part) for part in parts}
        chosen = [mutation for part in parts for mutation in part.mutations]
        yield combine(sources, baseline, chosen), tuple(parts)


def combine(sources: Mapping[str, Source], baseline: Baseline, chosen: Sequence[Mutation]) -> Candidate:
    """The candidate of mutations that do not overlap."""
    files = {}
    for path in sorted({mutation.path for mutation in chosen}):
        files[path] = sources[path].edited([mutation.edit for mutation in chosen if mutation.path == path])
    functions = {(mutation.path, mutation.line) for mutation in chosen}
    reaching = tuple(test for test in baseline.tests if functions & baseline.reached[test])
    return Candidate(tuple(chosen), files, reaching)


def _key(seed: int, pair: tuple[Candidate, Candidate]) -> bytes:
    text = "\0".join(mutation.key(seed) for candidate in pair for mutation in candidate.mutations)
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
