"""The order lines of each customer and day, counted by the bucket of their values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from ordergap.contract.orders import Columns
from ordergap.hashing import bucket_each
from ordergap.histories import Histories, counts_by_bucket
from ordergap.ingest.roles import hashed
from ordergap.ingest.table import Table


def counted(histories: Histories, lines: pl.DataFrame, table: Table, columns: Columns) -> Histories:
    """The histories with the counts of every hashed column.

    lines  those that the orders were made of, with their `row` in the table
    """
    if not columns.hashed_columns:
        return histories
    _, customer = np.unique(lines["customer"].to_numpy(), return_inverse=True)
    day = lines["moment"].dt.date().to_physical().to_numpy()
    # Days before 1970 are negative: by less than a customer is apart from the next.
    keys = (histories.customer << 32) + histories.day
    order = keys.searchsorted((customer.astype(np.int64) << 32) + day)
    counts = {}
    for role, name in hashed(columns).items():
        buckets = np.array(bucket_each(name, table.texts[role], columns.hash_buckets), np.int64)
        codes = table.rows[role].gather(lines["row"]).to_numpy()
        counts[name] = counts_by_bucket(order, buckets[codes], len(histories), columns.hash_buckets)
    return replace(histories, buckets=counts)
