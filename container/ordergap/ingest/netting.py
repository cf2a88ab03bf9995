"""Cancellations, subtracted from the order lines that they cancel."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.ingest.numerals import SMALLEST

_KIND = ("customer", "product", "price")


def net(lines: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Subtract every cancellation from earlier lines of its kind, from the latest first.

    `lines` has a row per order line: customer, product and price, which a cancellation shares with
    the lines that it cancels; order, null where unknown; moment; units, positive; and cancels.
    What a cancellation takes from lines of its own order is subtracted first. What the latest line
    does not have is subtracted from the line before. At one moment orders come before
    cancellations, and fewer units before more, so that the sequence of the rows makes no
    difference.

    Returns the units that remain, 0 for cancellations, and true for each cancellation that had a
    line to cancel.
    """
    cancels = lines["cancels"]
    left = lines["units"].to_numpy().copy()
    matched = np.zeros(len(lines), bool)
    # Few kinds are ever cancelled. Hashes that collide only bring in one more of them.
    kind = lines.select(sum(pl.col(name).hash(seed) for seed, name in enumerate(_KIND))).to_series()
    touched = kind.is_in(kind.filter(cancels).unique().implode())
    some = lines.with_row_index("at").filter(touched)
    cancelled, bought = (
        some.filter(each)["order"].drop_nulls().unique()
        for each in (pl.col("cancels"), ~pl.col("cancels"))
    )
    both = cancelled.filter(cancelled.is_in(bought.implode()))
    of_orders = some.filter(pl.col("order").is_in(both.implode()))
    for lines_of, key in ((of_orders, (*_KIND, "order")), (some, _KIND)):
        _subtract(lines_of, key, left, matched)
    return pl.Series(np.where(cancels, 0, left)), pl.Series(matched)


def _subtract(
    lines: pl.DataFrame, key: tuple[str, ...], left: NDArray[np.float64], matched: NDArray[np.bool_]
) -> None:
    """Subtract cancellations from lines that share `key`; both lose in `left` what is matched."""
    lines = lines.with_columns(left=left[lines["at"].to_numpy()])
    events = lines.sort(*key, "moment", "cancels", "left", "units", "order").select(
        "at", "cancels", "left", first=pl.struct(key).rle_id().diff().fill_null(1) > 0
    )
    stack: list[tuple[int, float]] = []
    for at, cancelling, units, first in zip(*events.to_dict(as_series=False).values(), strict=True):
        if first:
            stack.clear()
        if not cancelling:
            stack.append((at, units))
            continue
        to_cancel = units
        while stack and to_cancel >= SMALLEST:
            line, rest = stack.pop()
            taken = min(rest, to_cancel)
            to_cancel, rest = to_cancel - taken, rest - taken
            if rest >= SMALLEST:
                stack.append((line, rest))
            left[line] = rest if rest >= SMALLEST else 0
            matched[at] |= taken > 0
        left[at] = to_cancel
