"""Amounts of orders, which some exports repeat on each line of an order."""

from __future__ import annotations

import polars as pl

NEARLY_ALL = 0.95


def is_total(cells: pl.DataFrame, amount: str, order: str | None, product: str | None) -> bool:
    """Whether a column is the same on all lines of nearly every order, and differs among orders.

    order    the column with the order's number
    product  that with the product's code: lines of one product may well have one amount
    """
    if order not in cells.columns or cells[amount].n_unique() < 3:
        return False
    lines = pl.col(product).n_unique() if product in cells.columns else pl.len()
    several = (
        cells.drop_nulls([order, amount])
        .group_by(order)
        .agg(same=pl.col(amount).n_unique() == 1, lines=lines)
        .filter(pl.col("lines") > 1)
    )
    return len(several) > 0 and int(several["same"].sum()) > NEARLY_ALL * len(several)
