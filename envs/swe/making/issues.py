"""The text of a task: what a user would report who met the bug and does not know the code."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence

from turnwise.envs.swe.making.module_parts import PARSER
from turnwise.envs.swe.making.symptoms import Symptom
from turnwise.envs.swe.tasks import Project

_OPENINGS = (
    "This short script shows it:",
    "Steps to reproduce:",
    "Here is the smallest example that I could find:",
    "To reproduce:",
    "I ran into this with the following:",
)
_MORE = ("Possibly related:", "Something else that looks wrong:", "This goes wrong as well:", "I also noticed this:")
_SHORT = 60


def write_issue(project: Project, symptoms: Sequence[Symptom]) -> str:
    """The report of one or more symptoms: a title, and for each a script, what was expected and what came instead.

    The same symptoms give the same text.
    """
    first, *others = symptoms
    parts = [title(first), _section(first, _pick(_OPENINGS, first))]
    parts += [_section(other, _pick(_MORE, other)) for other in others]
    parts.append(f"Version: {project.name} {project.version}")
    return "\n\n".join(parts) + "\n"


def title(symptom: Symptom) -> str:
    """One line that says what goes wrong."""
    callee = f"`{symptom.callee}`" if symptom.callee else "A call"
    kind = symptom.actual.split(":")[0]
    if symptom.raises_actual and symptom.raises_expected:
        return f"{callee} raises {kind} instead of {symptom.expected.split(':')[0]}"
    if symptom.raises_actual:
        return f"{callee} raises {kind}"
    if symptom.raises_expected:
        return f"{callee} does not raise {symptom.expected.split(':')[0]}"
    look = " ".join(symptom.look.split())
    if len(look) <= _SHORT and "(" in look and len(symptom.actual) <= _SHORT // 2:
        return f"`{look}` gives `{symptom.actual}`"
    if {symptom.expected, symptom.actual} == {"True", "False"}:
        return f"Wrong answer from {callee}" if symptom.callee else "Wrong answer"
    return f"Wrong result from {callee}" if symptom.callee else "Wrong result"


def script(symptom: Symptom) -> str:
    """The script, with a `print` of what is looked at."""
    lines = list(symptom.code)
    if symptom.look:
        lines.append(f"print({symptom.look})" if symptom.plain else f"print(repr({symptom.look}))")
    return _spaced("\n".join(lines))


def _spaced(code: str) -> str:
    """A script with empty lines after its imports and around its functions, as people write them."""
    lines = code.split("\n")
    spaced: list[str] = []
    before: ast.stmt | None = None
    with PARSER:
        tree = ast.parse(code)
    for statement in tree.body:
        first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
        if before is not None and (
            _is_block(before) or _is_block(statement) or _is_import(before) > _is_import(statement)
        ):
            spaced.append("")
        spaced += lines[first - 1 : statement.end_lineno]
        before = statement
    return "\n".join(spaced)


def _is_block(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _section(symptom: Symptom, opening: str) -> str:
    expected = _told(symptom.expected, bool(symptom.look) or symptom.raises_expected)
    actual = _told(symptom.actual, bool(symptom.look) or symptom.raises_actual)
    return f"{opening}\n\n```python\n{script(symptom)}\n```\n\nExpected:{expected}\n\nActual:{actual}"


def _told(text: str, is_something: bool) -> str:
    if not is_something:
        return " no error"
    return f" `{text}`" if len(text) <= _SHORT and "`" not in text and "\n" not in text else f"\n\n```\n{text}\n```"


def _pick(phrases: Sequence[str], symptom: Symptom) -> str:
    digest = hashlib.blake2b(f"{symptom.test}\0{symptom.look}".encode(), digest_size=4).digest()
    return phrases[int.from_bytes(digest, "big") % len(phrases)]
