"""What later lines of an order leave blank, because its first line says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from ordergap.ingest import cells
from ordergap.ingest.table import Table


def fill(table: Table, moments: pl.Series) -> Table:
    """The table with customer, date and status of later lines from the first line of their order.

    moments  of the distinct texts of the dates

    A blank customer is filled in only where the date is blank too, or is of the day of the first
    line: numbers of receipts begin anew at many tills, and a receipt without a customer is
    nobody's. The notes count the lines that changed.
    """
    rows = table.rows
    if "order" not in table.present or rows.is_empty():
        return table
    roles = [role for role in ("customer", "date", "status") if role in table.present]
    blanks = {role: cells.identifiers(table.texts[role]).is_null() for role in roles}
    if not _divided(table, blanks):
        return table
    blank = {role: table.each(role, each) for role, each in blanks.items()}
    ordered = table.each("order", cells.identifiers(table.texts["order"]).is_not_null())
    later = rows.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), "order", *roles,
                        **{f"no_{role}": each for role, each in blank.items()})  # fmt: skip
    known = later.filter(~pl.col("no_customer") & ~pl.col("no_date"))
    later = later.filter(pl.any_horizontal(f"no_{role}" for role in roles) & ordered)
    first = (
        known.filter(pl.col("order").is_in(later["order"].unique().implode()))
        .group_by("order")
        .agg(pl.col("row", *roles).first().name.prefix("first_"))
    )
    if first.is_empty():
        return table
    days = moments.dt.date()
    same_day = pl.lit(days).gather(pl.col("date")) == pl.lit(days).gather(pl.col("first_date"))
    found = later.join(first, on="order").filter(
        (pl.col("row") > pl.col("first_row"))
        & (pl.col("no_date") | same_day)
        & (pl.col("no_customer") | (pl.col("customer") == pl.col("first_customer")))
    )
    changed = found.select((pl.col("no_customer") | pl.col("no_date")).sum()).item()
    if found.is_empty():
        return table
    filled = found.select(
        "row",
        *(
            pl.when(f"no_{role}").then(f"first_{role}").otherwise(role).alias(role)
            for role in roles
        ),
    )
    rows = rows.with_row_index("row").update(filled, on="row").drop("row")
    note = f"{changed:,} later lines of orders have the customer and date of their order's first"
    return replace(table, rows=rows, notes=table.notes + ((note,) if changed else ()))


def _divided(table: Table, blanks: Mapping[str, pl.Series]) -> bool:
    """Whether an order has both lines with something blank and lines with nothing blank."""
    orders = table.rows["order"].to_numpy()
    some = np.zeros(len(orders), bool)
    for role, blank in blanks.items():
        if blank.any():
            some |= blank.to_numpy()[table.rows[role].to_numpy()]
    has_blank = np.zeros(len(table.texts["order"]), bool)
    has_blank[orders[some]] = True
    return bool((has_blank[orders] & ~some).any())
