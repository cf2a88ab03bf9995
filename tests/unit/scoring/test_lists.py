import csv
import io
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.artifacts import Bundle
from ordergap.errors import UserError
from ordergap.models.forecasts import Forecasts
from ordergap.models.next_order import NextOrderHead
from ordergap.models.population import Population
from ordergap.scoring.cells import inert
from ordergap.scoring.lists import (
    WIN_BACK_COLUMNS,
    as_csv,
    contact_columns,
    contact_first,
    win_back,
)

from tests.shop import shop


@pytest.fixture(scope="module")
def forecasts(bundle: Bundle) -> Forecasts:
    """Of a shop with customers who are due and with some who are overdue."""
    own = cast("NextOrderHead", bundle.heads["next_order"])
    head = NextOrderHead(own.model, own.interval_levels, Population({7: 0.2, 90: 0.3}))
    histories = shop(400)
    as_of = int(histories.day.max()) + 20
    options = replace(bundle.options, horizons=[7, 30, 90])
    return replace(bundle, heads={"next_order": head}).forecast(histories, as_of, options)


def with_unknown_amounts(forecasts: Forecasts) -> Forecasts:
    revenue = np.where(np.arange(len(forecasts)) % 2, forecasts.customers.revenue, np.nan)
    return replace(forecasts, customers=replace(forecasts.customers, revenue=revenue))


def by_customer(forecasts: Forecasts) -> dict[str, Any]:
    return {str(record["customer_id"]): record for record in forecasts.records()}


def test_contact_first_has_all_who_are_due_by_expected_amount(forecasts: Forecasts) -> None:
    rows, records = contact_first(forecasts), by_customer(forecasts)
    due = {name for name, record in records.items() if record["status"] == "due"}
    assert due
    assert {row["customer_id"] for row in rows} == due
    for row in rows:
        assert tuple(row) == contact_columns()
        record = records[row["customer_id"]]
        expected = record["buy_probability"]["7"] * record["usual_amount"]
        assert row["expected_amount"] == pytest.approx(expected, abs=0.01)
    amounts = [row["expected_amount"] for row in rows]
    assert amounts == sorted(amounts, reverse=True)


def test_win_back_has_the_overdue_who_ordered_twice_by_revenue_at_risk(
    forecasts: Forecasts,
) -> None:
    rows, records = win_back(forecasts), by_customer(forecasts)
    overdue = {
        name
        for name, record in records.items()
        if record["status"] == "overdue" and record["order_count"] >= 2
    }
    assert overdue
    assert {row["customer_id"] for row in rows} == overdue
    for row in rows:
        assert tuple(row) == WIN_BACK_COLUMNS
        record = records[row["customer_id"]]
        yearly = record["usual_amount"] * 365 / record["typical_gap_days"]
        assert row["yearly_revenue_at_risk"] == pytest.approx(yearly, abs=0.01)
    at_risk = [row["yearly_revenue_at_risk"] for row in rows]
    assert at_risk == sorted(at_risk, reverse=True)


def test_a_longer_window_ranks_by_its_own_probability(forecasts: Forecasts) -> None:
    records = by_customer(forecasts)
    for row in contact_first(forecasts, 30):
        probability = records[row["customer_id"]]["buy_probability"]["30"]
        assert row["buy_probability_30"] == probability
        expected = probability * row["usual_amount"]
        assert row["expected_amount"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("ranked", "value", "chance"),
    [
        (contact_first, "expected_amount", "buy_probability_7"),
        (win_back, "yearly_revenue_at_risk", "buy_probability_90"),
    ],
)
def test_who_has_no_known_amount_is_kept_below_the_others(
    forecasts: Forecasts, ranked: Any, value: str, chance: str
) -> None:
    rows = ranked(with_unknown_amounts(forecasts))
    assert Counter(r["customer_id"] for r in rows) == Counter(
        r["customer_id"] for r in ranked(forecasts)
    )
    unknown = [row[value] is None for row in rows]
    assert 0 < sum(unknown) < len(rows)
    assert unknown == sorted(unknown)
    chances = [row[chance] for row in rows if row[value] is None]
    assert chances == sorted(chances, reverse=True)


def test_a_window_that_was_not_forecast_is_refused_with_the_option(bundle: Bundle) -> None:
    histories = shop(20)
    options = replace(bundle.options, horizons=[30])
    forecasts = bundle.forecast(histories, int(histories.day.max()), options)
    for ranked, days in ((contact_first, 7), (win_back, 90)):
        with pytest.raises(UserError, match=f"name {days} among the horizons"):
            ranked(forecasts)


@given(st.lists(st.text(st.characters(exclude_characters="\r", codec="utf-8"), min_size=1)))
def test_csv_holds_every_text_and_no_formula(names: list[str]) -> None:
    rows = [{"customer_id": name, "amount": -1.5, "none": None} for name in names]
    head, *cells = csv.reader(io.StringIO(as_csv(["customer_id", "amount", "none"], rows)))
    assert head == ["customer_id", "amount", "none"]
    assert [cell[1:] for cell in cells] == [["-1.5", ""]] * len(names)
    for (cell, *_), name in zip(cells, names, strict=True):
        assert cell[0] not in "=+-@\t\r"
        assert cell in {name, f"'{name}"}


@given(*[st.text("='-a＝", max_size=5)] * 2)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (inert(one) == inert(other)) == (one == other)


@pytest.mark.parametrize(
    "name", ["=1+1", "'=1+1", "''=1", "+49 30 1234", "-1", "@SUM(A1)", "\t=1", "\r=1"]
)
def test_what_a_spreadsheet_would_run_is_made_text(name: str) -> None:
    assert list(csv.reader(io.StringIO(as_csv(["id"], [{"id": name}]), newline=""))) == [
        ["id"],
        [f"'{name}"],
    ]
