# ruff: noqa: S311  (chance is seeded)

"""Lists of customers: of the command `due`, from an emulated table, and at the end of a run."""

from __future__ import annotations

import datetime
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import polars as pl
import pytest
from moto import mock_aws
from ordergap.contract.prediction import ValueFields
from ordergap.contract.tasks import TASKS, TaskEntry, prediction_model

from lambdas.store_predictions.items import Stamp, item
from local import due, lists, outlook, tour
from local.lists import contact_first
from tests.stack import create_table

DAY, EARLIER = datetime.date(2011, 12, 9), datetime.date(2011, 12, 1)
STARTED = datetime.datetime(2011, 12, 10, tzinfo=datetime.UTC)
HORIZONS = (7, 30, 90)


def prediction(number: int, chance: random.Random, as_of: datetime.date = DAY) -> dict[str, Any]:
    """A forecast with random probabilities, rising with the horizon, and a random amount."""
    probability = sorted(chance.random() for _ in HORIZONS)
    return {
        "customer_id": f"c{number:03}",
        "as_of": as_of.isoformat(),
        "last_order_date": "2011-11-01",
        "days_since_last_order": 38,
        "order_count": 1 + number % 4,
        "usual_amount": round(chance.uniform(1, 500), 2),
        "revenue": 1.0,
        "order_gap_days": 45,
        "next_order_date": f"2011-12-{12 + number % 20}",
        "next_order_date_low": "2011-12-11",
        "next_order_date_high": "2011-12-25",
        "interval_level": 0.8,
        "typical_gap_days": chance.randint(1, 60),
        "buy_probability": dict(zip(map(str, HORIZONS), probability, strict=True)),
        "status": chance.choice(["due", "overdue", "active", "lapsed"]) if number > 20 else "due",
        "expected_value": (value := {"7": round(chance.uniform(0.01, 900), 2), "30": 1e3 - number}),
        "value_low": dict.fromkeys(value, 0.0),
        "value_high": {days: round(2 * each, 2) for days, each in value.items()},
        "model_age_days": 0,
        "stale": False,
        "model_version": "1",
    }


Shown = Callable[..., list[str]]


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    chance = random.Random(5)
    return [prediction(number, chance, EARLIER if number < 9 else DAY) for number in range(150)]


@pytest.fixture
def shown(
    rows: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shown]:
    """The customers that the command prints for some options, and what it says below them."""
    monkeypatch.setitem(TASKS, "value", TaskEntry(None, "", "", ValueFields))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client, "table")
        for row in rows:
            for market in ("uk", "de") if row["customer_id"] == "c005" else ("uk",):
                forecast = prediction_model(TASKS, everything=True).model_validate(row)
                stamp = Stamp("night", STARTED, market, forecast.as_of, 1_400_000_000, 8)
                client.put_item(TableName="table", Item=item(forecast, stamp, "0"))

        def run(*options: str) -> list[str]:
            arguments = ["--table=table", "--market=uk", *options]
            assert due.main(arguments) == 0
            return [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]

        yield run


def customers(words: list[str]) -> list[str]:
    return [word for word in words if word.startswith("c") and word[1:].isdigit()]


def best(rows: list[dict[str, Any]], top: int, key: Callable[[dict[str, Any]], Any]) -> list[str]:
    """The customers with the highest key, of those who have not lapsed."""
    waiting = [row for row in rows if row["status"] != "lapsed"]
    return [row["customer_id"] for row in sorted(waiting, key=key, reverse=True)[:top]]


def test_the_most_likely_of_a_market_in_the_window_asked_for(shown: Shown, rows):
    assert customers(shown("--top=40")) == best(rows, 40, lambda r: r["buy_probability"]["7"])
    month = best(rows, 40, lambda r: r["buy_probability"]["30"])
    assert customers(shown("--top=40", "--within=30")) == month
    assert customers(shown("--market=de")) == ["c005"]


def test_contact_first_multiplies_by_the_usual_amount(shown: Shown, rows):
    due = [r for r in rows if r["status"] == "due"]
    expected = best(due, 20, lambda r: r["buy_probability"]["7"] * r["usual_amount"])
    assert customers(shown("--list=contact-first")) == expected


def test_worth_most_is_by_the_value_in_the_window_asked_for(
    shown: Shown, rows, capsys: pytest.CaptureFixture[str]
):
    expected = best(rows, 40, lambda r: r["expected_value"]["7"])
    assert customers(shown("--list=value", "--top=40")) == expected
    month = best(rows, 40, lambda r: r["expected_value"]["30"])
    assert customers(shown("--list=value", "--top=40", "--within=30")) == month
    assert due.main(["--table=table", "--market=uk", "--list=value", "--top=1"]) == 0
    [shown_row] = re.findall(r"^ +c\d+ .*$", capsys.readouterr().out, re.MULTILINE)
    [row] = [row for row in rows if row["customer_id"] == expected[0]]
    assert shown_row.split()[1:5] == [
        f"{row['expected_value']['7']:,.2f}", "0.00", f"{row['value_high']['7']:,.2f}",
        row["next_order_date"],
    ]  # fmt: skip


def test_win_back_has_overdue_regulars_by_revenue_at_risk(shown: Shown, rows):
    regulars = [r for r in rows if r["status"] == "overdue" and r["order_count"] > 1]
    expected = best(regulars, 12, lambda r: r["usual_amount"] / r["typical_gap_days"])
    assert customers(shown("--list=win-back", "--top=12")) == expected


def test_dates_of_a_week_are_the_earliest_first_without_lapsed_customers(shown: Shown, rows):
    week = [
        r for r in rows if r["status"] != "lapsed" and r["next_order_date"] <= "2011-12-18"
    ]  # 2011-W50 begins on 2011-12-12
    expected = [
        r["customer_id"]
        for r in sorted(week, key=lambda r: (r["next_order_date"], r["customer_id"]))
    ]
    assert customers(shown("--list=dates", "--week=2011-W50", "--top=1000")) == expected


def test_forecasts_that_were_not_renewed_are_named_and_can_be_left_out(
    rows, shown: Shown, capsys: pytest.CaptureFixture[str]
):
    everyone = ["--table=table", "--market=uk", "--top=1000"]
    assert due.main(everyone) == 0
    assert "9 of them" in capsys.readouterr().out
    assert due.main([*everyone, "--since=2011-12-09"]) == 0
    out = capsys.readouterr().out
    assert "of them" not in out
    waiting = sum(row["status"] != "lapsed" for row in rows) - 9
    assert f"{waiting} customers of uk" in out


def test_an_empty_list_says_so(shown: Shown, capsys: pytest.CaptureFixture[str]):
    assert due.main(["--table=table", "--market=fr"]) == 0
    assert capsys.readouterr().out == "No customer of fr is in this list.\n"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--within=14"], "--within must be one of 7, 30, 90"),
        (["--within=0"], "--within must be one of 7, 30, 90"),
        (["--list=dates"], "--list dates and --week, such as 2011-W50, go together"),
        (["--week=2011-W50"], "--list dates and --week, such as 2011-W50, go together"),
        (["--top=0"], "'0' is not 1 or more"),
        (["--list=soon"], "invalid choice"),
    ],
)
def test_what_cannot_be_listed_is_refused(
    options, reason, shown: Shown, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as stopped:
        due.main(["--table=table", "--market=uk", *options])
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_the_sentence_sums_probabilities_and_amounts(rows):
    text = outlook.sentence(rows, 0.0)
    orders = sum(row["buy_probability"]["7"] for row in rows)
    value = sum(row["buy_probability"]["7"] * row["usual_amount"] for row in rows)
    assert f"In the 7 days after {rows[0]['as_of']}, {orders:,.0f} customers" in text
    assert f"for about {value:,.0f} at the usual order" in text


def test_the_intervals_hold_as_often_as_they_say(rows):
    chance = random.Random(8)
    interval = outlook.sentence(rows, 0.0).split("80% interval: ")[1].split(")")[0]
    low, high = map(float, interval.split(" to "))
    came = [sum(chance.random() < row["buy_probability"]["7"] for row in rows) for _ in range(2000)]
    assert 0.75 < sum(low <= number <= high for number in came) / len(came) < 0.87


def test_an_error_of_the_sums_widens_the_interval(rows):
    assert outlook.sentence(rows, 0.0) != outlook.sentence(rows, 0.2)
    manifest = {"tasks": {"next_order": {"parameters": {
        "population": {"average": {"7": 0.1, "90": 0.5}, "weekly_error": 0.2}
    }}}}  # fmt: skip
    assert outlook.weekly_error(json.dumps(manifest).encode()) == 0.2


@pytest.mark.parametrize(
    "known", [{"usual_amount": None}, {}]
)  # null in a file, absent in the table
def test_amounts_that_are_not_all_known_are_not_summed(rows, known):
    del rows[3]["usual_amount"]
    rows[3] |= known
    assert "for about" not in outlook.sentence(rows, 0.0)


def test_the_tour_reads_predictions_in_csv_like_those_in_json(rows, tmp_path):
    flat = [
        {name: value for name, value in row.items() if not isinstance(value, dict)}
        | {
            f"{name}_{days}": each
            for name, by_days in row.items()
            if isinstance(by_days, dict)
            for days, each in by_days.items()
        }
        for row in rows
    ]
    flat[0]["customer_id"] = "00017"
    pl.DataFrame(flat).write_csv(tmp_path / "predictions.csv")
    read = tour._read(tmp_path / "predictions.csv")
    assert outlook.sentence(read, 0.1) == outlook.sentence(rows, 0.1)
    for name in ("buy_probability", "expected_value", "value_low", "value_high"):
        assert [row[name] for row in read] == [row[name] for row in rows]
    assert lists.worth_most(read, 30, 5)[0]["expected_value"]["30"] == 1e3
    assert [row["customer_id"] for row in read] == [row["customer_id"] for row in flat]


@pytest.mark.parametrize("days", [7, 30])
def test_without_amounts_customers_are_contacted_last_by_probability(rows, days: int):
    for row in rows[::2]:
        row["usual_amount"] = None

    def rank(row: dict[str, Any]) -> tuple[bool, float]:
        usual = row["usual_amount"]
        return usual is not None, row["buy_probability"][str(days)] * (usual or 1)

    waiting = [row for row in rows if row["status"] == "due"]
    assert contact_first(rows, days, 1000) == sorted(waiting, key=rank, reverse=True)
