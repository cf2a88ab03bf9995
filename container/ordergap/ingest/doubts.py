"""Sentences on what lines that count may be, where the data do not decide it."""

from __future__ import annotations

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.ingest.overlaps import seem_repeated
from ordergap.ingest.table import Table

_NEARLY_ALL = 0.95


def of_lines(lines: pl.DataFrame, table: Table, columns: Columns) -> tuple[str, ...]:
    """Sentences for the user on lines that may be counted several times.

    lines  those that count, as what `reject_earlier` reads
    """
    return (*seem_repeated(lines, table, columns), *_repeated_totals(lines, table, columns))


def _repeated_totals(lines: pl.DataFrame, table: Table, columns: Columns) -> tuple[str, ...]:
    """Of amounts that are the same on all lines of an order, and differ among orders."""
    if columns.amount_column is None or not {"order", "price"} <= table.present:
        return ()
    several = (
        lines.filter(pl.col("order").is_not_null())
        .group_by("order", "customer", pl.col("moment").dt.date())
        .agg(
            pl.col("row").min(),
            pl.col("units").first(),
            same=pl.col("units").n_unique() == 1,
            different=pl.col("product").n_unique() if "product" in table.present else pl.len(),
        )
        .filter(pl.col("different") > 1)
    )
    same = several.filter("same")
    if len(same) <= _NEARLY_ALL * len(several) or same["units"].n_unique() == 1:
        return ()
    order = table.text("order", int(same["row"].min()))  # type: ignore[arg-type]
    sentence = (
        f'"{columns.amount_column}" is the same on all lines of {len(same):,} of {len(several):,} '
        f'orders with several, such as "{order[:40]}": if it is the order\'s, it is counted once '
        "for each line; name the line's with amount_column"
    )
    return (sentence,)
