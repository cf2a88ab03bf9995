"""Orders made of rows, and the reason for every row that is rejected.

See docs/decisions/data.md#later-rows-are-cut-before-netting.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from ordergap.contract.orders import (
    UNREADABLE,
    Columns,
    Concerned,
    Conventions,
    DataReport,
    Rejection,
)
from ordergap.errors import AlgorithmError, DataError, InvalidRequest
from ordergap.histories import Histories, date_of
from ordergap.ingest import cells, dates, doubts, numerals, overlaps, plausibility
from ordergap.ingest.duplicates import is_repeated
from ordergap.ingest.filling import fill
from ordergap.ingest.netting import net
from ordergap.ingest.rejections import Rejections, describe_rejections, raise_for_unreadable
from ordergap.ingest.statuses import excluded, status_note
from ordergap.ingest.table import Table

_STRIDE = 2**32  # customer * _STRIDE + day is one number for both
_FRACTIONS = 2.0**64  # sums are of whole numbers of this fraction


@dataclass(frozen=True)
class Cleaned:
    """The orders of some transactions.

    histories  the orders of every customer who has one; customers sorted by id
    report     counts of the rows that are used, and of those rejected for each reason; and the
               conventions by which the cells were read
    seen       every readable customer id, with orders or not, in the sequence of the rows
    """

    histories: Histories
    report: DataReport
    seen: list[str]


def clean(
    table: Table,
    columns: Columns,
    conventions: Conventions,
    where: str,
    *,
    strict: bool = False,
    part: bool = False,
    whole: Mapping[int, int] | None = None,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Make orders of the rows of `table`, which messages call `where`.

    Of a `part` of the transactions, a date may be far from all others only beside the rows by day
    of the `whole`.
    Rows after the day `as_of` are rejected before netting: what they cancel is not cancelled yet.
    Raises DataError where there are no rows, where more than `max_unreadable` of them are
    unreadable for one reason, or where none can be used, unless they are only a `part` of the
    transactions. With `strict` it raises InvalidRequest for cells that cannot be read and for rows
    after `as_of` instead of counting them, and returns without an error where no order is left.
    """
    if table.rows.is_empty() and not part:
        raise DataError(f"{where} names columns but has no rows")
    moments = dates.read(
        table.texts["date"], columns.date_format, conventions.date_order, columns.time_zone
    )
    ids, customers = cells.ranks(
        cells.customers(table.texts["customer"], columns.no_customer_words)
    )
    table = fill(table, customers, moments, columns.max_unreadable)
    products, places = cells.ranks(cells.identifiers(table.texts["product"]))
    codes = {code.upper() for code in columns.non_product_codes}
    no_product = pl.Series([product.upper() in codes for product in products], dtype=pl.Boolean)

    few = not strict and (not part or whole is not None)
    impossible, far = plausibility.impossible(
        table.rows["date"], moments, as_of, few=few, strict=strict, whole=whole
    )
    lines = _read_lines(table, columns, conventions, customers, places, moments).with_columns(
        reason=_judge_cells(table, columns, moments, impossible, as_of)
    )
    rejections = Rejections(table, columns, conventions, as_of)
    if strict and (problems := rejections.problems(lines["reason"])):
        raise InvalidRequest(problems)
    seen = lines["customer"].unique(maintain_order=True).drop_nulls()
    rows_read = len(lines)
    concerned = _concerned(lines)
    lines, repeated = overlaps.reject_earlier(lines, table, columns)
    lines = rejections.drop(lines)

    free = columns.free_orders == "on"
    reason = rejections.first_reason(
        {
            Rejection.DUPLICATE: pl.lit(is_repeated(lines, table, columns)),
            Rejection.NON_PRODUCT: pl.lit(no_product).gather(pl.col("product")),
            Rejection.NO_QUANTITY: pl.col("units") == 0,
            Rejection.NO_PRICE: pl.col("price") < 0 if free else pl.col("price") <= 0,
        }
    )
    lines = rejections.drop(lines.with_columns(pl.col("units").abs(), reason=reason))

    remaining, matched = net(lines)
    reason = rejections.first_reason(
        {
            Rejection.CANCELLATION: pl.lit(matched),
            Rejection.UNMATCHED_CANCELLATION: pl.col("cancels"),
            Rejection.CANCELLED: pl.lit(remaining) == 0,
        }
    )
    lines = rejections.drop(lines.with_columns(remaining=remaining, reason=reason))

    known = "price" in table.present
    histories = _add_up(ids, lines, known=known)
    report = DataReport(
        rows_read=rows_read,
        rows_used=len(lines),
        rejected=rejections.counts,
        examples=rejections.examples,
        concerned=concerned,
        customers=len(histories.customer_ids),
        orders=len(histories),
        revenue=math.fsum(histories.amount) if known else None,
        first_day=date_of(histories.day.min()) if len(histories) else None,
        last_day=date_of(histories.day.max()) if len(histories) else None,
        conventions=conventions,
        notes=(
            *table.notes,
            *status_note(table, columns),
            *far,
            *repeated,
            *doubts.of_lines(lines, table, columns),
            *(() if part else plausibility.absurd_share(histories)),
        ),
    )
    if rows_read != len(lines) + sum(rejections.counts.values()):
        raise AlgorithmError(
            f"rows used and rejected of {where} are not the rows read: {report.model_dump_json()}"
        )
    if not strict and not part:
        raise_for_unreadable(report, columns, where)
        if not len(histories):
            raise DataError(describe_rejections(where, report))
    return Cleaned(histories, report, [ids[i] for i in seen])


def _read_lines(
    table: Table,
    columns: Columns,
    conventions: Conventions,
    customers: pl.Series,
    products: pl.Series,
    moments: pl.Series,
) -> pl.DataFrame:
    """The values of every row.

    row      its number
    order    a number for its order, null where unknown
    units    pieces; with an amount column money, of which a unit has the price 1
    pieces   only with an amount column: pieces, null where unknown; NaN where unreadable
    cancels  whether the line takes back: its quantity or its amount is negative
    """
    units, price = pl.col("units"), pl.col("price")
    back = (units > 0) & (price < 0)  # of one negative price, as of one negative quantity
    negative = (units < 0) | (pl.col("pieces") < 0 if columns.amount_column else back)
    return table.rows.select(
        "others",
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        customer=table.each("customer", customers),
        product=table.each("product", products),
        order=table.each("order", cells.numbered(table.texts["order"])),
        moment=table.each("date", moments),
        **_amounts(table, columns, conventions),
    ).with_columns(
        cancels=negative.fill_null(value=False), price=pl.when(back).then(-price).otherwise(price)
    )


def _amounts(table: Table, columns: Columns, conventions: Conventions) -> dict[str, pl.Expr]:
    """The expressions of units, price and, with an amount column, of pieces."""

    def numbers(role: str) -> pl.Series:
        decimal = "point" if role in table.typed else conventions.decimal
        return numerals.read(table.texts[role], decimal)

    quantities, one = numbers("quantity"), pl.lit(1.0)
    if columns.amount_column:
        present = cells.identifiers(table.texts["quantity"]).is_not_null()
        quantities = quantities.set(quantities.is_null() & present, math.nan)
        amount = table.each("price", numbers("price"))
        nothing = amount == 0
        return {
            "units": pl.when(nothing).then(1.0).otherwise(amount),
            "price": pl.when(nothing).then(0.0).otherwise(one),
            "pieces": table.each("quantity", quantities),
        }
    units = table.each("quantity", quantities)
    if "price" in table.present:
        return {"units": units, "price": table.each("price", numbers("price"))}
    return {"units": units if "quantity" in table.present else one, "price": one}


def _judge_cells(
    table: Table,
    columns: Columns,
    moments: pl.Series,
    impossible: pl.Series,
    as_of: datetime.date | None,
) -> pl.Expr:
    """The reason against lines that cannot be used, null for the others."""
    units, price = pl.col("units"), pl.col("price")
    if columns.amount_column:
        bad_quantity, bad_price = pl.col("pieces").is_nan(), units.is_null()
    else:
        bad_quantity = units.is_null()
        bad_price = ((units * price).abs() > numerals.LARGEST) | price.is_null()
    reasons = {
        Rejection.NO_CUSTOMER: pl.col("customer").is_null(),
        Rejection.BAD_DATE: pl.col("moment").is_null(),
        Rejection.BAD_QUANTITY: bad_quantity,
        Rejection.BAD_PRICE: bad_price,
    }
    if impossible.any():
        reasons[Rejection.IMPOSSIBLE_DATE] = _each_row(table, "date", impossible)
    if as_of and (later := moments.dt.date() > as_of).any():
        reasons[Rejection.LATER] = _each_row(table, "date", later)
    if "status" in table.present:
        reasons[Rejection.STATUS] = _each_row(
            table, "status", excluded(table.texts["status"], columns)
        )
    return Rejections.first_reason(reasons)


def _each_row(table: Table, role: str, values: pl.Series) -> pl.Expr:
    """For every row the value of its text, as an expression over another frame of these rows."""
    return pl.lit(values.gather(table.rows[role]))


def _concerned(lines: pl.DataFrame) -> dict[Rejection, Concerned]:
    """Customers and revenue of the unreadable rows of each reason."""
    found = {}
    for reason in UNREADABLE:
        rows = lines.filter(pl.col("reason") == Rejections.position(reason))
        if len(rows):
            money = rows.select((pl.col("units") * pl.col("price")).fill_nan(None)).to_series()
            known = money.drop_nulls()
            revenue = math.fsum(known) if len(known) else None
            found[reason] = Concerned(customers=rows["customer"].n_unique(), revenue=revenue)
    return found


def _add_up(ids: list[str], lines: pl.DataFrame, *, known: bool) -> Histories:
    """One order per customer and day; `known` says whether amounts are.

    Money and pieces are added as whole multiples of 2^-64: exactly, so in any sequence alike.
    """
    items = pl.col("remaining")
    if "pieces" in lines.columns:
        items = pl.col("pieces").abs() * items / pl.col("units")
    day = pl.col("moment").dt.date().to_physical()
    sums = (
        lines.lazy()
        .select(
            customer_day=pl.col("customer").cast(pl.Int64) * _STRIDE + day,
            amount=(pl.col("remaining") * pl.col("price") * _FRACTIONS).cast(pl.Int128),
            items=(items * _FRACTIONS).cast(pl.Int128),
        )
        .group_by("customer_day")
        .agg(
            pl.col("amount", "items").sum().cast(pl.Float64) / _FRACTIONS,
            unknown=pl.col("items").null_count() > 0,
            lines=pl.len(),
        )
        .sort("customer_day")
        .collect(engine="streaming")
    )
    key = sums["customer_day"].to_numpy()
    owner = (key + _STRIDE // 2) // _STRIDE  # a day before 1970 is negative
    present, customer = np.unique(owner, return_inverse=True)
    return Histories.from_orders(
        [ids[i] for i in present],
        customer,
        (key - owner * _STRIDE).astype(np.int32),
        sums["amount"].to_numpy() if known else np.full(len(sums), np.nan),
        np.where(sums["unknown"], np.nan, sums["items"]),
        sums["lines"].to_numpy().astype(np.float64),
    )
