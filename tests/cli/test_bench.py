"""`turnwise bench credit` measures, writes and feeds the cards of `turnwise methods --card`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from turnwise.cli import app

runner = CliRunner()


def test_bench_credit_writes_figures_that_the_card_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bare = runner.invoke(app, ["methods", "--card", "rloo"])
    assert "not measured here" in bare.stdout

    wanted = ["-m", "rloo", "-m", "gigpo", "--family", "decisive", "--group-sizes", "4,8"]
    result = runner.invoke(app, ["bench", "credit", "--quick", *wanted])
    assert result.exit_code == 0, result.output
    assert "Sign accuracy" in result.stdout
    with (tmp_path / "runs/credit/fidelity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["group_size"]) for row in rows} == {
        ("rloo", "4"), ("rloo", "8"), ("gigpo", "4"), ("gigpo", "8"),
    }  # fmt: skip
    assert "rloo" in (tmp_path / "runs/credit/fidelity.md").read_text()

    card = runner.invoke(app, ["methods", "--card", "rloo"]).stdout
    assert "arXiv 2402.14740" in card
    assert "Fidelity at G = 8" in card
    assert "singleton=" in card


@pytest.mark.parametrize("name", ["gigpo", "step_search", "pav", "long_rlvr"])
def test_every_kind_of_method_has_a_card(name: str) -> None:
    result = runner.invoke(app, ["methods", "--card", name])
    assert result.exit_code == 0
    assert result.stdout.startswith("Method")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["methods", "--card", "gigppo"], "gigpo"),
        (["bench", "credit", "-m", "grppo"], "grpo"),
        (["bench", "credit", "--group-sizes", "1"], "at least 2"),
        (["bench", "credit", "--group-sizes", "four"], "4,8,16"),
    ],
)
def test_mistakes_are_named(arguments: list[str], message: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.output
