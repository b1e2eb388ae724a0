"""What a run of the kit found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


class ConformanceError(AssertionError):
    """A sandbox breaks the contract; the message is the report."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its name.
        passed: Whether the sandbox keeps to it; True also where it was skipped.
        message: What is wrong, or what the check holds the sandbox to.
        skipped_reason: Why the check could not be made, or empty.
    """

    check: str
    passed: bool
    message: str
    skipped_reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings on one backend; `str()` is for people.

    >>> print(Report("jail", (Finding("closing_twice_is_allowed", False, "raised KeyError"),)))
    jail: 0 passed, 1 failed, 0 skipped
      FAIL  closing_twice_is_allowed
            raised KeyError
    """

    backend: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that did not pass."""
        return tuple(finding for finding in self.findings if not finding.passed)

    def raise_for_failures(self) -> None:
        """Raise if any check failed.

        Raises:
            ConformanceError: With the report as its message.
        """
        if not self.ok:
            raise ConformanceError(str(self))

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {"backend": self.backend, "ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}

    def __str__(self) -> str:
        skipped = sum(bool(finding.skipped_reason) for finding in self.findings)
        failed = len(self.failures)
        passed = len(self.findings) - failed - skipped
        lines = [f"{self.backend}: {passed} passed, {failed} failed, {skipped} skipped"]
        for finding in self.findings:
            lines.append(f"  {_mark(finding)}  {finding.check}")
            lines += [f"        {line}" for line in (finding.skipped_reason or finding.message).splitlines()]
        return "\n".join(lines)


def _mark(finding: Finding) -> str:
    return "skip" if finding.skipped_reason else "ok  " if finding.passed else "FAIL"
