"""Running the checks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence

from turnwise.sandboxes.base import Sandbox, Spec
from turnwise.sandboxes.conformance.registry import CHECKS, LIMITS, Check, NotApplicable, Subject, Violation
from turnwise.sandboxes.conformance.report import Finding, Report


def check(
    open_one: Callable[[Spec], Sandbox],
    *,
    checks: Sequence[str] | None = None,
    spec: Spec | None = None,
    lose: Callable[[Sandbox], None] | None = None,
) -> Report:
    """Hold a backend to the contract. Any backend: ours, or one of your own.

    Checks of isolation and limits are skipped where `Sandbox.isolation` does not claim it; what it claims is checked.

    Args:
        open_one: Opens a sandbox; a backend's class, or what `opening.opener` gives.
        checks: Names out of `CHECKS`; all by default.
        spec: How to open them, for a backend that needs an image; default: small limits and nothing else.
        lose: Destroys a live sandbox from outside, as a crash of its daemon would.

    Returns:
        One finding for each check. Nothing is raised on account of a broken sandbox.

    Raises:
        ValueError: There is no check of a name.
        SandboxError: No sandbox can be opened at all.

    >>> from turnwise.sandboxes.process import ProcessSandbox
    >>> print(check(ProcessSandbox, checks=["only_granted_files_can_be_written"]))
    process: 0 passed, 0 failed, 1 skipped
      skip  only_granted_files_can_be_written
            process does not say that it enforces 'filesystem'
    """
    names = list(CHECKS) if checks is None else list(checks)
    if unknown := [name for name in names if name not in CHECKS]:
        raise ValueError(f"checks has no {unknown[0]!r}; it has {list(CHECKS)}")
    subject = Subject(open_one, spec or Spec(limits=LIMITS), lose)
    with subject.open() as sandbox:
        backend = sandbox.backend
    return Report(backend, tuple(_run(CHECKS[name], subject) for name in names))


def description(name: str) -> str:
    """What a check holds a sandbox to, in one sentence."""
    return " ".join((CHECKS[name].__doc__ or "").split("\n\n")[0].split())


def _run(one: Check, subject: Subject) -> Finding:
    name = one.__name__
    try:
        one(subject)
    except NotApplicable as reason:
        return Finding(name, True, description(name), skipped_reason=str(reason))
    except Violation as violation:
        return Finding(name, False, str(violation))
    except Exception as error:  # whatever the sandbox raised is the finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename}:{where.lineno}, in {where.name}"
        return Finding(name, False, f"raised {type(error).__name__}: {error}\n{place}")
    return Finding(name, True, description(name))
