"""The text of a task: what a user would report who met the bug and does not know the code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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
_SHORT = 44


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
        lines.append(f"print(repr({symptom.look}))" if symptom.text_value else f"print({symptom.look})")
    return "\n".join(lines)


def _section(symptom: Symptom, opening: str) -> str:
    expected = symptom.expected if symptom.look or symptom.raises_expected else "No error."
    actual = symptom.actual if symptom.look or symptom.raises_actual else "No error."
    return "\n\n".join(
        [
            opening,
            f"```python\n{script(symptom)}\n```",
            f"Expected:\n\n```\n{expected}\n```",
            f"Actual:\n\n```\n{actual}\n```",
        ]
    )


def _pick(phrases: Sequence[str], symptom: Symptom) -> str:
    digest = hashlib.blake2b(f"{symptom.test}\0{symptom.look}".encode(), digest_size=4).digest()
    return phrases[int.from_bytes(digest, "big") % len(phrases)]
