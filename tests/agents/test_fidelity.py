"""The measurement of credit methods: that it tells good credit from bad, and runs whatever the registry holds."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from turnwise.agents.fidelity import (
    CRITIC,
    Setting,
    method_credit,
    minus_state_mean,
    needs_critic,
    run_fidelity,
    tabular_cases,
)
from turnwise.agents.fidelity_report import FidelityReport
from turnwise.agents.stand_ins import Case, NoStandInError, describe_inputs, inputs_for
from turnwise.envs.bifurcation import FAMILIES
from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit import METHODS
from turnwise.rewards.fidelity import fidelity
from turnwise.rewards.method import MethodRecord

SMALL = Setting(group_sizes=(4, 8), seeds=2, rollouts=400, repeats=1)


@pytest.fixture(scope="module")
def report() -> FidelityReport:
    return run_fidelity(families=["decisive", "long"], methods=["grpo", "turn_gae", "spa"], setting=SMALL)


@pytest.fixture(scope="module")
def case() -> Case:
    return tabular_cases("delayed", SMALL)(8, 0)


def test_there_is_a_row_for_each_family_size_and_method(report: FidelityReport) -> None:
    found = {(row.family, row.group_size, row.method) for row in report.rows}
    methods = ("grpo", "turn_gae", "spa", "spa" + CRITIC)
    assert found == {(f, g, m) for f in ("decisive", "long") for g in (4, 8) for m in methods}
    assert not report.skipped


def test_a_critic_that_knows_the_values_beats_the_episode_alone(report: FidelityReport) -> None:
    families, methods, grid = report.grid("spearman", 8)
    ranking = dict(zip(methods, grid.mean(axis=1), strict=True))
    assert families == ["decisive", "long"]
    assert ranking["turn_gae"] > ranking["grpo"] > ranking["spa"]


def test_an_estimator_that_is_known_to_be_unbiased_has_no_bias() -> None:
    """Leave-one-out credit has the mean Q(s, a) - V(start): its error is the same for all actions of a state."""
    setting = Setting(group_sizes=(4,), seeds=2, rollouts=8000, repeats=1)
    for row in run_fidelity(families=["delayed", "recoverable", "stochastic"], methods=["rloo"], setting=setting).rows:
        assert row.mean.bias < 0.25, row.family
        assert row.mean.variance > 1.0


def test_the_same_setting_gives_the_same_figures(report: FidelityReport) -> None:
    again = run_fidelity(families=["decisive"], methods=["grpo"], setting=SMALL)
    first = [row.mean for row in report.rows if row.family == "decisive" and row.method == "grpo"]
    assert [row.mean for row in again.rows] == first


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_measured_or_says_why_not(name: str, case: Case) -> None:
    try:
        credit, seconds = method_credit(METHODS[name], case, noise=0.1, rng=np.random.default_rng(0))
    except NoStandInError as reason:
        assert "argument" in str(reason) or "TurnBatch" in str(reason)
        return
    assert credit.shape == (case.batch.turns,)
    assert seconds > 0
    assert np.isfinite(credit).all()


def test_noise_makes_a_method_worse() -> None:
    def sign(noise: float) -> float:
        setting = replace(SMALL, noise=noise, group_sizes=(8,))
        return run_fidelity(families=["distractor"], methods=["igpo"], setting=setting).rows[0].mean.sign_accuracy

    assert sign(0.0) > sign(1.0)


def test_a_models_error_lasts(case: Case) -> None:
    record = METHODS["turn_gae"]
    blurred, exact = (
        inputs_for(record, case, noise=noise, rng=np.random.default_rng(0))["values"] for noise in (0.5, 0.0)
    )
    assert np.array_equal(exact, case.value)
    error = blurred - exact
    assert 0.3 < error[np.unique(case.state, return_index=True)[1]].std() < 0.7
    for state in np.unique(case.state)[:5]:
        assert np.ptp(error[case.state == state]) < 1e-12


def test_fitted_progress_sums_to_what_can_be_foreseen(case: Case) -> None:
    progress = inputs_for(METHODS["spa"], case, noise=0.0, rng=np.random.default_rng(0))["progress"]
    predicted = np.bincount(case.batch.row, weights=progress)
    assert np.corrcoef(predicted, case.batch.outcome)[0, 1] > 0.8


def test_what_nothing_stands_in_for_is_named(case: Case) -> None:
    def needs_a_judge(batch: TurnBatch, verdicts: list[str]) -> Credit:
        raise AssertionError("not called")

    def no_batch(turn: str) -> float:
        raise AssertionError("not called")

    record = replace(METHODS["grpo"], function=needs_a_judge)
    with pytest.raises(NoStandInError, match="argument 'verdicts'"):
        inputs_for(record, case, noise=0.0, rng=np.random.default_rng(0))
    with pytest.raises(NoStandInError, match="not a function of a TurnBatch"):
        inputs_for(replace(record, function=no_batch), case, noise=0.0, rng=np.random.default_rng(0))  # type: ignore[arg-type]


def test_skipped_methods_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def judged(batch: TurnBatch, verdicts: list[str]) -> Credit:
        raise AssertionError("not called")

    monkeypatch.setitem(METHODS, "judged", replace(METHODS["grpo"], name="judged", function=judged))
    found = run_fidelity(families=["decisive"], methods=["judged", "grpo"], setting=SMALL)
    assert {row.method for row in found.rows} == {"grpo"}
    assert found.skipped == {"judged": "nothing stands in for its argument 'verdicts'"}
    assert "Not measured: judged (nothing stands in for its argument 'verdicts')." in found.table()


def test_stand_ins_are_described() -> None:
    assert describe_inputs(METHODS["igpo"]).startswith("probe: log of the true value")
    assert describe_inputs(METHODS["grpo"]) == ""


def test_who_needs_a_critic() -> None:
    assert needs_critic(METHODS["spa"])
    assert not needs_critic(METHODS["turn_gae"])
    assert not needs_critic(METHODS["grpo"])


def test_a_state_baseline_takes_out_what_is_common_to_a_state() -> None:
    state = np.array([0, 0, 0, 1, 2, 2])
    credit = np.array([3.0, 1.0, 2.0, 9.0, 4.0, 4.0])
    assert minus_state_mean(credit, state).tolist() == [1.5, -1.5, 0.0, 0.0, 0.0, 0.0]


def test_credit_that_the_loss_does_not_see_is_no_signal(case: Case) -> None:
    def half(batch: TurnBatch) -> Credit:
        credit = Credit.of(batch, np.ones(batch.turns))
        return replace(credit, keep=np.arange(len(batch)) % 2 == 0)

    record: MethodRecord = replace(METHODS["grpo"], function=half)
    credit, _ = method_credit(record, case, noise=0.0, rng=np.random.default_rng(0))
    assert fidelity(credit, case.advantage, case.state, case.choice).signal == pytest.approx(0.5)


def test_the_table_and_the_summary_are_markdown(report: FidelityReport) -> None:
    lines = [line for line in report.table(8).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + 8
    assert report.summary("sign_accuracy").splitlines()[0] == "| method | decisive | long | mean |"


def test_the_file_holds_every_row(report: FidelityReport, tmp_path: Path) -> None:
    with report.to_csv(tmp_path / "new" / "fidelity.csv").open(encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    assert len(records) == len(report.rows)
    assert float(records[0]["sign_accuracy"]) == report.rows[0].mean.sign_accuracy
    assert records[2]["stand_in"] == "progress: ridge regression on other rollouts"


def test_the_figure_is_drawn(report: FidelityReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = report.figure(tmp_path / "new" / "fidelity.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_figure_says_what_to_install(
    report: FidelityReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ImportError, match=r"pip install turnwise\[plot\]"):
        report.figure(tmp_path / "fidelity.png")


def test_weak_spots_are_said_plainly(report: FidelityReport) -> None:
    weak = report.weak_spots(below=0.9, group_size=8)
    assert any(line.startswith("grpo on long: the sign is right on") for line in weak)
    assert not any(line.startswith("turn_gae on decisive") for line in weak)
    assert report.weak_spots(below=0.0) == []


def test_other_cases_can_be_added() -> None:
    def make(group_size: int, seed: int) -> Case:
        return tabular_cases("recoverable", SMALL)(group_size, seed)

    found = run_fidelity(families=[], methods=["grpo"], setting=SMALL, extra={"mine": make})
    assert {row.family for row in found.rows} == {"mine"}


def test_bad_requests_are_named(report: FidelityReport) -> None:
    with pytest.raises(ValueError, match="no method 'grop'"):
        run_fidelity(methods=["grop"])
    with pytest.raises(ValueError, match=f"no family 'maze'; there are .*{sorted(FAMILIES)[0]}"):
        run_fidelity(families=["maze"])
    with pytest.raises(ValueError, match="give quick or setting, not both"):
        run_fidelity(quick=True, setting=SMALL)
    with pytest.raises(ValueError, match="metric must be one of"):
        report.grid("speed")
    with pytest.raises(ValueError, match=r"group_size must be one of \[4, 8\], got 5"):
        report.summary(group_size=5)
