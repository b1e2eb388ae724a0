"""A kit that holds any environment to the contract of `turnwise.envs.core`. `turnwise check ID` runs it.

>>> from turnwise.envs.conformance import check
>>> check("turnwise/WebShop-v0", checks=["info_has_its_keys"]).ok
True
"""

from __future__ import annotations

# Importing a module adds its checks, in this order.
from turnwise.envs.conformance import interface, determinism, memory, actions, ending, forking  # isort: skip  # noqa: F401
from turnwise.envs.conformance import hashing, secrecy, solving  # isort: skip  # noqa: F401

from turnwise.envs.conformance.registry import CHECKS
from turnwise.envs.conformance.report import ConformanceError, Finding, Report
from turnwise.envs.conformance.runner import check, description

__all__ = ["CHECKS", "ConformanceError", "Finding", "Report", "check", "description"]
