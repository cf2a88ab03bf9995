"""The first page of a report: how many customers order in the weeks ahead, and whom to contact.

See docs/decisions/report.md#weeks-count-next-orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ordergap.contract.prediction import LAPSED_WITHIN
from ordergap.evaluation.gaps import WEEKS
from ordergap.histories import date_of
from ordergap.models.forecasts import Forecasts
from ordergap.models.next_order import NextOrderForecast
from ordergap.models.population import expected
from ordergap.report.contents import Columns, Listed, Outlook, Table
from ordergap.report.numbers import chance, day_and_month, fixed, money
from ordergap.scoring.lists import (
    WIN_BACK_COLUMNS,
    Row,
    as_csv,
    contact_columns,
    contact_first,
    win_back,
)

SHOWN, MOST = 15, 5_000  # rows of a list: on the page, and in its download
_AMOUNTS = ("usual_amount", "expected_amount", "revenue", "yearly_revenue_at_risk")
Shown = tuple[str, str]
"""Field of a row, and what stands above it."""


def outlook(forecasts: Forecasts, forecast: NextOrderForecast, weekly_error: float) -> Outlook:
    """What is ahead of all customers, as of one day.

    forecasts     of every task, with the probabilities of WEEKS and of LAPSED_WITHIN
    forecast      that of the next order among them
    weekly_error  see `Population`
    """
    customers, level = forecasts.customers, forecast.interval_level
    within = np.stack([forecast.probability[days] for days in WEEKS])
    usual = customers.revenue / customers.order_count
    known = ~np.isnan(usual)
    with_amounts = bool(known.any())
    weeks = expected(within, level, weekly_error)
    amount = float(within[0] @ usual) if known.all() else None
    as_of = int(customers.as_of[0])
    return Outlook(
        from_day=date_of(as_of + 1),
        until_day=date_of(as_of + WEEKS[0]),
        known=len(forecasts),
        level=level,
        ordering=weeks[0],
        amount=amount,
        weeks=Columns(
            "Customers by the week of their next order",
            [
                (day_and_month(date_of(as_of + until - 6)), week.mean)
                for until, week in zip(WEEKS, weeks, strict=True)
            ],
            "week from",
            "customers",
            [(week.low, week.high) for week in weeks],
        ),
        lists=[
            _contact_first(forecasts, with_amounts=with_amounts),
            _win_back(forecasts, with_amounts=with_amounts),
        ],
    )


def _contact_first(forecasts: Forecasts, *, with_amounts: bool) -> Listed:
    rows, columns = contact_first(forecasts), contact_columns()
    shown = [
        ("days_since_last_order", "Last order, days ago"),
        ("usual_amount", "Usual order"),
        (columns[-2], "Chance in 7 days"),
        ("expected_amount", "Expected amount"),
    ]
    by = "by what to expect of them: the chance times the usual order" if with_amounts else (
        "by their chance"
    )  # fmt: skip
    return _listed(
        "contact-first",
        "Contact first",
        f"Customers far more likely than the average one to order within 7 days, {by}.",
        "Nobody is far more likely than the average customer to order within 7 days.",
        rows, columns, shown, with_amounts=with_amounts,
    )  # fmt: skip


def _win_back(forecasts: Forecasts, *, with_amounts: bool) -> Listed:
    rows = win_back(forecasts)
    shown = [
        ("typical_gap_days", "Usual gap, days"),
        ("days_since_last_order", "Waited, days"),
        (f"buy_probability_{LAPSED_WITHIN}", f"Chance in {LAPSED_WITHIN} days"),
        ("revenue", "Spent so far"),
        ("yearly_revenue_at_risk", "At risk, a year"),
    ]
    by = (
        "by what is at risk: a year of usual orders at the usual gap"
        if with_amounts
        else "by their chance"
    )
    return _listed(
        "win-back",
        "Win back",
        "Customers with two orders or more who have waited unusually long and may still come back, "
        f"{by}.",
        "Nobody with two orders or more is late and likely enough to come back.",
        rows, WIN_BACK_COLUMNS, shown, with_amounts=with_amounts,
    )  # fmt: skip


def _listed(
    name: str,
    title: str,
    meaning: str,
    absent: str,
    rows: Sequence[Row],
    columns: Sequence[str],
    shown: Sequence[Shown],
    *,
    with_amounts: bool,
) -> Listed:
    shown = [each for each in shown if with_amounts or each[0] not in _AMOUNTS]
    head = ["Customer", *(heading for _, heading in shown)]
    top = rows[:SHOWN]
    cells = [[row["customer_id"] for row in top], *(_written(field, top) for field, _ in shown)]
    return Listed(
        name, title, meaning, absent,
        Table(title, head, [*zip(*cells, strict=True)]),
        len(rows), f"{name}.csv", as_csv(columns, rows[:MOST]), min(len(rows), MOST),
    )  # fmt: skip


def _written(field: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values of a field as text."""
    values = [row[field] for row in rows]
    if field in _AMOUNTS:
        return money(values)
    write = chance if field.startswith("buy_probability") else fixed
    return [write(value) for value in values]
