"""Rows in; orders, and the reason for every row that is in none of them, out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from container.contract.orders import Columns, DataReport, Rejection
from container.errors import AlgorithmError, DataError, InvalidRequest, Problem
from container.histories import Histories, date_of
from container.ingest import cells
from container.ingest.netting import net
from container.ingest.table import Table, names

_REASONS = tuple(Rejection)
_AT_ONCE = 20  # problems that are told at once
_CUSTOMER = 2**32  # parts customers from one another where customer and day are one number
_EXACT = 2.0**64


@dataclass(frozen=True)
class Cleaned:
    """What came out of the transactions.

    histories  the orders of every customer who has one; customers sorted by id
    report     what became of every row
    seen       every readable customer id, with orders or not, in the sequence of the rows
    columns    as given; with a date_format where the values decided that the day comes first, so
               that a smaller file is read alike
    """

    histories: Histories
    report: DataReport
    seen: list[str]
    columns: Columns


def clean(table: Table, columns: Columns, where: str, *, strict: bool = False) -> Cleaned:
    """Make orders of the rows of `where`, as messages call them.

    Raises DataError where there are no rows or none can be used. A `strict` caller gets an
    InvalidRequest for cells that cannot be read, and is left to speak to the customers who were
    seen and have no orders.
    """
    if not len(table):
        raise DataError(f"{where} names columns but has no rows")
    dates = cells.dates(table.columns["date"].texts, columns.date_format)
    columns = columns.model_copy(update={"date_format": dates.date_format})
    ids, customers = cells.ranks(cells.identifiers(table.columns["customer"].texts))
    products, product_codes = cells.ranks(cells.identifiers(table.columns["product"].texts))

    lines, reason = _lines(table, columns, customers, product_codes, dates.moments)
    problems = _problems(table, columns, reason)
    if strict and problems:
        raise InvalidRequest(problems)
    rows_read, notes = len(table), table.notes + dates.notes
    del table  # as large as the lines
    seen = lines["customer"].unique(maintain_order=True)
    counts = _count(reason)

    lines = lines.filter(reason < 0)
    codes = {code.upper() for code in columns.non_product_codes}
    # The last one is that of -1, a line without a product.
    no_product = np.array([product.upper() in codes for product in products] + [False])
    reason = _first(
        {
            Rejection.DUPLICATE: _repeated(lines),
            Rejection.NON_PRODUCT: no_product[lines["product"].to_numpy()],
            Rejection.NO_PRICE: (lines["price"] * lines["units"].abs() <= 0).to_numpy(),
        }
    )
    counts += _count(reason)

    lines = lines.filter(reason < 0).with_columns(pl.col("units").abs())
    left, found = net(lines)
    reason = _first(
        {
            Rejection.CANCELLATION: found,
            Rejection.UNMATCHED_CANCELLATION: lines["cancels"].to_numpy(),
            Rejection.CANCELLED: left == 0,
        }
    )
    counts += _count(reason)

    histories = _orders(ids, lines.with_columns(left=left).filter(reason < 0))
    report = DataReport(
        rows_read=rows_read,
        rows_used=int(np.sum(reason < 0)),
        rejected=dict(zip(_REASONS, counts.tolist(), strict=True)),
        customers=len(histories.customer_ids),
        orders=len(histories),
        revenue=math.fsum(histories.amount),
        first_day=date_of(histories.day.min()) if len(histories) else None,
        last_day=date_of(histories.day.max()) if len(histories) else None,
        notes=notes,
    )
    if report.rows_read != report.rows_used + sum(report.rejected.values()):
        raise AlgorithmError(f"the account of {where} does not add up: {report.model_dump_json()}")
    if not len(histories) and not strict:
        raise DataError(_nothing_left(where, report, problems))
    return Cleaned(histories, report, [ids[i] for i in seen if i >= 0], columns)


def _lines(
    table: Table,
    columns: Columns,
    customers: NDArray[np.int32],
    products: NDArray[np.int32],
    moments: NDArray[np.int64],
) -> tuple[pl.DataFrame, NDArray[np.int8]]:
    """Every row's values, and the reason against those that cannot be read.

    units are pieces, or money where the file has a ready amount: then a unit's price is 1, and
    pieces, if known, stand beside.
    """
    column = table.columns
    # CA-2016-152156 is an order, C536379 a cancellation.
    cancels = column["order"].texts.str.contains(r"^\s*C\d").to_numpy()[column["order"].codes]
    quantity = cells.numbers(column["quantity"].texts)[column["quantity"].codes]
    price = cells.numbers(column["price"].texts)[column["price"].codes]
    cancels |= quantity < 0
    customer, moment = customers[column["customer"].codes], moments[column["date"].codes]
    frame = {
        "customer": customer,
        "product": products[column["product"].codes],
        "moment": moment,
        "others": table.others,
    }
    if columns.amount_column:
        blank = cells.identifiers(column["quantity"].texts).is_null().to_numpy()
        bad_quantity = np.isnan(quantity) & ~blank[column["quantity"].codes]
        bad_price = np.isnan(price)
        cancels |= price < 0
        frame |= {"price": np.ones(len(table)), "units": price, "pieces": quantity}
    else:
        bad_quantity = ~(np.abs(quantity) > 0)
        bad_price = ~(np.abs(price * quantity) <= cells.LARGEST)
        frame |= {"price": price, "units": quantity}
    reason = _first(
        {
            Rejection.NO_CUSTOMER: customer < 0,
            Rejection.BAD_DATE: moment == cells.UNREADABLE,
            Rejection.BAD_QUANTITY: bad_quantity,
            Rejection.BAD_PRICE: bad_price,
        }
    )
    return pl.DataFrame({**frame, "cancels": cancels}), reason


def _first(reasons: dict[Rejection, NDArray[np.bool_]]) -> NDArray[np.int8]:
    """For every row the position in `Rejection` of the first reason against it; -1 for none."""
    first = np.full(len(next(iter(reasons.values()))), -1, np.int8)
    for reason, against in reversed(reasons.items()):
        first[against] = _REASONS.index(reason)
    return first


def _count(reason: NDArray[np.int8]) -> NDArray[np.int64]:
    return np.array([np.count_nonzero(reason == position) for position in range(len(_REASONS))])


def _repeated(lines: pl.DataFrame) -> NDArray[np.bool_]:
    """True for the second and further ones of equal lines.

    Lines are suspected by a 64-bit hash and convicted by comparing their values. Only the columns
    without a role are never compared but by their hash: two lines that agree in all else and differ
    there are taken for one with a probability of 2^-64.
    """
    hashes = lines.select(sum(pl.col(name).hash(i) for i, name in enumerate(lines.columns)))
    hashed = hashes.to_series()
    ordered = np.sort(hashed.to_numpy())
    twice = pl.Series(ordered[1:][ordered[1:] == ordered[:-1]])
    suspects = np.flatnonzero(hashed.is_in(twice.implode()))
    again = np.zeros(len(lines), bool)
    again[suspects] = ~lines[suspects].select(pl.struct(pl.all()).is_first_distinct()).to_series()
    return again


def _orders(ids: list[str], lines: pl.DataFrame) -> Histories:
    """One order per customer and day.

    Money and pieces are added as whole multiples of 2^-64: exactly, so in any sequence alike.
    """
    items = pl.col("left")
    if "pieces" in lines.columns:
        items = (pl.col("pieces").abs() * items / pl.col("units")).fill_nan(None)
    sums = (
        lines.lazy()
        .select(
            customer_day=pl.col("customer").cast(pl.Int64) * _CUSTOMER
            + pl.col("moment").floordiv(cells.MICROSECONDS),
            amount=(pl.col("left") * pl.col("price") * _EXACT).cast(pl.Int128),
            items=(items * _EXACT).cast(pl.Int128),
        )
        .group_by("customer_day")
        .agg(
            pl.col("amount", "items").sum().cast(pl.Float64) / _EXACT,
            unknown=pl.col("items").null_count() > 0,
            lines=pl.len(),
        )
        .sort("customer_day")
        .collect(engine="streaming")
    )
    key = sums["customer_day"].to_numpy()
    owner = (key + _CUSTOMER // 2) // _CUSTOMER  # a day before 1970 is negative
    present, customer = np.unique(owner, return_inverse=True)
    return Histories.from_orders(
        [ids[i] for i in present],
        customer,
        (key - owner * _CUSTOMER).astype(np.int32),
        sums["amount"].to_numpy(),
        np.where(sums["unknown"], np.nan, sums["items"]),
        sums["lines"].to_numpy().astype(np.float64),
    )


def _problems(table: Table, columns: Columns, reason: NDArray[np.int8]) -> list[Problem]:
    """What is wrong with the first rows that cannot be read."""
    explained = {
        Rejection.NO_CUSTOMER: ("customer", "is no customer id"),
        Rejection.BAD_DATE: (
            "date",
            f"is no date like {columns.date_format or '2010-12-01 08:26'}",
        ),
        Rejection.BAD_QUANTITY: ("quantity", "is no number of items"),
        Rejection.BAD_PRICE: ("price", "is no number, or too large"),
    }
    problems = []
    for row in np.flatnonzero(reason >= 0)[:_AT_ONCE].tolist():
        role, what = explained[_REASONS[reason[row]]]
        field = names(columns)[role]
        text = table.columns[role].texts[int(table.columns[role].codes[row])].strip()[:40]
        text = f'"{text}"' if text else "(blank)"
        problems.append(Problem(f"row {row}: {field} {text} {what}", record=row, field=field))
    return problems


def _nothing_left(where: str, report: DataReport, problems: list[Problem]) -> str:
    reasons = ", ".join(
        f"{count:,} {why.replace('_', ' ')}" for why, count in report.rejected.items() if count
    )
    such = f". {problems[0].message}" if problems else ""
    return f"none of the {report.rows_read:,} rows of {where} can be used: {reasons}{such}"
