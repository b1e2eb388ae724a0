"""What a bug looks like from outside: snippets that were run on the original and on the broken project."""

from __future__ import annotations

import ast
import base64
import builtins
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.envs.swe.inside import run_program
from turnwise.envs.swe.making.cutting import split_id
from turnwise.envs.swe.making.module_parts import PARSER, MissingNameError
from turnwise.envs.swe.making.reproduction import NoReproductionError, Reproduction, reproduce
from turnwise.envs.swe.making.suites import MEMORY_BYTES, Failure
from turnwise.envs.swe.making.workplaces import Workplace

MAX_TESTS = 8
"""Failing tests that are looked at for one issue, the shortest first."""
MAX_LINES = 25
MAX_VALUE = 500
_SECONDS = 4.0
_OUTPUT_BYTES = 16 * 2**20
# An address, a path, the environment: what differs between machines, and what no report would quote.
_FLEETING = re.compile(r" at 0x[0-9a-f]+|/(tmp|work|opt|usr|root|home)/|turnwise|PYTHONHASHSEED")


@dataclass(frozen=True, slots=True)
class Symptom:
    """A short script that behaves in one way with the bug and in another without; both were seen.

    Attributes:
        test: The failing test from which it comes.
        code: The script.
        look: What is looked at in the end, an expression; or nothing.
        expected: What it comes to without the bug: a value, or an error as `Type: text`; empty where it only runs.
        actual: The same with the bug.
        raises_expected, raises_actual: Whether each is an error.
        callee: What was called.
        plain: Whether `print` shows what is looked at as it is told here; text, for one, would lose its quotes.
    """

    test: str
    code: tuple[str, ...]
    look: str
    expected: str
    actual: str
    raises_expected: bool
    raises_actual: bool
    callee: str
    plain: bool = True


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a snippet came to."""

    values: tuple[str, ...]
    plain: tuple[bool, ...]
    error: tuple[str, str] | None


def find_symptoms(
    place: Workplace, broken: Mapping[str, bytes], failures: Mapping[str, Failure], tests: Sequence[str]
) -> list[Symptom]:
    """Symptoms of a bug, best first: at most one for each test.

    Args:
        place: Where to run them; it holds the original.
        broken: The files with the bug in them.
        failures: Test id -> how it failed with the bug.
        tests: Failing tests to look at.
    """
    with PARSER:
        found = [_reproductions(place, test, failures[test]) for test in tests if test in failures]
    shortest = sorted(
        filter(None, found), key=lambda each: (len(each[0].code), len("".join(each[0].code)), each[0].test)
    )
    variants = [reproduction for each in shortest[:MAX_TESTS] for reproduction in each]
    if not variants:
        return []
    snippets = [{"code": "\n".join(r.code), "expressions": [r.look] if r.look else []} for r in variants]
    place.reset()
    # Twice: what differs between two runs of the original is no symptom.
    before = _run(place, {}, snippets * 2)
    after = _run(place, broken, snippets)
    symptoms: dict[str, Symptom] = {}
    for i, reproduction in enumerate(variants):
        if before[i] == before[i + len(variants)]:
            symptom = _symptom(reproduction, before[i], after[i])
            if symptom is not None:
                symptoms.setdefault(reproduction.test, symptom)
    return sorted(symptoms.values(), key=_clumsiness)


def _reproductions(place: Workplace, test: str, failure: Failure) -> list[Reproduction]:
    path, _ = split_id(test)
    try:
        found = reproduce(test, place.project.files[path], failure)
    except (NoReproductionError, MissingNameError, SyntaxError, UnicodeDecodeError):
        return []
    return [each for each in found if len(each.code) <= MAX_LINES and _is_valid("\n".join(each.code))]


def _is_valid(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _symptom(found: Reproduction, before: _Outcome, after: _Outcome) -> Symptom | None:
    """What differs, or None where nothing does that a report could quote."""
    if before == after or not _is_expected(before.error, found.raises):
        return None
    expected, actual = (_told(outcome) for outcome in (before, after))
    if expected == actual or any(len(text) > MAX_VALUE or _FLEETING.search(text) for text in (expected, actual)):
        return None
    if after.error is not None and after.error[0] in {"Timeout", "MemoryError", "NameError"}:
        return None
    plain = all((*before.plain, *after.plain))
    errors = (before.error is not None, after.error is not None)
    return Symptom(found.test, found.code, found.look, expected, actual, *errors, found.callee, plain)


def _is_expected(error: tuple[str, str] | None, raises: str) -> bool:
    """Whether the original ends as the test expects: without an error, or with one of those that it names."""
    if error is None or not raises:
        return error is None and not raises
    actual = getattr(builtins, error[0], None)
    expected = [getattr(builtins, name, None) for name in raises.split(" or ")]
    classes = tuple(each for each in expected if isinstance(each, type))
    # Of classes that are not built in, nobody here knows which is a kind of which.
    return not isinstance(actual, type) or len(classes) < len(expected) or issubclass(actual, classes)


def _told(outcome: _Outcome) -> str:
    if outcome.error is not None:
        kind, message = outcome.error
        return f"{kind}: {message}" if message else kind
    return outcome.values[0] if outcome.values else ""


def _clumsiness(symptom: Symptom) -> tuple[int, int, int, str]:
    """Short scripts and short values first; a mere True or False, and what calls nothing public, last."""
    private = any(part.startswith("_") for part in symptom.callee.split("."))
    bare = {symptom.expected, symptom.actual} == {"True", "False"} or not symptom.callee or private
    return bare, len(symptom.code) // 3, len("".join((*symptom.code, symptom.expected, symptom.actual))), symptom.test


def _run(place: Workplace, files: Mapping[str, bytes], snippets: Sequence[Mapping[str, Any]]) -> list[_Outcome]:
    order = {
        "root": place.sandbox.workdir,
        "files": {path: base64.b64encode(data).decode("ascii") for path, data in files.items()},
        "import_paths": list(place.project.import_paths),
        "snippets": list(snippets),
        "seconds": _SECONDS,
        "memory_bytes": MEMORY_BYTES,
        "env": dict(place.env),
    }
    timeout = 20.0 + _SECONDS * len(snippets)
    completed = run_program(
        place.sandbox,
        "snippets",
        order,
        python=place.python,
        timeout=timeout,
        output_bytes=_OUTPUT_BYTES,
        by_input=True,
    )
    if not completed.stdout.startswith("["):
        return [_Outcome((), (), ("Timeout", ""))] * len(snippets)
    return [
        _Outcome(tuple(r["values"]), tuple(r["plain"]), None if r["error"] is None else (r["error"][0], r["error"][1]))
        for r in json.loads(completed.stdout)
    ]
