"""Lines that are in the data more than once."""

from __future__ import annotations

import numpy as np
import polars as pl

from ordergap.contract.orders import Columns
from ordergap.contract.presets import EXCLUDED_STATUSES
from ordergap.ingest.table import Table


def is_repeated(lines: pl.DataFrame, table: Table, columns: Columns) -> pl.Series:
    """True for the second and further ones of equal lines, where they do not count.

    Lines with equal 64-bit hashes are compared by their values. Columns without a role have only a
    hash: two lines that differ nowhere else are taken for one with a probability of 2^-64.
    """
    counted = not {"order", "quantity"} & table.present
    if columns.duplicates == "keep" or (columns.duplicates == "auto" and counted):
        return pl.repeat(False, len(lines), eager=True)
    telling = ["customer", "moment", "product", "units"]
    if "status" in table.present and not {*columns.excluded_statuses} & {*EXCLUDED_STATUSES}:
        # Without a word for a status these are kinds of lines or currencies: they tell lines apart.
        lines = lines.with_columns(kind=table.rows["status"].gather(lines["row"]))
        telling.append("kind")
    lines = lines.drop("row")
    hashes = sum((pl.col(name).hash(i) for i, name in enumerate(telling)), pl.col("others"))
    hashed = lines.select(hashes).to_series()
    ordered = np.sort(hashed.to_numpy())
    twice = pl.Series(ordered[1:][ordered[1:] == ordered[:-1]])
    candidates = hashed.is_in(twice.implode()).arg_true()
    first = lines[candidates].select(pl.struct(pl.all()).is_first_distinct()).to_series()
    return pl.repeat(False, len(lines), eager=True).scatter(candidates, ~first)
