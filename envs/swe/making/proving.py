"""Whether a candidate is a task: green before, red after, green again with the gold patch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from turnwise.envs.swe.diffs import make_diff, parse_diff
from turnwise.envs.swe.making.baseline import Baseline
from turnwise.envs.swe.making.bounds import Bounds
from turnwise.envs.swe.making.candidates import Candidate
from turnwise.envs.swe.making.cutting import split_id
from turnwise.envs.swe.making.issues import write_issue
from turnwise.envs.swe.making.suites import SuiteRun, run_suite
from turnwise.envs.swe.making.symptoms import Symptom, find_symptoms
from turnwise.envs.swe.making.task_files import gold_files
from turnwise.envs.swe.making.workplaces import Workplace
from turnwise.envs.swe.tasks import Project, Task
from turnwise.envs.swe.testing import run_tests

_CHECKS = frozenset({"AssertionError", "Failed"})
"""What a test raises that sees a wrong result. A function that only crashes would not outlive its first call."""
_SHORT_SCRIPT = 8
"""Most lines of a second symptom."""
_MIN_COPIED = 30
"""Fewer characters of the original, found elsewhere too, give nothing away."""


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate.

    Attributes:
        candidate: It.
        task: The task, or None where it is none.
        reason: Why it is none.
        failing: The tests that failed with the bug.
    """

    candidate: Candidate
    task: Task | None = None
    reason: str = ""
    failing: frozenset[str] = field(default_factory=frozenset)


def prove(
    place: Workplace,
    candidate: Candidate,
    baseline: Baseline,
    bounds: Bounds,
    seed: int,
    parts: Sequence[frozenset[str]] = (),
) -> Verdict:
    """Try a candidate.

    Args:
        place: Where; it is put back before each step.
        candidate: The bug.
        baseline: The original suite.
        bounds: What makes it a task.
        seed: Decides which other tests go along.
        parts: For a combination: the tests that each of its parts breaks by itself. Each part must show in the
            combination by a test that no other part breaks.
    """
    project = place.project
    bug = make_diff({path: project.files[path] for path in candidate.files}, candidate.files)
    if _stands_elsewhere(project, bug, candidate.files):
        return Verdict(candidate, reason="the original stands in another file too")
    others = _drawn(set(baseline.tests) - set(candidate.reaching), f"{seed}\0{bug}")[: bounds.others]
    wanted = [test for test in baseline.tests if test in {*candidate.reaching, *others}]
    run = _run(place, candidate.files, wanted, baseline, bounds)
    failing = frozenset(run.with_outcome("failed", "error"))
    reason = _rejected(run, candidate, wanted, failing, baseline, bounds)
    if not reason and any(not (part & failing).difference(*_without(parts, part)) for part in parts):
        reason = "a part of the combination does not show by itself"
    if reason:
        return Verdict(candidate, reason=reason, failing=failing)
    task_id = f"{project.name}-{hashlib.blake2b(bug.encode(), digest_size=4).hexdigest()}"
    broken = tuple(test for test in wanted if test in failing)
    green = _bounded([test for test in wanted if run.outcomes.get(test) == "passed"], others, baseline, bounds, bug)
    groups = [part.difference(*_without(parts, part)) for part in parts] or [failing]
    symptoms = _symptoms(place, candidate, run, groups, bounds)
    if not symptoms:
        return Verdict(candidate, reason="no test tells it in a few lines", failing=failing)
    task = Task(task_id, write_issue(project, symptoms), bug, broken, green, candidate.operators)
    reason = _given_away(task, candidate) or _doubt(place, task, candidate.files)
    return Verdict(candidate, None if reason else task, reason, failing)


def _without(parts: Sequence[frozenset[str]], part: frozenset[str]) -> list[frozenset[str]]:
    return [other for other in parts if other is not part]


def _run(
    place: Workplace, files: Mapping[str, bytes], tests: Sequence[str], baseline: Baseline, bounds: Bounds
) -> SuiteRun:
    paths = list(dict.fromkeys(split_id(test)[0] for test in tests))
    seconds = 30.0 + 5 * sum(baseline.seconds[test] for test in tests)
    place.reset()
    return run_suite(place, paths, files=files, tests=tests, timeout=seconds, test_timeout=bounds.hang_seconds)


def _rejected(
    run: SuiteRun,
    candidate: Candidate,
    wanted: Sequence[str],
    failing: frozenset[str],
    baseline: Baseline,
    bounds: Bounds,
) -> str:
    if run.stopped is not None:
        return "a test hangs or fills the memory"
    if run.errors or not run.finished:
        return "it cannot be imported"
    if not failing:
        return "no test notices"
    if len(failing) > bounds.fail_to_pass or len(failing) > bounds.share * len(baseline.tests):
        return "too many tests fail"
    if set(wanted) - run.outcomes.keys():
        return "it changes which tests there are"
    if failing >= frozenset(candidate.reaching) and not {_kind(run, test) for test in failing} & _CHECKS:
        return "whatever calls it crashes"
    if sum(baseline.seconds[test] for test in failing) > bounds.grading_seconds / 2:
        return "the failing tests take too long"
    return ""


def _kind(run: SuiteRun, test: str) -> str:
    return run.failures[test].type if test in run.failures else ""


def _bounded(
    green: Sequence[str], others: Iterable[str], baseline: Baseline, bounds: Bounds, salt: str
) -> tuple[str, ...]:
    """The tests for `pass_to_pass`: so many, and no longer than is allowed."""
    aside = set(others)
    drawn = _drawn(set(green) - aside, salt)[: bounds.reached] + _drawn(set(green) & aside, salt)
    chosen, seconds = set(), 0.0
    for test in drawn:
        seconds += baseline.seconds[test]
        if seconds > bounds.grading_seconds / 2:
            break
        chosen.add(test)
    return tuple(test for test in baseline.tests if test in chosen)


def _drawn(tests: Iterable[str], salt: str) -> list[str]:
    """Tests in an order that the salt decides."""
    return sorted(tests, key=lambda test: hashlib.blake2b(f"{salt}\0{test}".encode(), digest_size=8).digest())


def _doubt(place: Workplace, task: Task, broken: Mapping[str, bytes]) -> str:
    """Grade the task as submissions are graded: with nothing mended, then with the gold patch."""
    tests = (*task.fail_to_pass, *task.pass_to_pass)
    red = _grade(place, tests, broken)
    passed = {test for test in tests if test in red}
    if passed & set(task.fail_to_pass) or set(task.pass_to_pass) - passed:
        return "its tests come out otherwise when they run by themselves"
    gold = gold_files(place.project, task)
    green = _grade(place, tests, {path: gold[path] for path in broken})
    return "" if green == set(tests) else "not green again with the gold patch"


def _grade(place: Workplace, tests: Sequence[str], files: Mapping[str, bytes]) -> set[str]:
    place.reset()
    run = run_tests(
        place.sandbox,
        tests,
        python=place.python,
        files=files,
        import_paths=place.project.import_paths,
        env=place.env,
    )
    return {test for test in tests if run.passed(test)}


def _symptoms(
    place: Workplace, candidate: Candidate, run: SuiteRun, groups: Sequence[frozenset[str]], bounds: Bounds
) -> list[Symptom]:
    """One symptom of each part of a combination; of a single bug, up to two that differ."""
    found: list[Symptom] = []
    for group in groups:
        tests = [test for test in run.outcomes if test in group]
        symptoms = find_symptoms(place, candidate.files, run.failures, tests)
        if not symptoms:
            return []
        found.append(symptoms[0])
        if len(groups) == 1:
            others = [s for s in symptoms[1:] if len(s.code) <= _SHORT_SCRIPT and _differ(symptoms[0], s)]
            found += others[: bounds.symptoms - 1]
    return found


def _differ(one: Symptom, other: Symptom) -> bool:
    """Whether a second symptom says something that the first does not: another call, or another kind of failure."""
    return one.callee != other.callee or one.raises_actual != other.raises_actual


def _given_away(task: Task, candidate: Candidate) -> str:
    """An issue may hold neither the name of a hidden test nor the path of a broken file."""
    words = {*(split_id(test)[1][-1] for test in task.fail_to_pass), *candidate.files}
    named = any(re.search(rf"(?<![\w/]){re.escape(word)}(?!\w)", task.issue) for word in words)
    return "the issue would name a hidden test or a file" if named else ""


def _stands_elsewhere(project: Project, bug: str, broken: Mapping[str, bytes]) -> bool:
    """Whether the original of what the bug changes, with a line around it, can be read in another file."""
    wanted = []
    for file in parse_diff(bug):
        for hunk in file.hunks:
            lines = [(line[0], line[1:].strip()) for line in hunk.lines if line[0] != "+"]
            touched = [i for i, (mark, _) in enumerate(lines) if mark == "-"]
            if touched:
                block = [text for _, text in lines[max(0, touched[0] - 1) : touched[-1] + 2] if text]
                wanted.append("\n".join(block))
    texts = (
        "\n".join(line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip())
        for path, data in project.files.items()
        if path not in broken
    )
    blocks = [block for block in wanted if len(block) >= _MIN_COPIED]
    return bool(blocks) and any(block in text for text in texts for block in blocks)
