"""`make_tasks`: a set of tasks from a project."""

from __future__ import annotations

import queue
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from turnwise.envs.swe.making.baseline import Baseline, take_baseline
from turnwise.envs.swe.making.bounds import Bounds
from turnwise.envs.swe.making.candidates import Candidate, combined_candidates, read_sources, single_candidates
from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.making.proving import Verdict, prove
from turnwise.envs.swe.making.workplaces import Workplace, open_workplaces
from turnwise.envs.swe.tasks import Project, TaskSet

_Parts: TypeAlias = tuple[frozenset[str], ...]
Report: TypeAlias = Callable[[str], None]
COMBINED = "several functions"
AHEAD = 8
"""Candidates that are under way at a time, at most: no more than so many are tried in vain at the end."""


@dataclass
class Tally:
    """What became of the candidates.

    Attributes:
        tried: Operator -> candidates.
        verified: Operator -> tasks.
        rejected: Reason -> candidates.
        baseline: The original suite.
        unreadable: Source file -> why nothing could be put into it.
    """

    tried: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    baseline: Baseline | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    def count(self, verdict: Verdict) -> None:
        """Count a verdict, under its operator or as `COMBINED`."""
        mutations = verdict.candidate.mutations
        kind = mutations[0].operator if len(mutations) == 1 else COMBINED
        self.tried[kind] += 1
        if verdict.task is None:
            self.rejected[verdict.reason] += 1
        else:
            self.verified[kind] += 1

    def table(self) -> str:
        """Candidates and tasks by operator, and why candidates were rejected."""
        rows = [("operator", "candidates", "verified")]
        rows += [(kind, str(self.tried[kind]), str(self.verified[kind])) for kind in sorted(self.tried)]
        rows.append(("all", str(self.tried.total()), str(self.verified.total())))
        lines = [f"{kind:<20}{tried:>12}{verified:>10}" for kind, tried, verified in rows]
        if self.rejected:
            lines += ["", f"{'rejected':<44}{'candidates':>12}"]
            lines += [f"{reason:<44}{count:>12}" for reason, count in self.rejected.most_common()]
        return "\n".join(lines)


def make_tasks(
    project: Project,
    *,
    count: int = 100,
    seed: int = 0,
    jobs: int = 2,
    backend: str = "auto",
    skip_red: bool = False,
    bounds: Bounds | None = None,
    report: Report = lambda line: None,
) -> tuple[TaskSet, Tally]:
    """Break a project in many ways, and keep each bug that its suite proves.

    The same project, count and seed give the same set, whatever `jobs` is.

    Args:
        project: What `read_project` found.
        count: Tasks wanted; fewer where the project does not give more.
        seed: Decides which bugs are tried.
        jobs: Candidates tried at a time, each in a sandbox of its own.
        backend: The sandbox in which the project's tests run, see `open_workplaces`.
        skip_red: Leave out tests that fail before anything was changed, instead of refusing the project.
        bounds: What makes a bug a task.
        report: Takes lines of progress.

    Raises:
        ProjectError: The project has no suite that can be used.
        SandboxUnavailableError: There is no sandbox of this kind here.
    """
    bounds = bounds or Bounds()
    sources, unreadable = read_sources(project)
    if not sources:
        reasons = "; ".join(unreadable.values()) or "there is none"
        raise ProjectError(f"no source of {project.name} can be read: {reasons}")
    tally = Tally(unreadable=unreadable)
    for reason in unreadable.values():
        report(f"left out: {reason}")
    with open_workplaces(project, backend, jobs) as places:
        report(f"running the suite of {project.name} {project.version} twice ({places[0].sandbox.backend} sandbox)")
        baseline = tally.baseline = take_baseline(places[0], bounds, seed, skip_red=skip_red)
        aside = ", ".join(f"{len(tests)} {reason}" for reason, tests in baseline.left_out.items() if tests)
        report(f"{len(baseline.tests)} tests to rely on" + (f"; left out: {aside}" if aside else ""))
        with _Bench(places, baseline, bounds, seed) as bench:
            gather = _Gatherer(bench, tally, count, report)
            drawn = _SpreadOut(single_candidates(sources, baseline, seed), bounds)
            singles = gather(
                ((candidate, ()) for candidate in drawn), count - int(count * bounds.combined), drawn.accept
            )
            failing = {id(verdict.candidate): verdict.failing for verdict in singles}
            combined = combined_candidates(sources, baseline, [verdict.candidate for verdict in singles], seed)
            with_parts = ((whole, tuple(failing[id(part)] for part in parts)) for whole, parts in combined)
            found = singles + gather(with_parts, count - len(singles), lambda verdict: True)
    tasks = {verdict.task.task_id: verdict.task for verdict in found if verdict.task is not None}
    return TaskSet(project, tuple(tasks[task_id] for task_id in sorted(tasks))), tally


class _SpreadOut:
    """Candidates, but no more of one function than is useful; it learns from what was accepted."""

    def __init__(self, candidates: Iterator[Candidate], bounds: Bounds) -> None:
        self._candidates, self._bounds = candidates, bounds
        self._tried: Counter[tuple[str, int]] = Counter()
        self._accepted: Counter[tuple[str, int]] = Counter()

    def __iter__(self) -> Iterator[Candidate]:
        for candidate in self._candidates:
            function = candidate.functions[0]
            room = self._accepted[function] < self._bounds.per_function
            if room and self._tried[function] < self._bounds.per_function * self._bounds.attempts:
                self._tried[function] += 1
                yield candidate

    def accept(self, verdict: Verdict) -> bool:
        """Whether there is room for one more task of its function; if so, there is less afterwards."""
        function = verdict.candidate.functions[0]
        if self._accepted[function] >= self._bounds.per_function:
            return False
        self._accepted[function] += 1
        return True


class _Bench:
    """Tries several candidates at a time, each in a workplace that nobody else uses."""

    def __init__(self, places: Sequence[Workplace], baseline: Baseline, bounds: Bounds, seed: int) -> None:
        self._baseline, self._bounds, self._seed = baseline, bounds, seed
        self._free: queue.SimpleQueue[Workplace] = queue.SimpleQueue()
        for place in places:
            self._free.put(place)
        self._threads = ThreadPoolExecutor(len(places))

    def __enter__(self) -> _Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def submit(self, candidate: Candidate, parts: _Parts) -> Future[Verdict]:
        """Begin with a candidate as soon as there is a workplace for it."""
        return self._threads.submit(self._prove, candidate, parts)

    def _prove(self, candidate: Candidate, parts: _Parts) -> Verdict:
        place = self._free.get()
        try:
            return prove(place, candidate, self._baseline, self._bounds, self._seed, parts)
        finally:
            self._free.put(place)


@dataclass
class _Gatherer:
    """Takes verdicts in the order of the candidates until there are enough tasks."""

    bench: _Bench
    tally: Tally
    count: int
    report: Report

    def __call__(
        self, candidates: Iterable[tuple[Candidate, _Parts]], wanted: int, accept: Callable[[Verdict], bool]
    ) -> list[Verdict]:
        """The verdicts on candidates that became tasks, at most so many."""
        found: list[Verdict] = []
        waiting: deque[Future[Verdict]] = deque()
        for candidate, parts in candidates:
            waiting.append(self.bench.submit(candidate, parts))
            # Always as many ahead, however many are tried at a time: so the same candidates are drawn.
            if len(waiting) == AHEAD:
                self._take(waiting.popleft(), found, accept)
            if len(found) >= wanted:
                break
        while waiting and len(found) < wanted:
            self._take(waiting.popleft(), found, accept)
        for future in waiting:
            future.cancel()
        return found

    def _take(self, future: Future[Verdict], found: list[Verdict], accept: Callable[[Verdict], bool]) -> None:
        verdict = future.result()
        if verdict.task is not None and not accept(verdict):
            verdict = replace(verdict, task=None, reason="its function has enough tasks")
        self.tally.count(verdict)
        if verdict.task is not None:
            found.append(verdict)
        if self.tally.tried.total() % 20 == 0:
            done = self.tally.verified.total()
            self.report(f"{self.tally.tried.total()} candidates tried, {done} of {self.count} tasks verified")
