"""A kit that holds any sandbox to the contract of `turnwise.sandboxes.base`, ours or yours.

>>> from turnwise.sandboxes.conformance import check
>>> from turnwise.sandboxes.process import ProcessSandbox
>>> check(ProcessSandbox, checks=["exit_codes_are_the_commands"]).ok
True
"""

from __future__ import annotations

# Importing a module adds its checks, in this order.
from turnwise.sandboxes.conformance import commands, sessions, ends, files, states, life  # isort: skip  # noqa: F401
from turnwise.sandboxes.conformance import limits, walls, powers  # isort: skip  # noqa: F401

from turnwise.sandboxes.conformance.registry import CHECKS
from turnwise.sandboxes.conformance.report import ConformanceError, Finding, Report
from turnwise.sandboxes.conformance.runner import check, description

__all__ = ["CHECKS", "ConformanceError", "Finding", "Report", "check", "description"]
