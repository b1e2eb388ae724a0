"""The examples run, each as a reader would start it, with small settings; and so does the README's code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_demo_writes_its_report(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the llm extra")
    output = run(str(ROOT / "examples/demo.py"), "--warm-up", "8", "--train", "0.1", "--out", "demo", cwd=tmp_path)
    assert "report.html" in output
    page = (tmp_path / "demo/report.html").read_text(encoding="utf-8")
    for term in ("information_gain", "gated", "progress", "turnwise/WebShop-v0"):
        assert term in page
    assert (tmp_path / "demo/trajectories.jsonl").stat().st_size > 0


def test_a_language_model_trains(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the llm extra")
    output = run(
        str(ROOT / "examples/webshop_llm.py"), "--method", "gigpo", "--warm-up-steps", "4", "--iterations", "1",
        "--episodes", "16", cwd=tmp_path,
    )  # fmt: skip
    assert "before" in output
    assert "after" in output


def test_ppo_trains_and_plots_both_curves(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3", reason="needs the sb3 extra")
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    output = run(str(ROOT / "examples/webshop_ppo.py"), "--steps", "1024", "--seeds", "1", cwd=tmp_path)
    assert output.count("seed 0") == 2
    assert "<svg" in (tmp_path / "runs/webshop_ppo.svg").read_text(encoding="utf-8")


def test_training_with_and_without_information_gain_plots_both_curves(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the llm extra")
    pytest.importorskip("matplotlib", reason="needs the plot extra")
    output = run(
        str(ROOT / "examples/search_qa_igpo.py"), "--seeds", "1", "--warm-up-steps", "2", "--updates", "1",
        "--tasks", "2", "--groups", "1", "--articles", "300", cwd=tmp_path,
    )  # fmt: skip
    assert output.count("seed 0") == 2
    assert "no evidence either way" in output
    picture = (tmp_path / "runs/search_qa_igpo.svg").read_text(encoding="utf-8")
    assert "<svg" in picture


def test_the_readmes_code_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 3
    run("-c", "\n".join(blocks), cwd=tmp_path)
