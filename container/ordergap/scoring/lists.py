"""The lists that a shop works through: whom to contact first, who is worth most, whom to win back.

The same rows stand on the report, in its downloads and in what the command line writes. See
docs/decisions/report.md#revenue-at-risk-takes-the-models-typical-gap.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from ordergap.contract.prediction import (
    DUE_WITHIN,
    LAPSED_WITHIN,
    Status,
    yearly_revenue_at_risk,
)
from ordergap.errors import UserError
from ordergap.histories import iso_dates
from ordergap.models.forecasts import Forecasts, amounts_or_null, flat
from ordergap.models.next_order import NextOrderForecast, days_or_null
from ordergap.scoring.cells import inert

_DATES = ("next_order_date", "next_order_date_low", "next_order_date_high")
_KNOWN = ("customer_id", "last_order_date", "days_since_last_order", "order_count")
Row = dict[str, Any]
"""Field -> JSON-ready value; fields as in a prediction, and what the list is ranked by."""


def contact_columns(days: int = DUE_WITHIN) -> tuple[str, ...]:
    """The fields of a row of `contact_first`, in sequence."""
    return (*_KNOWN, "usual_amount", f"buy_probability_{days}", "expected_amount")


WIN_BACK_COLUMNS = (
    *_KNOWN,
    "typical_gap_days",
    "usual_amount",
    "revenue",
    f"buy_probability_{LAPSED_WITHIN}",
    "yearly_revenue_at_risk",
)
"""The fields of a row of `win_back`, in sequence."""


def contact_first(forecasts: Forecasts, days: int = DUE_WITHIN) -> list[Row]:
    """The customers who are due, the largest expected amount first.

    expected_amount  probability of an order within `days` days times usual amount; null where
                     that is unknown, and then ranked below the others, by probability

    Raises UserError where `days` is not among the horizons of the forecasts.
    """
    chance = f"buy_probability_{days}"
    rows = _customers(forecasts, Status.DUE, days)
    for row in rows:
        usual = row["usual_amount"]
        row["expected_amount"] = None if usual is None else round(row[chance] * usual, 2)
    return _ranked(rows, contact_columns(days), chance)


def win_back(forecasts: Forecasts) -> list[Row]:
    """The overdue customers with two orders or more, the most revenue at risk first.

    yearly_revenue_at_risk  what a year of orders of the usual amount brings at the typical gap,
                            which is the model's median gap, waiting left out; null where either is
                            unknown, and then ranked below the others, by probability

    Raises UserError where 90 days are not among the horizons of the forecasts.
    """
    rows = [r for r in _customers(forecasts, Status.OVERDUE, LAPSED_WITHIN) if r["order_count"] > 1]
    for row in rows:
        row["yearly_revenue_at_risk"] = yearly_revenue_at_risk(
            row["usual_amount"], row["typical_gap_days"]
        )
    return _ranked(rows, WIN_BACK_COLUMNS, f"buy_probability_{LAPSED_WITHIN}")


def worth_columns(forecasts: Forecasts) -> tuple[str, ...]:
    """The fields of a row of `worth_most`, in sequence."""
    columns = cast("Mapping[str, Any]", forecasts.columns)
    days = min(columns["expected_value"], key=int)
    large = flat("large_order_probability", columns.get("large_order_probability", {}))
    value = ("expected_orders", "value_low", "value_high", "expected_value")
    probabilities = (f"buy_probability_{days}", *large)
    return (*_KNOWN, *_DATES, *probabilities, *(f"{name}_{days}" for name in value))


def worth_most(forecasts: Forecasts) -> list[Row]:
    """The customers with their dates, the largest expected value first.

    The value is that of the shortest of its horizons; null where an amount is unknown, and then
    ranked below the others, by the probability of an order within as many days, which must be
    among the horizons.
    """
    names = worth_columns(forecasts)
    parts = [flat(field, column) for field, column in forecasts.columns.items()]
    every = {name: values for part in parts for name, values in part.items()}
    columns = {name: every[name] for name in names}
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _ranked(rows, names, names[len(_KNOWN) + len(_DATES)])


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """The rows below the names of their columns; what is null is empty.

    A text that a spreadsheet would run as a formula, such as =1+1, is made `inert`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([inert(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def _customers(forecasts: Forecasts, status: Status, days: int) -> list[Row]:
    """A row for each customer of that status, with the fields of either list."""
    customers = forecasts.customers
    forecast = cast("NextOrderForecast", forecasts.tasks["next_order"])
    if days not in forecast.probability:
        asked = ", ".join(map(str, forecast.probability))
        raise UserError(
            f"the list needs the probability within {days} days, and the horizons are {asked}: "
            f"name {days} among the horizons"
        )
    some = np.flatnonzero([each == status for each in forecast.status])
    revenue, count = customers.revenue[some], customers.order_count[some]
    fields = {
        "customer_id": [customers.customer_ids[i] for i in some.tolist()],
        "last_order_date": iso_dates(customers.last_day[some]),
        "days_since_last_order": customers.elapsed[some].tolist(),
        "order_count": count.tolist(),
        "typical_gap_days": days_or_null(forecast.typical[some]),
        "usual_amount": amounts_or_null(revenue / count),
        "revenue": amounts_or_null(revenue),
        f"buy_probability_{days}": forecast.probability[days][some].round(6).tolist(),
    }
    return [dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]


def _ranked(rows: Iterable[Row], columns: Sequence[str], chance: str) -> list[Row]:
    """By the last column, falling, then by chance; of equals the smaller customer_id first."""

    def rank(row: Row) -> tuple[bool, float, float, str]:
        value = row[columns[-1]]
        return value is None, -(value or 0.0), -row[chance], row["customer_id"]

    return [{name: row[name] for name in columns} for row in sorted(rows, key=rank)]
