"""First orders of leads in a backtest and in its report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from ordergap.backtest.fold import run_fold
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL, EvaluationProtocol
from ordergap.evaluation.first_order import LeadEvaluation
from ordergap.histories import day_of
from ordergap.tasks.first_order import DIRECT, EVENTS, SHARE

from local import leads as made_up

WORDS = {
    "amount_column": "Amount", "num_round": "20", "time_bins": "8", "value": "off",
    "large_orders": "off", "lead_cutoffs": "6", "lead_step_days": "20",
    "outlier_contamination": "0",
}  # fmt: skip
CUTOFF = day_of(made_up.FIRST_DAY) + 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leads")
    made_up.write(folder, 1500, seed=5)
    return folder


def judged(leads: tuple[pl.DataFrame, pl.DataFrame], orders: pl.DataFrame) -> LeadEvaluation:
    fold = run_fold(parse(WORDS), orders, CUTOFF, CUTOFF + 45, leads)
    found = fold.evaluations["first_order"][EvaluationProtocol.AT_CUTOFF]
    assert isinstance(found, LeadEvaluation)
    return found


def test_forecasts_at_a_cutoff_know_nothing_of_what_leads_did_later(folder: Path) -> None:
    leads, events, orders = (
        pl.read_csv(folder / f"{name}.csv", try_parse_dates=True)
        for name in ("leads", "events", "orders")
    )
    known = day_of(made_up.FIRST_DAY) + 150
    later = pl.col("date").cast(pl.Int32) > known
    without = events.filter(~later | (pl.col("kind") == "page"))
    honest, changed = (judged((leads, each), orders) for each in (events, without))
    assert len(events.filter(later)) > 500
    assert list(honest.answers) == [MODEL, EVENTS, DIRECT, SHARE]
    assert honest.ordered.sum() > 20
    for name, p in honest.answers.items():
        np.testing.assert_array_equal(p, changed.answers[name], err_msg=name)


def test_a_backtest_judges_leads_and_ends_with_a_verdict(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [text for name, value in WORDS.items() for text in (f"--{name}", value)]
    paths = ["--file_path", str(folder / "orders.csv"), "--leads_path", str(folder)]
    assert main(["backtest", *paths, "--cutoffs", "2", *words, "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "First order of leads: the verdict" in said
    content = json.loads((tmp_path / "backtest.json").read_text())
    metrics = content["tasks"]["first_order"]["at cutoff"]["metrics"]
    assert metrics[MODEL]["auc"] > 0.6
    assert metrics[MODEL]["brier"] < metrics[SHARE]["brier"]
    ranking, probabilities = content["verdict"]["first_order"]
    assert f"AUC {metrics[MODEL]['auc']:.3f}; {EVENTS}" in ranking
    assert f"Brier {metrics[MODEL]['brier']:.4f}; {EVENTS}" in probabilities
    page = (tmp_path / "report.html").read_text()
    assert "Which leads become customers" in page
    assert "First orders within 30 days, by tenth of the leads" in page


def test_a_cutoff_before_any_lead_is_judged_without_them(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leads, events, orders = (
        pl.read_csv(folder / f"{name}.csv", try_parse_dates=True)
        for name in ("leads", "events", "orders")
    )
    late = pl.lit(made_up.FIRST_DAY) + pl.duration(days=190)
    frames = (leads.with_columns(first_seen=late), events.with_columns(date=late))
    fold = run_fold(parse(WORDS), orders, CUTOFF, CUTOFF + 45, frames)
    assert [*fold.evaluations] == ["next_order"]
    assert "without first order of leads: no lead who was known" in caplog.text
