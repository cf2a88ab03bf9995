"""What later lines of an order leave blank, because its first line says it."""

from __future__ import annotations

import polars as pl


def fill(lines: pl.DataFrame, blank: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Customer, moment and status of later lines from the first line of their order.

    lines  customer, moment, order (null where blank) and, perhaps, excluded, a row an order line
    blank  customer and date: true where the cell is empty

    A blank customer is filled in only where the day is blank too, or is that of the first line:
    numbers of receipts begin anew at many tills, and a receipt without a customer is nobody's.

    Returns the lines, and a sentence that counts those that changed.
    """
    status = ["excluded"] * ("excluded" in lines.columns)
    no_status = pl.col("excluded").is_null() if status else pl.lit(value=False)
    lines = lines.with_columns(no_customer=blank["customer"], no_date=blank["date"])
    later = lines.filter(
        pl.col("order").is_not_null() & (pl.col("no_customer") | pl.col("no_date") | no_status)
    )
    first = (
        lines.filter(
            pl.col("customer").is_not_null()
            & pl.col("moment").is_not_null()
            & pl.col("order").is_in(later["order"].unique().implode())
        )
        .group_by("order")
        .agg(pl.col("row", "customer", "moment", *status).first().name.prefix("first_"))
    )
    same_day = pl.col("moment").dt.date() == pl.col("first_moment").dt.date()
    same_customer = pl.col("customer") == pl.col("first_customer")
    found = later.join(first, on="order").filter(
        (pl.col("row") > pl.col("first_row"))
        & (pl.col("no_date") | same_day)
        & (pl.col("no_customer") | same_customer)
    )
    lines = lines.drop("no_customer", "no_date")
    if found.is_empty():
        return lines, ()
    values = [
        pl.col(name).fill_null(pl.col(f"first_{name}")) for name in ("customer", "moment", *status)
    ]
    lines = lines.update(found.select("row", *values), on="row")
    changed = int((found["no_customer"] | found["no_date"]).sum())
    note = f"{changed:,} later lines of orders have the customer and date of their order's first"
    return lines, (note,) if changed else ()
