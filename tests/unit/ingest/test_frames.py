"""The same orders as a file and as a frame of any kind and any types: the same to the last bit."""

import csv
import datetime
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap import frames
from ordergap.contract.orders import Columns, Rejection
from ordergap.errors import DataError, MissingColumn
from ordergap.ingest import Cleaned, read

COLUMNS = Columns(max_unreadable=1)
NAMES = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
         "CustomerID", "Country")  # fmt: skip
# Seconds since 1970.
EARLIEST, FIRST, LATEST = np.array(["1900", "2010-12-01", "2200"], "M8[s]").astype(int).tolist()
# None is a missing cell.
VALUES = (
    st.sampled_from(["536365", "536366", "C536379", None]),
    st.sampled_from(["85123A", "71053", "22633", "POST", None]),
    st.sampled_from(["HANGING HEART", 'LANTERN, "WHITE"', "Grüße", None]),
    st.sampled_from([6, 2, 1, -1, 0, 80_995, None]),
    (st.integers(0, 200).map(lambda hour: hour * 3600 + FIRST) | st.integers(EARLIEST, LATEST)).map(
        lambda second: str(np.datetime64(second, "s")).replace("T", " ")
    )
    | st.none(),
    st.integers(-1, 10**7).map(lambda pence: pence / 100) | st.just(2.55) | st.none(),
    st.sampled_from(["17850", "13047", "7238911554099", "ana", None]),
    st.sampled_from(["United Kingdom", "France", None]),
)
SURE = ("1", "2", "tea", 1, "2000-01-01 00:00:00", 0.07, "1", "UK")
NUMBERED = st.sampled_from(["17850", "13047", "7238911554099", None])
ROWS = (
    st.lists(st.tuples(*VALUES), max_size=12)
    | st.lists(  # the ids are text, or numbers
        st.tuples(*VALUES[:6], NUMBERED, VALUES[7]), max_size=12
    )
)


def csv_text(rows: list[tuple]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([NAMES, *rows])
    return file.getvalue()


def pandas_frames(text: str) -> Iterator[tuple[str, pd.DataFrame]]:
    default = pd.read_csv(io.StringIO(text))
    texts = pd.read_csv(io.StringIO(text), dtype=str)
    moments = pd.to_datetime(default["InvoiceDate"])
    yield "default types", default
    yield "all text", texts
    yield "parsed dates", default.assign(InvoiceDate=moments)
    yield "nanoseconds", default.assign(InvoiceDate=moments.astype("M8[ns]"))
    for zone in ("Asia/Tokyo", "-03:30"):
        yield f"dates of {zone}", default.assign(InvoiceDate=moments.dt.tz_localize(zone))
    yield "nullable", default.convert_dtypes()
    yield "text without pyarrow", texts.astype(pd.StringDtype("python"))
    yield "categories", default.astype("category")
    yield "categories of text", texts.astype("category")
    yield "objects", default.assign(InvoiceDate=moments).astype(object)
    yield "an index", texts.set_index(texts["Country"].to_numpy())
    yield "pyarrow's", default.assign(InvoiceDate=moments).convert_dtypes(dtype_backend="pyarrow")
    tokyo = default.assign(InvoiceDate=moments.dt.tz_localize("Asia/Tokyo"))
    yield "pyarrow's with zone", tokyo.convert_dtypes(dtype_backend="pyarrow")


def every_frame(text: str) -> Iterator[tuple[str, frames.Frame]]:
    for name, frame in pandas_frames(text):
        yield f"pandas, {name}", frame
    plain = pl.read_csv(text.encode(), infer_schema=False)
    typed = pl.read_csv(text.encode(), infer_schema_length=None, try_parse_dates=True)
    moments = pl.col("InvoiceDate").str.to_datetime()
    yield "polars, text", plain
    yield "polars, types", typed
    yield "polars, lazy", typed.lazy()
    yield "polars, categories", plain.cast(pl.Categorical)
    yield "polars, zone", plain.with_columns(moments.dt.replace_time_zone("Europe/London"))
    yield "polars, decimal", plain.with_columns(pl.col("UnitPrice").cast(pl.Decimal(18, 2)))
    table = pa.table({name: pa.array(typed[name].to_list()) for name in typed.columns})
    yield "pyarrow, types", table
    yield "pyarrow, batch", table.combine_chunks().to_batches()[0]
    coded = [column.combine_chunks().dictionary_encode() for column in table.columns]
    yield "pyarrow, dictionaries", pa.Table.from_arrays(coded, names=table.column_names)


def outcome(cleaned: Cleaned) -> tuple[object, ...]:
    """All but how the cells were written."""
    form = {"conventions", "examples", "notes"}
    return cleaned.histories.digest(), cleaned.report.model_dump(exclude=form), cleaned.seen


@settings(max_examples=30)
@given(ROWS, st.sampled_from([1, 4, 1000]))
def test_a_frame_gives_what_its_file_gives(rows, block):
    text = csv_text([SURE, *rows])
    with tempfile.TemporaryDirectory() as folder, patch.object(frames, "BLOCK", block):
        Path(folder, "orders.csv").write_text(text)
        expected = outcome(read(Path(folder, "orders.csv"), COLUMNS))
        pl.read_csv(text.encode(), infer_schema_length=None).write_parquet(f"{folder}/o.parquet")
        assert outcome(read(f"{folder}/o.parquet", COLUMNS)) == expected
        for name, frame in every_frame(text):
            assert outcome(read(frame, COLUMNS)) == expected, name


@settings(max_examples=100)
@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20), st.sampled_from(["f4", "f8"]))
def test_a_price_is_the_number_that_its_shortest_text_means(prices, width):
    values = np.array(prices, width)
    table = {
        "CustomerID": [f"c{i}" for i in range(len(values))],
        "InvoiceDate": ["2010-12-01"] * len(values),
        "Quantity": [1] * len(values),
        "UnitPrice": values,
    }
    texts = {**table, "UnitPrice": [repr(float(str(value))) for value in values]}
    expected = read(pl.DataFrame(texts), COLUMNS).histories.digest()
    for frame in (pd.DataFrame(table), pl.DataFrame(table), pa.table(table)):
        assert read(frame, COLUMNS).histories.digest() == expected


ROW = dict(zip(NAMES, SURE, strict=True))


def test_slashes_are_read_as_in_a_file_and_the_user_reads_the_same_notes(tmp_path):
    frame = pd.DataFrame([ROW | {"InvoiceDate": day} for day in ("13/1/2011", "2/1/2011 8:26")])
    frame.to_csv(tmp_path / "orders.csv", index=False)
    cleaned, of_file = read(frame, COLUMNS), read(tmp_path / "orders.csv", COLUMNS)
    assert outcome(cleaned) == outcome(of_file)
    assert {*cleaned.report.notes} < {*of_file.report.notes}  # its numbers are numbers, not text
    assert cleaned.report.conventions.date_order == "day-first"


def test_a_column_of_several_types_is_read_value_by_value():
    ids = [17850, 17850.0, "17850", Decimal(17850), np.int64(17850), " 17850.0 "]
    dates = [
        datetime.date(2011, 1, 1), pd.Timestamp("2011-01-02 09:00").to_pydatetime(), "2011-01-03",
        pd.Timestamp("2011-01-04", tz="+05:30"), np.datetime64("2011-01-05"), 20110106.0,
    ]  # fmt: skip
    rows = [ROW | {"CustomerID": i, "InvoiceDate": d} for i, d in zip(ids, dates, strict=True)]
    mixed = pd.DataFrame(rows).astype(object)
    things = pl.DataFrame(
        {name: pl.Series(mixed[name].to_list(), dtype=pl.Object) for name in NAMES}
    )
    for frame in (mixed, things, things.lazy()):
        cleaned = read(frame, COLUMNS)
        assert cleaned.seen == ["17850"]
        assert cleaned.report.orders == 6


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum(["", "a"])])
def test_a_missing_cell_is_equal_to_an_empty_one_and_to_nothing_else(kind):
    notes = pl.Series([None, "", "a", None, "a"], dtype=pl.String).cast(kind)
    frame = pl.DataFrame(
        {"CustomerID": ["ana"] * 5, "InvoiceDate": ["2011-01-04"] * 5, "InvoiceNo": ["1"] * 5,
         "StockCode": ["tea", "tea", "tea", "tea", None], "Quantity": ["2"] * 5,
         "UnitPrice": ["2.5"] * 5, "Note": notes}
    )  # fmt: skip
    rejected = read(frame, Columns()).report.rejected
    assert rejected[Rejection.DUPLICATE] == 2


def test_what_only_tells_duplicates_apart_may_be_anything():
    extra = [{"a": 1}, ["b"], b"c", datetime.timedelta(1), 2.5, 1j, None, object]
    frame = pd.DataFrame([ROW | {"InvoiceNo": thing} for thing in extra])
    assert read(frame, COLUMNS).report.rows_used == len(extra)
    assert read(pd.concat([frame, frame]), COLUMNS).report.rejected[Rejection.DUPLICATE] == len(
        extra
    )


def test_names_have_no_blanks_around_and_the_first_of_a_name_counts():
    frame = pd.DataFrame([[*SURE, "x", "y"]], columns=[*(f" {n}" for n in NAMES), "UnitPrice", 7])
    for each in (frame, pa.Table.from_pandas(frame.iloc[:, :-1])):
        assert read(each, COLUMNS).histories.amount.tolist() == [0.07]
    assert read(pl.DataFrame(frame.iloc[:, :8].to_dict("list")), COLUMNS).report.rows_used == 1


@pytest.mark.parametrize(
    ("ids", "digits"),
    [
        (np.array([2.0**53, np.nan]), 53),
        (np.array([1.0, -(2.0**60)]), 53),
        (np.array([2.0**24, 1], np.float32), 24),
    ],
)
def test_ids_that_have_lost_digits_are_refused(ids, digits):
    frame = pd.DataFrame([ROW, ROW]).assign(CustomerID=ids)
    for each in (frame, pl.DataFrame({name: frame[name].to_list() for name in NAMES})
                 .with_columns(CustomerID=ids)):  # fmt: skip
        with pytest.raises(DataError, match=rf'2\*\*{digits} and more in "CustomerID".*str'):
            read(each, COLUMNS)


def test_the_largest_exact_ids_are_read():
    for ids in ([2.0**53 - 1, np.nan], [np.inf, 1.0]):
        frame = pd.DataFrame([ROW, ROW]).assign(CustomerID=ids)
        assert read(frame, COLUMNS).report.rows_used >= 1


@pytest.mark.parametrize("thing", [None, 1, [ROW], {"CustomerID": ["1"]}, np.zeros(3),
                                   pd.Series([1]), pl.Series([1])])  # fmt: skip
def test_what_is_no_frame_is_refused_with_what_is_taken(thing):
    with pytest.raises(DataError, match=r"\w+: give a path, or a frame of pandas, polars or py"):
        read(thing, COLUMNS)


def test_a_frame_that_cannot_be_used_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(MissingColumn, match=r"^the frame has no column .*Columns seen: x$"):
        read(pd.DataFrame({"x": [1]}), COLUMNS)
    with pytest.raises(DataError, match="the frame names columns but has no rows"):
        read(pd.DataFrame([ROW])[:0], COLUMNS)
    with pytest.raises(DataError, match="the frame names columns but has no rows"):
        read(pa.table({name: pa.array([], pa.string()) for name in NAMES}), COLUMNS)
    with pytest.raises(DataError, match=r"the frame cannot be read: .*gone.csv"):
        read(pl.scan_csv(tmp_path / "gone.csv"), COLUMNS)
    with pytest.raises(DataError, match=r"^the frame cannot be read: "):
        read(pl.DataFrame({name: [[1]] for name in NAMES}), COLUMNS)


def test_rows_after_as_of_and_a_part_are_for_frames_too():
    frame = pd.DataFrame([ROW, ROW | {"InvoiceDate": "2011-01-01"}])
    as_of = datetime.date(2000, 1, 1)
    assert read(frame, COLUMNS, as_of=as_of).report.rejected[Rejection.LATER] == 1
    assert read(frame[:0], COLUMNS, part=True).report.rows_read == 0


def test_a_pandas_frame_is_read_where_pyarrow_is_not_installed():
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import pandas as pd\n"
        "from ordergap.contract.orders import Columns\n"
        "from ordergap.ingest import read\n"
        f"rows = pd.DataFrame([{ROW!r}])\n"
        "rows = pd.concat([rows, rows.astype({'Quantity': 'Int64', 'Country': 'category'})])\n"
        "frame = rows.assign(InvoiceDate=pd.to_datetime(rows['InvoiceDate']))\n"
        "print(read(frame, Columns()).report.rejected['duplicate_line'])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"


def test_neither_pandas_nor_pyarrow_is_needed_to_read():
    script = "import sys, ordergap.ingest; print({'pandas', 'pyarrow'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
