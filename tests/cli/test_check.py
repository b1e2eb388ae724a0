from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Turnwise = Callable[..., Result]
CHECKS = ["oracle_solves", "steps_are_deterministic", "snapshots_restore_exactly", "spec_survives_pickling"]
ONLY = [part for name in CHECKS for part in ("--only", name)]

LAZY_ORACLE = """
from key_door import KeyDoorEnv

class LazyOracle(KeyDoorEnv):
    def oracle(self):
        return iter(())
"""


def test_a_sound_environment_passes(turnwise: Turnwise) -> None:
    result = turnwise("check", "key_door:KeyDoorEnv", *ONLY)
    assert result.exit_code == 0, result.output
    assert "✓ oracle_solves" in result.output and "✓ snapshots_restore_exactly" in result.output
    assert "– spec_survives_pickling" in result.output
    assert "3 passed, 0 failed, 1 skipped" in result.output


def test_a_broken_environment_in_a_file_fails(turnwise: Turnwise, workplace: Path) -> None:
    (workplace / "lazy_oracle.py").write_text(LAZY_ORACLE)
    result = turnwise("check", "lazy_oracle.py:LazyOracle", *ONLY, "--kwargs", "max_turns=9")
    assert result.exit_code == 1, result.output
    assert "✗ oracle_solves" in result.output and "✓ steps_are_deterministic" in result.output
    assert "2 passed, 1 failed, 1 skipped" in result.output


def test_json_has_every_finding(turnwise: Turnwise) -> None:
    result = turnwise("check", "tests/KeyDoor-v0", *ONLY, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["env"] == "tests/KeyDoor-v0" and report["ok"]
    assert [finding["check"] for finding in report["findings"]] == CHECKS


def test_a_family_of_ours(turnwise: Turnwise) -> None:
    result = turnwise("check", "turnwise/WebShop-v0", "-k", "products=50", "--episodes", "2", "--only", "oracle_solves")
    assert result.exit_code == 0, result.output
