"""Cancellations, subtracted from the order lines that they cancel."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.ingest.numerals import SMALLEST

_KIND = ("customer", "product", "price")


def net(lines: pl.DataFrame, usable: pl.Series | None = None) -> tuple[pl.Series, pl.Series]:
    """Subtract every cancellation from earlier lines of its kind, from the latest first.

    `lines` has a row per order line: customer, product and price, which a cancellation shares with
    the lines that it cancels; order, null where unknown; moment; units, positive; and cancels.
    What a cancellation takes from lines of its own order is subtracted first. What the latest line
    does not have is subtracted from the line before. At one moment orders come before
    cancellations, and fewer units before more, so that the sequence of the rows makes no
    difference. Lines that are not `usable` neither cancel nor are cancelled; None: all are.

    Returns the units that remain, 0 for cancellations, and true for each cancellation that had a
    line to cancel.
    """
    usable = pl.repeat(True, len(lines), eager=True) if usable is None else usable
    cancels = lines["cancels"] & usable
    left = lines["units"].to_numpy().copy()
    matched = np.zeros(len(lines), bool)
    if not cancels.any():
        return pl.Series(left), pl.Series(matched)
    # Few customers cancel few products, of which those with another price only cost a little time.
    product = pl.col("product").fill_null(-1)
    kind = lines.select(pl.col("customer").cast(pl.Int64) * 2**32 + product).to_series()
    touched = kind.is_in(kind.filter(cancels).unique().implode()) & usable
    some = lines.with_row_index("at").filter(touched)
    cancelled, bought = (
        some["order"].filter(each).drop_nulls().unique()
        for each in (some["cancels"], ~some["cancels"])
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
    if lines.is_empty():
        return
    lines = lines.with_columns(left=left[lines["at"].to_numpy()])
    events = lines.sort(*key, "moment", "cancels", "left", "units", "order").select(
        "at", "cancels", "left", kind=pl.struct(key).rle_id()
    )
    at, left_of, kinds = events["at"].to_numpy(), events["left"].to_list(), events["kind"]
    cancelling = events["cancels"].arg_true()
    starts = kinds.search_sorted(kinds.gather(cancelling))
    stack: list[int] = []  # lines of this kind, the latest last
    found, pushed = [], 0
    for this, start in zip(cancelling.to_list(), starts.to_list(), strict=True):
        if start >= pushed:  # another kind
            stack, pushed = [], start
        stack.extend(range(pushed, this))
        pushed = this + 1
        while stack and left_of[this] >= SMALLEST:
            line = stack[-1]
            if taken := min(left_of[line], left_of[this]):
                found.append(this)
            left_of[this] -= taken
            left_of[line] -= taken
            if left_of[line] < SMALLEST:
                left_of[stack.pop()] = 0
    left[at] = left_of
    matched[at[found]] = True
