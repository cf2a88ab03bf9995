"""Cancellations, subtracted from the order lines that they cancel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ordergap.ingest.numerals import SMALLEST

_KIND = ("customer", "product", "price")


def net(
    lines: pl.DataFrame, orders_of: Callable[[pl.Series], pl.Series]
) -> tuple[pl.Series, pl.Series]:
    """Subtract every cancellation from earlier lines of its kind.

    `lines` has a row per order line: customer, product and price, which a cancellation shares with
    the lines that it cancels; moment; units, positive; cancels; and row, for whose values
    `orders_of` gives the orders, null where unknown.
    A cancellation takes from the lines of its own order first, then from the others, each time from
    the latest first. At one moment orders come before cancellations, and fewer units before more,
    so that the sequence of the rows makes no difference.

    Returns the units that remain, 0 for cancellations, and true for each cancellation that had a
    line to cancel.
    """
    cancels = lines["cancels"]
    remaining = np.where(cancels, 0, lines["units"])
    matched = np.zeros(len(lines), bool)
    # Few kinds are ever cancelled. Hashes that collide only bring in one more of them.
    kind = lines.select(sum(pl.col(name).hash(seed) for seed, name in enumerate(_KIND))).to_series()
    touched = kind.is_in(kind.filter(cancels).unique().implode())
    events = (
        lines.with_row_index("event")
        .filter(touched)
        .with_columns(order=pl.col("row").map_batches(orders_of, pl.Int32))
        .sort(*_KIND, "moment", "cancels", "units", "order", nulls_last=True)
        .select(
            "event",
            "cancels",
            "units",
            "order",
            first=pl.struct(_KIND).rle_id().diff().fill_null(1) > 0,
        )
    )
    stack: list[tuple[int, float, int | None]] = []
    for row, cancelling, units, order, first in zip(
        *events.to_dict(as_series=False).values(), strict=True
    ):
        if first:
            stack.clear()
        if not cancelling:
            stack.append((row, units, order))
            continue
        to_cancel = units
        for own in (True, False):
            at = len(stack)
            while at and to_cancel >= SMALLEST:
                at -= 1
                order_row, rest, of = stack[at]
                if own and (order is None or of != order):
                    continue
                cancelled = min(rest, to_cancel)
                to_cancel, rest = to_cancel - cancelled, rest - cancelled
                remaining[order_row] = rest if rest >= SMALLEST else 0
                matched[row] = True
                if rest >= SMALLEST:
                    stack[at] = order_row, rest, of
                else:
                    del stack[at]
    return pl.Series(remaining), pl.Series(matched)
