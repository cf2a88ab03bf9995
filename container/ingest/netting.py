"""Cancellations, taken back from the order lines that they cancel."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

_KIND = ("customer", "product", "price")
_DUST = 1e-9  # what rounding leaves of a line that was cancelled piece by piece


def net(lines: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What cancellations leave of every line: a cancellation takes the latest earlier line first.

    `lines` has a row per line: customer, product and price (a cancellation takes from lines that
    are equal in all three), moment, units (positive) and whether it cancels. What is more than the
    latest line has is taken from the line before it. Among lines of one moment, orders come before
    cancellations and small before large, so that the rows' sequence does not matter.

    Returns left (n,), units that remain, 0 for cancellations; and found (n,), true for the
    cancellations that took something.

    Think of the lines of one kind as a stack of pieces. An order lays its units on top, from level
    a to b; a cancellation takes from the top, at most to the floor. What remains of a line in the
    end lies between a and the lowest level that the stack fell to afterwards.
    """
    left = np.where(lines["cancels"], 0.0, lines["units"])
    found = np.zeros(len(lines), bool)
    # Few kinds are ever cancelled. A collision of hashes only brings in a kind more.
    kind = lines.select(sum(pl.col(name).hash(seed) for seed, name in enumerate(_KIND))).to_series()
    stack = lines.with_row_index("row").filter(
        kind.is_in(kind.filter(lines["cancels"]).unique().implode())
    )
    units, cancels, level = pl.col("units"), pl.col("cancels"), pl.col("level")
    stack = (
        stack.sort(*_KIND, "moment", "cancels", "units")
        .with_columns(kind=pl.struct(_KIND).rle_id())
        .with_columns(sum=pl.when(cancels).then(-units).otherwise(units).cum_sum().over("kind"))
        .with_columns(
            level=pl.col("sum") - pl.min_horizontal(0.0, pl.col("sum").cum_min().over("kind"))
        )
        .with_columns(
            before=level.shift(1, fill_value=0.0).over("kind"),
            lowest=level.cum_min(reverse=True).over("kind"),
        )
    )
    fallen = stack["level"].to_numpy() - stack["lowest"].to_numpy()
    remain = stack["units"].to_numpy() - fallen
    rows = stack["row"].to_numpy()
    left[rows] = np.where(stack["cancels"] | (remain < _DUST), 0.0, remain)
    found[rows] = stack["cancels"] & (stack["before"] - stack["level"] > _DUST)
    return left, found
