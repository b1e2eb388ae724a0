"""The scripted agent of `turnwise/SWE-v0` runs, and earns what it earns by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from components import skip_without

from turnwise.sandboxes.opening import unavailable

EXAMPLE = Path(__file__).parents[2] / "examples/swe_scripted.py"


def test_it_solves_one_of_its_first_two_tasks(tmp_path: Path) -> None:
    skip_without("bubblewrap", unavailable("bubblewrap"))
    command = [sys.executable, str(EXAMPLE), "--tasks", "2", "--sandbox", "bubblewrap"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "submit reward 1  Submitted. 14 of 14 tests pass." in result.stdout
    assert "2 tasks: completion 100%, modification 100%, resolution 50%" in result.stdout
