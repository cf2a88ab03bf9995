"""What lines of an order leave blank, because another of its lines says it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from ordergap.ingest import cells
from ordergap.ingest.table import Table


def fill(table: Table, customers: pl.Series, moments: pl.Series) -> Table:
    """The table with blank customers, dates and statuses taken from the other lines of the order.

    Exports often name them on an order's first line alone. They are taken only where all lines
    that have them agree: of a line with a date or a customer, those of its order with that day or
    customer; of one without, those of its order. So numbers of receipts that begin anew every day
    join nothing. The notes count the lines that changed.

    customers  of the distinct texts of the customers
    moments    of the distinct texts of the dates
    """
    if "order" not in table.present or table.rows.is_empty():
        return table
    roles = [role for role in ("customer", "date", "status") if role in table.present]
    blank: dict[str, pl.Series] = {role: cells.is_blank(table.texts[role]) for role in roles}
    if not any(each.any() for each in blank.values()):
        return table
    table = _note_nameless(table, blank)
    if not _divided(table, blank):
        return table
    days = moments.dt.date()
    lines = table.rows.select(
        *roles,
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        of=table.each("order", cells.numbered(table.texts["order"])),
        day=table.each("date", days),
        who=table.each("customer", customers),
        **{f"no_{role}": table.each(role, blank[role]) for role in roles},
    ).filter(pl.col("of").is_not_null())
    full = lines.filter(~pl.col("no_date") & ~pl.col("no_customer") & pl.col("who").is_not_null())
    its = [pl.col(r).filter(~pl.col(f"no_{r}")).min().name.prefix("its_") for r in roles]
    one = (pl.col("who").n_unique() == 1) & (pl.col("day").n_unique() == 1)
    changes = []
    for dated, named in itertools.product((True, False), repeat=2):
        key = ["of"] + ["day"] * dated + ["who"] * named
        some = lines.filter(pl.col("no_date") != dated, pl.col("no_customer") != named)
        agreed = full.group_by(key).agg(*its, one=one).filter("one").drop("one")
        changes.append(some.join(agreed, on=key).select(pl.exclude("of", "day", "who")))
    found = pl.concat(changes).filter(pl.any_horizontal(f"no_{role}" for role in roles))
    if found.is_empty():
        return table
    filled = found.select(
        "row",
        *(pl.when(f"no_{role}").then(f"its_{role}").otherwise(role).alias(role) for role in roles),
    )
    rows = table.rows.with_row_index("row").update(filled, on="row").drop("row")
    changed = found.select((pl.col("no_customer") | pl.col("no_date")).sum()).item()
    note = f"{changed:,} lines have the customer and date that other lines of their order have"
    return replace(table, rows=rows, notes=table.notes + ((note,) if changed else ()))


def _note_nameless(table: Table, blank: Mapping[str, pl.Series]) -> Table:
    """The table with a note on lines that have neither customer, date nor order number."""
    if not (blank["customer"].any() and blank["date"].any()):
        return table
    blank = {**blank, "order": cells.is_blank(table.texts["order"])}
    every = pl.all_horizontal(
        table.each(role, blank[role]) for role in ("customer", "date", "order")
    )
    count = table.rows.select(every.sum()).item()
    note = (
        f"{count:,} lines have neither customer, date nor order number: if they belong to the line "
        "above, fill these in"
    )
    return replace(table, notes=table.notes + ((note,) if count else ()))


def _divided(table: Table, blanks: Mapping[str, pl.Series]) -> bool:
    """Whether an order has both lines with something blank and lines with nothing blank."""
    some = pl.any_horizontal(table.each(role, blank) for role, blank in blanks.items())
    kinds = table.rows.select("order", some=some)
    # Lines of an order mostly follow one another: one of each kind is enough.
    kinds = kinds.filter(pl.any_horizontal(pl.all() != pl.all().shift()).fill_null(value=True))
    with_some, with_none = (kinds.filter(each)["order"] for each in ("some", ~pl.col("some")))
    return with_some.is_in(with_none.implode()).any()
