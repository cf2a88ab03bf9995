"""Every trainer learns from files without amounts, and from files with orders for nothing."""

from __future__ import annotations

import csv
import datetime
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from ordergap.artifacts import Bundle
from ordergap.cli.main import main
from ordergap.contract.hyperparameters import parse
from ordergap.errors import InvalidRequest
from ordergap.forecaster import Forecaster
from ordergap.histories import Histories
from ordergap.scoring.selection import Selection
from ordergap.serving.app.application import create_app
from ordergap.settings import Settings

from tests.contract.test_every_trainer import SMALL, TRAINERS
from tests.shop import shop, with_free_orders, without_amounts, write_csv, write_days
from tests.trained import train

DAYS = {"customer_column": "id", "date_column": "date"}
FREE = {"free_orders": "on"}
TODAY = datetime.date(2024, 9, 20)


@pytest.fixture(scope="module")
def whole() -> Histories:
    return shop()


@pytest.fixture(scope="module")
def days(whole: Histories, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_days(whole, tmp_path_factory.mktemp("days") / "orders.csv")


@pytest.fixture(scope="module")
def free(whole: Histories, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(with_free_orders(whole), tmp_path_factory.mktemp("free") / "orders.csv")


@pytest.fixture(scope="module", params=TRAINERS.values(), ids=list(TRAINERS))
def folder(
    request: pytest.FixtureRequest, days: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model of orders without amounts, by each trainer."""
    return made(days, tmp_path_factory.mktemp("model"), request.param | DAYS)


def made(file: Path, folder: Path, settings: dict[str, Any]) -> Path:
    train(parse(SMALL | settings), file, folder, folder)
    return folder


def strict(text: str | bytes) -> Any:
    """JSON without NaN and Infinity, which are none."""

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refused)


def assert_foreseen(rows: list[dict[str, Any]]) -> None:
    """That dates and probabilities are there, but for dates of those who may never come back."""
    assert rows
    for row in rows:
        assert all(0 <= float(chance) <= 1 for chance in row["buy_probability"].values())
        assert row["typical_gap_days"] > 0
        if row["status"] in {"due", "active"}:
            assert row["next_order_date"] >= row["as_of"]


def assert_without_nan(folder: Path) -> None:
    for name in ("manifest.json", "metrics.json"):
        strict((folder / name).read_text())
    words = re.sub(r"<style>.*?</style>", "", (folder / "report.html").read_text(), flags=re.DOTALL)
    assert not re.search(r"\b(nan|inf(inity)?)\b", words, re.IGNORECASE)


def predicted(folder: Path, file: Path) -> list[dict[str, Any]]:
    """The rows of JSON Lines, which those of CSV and Parquet are alike."""
    model = Forecaster(Bundle.load(folder))
    for ending in ("jsonl", "csv", "parquet"):
        model.predict_file(file, folder / f"out.{ending}")
    rows = [strict(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    table = pl.read_parquet(folder / "out.parquet")
    assert table["usual_amount"].to_list() == [row["usual_amount"] for row in rows]
    assert table["usual_amount"].dtype == pl.Float64
    assert not table["revenue"].is_nan().any()
    with (folder / "out.csv").open() as lines:
        cells = [row["usual_amount"] for row in csv.DictReader(lines)]
    assert cells == ["" if (a := row["usual_amount"]) is None else str(a) for row in rows]
    return rows


def test_without_amounts_there_are_forecasts_and_nulls(folder: Path, days: Path) -> None:
    assert_without_nan(folder)
    rows = predicted(folder, days)
    assert_foreseen(rows)
    assert {(row["usual_amount"], row["revenue"]) for row in rows} == {(None, None)}
    assert strict((folder / "manifest.json").read_text())["data"]["revenue"] is None


def test_the_report_says_that_amounts_are_unknown(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "Amounts are unknown." in page
    assert re.search(r"<dt>Revenue</dt>\s*<dd>unknown</dd>", page)
    words = re.sub(r"<[^>]*>", " ", page).lower()
    for absent in ("usual order", "expected amount", "at risk", "tenth by revenue", "of revenue"):
        assert absent not in words


def test_what_a_request_spends_moves_no_forecast(folder: Path, whole: Histories) -> None:
    bundle, day = Bundle.load(folder), int(whole.day.max())
    items_alike = replace(without_amounts(whole), amount=whole.amount)
    rows, without = (
        bundle.forecast(each, day).records() for each in (items_alike, without_amounts(whole))
    )
    assert all(row["usual_amount"] for row in rows)
    unknown = {"usual_amount": None, "revenue": None}
    assert [row | unknown for row in rows] == without


def test_the_server_takes_orders_without_amounts(folder: Path, days: Path) -> None:
    client = create_app(Forecaster(Bundle.load(folder)), Settings(), lambda: TODAY).test_client()
    orders = [{"date": "2024-08-01"}, {"date": "2024-09-01", "amount": None}]
    table = "id,date\nana,2024-08-01\nana,2024-09-01\n"
    as_json = {"Accept": "application/json"}
    answers = [
        client.post("/invocations", json={"customer_id": "ana", "orders": orders}),
        client.post("/invocations", data=table, content_type="text/csv", headers=as_json),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        [row] = strict(answer.data)["predictions"]
        assert_foreseen([row])
        assert (row["usual_amount"], row["order_count"]) == (None, 2)
    page = client.get("/").text
    assert "names id, date. At" in re.sub(r"\s+", " ", page)
    assert "NaN" not in re.search(r"data-model='(.*?)'", page)[1]  # type: ignore[index]


def test_ranking_by_amount_needs_amounts(folder: Path, days: Path) -> None:
    model = Forecaster(Bundle.load(folder))
    with pytest.raises(InvalidRequest, match="the amounts of these orders are unknown"):
        model.predict_file(days, folder / "ranked.csv", by="amount")
    assert Selection.parse(None, 3, None).by == "probability"


@pytest.mark.parametrize("which", ["contact-first", "win-back"])
def test_lists_rank_by_probability(
    folder: Path, days: Path, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["due", "--file_path", str(days), "--model_dir", str(folder), "--list", which]
    assert main([*words, "--as_of", "2025-01-05", "--format", "json"]) == 0
    rows = strict(capsys.readouterr().out)
    assert rows
    *_, chance, value = rows[0]
    assert {row[value] for row in rows} == {None}
    chances = [row[chance] for row in rows]
    assert chances == sorted(chances, reverse=True)
    assert main([*words, "--as_of", "2025-01-05"]) == 0
    assert not re.search(r"\bnan\b", capsys.readouterr().out)


@pytest.mark.parametrize("settings", TRAINERS.values(), ids=list(TRAINERS))
def test_orders_for_nothing_count_and_are_no_obstacle(
    settings: dict[str, Any], whole: Histories, free: Path, tmp_path: Path
) -> None:
    folder = made(free, tmp_path, settings | FREE)
    assert_without_nan(folder)
    rows = predicted(folder, free)
    assert_foreseen(rows)
    paid = with_free_orders(whole)
    assert [row["order_count"] for row in rows] == paid.order_count.tolist()
    mean = np.add.reduceat(paid.amount, paid.offsets[:-1]) / paid.order_count
    assert [row["usual_amount"] for row in rows] == pytest.approx(mean.tolist(), abs=0.01)
    assert 0 in {row["usual_amount"] for row in rows}


@pytest.mark.usefixtures("few_replicates")
def test_a_backtest_without_amounts_has_no_revenue(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--customer_column", "id", "--date_column", "date", "--num_round", "20"]
    out = ["--cutoffs", "2", "--output", str(tmp_path)]
    assert main(["backtest", "--file_path", str(days), *words, *out]) == 0
    said = capsys.readouterr().out
    assert not re.search(r"\bnan\b|revenue(?! unknown)", said, re.IGNORECASE)
    strict((tmp_path / "backtest.json").read_text())
    page = (tmp_path / "report.html").read_text()
    assert "The customers set aside" not in page
    assert re.search(r"<dt>Revenue</dt>\s*<dd>unknown</dd>", page)
