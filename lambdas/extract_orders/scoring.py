"""Scoring records, a customer a line, in files that fit into one request of a transform job."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl
from ordergap.histories import Histories

from lambdas.shared.digests import NOBODY, with_customer

FILE_BYTES = 5_000_000  # a transform job sends up to 6 MB a request


_ATTRIBUTES = b',"attributes":'  # nothing like it is within a text, where quotes are escaped


class Record(NamedTuple):
    """A customer, and an `ordergap.contract.prediction.ScoringRecord` of theirs as JSON."""

    customer_id: str
    text: bytes


class File(NamedTuple):
    """The content of a scoring file, and the digest of its customers."""

    body: bytes
    customers: str

    @property
    def attributed(self) -> int:
        """The number of its customers who have attributes."""
        return self.body.count(_ATTRIBUTES)


def records(histories: Histories, as_of: datetime.date, known: pl.DataFrame) -> list[Record]:
    """A record for each customer.

    known  customer_id, and `attributes` as a JSON object, of those who have any
    """
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
    if histories.buckets:
        orders = orders.with_columns(_buckets(histories).alias("buckets"))
    by_customer = orders.group_by("customer", maintain_order=True).agg(
        orders=pl.struct(pl.exclude("customer"))
    )
    frame = by_customer.select(
        customer_id=pl.lit(customers).gather(pl.col("customer")),
        orders="orders",
        as_of=pl.lit(as_of.isoformat()),
    )
    texts = frame.write_ndjson().encode().splitlines()
    if len(known):
        join = frame.join(known, on="customer_id", how="left", maintain_order="left")
        texts = [
            text[:-1] + _ATTRIBUTES + known.encode() + b"}" if known else text
            for text, known in zip(texts, join["attributes"], strict=True)
        ]
    return [Record(*each) for each in zip(frame["customer_id"], texts, strict=True)]


def _buckets(histories: Histories) -> pl.Series:
    """Of each order, column and number of buckets -> the bucket of each line, as `Order` has it."""
    lists = {}
    for name, counts in histories.buckets.items():
        order, bucket = counts.nonzero()
        lines = pl.DataFrame({"order": order, "bucket": bucket}).select(
            pl.all().repeat_by(pl.Series(counts[order, bucket])).explode()
        )
        by_order = lines.group_by("order", maintain_order=True).agg("bucket")
        lists[f"{name}:{counts.shape[1] - 1}"] = by_order["bucket"]
    return pl.DataFrame(lists).to_struct()


def files(records: Iterable[Record], limit: int = FILE_BYTES) -> Iterator[File]:
    r"""As few JSON Lines files of up to `limit` bytes as keep the order.

    A record that is longer gets a file of its own.

    >>> [file.body for file in files([Record("a", b"one"), Record("b", b"three")], limit=8)]
    [b'one\n', b'three\n']
    """
    body: list[bytes] = []
    size, customers = 0, NOBODY
    for record in records:
        if body and size + len(record.text) + 1 > limit:
            yield File(b"".join(body), customers)
            body.clear()
            size, customers = 0, NOBODY
        body += [record.text, b"\n"]
        size += len(record.text) + 1
        customers = with_customer(customers, record.customer_id)
    if body:
        yield File(b"".join(body), customers)
