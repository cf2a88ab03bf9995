"""Cancellations, taken back from the order lines that they cancel."""

from __future__ import annotations

import numpy as np
import polars as pl

from ordergap.ingest.cells import SMALLEST

_KIND = ("customer", "product", "price")


def net(lines: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """What cancellations leave of every line: each takes from the latest earlier line first.

    `lines` has a row per line: customer, product and price, in which a cancellation and the lines
    it takes from are equal; moment; units, positive; and whether it cancels. What the latest line
    does not have is taken from the line before. At one moment orders come before cancellations, and
    fewer units before more, so that the sequence of the rows makes no difference.

    Returns left, units that remain, 0 for cancellations, and found, true for those of
    them that took something.
    """
    cancels = lines["cancels"]
    left = np.where(cancels, 0, lines["units"])
    found = np.zeros(len(lines), bool)
    # Few kinds are ever cancelled. Hashes that collide only bring in one more of them.
    kind = lines.select(sum(pl.col(name).hash(seed) for seed, name in enumerate(_KIND))).to_series()
    touched = kind.is_in(kind.filter(cancels).unique().implode())
    events = (
        lines.with_row_index("row")
        .filter(touched)
        .sort(*_KIND, "moment", "cancels", "units")
        .select("row", "cancels", "units", new=pl.struct(_KIND).rle_id().diff().fill_null(1) > 0)
    )
    stack: list[tuple[int, float]] = []
    for row, cancelling, units, new in zip(*events.to_dict(as_series=False).values(), strict=True):
        if new:
            stack.clear()
        if not cancelling:
            stack.append((row, units))
            continue
        wanted = units
        while stack and wanted >= SMALLEST:
            bought, rest = stack.pop()
            taken = min(rest, wanted)
            wanted, rest = wanted - taken, rest - taken
            if rest >= SMALLEST:
                stack.append((bought, rest))
            left[bought] = rest if rest >= SMALLEST else 0
            found[row] = True
    return pl.Series(left), pl.Series(found)
