"""Suites that cannot be used as they are, and what to tell their owner."""

from __future__ import annotations

import re

from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.making.suites import Failure, SuiteRun

_MISSING = re.compile(r"(?:No module named|Error importing plugin) ['\"]([\w.]+)")


def explain(run: SuiteRun) -> str | None:
    """Why a suite's run says nothing about single tests, or None where it does."""
    if run.stopped is not None and not run.outcomes:
        return "the suite " + (run.output or "ran into its time limit")
    if not run.finished:
        return f"pytest did not come to its end:\n{run.output.strip()[-1500:]}"
    if not run.outcomes and not run.errors:
        return f"pytest found no tests:\n{run.output.strip()[-1500:]}"
    return None


def missing_modules(run: SuiteRun) -> list[str]:
    """Modules that the tests could not import."""
    texts = [text for _, text in run.errors] + [run.output] * (not run.finished)
    found = {name for text in texts for name in _MISSING.findall(text)}
    return sorted({name.split(".")[0] for name in found})


def refuse_red(run: SuiteRun, name: str, *, allow_failing: bool = False) -> None:
    """Raise where a suite cannot be used as it is.

    Args:
        run: Of the original suite.
        name: The project's.
        allow_failing: Single tests may fail, and single files be impossible to collect.

    Raises:
        ProjectError: It did not run, or something in it fails before anything was changed.
    """
    if (missing := missing_modules(run)) and not (allow_failing and run.outcomes):
        raise ProjectError(
            f"the tests of {name} need {', '.join(missing)}, which is not installed here: install it, and name its "
            "distribution with --with"
        )
    if (reason := explain(run)) is not None:
        raise ProjectError(f"the suite of {name} cannot be used: {reason}")
    if run.errors and not (allow_failing and run.outcomes):
        where, text = run.errors[0]
        more = f" (and {len(run.errors) - 1} more)" if len(run.errors) > 1 else ""
        raise ProjectError(f"{where} of {name} cannot be collected{more}:\n{text.strip()[-1500:]}")
    red = run.with_outcome("failed", "error")
    if red and not allow_failing:
        shown = "\n".join(f"  {test}: {_in_short(run.failures.get(test))}" for test in red[:10])
        more = f"\n  and {len(red) - 10} more" if len(red) > 10 else ""
        raise ProjectError(
            f"the suite of {name} is red before anything was changed: {len(red)} of {len(run.outcomes)} tests fail. "
            f"Mend them, or leave them out with --skip-red.\n{shown}{more}"
        )


def _in_short(failure: Failure | None) -> str:
    if failure is None:
        return ""
    first, *_ = [*failure.message.strip().splitlines(), ""]
    return f"{failure.type}: {first}"[:200]
