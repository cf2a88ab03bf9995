"""Orders made of rows, and the reason for every row that is rejected.

See docs/decisions/data.md#later-rows-are-cut-before-netting.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

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
from ordergap.ingest import buckets, cells, doubts, numerals, overlaps, plausibility
from ordergap.ingest.date_parts import DAY
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
    moments: pl.Series,
    where: str,
    *,
    strict: bool = False,
    part: bool = False,
    whole: Mapping[int, int] | None = None,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Make orders of the rows of `table`, which messages call `where`.

    `moments` has one for each distinct text of the dates, null where there is none. Of a `part` of
    the transactions, a date may be far from all others only beside the rows by day of the `whole`.
    Rows after the day `as_of` are rejected before netting: what they cancel is not cancelled yet.
    Raises DataError where there are no rows, more than `max_unreadable` of them are unreadable for
    one reason, or none can be used, unless they are only a `part` of the transactions. With
    `strict` it raises InvalidRequest for cells that cannot be read and for rows after `as_of`
    instead of counting them, and returns without an error where no order is left.
    """
    if table.rows.is_empty() and not part:
        raise DataError(f"{where} names columns but has no rows")
    ids, customers = cells.ranks(
        cells.customers(table.texts["customer"], columns.no_customer_words)
    )
    table = fill(table, customers, moments, columns.max_unreadable)
    products, places = cells.ranks(cells.identifiers(table.texts["product"]))
    codes = {code.upper() for code in columns.non_product_codes}
    no_product = pl.Series([product.upper() in codes for product in products], dtype=pl.Boolean)
    values = _values(table, columns, conventions, customers, places, moments)
    few = not strict and (not part or whole is not None)
    impossible, far = plausibility.impossible(
        table.rows["date"], moments, as_of, few=few, strict=strict, whole=whole
    )
    rows = table.rows.with_row_index("row").with_columns(
        reason=_judge_cells(table, columns, values, impossible, as_of)
    )
    rejections = Rejections(table, columns, conventions, as_of)
    if strict and (problems := rejections.problems(rows["reason"])):
        raise InvalidRequest(problems)
    # Lines of one customer mostly follow one another.
    runs = rows["customer"].rle().struct.field("value").unique(maintain_order=True)
    seen = customers.gather(runs).drop_nulls().unique(maintain_order=True)
    read = partial(_read_lines, values=values)
    rows, repeated = overlaps.reject_earlier(rows, table, columns, read)
    lines = read(rejections.drop(rows)).rechunk()
    concerned = _concerned(rows, values, [r for r in UNREADABLE if rejections.counts[r]])
    free = columns.free_orders == "on"
    reason = rejections.first_reason(
        {
            Rejection.DUPLICATE: pl.lit(is_repeated(lines, table, columns)),
            Rejection.NON_PRODUCT: pl.lit(no_product).gather(pl.col("product")),
            Rejection.NO_QUANTITY: pl.col("units") == 0,
            Rejection.NO_PRICE: pl.col("price") < 0 if free else pl.col("price") <= 0,
        }
    )
    lines = lines.with_columns(pl.col("units").abs(), reason=reason)
    remaining, matched = net(lines, lines["reason"].is_null())
    reason = rejections.first_reason(
        {
            Rejection.CANCELLATION: pl.lit(matched),
            Rejection.UNMATCHED_CANCELLATION: pl.col("cancels"),
            Rejection.CANCELLED: pl.lit(remaining) == 0,
        }
    )
    lines = lines.drop("others").with_columns(
        remaining=remaining, reason=pl.coalesce("reason", reason)
    )
    lines = rejections.drop(lines)

    known = "price" in table.present
    histories = buckets.counted(_add_up(ids, lines, known=known), lines, table, columns)
    report = DataReport(
        rows_read=len(rows),
        rows_used=len(lines),
        rejected=rejections.counts,
        examples=rejections.examples,
        concerned=concerned,
        customers=len(histories.customer_ids),
        orders=len(histories),
        revenue=math.fsum(histories.amount.tolist()) if known else None,
        first_day=date_of(histories.day.min()) if len(histories) else None,
        last_day=date_of(histories.day.max()) if len(histories) else None,
        conventions=conventions,
        notes=(
            *table.notes,
            *status_note(table, columns),
            *far,
            *repeated,
            *doubts.of_lines(lines, table, columns, ids),
            *(() if part else plausibility.absurd_share(histories)),
        ),
    )
    if len(rows) != len(lines) + sum(rejections.counts.values()):
        faulty = report.model_dump_json()
        raise AlgorithmError(f"rows used and rejected of {where} are not those read: {faulty}")
    if not strict and not part:
        raise_for_unreadable(report, columns, where)
        if not len(histories):
            raise DataError(describe_rejections(where, report))
    return Cleaned(histories, report, [ids[i] for i in seen.to_list()])


def _values(
    table: Table,
    columns: Columns,
    conventions: Conventions,
    customers: pl.Series,
    products: pl.Series,
    moments: pl.Series,
) -> dict[str, tuple[str, pl.Series]]:
    """What lines have: name -> a role, and a value for each of its distinct texts.

    order    a number for its order, null where unknown
    units    pieces; with an amount column money, of which a unit has the price 1
    pieces   only with an amount column: pieces, null where unknown; NaN where unreadable
    """

    def numbers(role: str) -> pl.Series:
        if role not in table.present and not columns.amount_column:
            return pl.repeat(1.0, len(table.texts[role]), eager=True)
        decimal = "point" if role in table.typed else conventions.decimal
        return numerals.read(table.texts[role], decimal)

    values = {
        "customer": ("customer", customers),
        "product": ("product", products),
        "order": ("order", cells.numbered(table.texts["order"])),
        "moment": ("date", moments),
    }
    quantities, prices = numbers("quantity"), numbers("price")
    if not columns.amount_column:
        return values | {"units": ("quantity", quantities), "price": ("price", prices)}
    present = ~cells.is_blank(table.texts["quantity"])
    nothing = prices == 0
    return values | {
        "units": ("price", prices.set(nothing, 1.0)),
        "price": ("price", (~nothing).cast(pl.Float64)),
        "pieces": ("quantity", quantities.set(quantities.is_null() & present, math.nan)),
    }


def _judge_cells(
    table: Table,
    columns: Columns,
    values: Mapping[str, tuple[str, pl.Series]],
    impossible: pl.Series,
    as_of: datetime.date | None,
) -> pl.Expr:
    """The reason against rows that cannot be used, null for the others."""
    of = {name: each for name, (_, each) in values.items()}
    bad_price = of["units" if columns.amount_column else "price"].is_null()
    bad_quantity = of["pieces"].is_nan() if columns.amount_column else of["units"].is_null()
    cells_against = {
        Rejection.NO_CUSTOMER: ("customer", of["customer"].is_null()),
        Rejection.BAD_DATE: ("date", of["moment"].is_null()),
        Rejection.BAD_QUANTITY: ("quantity", bad_quantity),
        Rejection.BAD_PRICE: ("price", bad_price),
        Rejection.IMPOSSIBLE_DATE: ("date", impossible),
    }
    if as_of:
        cells_against[Rejection.LATER] = ("date", of["moment"].dt.date() > as_of)
    if "status" in table.present:
        cells_against[Rejection.STATUS] = ("status", excluded(table.texts["status"], columns))
    reasons = {
        reason: table.each(role, against)
        for reason, (role, against) in cells_against.items()
        if against.any()
    }
    units, price = (table.each(*values[name]) for name in ("units", "price"))
    largest = (of[name].abs().fill_null(0).to_numpy().max(initial=0) for name in ("units", "price"))
    if math.prod(largest) > numerals.LARGEST:
        too_large = (units * price).abs() > numerals.LARGEST
        reasons[Rejection.BAD_PRICE] = too_large | table.each("price", bad_price)
    return Rejections.first_reason(reasons)


def _read_lines(rows: pl.DataFrame, values: Mapping[str, tuple[str, pl.Series]]) -> pl.DataFrame:
    """The values of rows; `cancels`: their quantity or their amount is negative."""
    units, price = pl.col("units"), pl.col("price")
    back = (units > 0) & (price < 0)  # of one negative price, as of one negative quantity
    negative = (units < 0) | (pl.col("pieces") < 0 if "pieces" in values else back)
    return rows.select(
        "row",
        "others",
        **{name: pl.lit(each).gather(pl.col(role)) for name, (role, each) in values.items()},
    ).with_columns(
        cancels=negative.fill_null(value=False), price=pl.when(back).then(-price).otherwise(price)
    )


def _concerned(
    rows: pl.DataFrame, values: Mapping[str, tuple[str, pl.Series]], reasons: Iterable[Rejection]
) -> dict[Rejection, Concerned]:
    """Customers and revenue of the rows of each reason."""
    found = {}
    for reason in reasons:
        lines = _read_lines(rows.filter(pl.col("reason") == Rejections.position(reason)), values)
        money = lines.select((pl.col("units") * pl.col("price")).fill_nan(None)).to_series()
        known = money.drop_nulls()
        revenue = math.fsum(known.to_list()) if len(known) else None
        found[reason] = Concerned(customers=lines["customer"].n_unique(), revenue=revenue)
    return found


def _add_up(ids: list[str], lines: pl.DataFrame, *, known: bool) -> Histories:
    """One order per customer and day; `known` says whether amounts are.

    Money and pieces are added as whole multiples of 2^-64: exactly, so in any sequence alike.
    """
    items = pl.col("remaining")
    if "pieces" in lines.columns:
        items = pl.col("pieces").abs() * items / pl.col("units")
    # Sums of whole numbers are exact as they are.
    whole = lines.select((items == items.floor()).all() & (items.sum() < 2**53)).item()
    day = pl.col("moment").to_physical() // DAY
    sums = (
        lines.lazy()
        .select(
            customer_day=pl.col("customer").cast(pl.Int64) * _STRIDE + day,
            amount=(pl.col("remaining") * pl.col("price") * _FRACTIONS).cast(pl.Int128),
            items=items if whole else (items * _FRACTIONS).cast(pl.Int128),
        )
        .group_by("customer_day")
        .agg(
            amount=pl.col("amount").sum().cast(pl.Float64) / _FRACTIONS,
            items=pl.col("items").sum().cast(pl.Float64) / (1.0 if whole else _FRACTIONS),
            unknown=pl.col("items").null_count() > 0,
            lines=pl.len(),
        )
        .collect(engine="streaming")
        .sort("customer_day")
    )
    key = sums["customer_day"].to_numpy()
    owner = (key + _STRIDE // 2) // _STRIDE  # a day before 1970 is negative
    firsts = np.diff(owner, prepend=-1) > 0
    return Histories.from_orders(
        [ids[i] for i in owner[firsts].tolist()],
        np.cumsum(firsts) - 1,
        (key - owner * _STRIDE).astype(np.int32),
        sums["amount"].to_numpy() if known else np.full(len(sums), np.nan),
        np.where(sums["unknown"], np.nan, sums["items"]),
        sums["lines"].to_numpy().astype(np.float64),
    )
