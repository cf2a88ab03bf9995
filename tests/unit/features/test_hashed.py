"""Counts of buckets, from lines to features, against counting by hand."""

import datetime
import hashlib
import unicodedata
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import features, ingest
from ordergap.contract.orders import Columns
from ordergap.errors import DataError, MissingColumn
from ordergap.features.words import said
from ordergap.histories import Histories, day_of

DAY = datetime.date(1969, 12, 30)  # days before 1970 are below zero
THING = Columns(hashed_columns=("Thing",), hash_buckets=4)
VALUES = ["tea", " tea\u00a0", "Te\u0301", "T\u00e9", "1104905", "01104905", "夏", " ", "", None]
lines = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.sampled_from(VALUES)), min_size=1
)


def frame(rows: list[tuple[str, int, str | None]]) -> pl.DataFrame:
    """An order line a row, each of an order of its own."""
    customers, days, values = zip(*rows, strict=True)
    return pl.DataFrame({
        "InvoiceNo": [f"{i}" for i in range(len(rows))],
        "CustomerID": customers,
        "InvoiceDate": [f"{DAY + datetime.timedelta(day)}" for day in days],
        "StockCode": "A1",
        "Quantity": 1,
        "UnitPrice": 2.5,
        "Thing": pl.Series(values, dtype=pl.String),
    })  # fmt: skip


def read(rows: list[tuple[str, int, str | None]], columns: Columns = THING) -> Histories:
    return ingest.read(frame(rows), columns).histories


def by_hand(value: str | None) -> int:
    text = unicodedata.normalize("NFC", (value or "").strip())
    digest = hashlib.sha256(b"Thing\x1f" + text.encode()).hexdigest()
    return int(digest[:16], 16) % 4 if text else 4


@settings(max_examples=40)
@given(lines)
def test_the_lines_so_far_are_counted_by_bucket(rows: list[tuple[str, int, str | None]]) -> None:
    histories = read(rows)
    found = features.compute(histories, THING.hashed_features)
    orders = sorted({(customer, day) for customer, day, _ in rows})
    for (customer, day), counts in zip(orders, found.tolist(), strict=True):
        so_far = Counter(by_hand(v) for c, d, v in rows if c == customer and d <= day)
        assert counts == [so_far[bucket] for bucket in range(5)]
    assert histories.buckets["Thing"].sum(axis=1).tolist() == histories.lines.tolist()


@given(lines)
@settings(max_examples=20)
def test_a_part_of_the_histories_keeps_its_buckets(rows: list[tuple[str, int, str | None]]) -> None:
    histories = read(rows)
    names = THING.hashed_features
    whole = features.compute(histories, names)
    parts = [*histories.batches(1)]
    np.testing.assert_array_equal(np.vstack([features.compute(p, names) for p in parts]), whole)
    joined = Histories.concat(parts[::-1])
    assert joined.digest() == histories.digest()
    first = histories.until(day_of(DAY) + 2)
    known = histories.day <= day_of(DAY) + 2
    np.testing.assert_array_equal(features.compute(first, names), whole[known])
    picked = histories.pick(np.array([0]))
    np.testing.assert_array_equal(
        features.compute(picked, names), whole[: histories.order_count[0]]
    )


def test_equal_orders_with_other_buckets_have_another_digest() -> None:
    assert read([("a", 0, "tea")]).digest() != read([("a", 0, "夏")]).digest()


def test_without_the_column_the_counts_are_unknown() -> None:
    plain = read([("a", 0, "tea")], Columns())
    assert plain.buckets == {}
    assert np.isnan(features.compute(plain, THING.hashed_features)).all()


def test_a_column_of_whole_numbers_is_hashed_as_its_digits_and_floats_are_refused() -> None:
    texts = read([("a", 0, "1104905")])
    numbers = frame([("a", 0, None)]).with_columns(Thing=pl.Series([1104905]))
    assert ingest.read(numbers, THING).histories.digest() == texts.digest()
    floats = numbers.with_columns(pl.col("Thing").cast(pl.Float64))
    with pytest.raises(DataError, match=r'floats in "Thing" \(hashed_columns\).*dtype='):
        ingest.read(floats, THING)


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(MissingColumn, match=r'no column "Size" \(hashed_columns\).*Thing'):
        ingest.read(frame([("a", 0, "tea")]), Columns(hashed_columns=("Size",)))


def test_a_reason_names_the_column_and_the_bucket() -> None:
    assert said("hashed:a:b:17", 1.0) == "1 order line so far in bucket 17 of a:b"
    assert said("hashed:Thing:0", float("nan")) == "Thing not known"
