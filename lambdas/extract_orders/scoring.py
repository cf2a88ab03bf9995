"""Scoring records, a customer a line, in files that fit into one request of a transform job."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

import polars as pl
from ordergap.histories import Histories

FILE_BYTES = 5_000_000  # a transform job sends up to 6 MB a request


def records(histories: Histories, as_of: datetime.date) -> list[bytes]:
    """An `ordergap.contract.prediction.ScoringRecord` for each customer, as JSON."""
    customers = pl.Series(histories.customer_ids, dtype=pl.String)
    orders = pl.DataFrame(
        {
            "customer": histories.customer,
            "date": pl.Series(histories.day).cast(pl.Date).dt.to_string("iso"),
            "amount": histories.amount,
            "items": histories.items,
            "lines": histories.lines,
        }
    ).with_columns(pl.col("amount", "items", "lines").fill_nan(None))
    by_customer = orders.group_by("customer", maintain_order=True).agg(
        orders=pl.struct("date", "amount", "items", "lines")
    )
    return (
        by_customer.select(
            customer_id=pl.lit(customers).gather(pl.col("customer")),
            orders="orders",
            as_of=pl.lit(as_of.isoformat()),
        )
        .write_ndjson()
        .encode()
        .splitlines()
    )


def files(records: Iterable[bytes], limit: int = FILE_BYTES) -> Iterator[bytes]:
    r"""The contents of as few JSON Lines files of up to `limit` bytes as keep the order.

    A record that is longer gets a file of its own.

    >>> list(files([b"one", b"two", b"three"], limit=8))
    [b'one\ntwo\n', b'three\n']
    """
    body: list[bytes] = []
    size = 0
    for record in records:
        if body and size + len(record) + 1 > limit:
            yield b"".join(body)
            body.clear()
            size = 0
        body += [record, b"\n"]
        size += len(record) + 1
    if body:
        yield b"".join(body)
