"""The decompose-and-search example: no model, nothing privileged, most of the panel."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from turnwise.envs.search_qa import SearchQAEnv

EXAMPLE = Path(__file__).parents[3] / "examples/search_qa_scripted.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("search_qa_scripted", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_solves_most_of_the_panel_by_searching(example: ModuleType, panel_env: SearchQAEnv) -> None:
    scores: dict[str, list[float]] = defaultdict(list)
    recalls = []
    for task_id in panel_env.tasks:
        score, info = example.play(panel_env, task_id)
        scores[info["privileged"]["kind"]].append(score)
        recalls.append(info["reward_terms"].get("citation_recall", 0.0))
    assert np.mean([score for kind in scores.values() for score in kind]) > 0.6
    assert min(np.mean(kind) for kind in scores.values()) > 0.4, "no kind is out of reach"
    assert np.mean(recalls) > 0.6


def test_it_reads_nothing_privileged() -> None:
    source = EXAMPLE.read_text()
    episode = source[: source.index("def main")]
    assert "privileged" not in episode.split('"""', 2)[2]
    assert len(source.splitlines()) <= 250
