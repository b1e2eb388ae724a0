from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Turnwise = Callable[..., Result]


@pytest.fixture
def runs(turnwise: Turnwise) -> None:
    for policy in ("oracle", "random"):
        assert turnwise("run", "tests/KeyDoor-v0", "-p", policy, "-n", 3, "-o", f"{policy}.jsonl").exit_code == 0


def test_a_run_becomes_a_page_beside_it(turnwise: Turnwise, runs: None) -> None:
    result = turnwise("view", "oracle.jsonl")
    assert result.exit_code == 0, result.output
    assert "3 episodes" in result.output and "success rate 100%" in result.output and "oracle.html" in result.output
    page = Path("oracle.html").read_text(encoding="utf-8")
    assert page.count('class="episode panel"') == 3 and "The door opens." in page
    assert "the key is in cell" not in page


def test_several_files_stand_side_by_side(turnwise: Turnwise, runs: None) -> None:
    result = turnwise("view", "oracle.jsonl", "random.jsonl", "-o", "pages/both.html", "--title", "Two", "--privileged")
    assert result.exit_code == 0, result.output
    page = Path("pages/both.html").read_text(encoding="utf-8")
    assert "<h1>Two</h1>" in page and "Side by side" in page and "<td>oracle</td>" in page and "<td>random</td>" in page
    assert page.count('class="episode panel"') == 6
    assert "the key is in cell" in page


def test_long_files_are_cut_where_asked(turnwise: Turnwise, runs: None) -> None:
    result = turnwise("view", "oracle.jsonl", "random.jsonl", "--limit", 4)
    assert "4 episodes" in result.output and "these are the first 4" in result.output
    assert Path("oracle.html").read_text(encoding="utf-8").count('class="episode panel"') == 4
    assert "There are more" not in turnwise("view", "oracle.jsonl", "--limit", 3).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["orakle.jsonl"], "Did you mean 'oracle.jsonl'?"),
        (["oracle.jsonl", "--out", "oracle.jsonl"], "is one of the files to read"),
        (["torn.jsonl"], "torn.jsonl:1: not valid JSON"),
        (["foreign.jsonl"], "unknown fields ['score']"),
        (["empty.jsonl"], "There is no trajectory in empty.jsonl"),
    ],
)
def test_mistakes(turnwise: Turnwise, runs: None, arguments: list[str], message: str) -> None:
    Path("torn.jsonl").write_text('{"turns": [')
    Path("foreign.jsonl").write_text('{"turns": [], "score": 1}\n')
    Path("empty.jsonl").touch()
    result = turnwise("view", *arguments)
    assert result.exit_code == 2
    assert message in result.output and "Traceback" not in result.output
