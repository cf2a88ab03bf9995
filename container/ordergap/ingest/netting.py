"""Cancellations, subtracted from the order lines that they cancel."""

from __future__ import annotations

import numpy as np
import polars as pl

from ordergap.ingest.cells import SMALLEST

_KIND = ("customer", "product", "price")


def net(lines: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Subtract every cancellation from earlier lines of its kind, from the latest first.

    `lines` has a row per order line: customer, product and price, which a cancellation shares with
    the lines that it cancels; moment; units, positive; and cancels. What the latest line does not
    have is subtracted from the line before. At one moment orders come before cancellations, and
    fewer units before more, so that the sequence of the rows makes no difference.

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
        lines.with_row_index("row")
        .filter(touched)
        .sort(*_KIND, "moment", "cancels", "units")
        .select("row", "cancels", "units", first=pl.struct(_KIND).rle_id().diff().fill_null(1) > 0)
    )
    stack: list[tuple[int, float]] = []
    for row, cancelling, units, first in zip(
        *events.to_dict(as_series=False).values(), strict=True
    ):
        if first:
            stack.clear()
        if not cancelling:
            stack.append((row, units))
            continue
        to_cancel = units
        while stack and to_cancel >= SMALLEST:
            order_row, rest = stack.pop()
            cancelled = min(rest, to_cancel)
            to_cancel, rest = to_cancel - cancelled, rest - cancelled
            if rest >= SMALLEST:
                stack.append((order_row, rest))
            remaining[order_row] = rest if rest >= SMALLEST else 0
            matched[row] = True
    return pl.Series(remaining), pl.Series(matched)
