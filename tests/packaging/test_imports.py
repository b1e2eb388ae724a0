"""What an import costs, and that the core needs no extra."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("torch", "transformers", "docker", "playwright", "stable_baselines3", "pettingzoo", "matplotlib")


def _python(program: str) -> str:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_import_turnwise_loads_gymnasium_and_nothing_heavier() -> None:
    program = """
import gymnasium, json, sys
before = set(sys.modules)
import turnwise
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    added = json.loads(_python(program))
    assert {name for name in added if not name.startswith("turnwise")} <= {"__future__"}
    assert set(added) == {"turnwise", "turnwise._version"}


def test_core_imports_without_any_extra() -> None:
    program = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import gymnasium as gym, turnwise, turnwise.envs, turnwise.rewards, turnwise.rewards.credit, turnwise.wrappers
import turnwise.agents, turnwise.cli, turnwise.envs.conformance, turnwise.envs.vector
from turnwise.agents import RandomPolicy, collect
envs = turnwise.make_vec("turnwise/WebShop-v0", 2)
assert len(collect(RandomPolicy(seed=0), envs, 2)) == 2
"""
    _python(program)


def test_bare_id_needs_an_import_and_the_prefixed_id_does_not() -> None:
    assert _python("import gymnasium as gym; e = gym.make('turnwise:turnwise/WebShop-v0'); print(e.spec.id)").strip()
    assert _python("import gymnasium as gym, turnwise; e = gym.make('turnwise/WebShop-v0'); print(e.spec.id)").strip()
