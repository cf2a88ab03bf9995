"""The goals table: no later order is learnt from, and what breaks a promise is counted."""

from __future__ import annotations

import csv
import datetime
import json
from pathlib import Path

import numpy as np
import pytest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import MODEL
from ordergap.models.base import Column, ForecastOptions
from ordergap.models.value import ValueForecast

from benchmarks import targets
from benchmarks.cutoff import Cutoff, learnt
from benchmarks.invariants import broken
from tests.shop import shop, write_csv

CUTOFF = datetime.date(2024, 9, 1)
OPTIONS = ForecastOptions([30], 0.8, 365, value_horizons=[30], large_thresholds=[40.0])


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(shop(150), tmp_path_factory.mktemp("orders") / "orders.csv")


@pytest.fixture(scope="module")
def made(orders: Path) -> Cutoff:
    return learnt(orders, parse({}), CUTOFF, 60)


def test_what_comes_after_the_cutoff_is_not_learnt_from(
    orders: Path, made: Cutoff, tmp_path: Path
) -> None:
    with orders.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    later = [row["InvoiceDate"][:10] > str(CUTOFF) for row in rows]
    assert 0 < sum(later) < len(rows)
    for row, is_later in zip(rows, later, strict=True):
        if is_later:
            row["Quantity"] = "999"
    changed = tmp_path / "changed.csv"
    with changed.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [*rows[0]])
        table.writeheader()
        table.writerows(rows)
    other = learnt(changed, parse({}), CUTOFF, 60)
    assert (
        other.evaluation("value").metrics(MODEL)["mae"]
        > made.evaluation("value").metrics(MODEL)["mae"]
    )
    ours, theirs = (each.forecasts(OPTIONS) for each in (made, other))
    assert [*ours] == ["next_order", "value", "large_order"]
    for task, forecast in ours.items():
        assert forecast.columns() == theirs[task].columns()


def test_customers_with_a_broken_promise_are_counted(
    made: Cutoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {*broken(made, 60).values()} == {0}
    honest = ValueForecast.columns

    def dishonest(forecast: ValueForecast) -> dict[str, Column]:
        columns = honest(forecast)
        values = columns["expected_value"]
        assert isinstance(values, dict)
        values["1"][:3] = np.add(values["1"][:3], 1e6).tolist()
        values["90"][0] += 0.005
        return columns

    monkeypatch.setattr(ValueForecast, "columns", dishonest)
    counts = broken(made, 60)
    assert counts["the expected value rises with the days"] == 3
    assert counts["0 <= low <= value <= high"] >= 3
    assert counts["money has two decimals"] == 1
    assert counts["P(large) <= P(buy)"] == 0


def test_goals_are_held_against_the_figures(
    orders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved = tmp_path / "results.json"
    other = {"data": "other", "cutoff": "2024-01-01", "horizon": 90}
    saved.write_text(json.dumps([other, {**other, "data": str(orders), "cutoff": str(CUTOFF)}]))
    monkeypatch.setattr(targets, "REPLICATES", 10)
    goals = {"gini": (0.0, 1.0), "rmse": (0.0, 1e-9)}
    monkeypatch.setattr(targets, "GOALS", {(str(orders), str(CUTOFF)): goals})
    words = ["--data", str(orders), "--cutoffs", str(CUTOFF), "--save", str(saved)]
    with pytest.raises(SystemExit) as ended:
        targets.main(words)
    assert ended.value.code == 1
    said = capsys.readouterr().out
    missed = said[said.index("\nMissed:\n") :]
    assert "RMSE" in missed
    assert "Gini 0." not in missed
    kept = json.loads(saved.read_text())
    assert len(kept) == 2
    assert kept[0] == other
    assert kept[1]["goals"] == {"gini": "<= 1.000", "rmse": "<= 0.0"}
    scores = kept[1]["scores"]["value"]
    assert f"{scores[MODEL]['rmse']:.1f}" in said
    assert len(scores) == 6


def test_what_cannot_be_judged_is_said(orders: Path) -> None:
    with pytest.raises(SystemExit, match="a cutoff until 2024-10-0"):
        targets.main(["--data", str(orders), "--cutoffs", "2024-11-30"])
    with pytest.raises(SystemExit, match="not a hyperparameter"):
        targets.main(["--data", str(orders), "--cutoffs", str(CUTOFF), "--set", "no=1"])
