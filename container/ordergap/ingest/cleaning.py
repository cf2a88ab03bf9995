"""Orders made of rows, and the reason for every row that is rejected.

See docs/decisions/data.md#later-rows-are-cut-before-netting.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

from ordergap.contract.orders import Columns, DataReport, Rejection
from ordergap.errors import AlgorithmError, DataError, InvalidRequest, Problem
from ordergap.histories import Histories, date_of
from ordergap.ingest import cells
from ordergap.ingest.netting import net
from ordergap.ingest.table import Table, names

_REASONS = tuple(Rejection)
_MAX_PROBLEMS = 20  # described at once
_STRIDE = 2**32  # customer * _STRIDE + day is one number for both
_FRACTIONS = 2.0**64  # sums are of whole numbers of this fraction


@dataclass(frozen=True)
class Cleaned:
    """The orders of some transactions.

    histories  the orders of every customer who has one; customers sorted by id
    report     counts of the rows that are used, and of those rejected for each reason
    seen       every readable customer id, with orders or not, in the sequence of the rows
    columns    those of the call; with a date_format where the values decided that the day comes
               first, so that a smaller file is read in the same way
    """

    histories: Histories
    report: DataReport
    seen: list[str]
    columns: Columns


def clean(
    table: Table,
    columns: Columns,
    where: str,
    *,
    strict: bool = False,
    part: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Make orders of the rows of `table`, which messages call `where`.

    Rows after the day `as_of` are rejected first: what they cancel is not cancelled yet. Raises
    DataError where there are no rows or none can be used, unless they are only a `part` of the
    transactions. With `strict` it raises InvalidRequest for cells that cannot be read and for rows
    after `as_of` instead of counting them, and returns without an error where no order is left.
    """
    if table.rows.is_empty() and not part:
        raise DataError(f"{where} names columns but has no rows")
    dates = cells.dates(table.texts["date"], columns.date_format)
    columns = columns.model_copy(update={"date_format": dates.date_format})
    ids, customers = cells.ranks(cells.identifiers(table.texts["customer"]))
    products, places = cells.ranks(cells.identifiers(table.texts["product"]))
    codes = {code.upper() for code in columns.non_product_codes}
    no_product = pl.Series([product.upper() in codes for product in products], dtype=pl.Boolean)

    lines = _read_lines(table, columns, customers, places, dates.moments, as_of)
    problems = _describe_problems(table, columns, lines["reason"], as_of)
    if strict and problems:
        raise InvalidRequest(problems)
    seen = lines["customer"].unique(maintain_order=True).drop_nulls()
    rows_read, notes = len(lines), table.notes + dates.notes
    del table  # as large as the lines
    counts = Counter(dict.fromkeys(Rejection, 0))
    lines = _drop_rejected(lines, counts)

    reason = _first_reason(
        {
            Rejection.DUPLICATE: pl.lit(_is_repeated(lines)),
            Rejection.NON_PRODUCT: pl.lit(no_product).gather(pl.col("product")),
            Rejection.NO_PRICE: (pl.col("price") < 0)
            | (pl.col("units") == 0)
            | ((pl.col("price") == 0) & (columns.free_orders == "off")),
        }
    )
    lines = _drop_rejected(lines.with_columns(pl.col("units").abs(), reason=reason), counts)

    remaining, matched = net(lines)
    reason = _first_reason(
        {
            Rejection.CANCELLATION: pl.lit(matched),
            Rejection.UNMATCHED_CANCELLATION: pl.col("cancels"),
            Rejection.CANCELLED: pl.lit(remaining) == 0,
        }
    )
    lines = _drop_rejected(lines.with_columns(remaining=remaining, reason=reason), counts)

    histories = _add_up(ids, lines)
    revenue = math.fsum(histories.amount)
    report = DataReport(
        rows_read=rows_read,
        rows_used=len(lines),
        rejected=dict(counts),
        customers=len(histories.customer_ids),
        orders=len(histories),
        revenue=None if math.isnan(revenue) else revenue,
        first_day=date_of(histories.day.min()) if len(histories) else None,
        last_day=date_of(histories.day.max()) if len(histories) else None,
        notes=notes,
    )
    if rows_read != len(lines) + counts.total():
        raise AlgorithmError(
            f"rows used and rejected of {where} are not the rows read: {report.model_dump_json()}"
        )
    if not len(histories) and not strict and not part:
        raise DataError(_describe_rejections(where, report, problems))
    return Cleaned(histories, report, [ids[i] for i in seen], columns)


def _read_lines(
    table: Table,
    columns: Columns,
    customers: pl.Series,
    products: pl.Series,
    moments: pl.Series,
    as_of: datetime.date | None,
) -> pl.DataFrame:
    """The values of every row, and the reason against those that cannot be read or come too late.

    units   pieces; with an amount column money, of which a unit has the price 1; without any
            amounts 1
    price   of a unit; without any amounts NaN
    pieces  only with an amount column: pieces, null where unknown
    """
    quantities, prices = (cells.numbers(table.texts[role]) for role in ("quantity", "price"))
    units, price, pieces = pl.col("units"), pl.col("price"), pl.col("pieces")
    if columns.amount_column:
        present = cells.identifiers(table.texts["quantity"]).is_not_null()
        quantities = quantities.set(quantities.is_null() & present, math.nan)
        values = {"units": table.each("price", prices), "price": pl.lit(1.0)}
        values["pieces"] = table.each("quantity", quantities)
        negative = (units < 0) | (pieces < 0)
        bad_quantity, bad_price = pieces.is_nan(), units.is_null()
    elif all((table.texts[role] == "").all() for role in ("quantity", "price")):
        values = {"units": pl.lit(1.0), "price": pl.lit(math.nan)}
        negative = bad_quantity = bad_price = pl.lit(value=False)
    else:
        values = {"units": table.each("quantity", quantities), "price": table.each("price", prices)}
        negative, bad_quantity = units < 0, units.fill_null(0) == 0
        bad_price = ((units * price).abs() > cells.LARGEST) | price.is_null()
    # C536379 is a cancellation, CA-2016-152156 an order.
    cancelling = table.texts["order"].str.contains(r"^\s*C\d")
    return table.rows.select(
        "others",
        customer=table.each("customer", customers),
        product=table.each("product", products),
        moment=table.each("date", moments),
        cancels=table.each("order", cancelling),
        **values,
    ).with_columns(
        cancels=pl.col("cancels") | negative.fill_null(value=False),
        reason=_first_reason(
            {
                Rejection.NO_CUSTOMER: pl.col("customer").is_null(),
                Rejection.BAD_DATE: pl.col("moment").is_null(),
                Rejection.BAD_QUANTITY: bad_quantity,
                Rejection.BAD_PRICE: bad_price,
                Rejection.LATER: pl.col("moment").dt.date() > as_of
                if as_of
                else pl.lit(value=False),
            }
        ),
    )


def _first_reason(reasons: dict[Rejection, pl.Expr]) -> pl.Expr:
    """For every row the position in `Rejection` of the first reason that holds, or null."""
    first = pl.lit(None, pl.Int8)
    for reason, against in reversed(reasons.items()):
        first = pl.when(against).then(pl.lit(_REASONS.index(reason), pl.Int8)).otherwise(first)
    return first


def _drop_rejected(lines: pl.DataFrame, counts: Counter[Rejection]) -> pl.DataFrame:
    """The lines without a reason to reject them; the others are added to `counts`."""
    for position, times in lines["reason"].drop_nulls().value_counts().iter_rows():
        counts[_REASONS[position]] += times
    return lines.filter(pl.col("reason").is_null()).drop("reason")


def _is_repeated(lines: pl.DataFrame) -> pl.Series:
    """True for the second and further ones of equal lines.

    Lines with equal 64-bit hashes are compared by their values. Columns without a role have only a
    hash: two lines that differ nowhere else are taken for one with a probability of 2^-64.
    """
    hashes = lines.select(sum(pl.col(name).hash(i) for i, name in enumerate(lines.columns)))
    hashed = hashes.to_series()
    ordered = np.sort(hashed.to_numpy())
    twice = pl.Series(ordered[1:][ordered[1:] == ordered[:-1]])
    candidates = hashed.is_in(twice.implode()).arg_true()
    first = lines[candidates].select(pl.struct(pl.all()).is_first_distinct()).to_series()
    return pl.repeat(False, len(lines), eager=True).scatter(candidates, ~first)


def _add_up(ids: list[str], lines: pl.DataFrame) -> Histories:
    """One order per customer and day.

    Money and pieces are added as whole multiples of 2^-64: exactly, so in any sequence alike.
    """
    items, known = pl.col("remaining"), pl.col("price").is_not_nan()
    if "pieces" in lines.columns:
        items = pl.col("pieces").abs() * items / pl.col("units")
    day = pl.col("moment").dt.date().to_physical()
    sums = (
        lines.lazy()
        .select(
            customer_day=pl.col("customer").cast(pl.Int64) * _STRIDE + day,
            amount=pl.when(known)
            .then(pl.col("remaining") * pl.col("price") * _FRACTIONS)
            .cast(pl.Int128),
            items=pl.when(known).then(items * _FRACTIONS).cast(pl.Int128),
        )
        .group_by("customer_day")
        .agg(
            pl.col("amount", "items").sum().cast(pl.Float64) / _FRACTIONS,
            without_amount=pl.col("amount").null_count() > 0,
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
        np.where(sums["without_amount"], np.nan, sums["amount"]),
        np.where(sums["unknown"], np.nan, sums["items"]),
        sums["lines"].to_numpy().astype(np.float64),
    )


def _describe_problems(
    table: Table, columns: Columns, reason: pl.Series, as_of: datetime.date | None
) -> list[Problem]:
    """What is wrong with the first rows that cannot be read or come too late."""
    explained = {
        Rejection.NO_CUSTOMER: ("customer", "is not a customer id"),
        Rejection.BAD_DATE: (
            "date",
            f"is not a date like {columns.date_format or '2010-12-01 08:26'}",
        ),
        Rejection.BAD_QUANTITY: ("quantity", "is not a number of items"),
        Rejection.BAD_PRICE: ("price", "is not a number, or is too large"),
        Rejection.LATER: ("date", f"is after as_of {as_of}"),
    }
    problems = []
    for row in reason.is_not_null().arg_true().head(_MAX_PROBLEMS):
        role, what = explained[_REASONS[reason[row]]]
        field = names(columns)[role]
        text = table.texts[role][table.rows[row, role]].strip()[:40]
        text = f'"{text}"' if text else "(blank)"
        problems.append(Problem(f"row {row}: {field} {text} {what}", record=row, field=field))
    return problems


def _describe_rejections(where: str, report: DataReport, problems: list[Problem]) -> str:
    reasons = ", ".join(
        f"{count:,} {why.replace('_', ' ')}" for why, count in report.rejected.items() if count
    )
    example = f". For example, {problems[0].message}" if problems else ""
    return f"none of the {report.rows_read:,} rows of {where} can be used: {reasons}{example}"
