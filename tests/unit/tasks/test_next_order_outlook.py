import csv
import datetime
import io
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from ordergap.artifacts import Bundle
from ordergap.histories import Histories, date_of, day_of
from ordergap.models.forecasts import Forecasts
from ordergap.models.next_order import NextOrderHead
from ordergap.models.population import Population
from ordergap.report.contents import Outlook
from ordergap.scoring.lists import contact_first, win_back
from ordergap.tasks import next_order_outlook
from ordergap.tasks.next_order_outlook import SHOWN, outlook
from ordergap.training.report_data import HORIZONS

from tests.shop import shop, without_amounts
from tests.trained import next_order

ERROR = 0.1


def forecast(bundle: Bundle, histories: Histories, week: float = 0.2) -> Forecasts:
    """20 days after the last order; `week` is the average customer's probability within 7 days."""
    own = cast("NextOrderHead", bundle.heads["next_order"])
    head = NextOrderHead(own.model, own.interval_levels, Population({7: week, 90: 0.3}))
    as_of = int(histories.day.max()) + 20
    return replace(bundle, heads={"next_order": head}).forecast(
        histories, as_of, replace(bundle.options, horizons=HORIZONS)
    )


def ahead(forecasts: Forecasts) -> Outlook:
    return outlook(forecasts, next_order(forecasts), ERROR)


@pytest.fixture(scope="module")
def forecasts(bundle: Bundle) -> Forecasts:
    return forecast(bundle, shop(300))


def test_the_sums_are_those_of_the_predictions(forecasts: Forecasts) -> None:
    page, records = ahead(forecasts), forecasts.records()
    chances = [cast("dict[str, float]", each["buy_probability"]) for each in records]
    within_7 = sum(each["7"] for each in chances)
    assert page.ordering.mean == pytest.approx(within_7, abs=0.01)
    assert page.known == len(records)
    spent = [
        each["7"] * float(str(r["usual_amount"])) for each, r in zip(chances, records, strict=True)
    ]
    assert page.amount is not None
    assert page.amount == pytest.approx(sum(spent), rel=1e-3)
    weeks = [value for _, value in page.weeks.columns]
    assert sum(weeks) == pytest.approx(sum(each["56"] for each in chances), abs=0.01)
    assert weeks[0] == page.ordering.mean
    assert page.ordering.low < page.ordering.mean * (1 - ERROR)
    assert page.ordering.high > page.ordering.mean * (1 + ERROR)


def test_the_weeks_begin_the_day_after(forecasts: Forecasts) -> None:
    page = ahead(forecasts)
    as_of = date_of(int(forecasts.customers.as_of[0]))
    assert page.from_day - as_of == datetime.timedelta(1)
    assert page.until_day - as_of == datetime.timedelta(7)
    labels = [label for label, _ in page.weeks.columns]
    assert len(labels) == len(page.weeks.ends) == 8
    starts = [page.from_day + datetime.timedelta(7 * k) for k in range(8)]
    assert labels == [f"{start.day} {start.strftime('%b')}" for start in starts]


def test_the_lists_are_those_of_the_command_line(forecasts: Forecasts) -> None:
    lists = ahead(forecasts).lists
    for listed, rows in zip(lists, (contact_first(forecasts), win_back(forecasts)), strict=True):
        assert rows
        assert listed.customers == listed.rows == len(rows)
        assert [cell for cell, *_ in listed.table.rows] == [
            row["customer_id"] for row in rows[:SHOWN]
        ]
        written = list(csv.DictReader(io.StringIO(listed.csv)))
        assert written == [{name: str(value) for name, value in row.items()} for row in rows]
        assert {len(cells) for cells in listed.table.rows} == {len(listed.table.head)}


def test_a_download_has_a_bound(forecasts: Forecasts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_order_outlook, "MOST", 3)
    listed, _ = ahead(forecasts).lists
    assert (listed.rows, listed.csv.count("\r\n")) == (3, 4)
    assert listed.customers == len(contact_first(forecasts)) > 3


def test_a_shop_without_amounts_has_none_on_its_page(bundle: Bundle) -> None:
    page = ahead(forecast(bundle, without_amounts(shop(300))))
    assert page.amount is None
    contact, back = page.lists
    assert contact.table.head == ["Customer", "Last order, days ago", "Chance in 7 days"]
    assert back.table.head == ["Customer", "Usual gap, days", "Waited, days", "Chance in 90 days"]


def test_some_unknown_amounts_leave_the_weeks_sum_out_and_the_others_in_the_lists(
    bundle: Bundle,
) -> None:
    histories = shop(300)
    some = np.where(histories.customer % 2, np.nan, histories.amount)
    page = ahead(forecast(bundle, replace(histories, amount=some)))
    assert page.amount is None
    for listed in page.lists:
        rows = list(csv.DictReader(io.StringIO(listed.csv)))
        assert {row["usual_amount"] == "" for row in rows} == {True, False}
        assert "nan" not in listed.csv
    assert page.lists[0].table.head[-1] == "Expected amount"


def test_a_shop_in_which_nobody_is_due_says_so(bundle: Bundle) -> None:
    contact, _ = ahead(forecast(bundle, shop(60), week=0.9)).lists
    assert contact.customers == contact.rows == 0
    assert not contact.table.rows
    assert contact.absent


def test_one_customer_of_one_order_has_a_page(bundle: Bundle) -> None:
    one = Histories.from_orders(
        ["a"], np.array([0]), np.array([day_of(datetime.date(2011, 12, 1))], np.int32),
        np.array([20.0]),
    )  # fmt: skip
    page = ahead(forecast(bundle, one))
    assert 0 < page.ordering.mean < 1
    assert page.known == 1
