"""Sentences on what lines that count may be, where the data do not decide it."""

from __future__ import annotations

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.ingest.overlaps import seem_repeated, spelled_alike
from ordergap.ingest.table import Table

_NEARLY_ALL = 0.95
_SAMPLE, _MANY, _MOST = 10_000, 50, 0.8  # lines, and orders, that tell whether all are looked at
_FEW = 10  # days on which a customer's lines may well be alike


def of_lines(
    lines: pl.DataFrame, table: Table, columns: Columns, ids: list[str]
) -> tuple[str, ...]:
    """Sentences for the user on lines that may be counted several times, and customers, too.

    lines  those that count, as what `reject_earlier` reads
    ids    all customers
    """
    return (
        *seem_repeated(lines, table, columns),
        *_repeated_totals(lines, table, columns),
        *_spellings(pl.Series(ids, dtype=pl.String)),
    )


def _spellings(ids: pl.Series) -> tuple[str, ...]:
    """Of customers that may be one; e-mail addresses are one in any case."""
    ids = ids.filter(ids.str.contains(r"[^0-9]"))
    if ids.is_empty():
        return ()
    alike = spelled_alike(ids)
    several = alike.is_duplicated()
    if not several.any():
        return ()
    one, other, *_ = ids.filter(alike == alike.filter(several)[0])
    sentence = (
        f"{several.sum():,} customers differ from others in case and blanks alone, such as "
        f'"{one[:40]}" and "{other[:40]}", and count as several: write them alike if they are one'
    )
    return (sentence,)


def _repeated_totals(lines: pl.DataFrame, table: Table, columns: Columns) -> tuple[str, ...]:
    """Of amounts that are the same on all lines of an order, and differ among orders.

    A price is one where each line has one piece, and without numbers of orders an order is a day.
    """
    if "price" not in table.present:
        return ()
    amount, name = "units", columns.amount_column
    if name is None:
        amount, name = "price", columns.price_column
        if lines["units"].max() != 1:
            return ()
    key = ["customer", pl.col("moment").dt.date().alias("day")]
    if by_order := "order" in table.present:
        key.append("order")
        lines = lines.filter(pl.col("order").is_not_null())
    of_orders = (
        pl.col("row").min(),
        pl.col(amount).first(),
        (pl.col(amount).n_unique() == 1).alias("same"),
        pl.col("product").n_unique() if "product" in table.present else pl.len().alias("product"),
    )
    part = pl.col("customer") % (len(lines) // _SAMPLE + 1) == 0
    for some in (lines.filter(part), lines):
        several = some.group_by(key).agg(of_orders).filter(pl.col("product") > 1)
        if len(several) > _MANY and several["same"].mean() < _MOST:  # type: ignore[operator]
            return ()
    same = several.filter("same")
    few = not by_order and len(several) < _FEW
    if few or len(same) <= _NEARLY_ALL * len(several) or same[amount].n_unique() == 1:
        return ()
    first = int(same["row"].min())  # type: ignore[arg-type]
    if by_order:
        example = f'such as "{table.text("order", first)[:40]}"'
    else:
        file, number = table.place(first)
        example = f"such as that of row {number:,}" + (f" of {file}" if file else "")
    sentence = (
        f'"{name}" is the same on all lines of {len(same):,} of {len(several):,} '
        f"{'orders' if by_order else 'days of a customer'} with several, {example}: if it is the "
        "order's, it is counted once for each line; name the line's with amount_column"
    )
    return (sentence,)
