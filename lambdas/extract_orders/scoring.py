"""Scoring records: one customer a line, in files that one request of batch transform can hold."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

import polars as pl
from ordergap.histories import Histories

PART_BYTES = 5_000_000  # batch transform sends up to 6 MB at once


def lines(histories: Histories, as_of: datetime.date) -> list[bytes]:
    """A `ordergap.contract.prediction.ScoringRecord` for each customer, without line ends."""
    customers = pl.Series(histories.customer_ids, dtype=pl.String)
    orders = pl.DataFrame(
        {
            "customer": histories.customer,
            "date": pl.Series(histories.day).cast(pl.Date).dt.to_string("iso"),
            "amount": histories.amount,
            "items": histories.items,
            "lines": histories.lines,
        }
    ).with_columns(pl.col("items", "lines").fill_nan(None))
    records = orders.group_by("customer", maintain_order=True).agg(
        orders=pl.struct("date", "amount", "items", "lines")
    )
    return (
        records.select(
            customer_id=pl.lit(customers).gather(pl.col("customer")),
            orders="orders",
            as_of=pl.lit(as_of.isoformat()),
        )
        .write_ndjson()
        .encode()
        .splitlines()
    )


def parts(lines: Iterable[bytes], limit: int = PART_BYTES) -> Iterator[bytes]:
    r"""The lines, in as few bodies of up to `limit` bytes as keep them in order.

    A line that is longer is a body of its own.

    >>> list(parts([b"one", b"two", b"three"], limit=8))
    [b'one\ntwo\n', b'three\n']
    """
    body: list[bytes] = []
    size = 0
    for line in lines:
        if body and size + len(line) + 1 > limit:
            yield b"".join(body)
            body.clear()
            size = 0
        body += [line, b"\n"]
        size += len(line) + 1
    if body:
        yield b"".join(body)
