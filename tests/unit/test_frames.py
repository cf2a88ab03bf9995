"""Frames of every kind: known by their library, and built with the types that theirs have."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from ordergap import frames
from ordergap.contract.prediction import Status
from ordergap.errors import DataError

DAY = datetime.date(2011, 12, 9)
COLUMNS: dict[str, Any] = {
    "customer_id": ["17850", "Zoë"],
    "next_order_date": [DAY, None],
    "order_gap_days": [30, None],
    "order_count": np.array([1, 2]),
    "probability": [0.25, None],
    "as_of": np.array([DAY, DAY], "M8[D]"),
    "status": [Status.DUE, Status.ACTIVE],
    "certain": [True, None],
    "last": [None, None],
    "rank": np.array([2, 1], np.int32),
}
TYPES = {"last": datetime.date, "status": str}
VALUES = [
    ("17850", DAY, 30, 1, 0.25, DAY, "due", True, None, 2),
    ("Zoë", None, None, 2, None, DAY, "active", None, None, 1),
]


class Orders(pd.DataFrame):
    """A class of somebody else's, made from pandas'."""


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (pd.DataFrame(), "pandas"),
        (Orders(), "pandas"),
        (pl.DataFrame(), "polars"),
        (pl.LazyFrame(), "polars"),
        (pa.table({}), "pyarrow"),
        (pa.record_batch([], []), "pyarrow"),
    ],
)
def test_a_frame_is_of_its_library(frame, kind):
    assert frames.kind_of(frame) == kind


def test_what_is_no_frame_has_no_kind():
    with pytest.raises(DataError, match=r"builtins\.list"):
        frames.kind_of([])


def test_a_polars_frame_is_built():
    frame = frames.build(COLUMNS, "polars", TYPES)
    assert frame.rows() == VALUES
    assert frame.dtypes == [
        pl.String, pl.Date, pl.Int64, pl.Int64, pl.Float64, pl.Date, pl.String, pl.Boolean, pl.Date,
        pl.Int32,
    ]  # fmt: skip


def test_a_pyarrow_table_is_built():
    table = frames.build(COLUMNS, "pyarrow", TYPES)
    assert [tuple(row.values()) for row in table.to_pylist()] == VALUES
    assert [str(each) for each in table.schema.types] == [
        "large_string", "date32[day]", "int64", "int64", "double", "date32[day]", "large_string",
        "bool", "date32[day]", "int32",
    ]  # fmt: skip


def test_a_pandas_frame_is_built():
    frame = frames.build(COLUMNS, "pandas", TYPES)
    assert [str(each) for each in frame.dtypes] == [
        str(pd.Series(["text"]).dtype), "datetime64[s]", "Int64", "int64", "float64",
        "datetime64[s]", str(pd.Series(["text"]).dtype), "boolean", "datetime64[s]", "int32",
    ]  # fmt: skip
    plain = frame.astype(object).where(frame.notna(), None).values.tolist()
    days = [[x.date() if isinstance(x, pd.Timestamp) else x for x in row] for row in plain]
    assert [tuple(row) for row in days] == VALUES
    assert frame.index.equals(pd.RangeIndex(2))


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_frame_without_rows_has_the_same_types(kind):
    none = {name: values[:0] for name, values in COLUMNS.items()}
    types = TYPES | {
        "customer_id": str, "next_order_date": datetime.date, "order_gap_days": int,
        "probability": float, "certain": bool,
    }  # fmt: skip
    empty, full = (frames.build(each, kind, types) for each in (none, COLUMNS))
    assert len(empty) == 0
    if kind == "pyarrow":
        assert empty.schema == full.schema
    else:
        assert list(empty.dtypes) == list(full.dtypes)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_frame_that_was_built_is_read_again(kind):
    frame = frames.build(COLUMNS, kind, TYPES)
    (block,) = frames.blocks(frame)
    again = block.collect()
    assert again.columns == list(COLUMNS)
    assert again["customer_id"].to_list() == COLUMNS["customer_id"]
    assert frames.kind_of(frame) == kind


def test_blocks_are_the_whole_frame_in_its_sequence(monkeypatch):
    monkeypatch.setattr(frames, "BLOCK", 3)
    for frame in (pd.DataFrame({"n": range(8)}), pa.table({"n": range(8)})):
        blocks = [block.collect()["n"].to_list() for block in frames.blocks(frame)]
        assert blocks == [[0, 1, 2], [3, 4, 5], [6, 7]]
