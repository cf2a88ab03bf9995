import contextlib
import datetime
import gzip
import io
import json
import os
import re
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.orders import Columns, Rejection
from ordergap.errors import DataError, MissingColumn, UnsupportedMediaType, UserError
from ordergap.ingest import Cleaned, from_bytes, read

LINES = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
    "536365,85123A,HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom",
    '536365,71053,"LANTERN, ""WHITE""",6,2010-12-01 08:26:00,3.39,17850,United Kingdom',
    "536366,22633,HAND WARMER,6,2010-12-02 08:28:00,1.85,17850,United Kingdom",
    "536367,84879,BIRD ORNAMENT,32,2010-12-01 08:34:00,1.69,13047,United Kingdom",
)
CSV = "\n".join([*LINES, ""]).encode()
FRAME = pl.read_csv(CSV, schema_overrides={"InvoiceNo": pl.String})
COLUMNS = Columns()
# Without the time of day, which every test process would write differently into a test's name.
gzipped = partial(gzip.compress, mtime=0)
EXPECTED = {
    ("13047", "2010-12-01"): (54.08, 32, 1),
    ("17850", "2010-12-01"): (35.64, 12, 2),
    ("17850", "2010-12-02"): (11.10, 6, 1),
}


def orders(cleaned: Cleaned) -> dict[tuple[str, str], list[float]]:
    histories = cleaned.histories
    return {
        (histories.customer_ids[customer], str(day.astype("datetime64[D]"))): values
        for customer, day, *values in zip(
            histories.customer,
            histories.day.astype("int64"),
            *(column.tolist() for column in (histories.amount, histories.items, histories.lines)),
            strict=True,
        )
    }


def assert_as_expected(cleaned: Cleaned) -> None:
    assert {key: pytest.approx(values) for key, values in EXPECTED.items()} == orders(cleaned)
    assert cleaned.histories.customer_ids == ["13047", "17850"]
    assert cleaned.seen == ["17850", "13047"]
    assert (cleaned.report.rows_read, cleaned.report.rows_used) == (4, 4)


def parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def json_lines(frame: pl.DataFrame) -> bytes:
    return frame.write_ndjson().encode()


FORMS = {
    "orders.csv": CSV,
    "orders": CSV,
    "orders.txt": CSV.replace(b"\n", b"\r\n"),
    "bom.csv": b"\xef\xbb\xbf" + CSV,
    "orders.csv.gz": gzipped(CSV),
    "gzip-without-a-suffix.csv": gzipped(CSV),
    "two-members.csv.gz": gzipped(CSV[:200]) + gzipped(CSV[200:]),
    "orders.parquet": parquet(FRAME),
    "parquet-without-a-suffix": parquet(FRAME),
    "orders.jsonl": json_lines(FRAME),
    "orders.jsonl.gz": gzipped(json_lines(FRAME)),
    "orders.json": b"\xef\xbb\xbf" + json_lines(FRAME).replace(b"\n", b"\n\n"),
    "json-without-a-suffix": json_lines(FRAME),
    "odd [name] *.csv": CSV,
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_is_read_in_every_form(tmp_path, name):
    (tmp_path / name).write_bytes(FORMS[name])
    assert_as_expected(read(tmp_path / name, COLUMNS))
    assert_as_expected(from_bytes(FORMS[name], None, COLUMNS))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv; charset=utf-8", CSV),
        ("csv", CSV),
        ("TEXT/CSV", gzipped(CSV)),
        ("application/x-parquet", parquet(FRAME)),
        ("application/jsonlines", json_lines(FRAME)),
        ("application/x-ndjson; charset=utf-8", json_lines(FRAME)),
    ],
)
def test_the_content_type_overrides_the_suffix(tmp_path, content_type, body):
    (tmp_path / "orders.xyz.json").write_bytes(body)
    assert_as_expected(read(tmp_path / "orders.xyz.json", COLUMNS, content_type))
    assert_as_expected(from_bytes(body, content_type, COLUMNS))


def test_an_unknown_content_type_is_refused_with_those_that_are_known():
    with pytest.raises(UnsupportedMediaType, match=r"image/png.*text/csv.*parquet"):
        from_bytes(CSV, "image/png", COLUMNS)


def test_a_folder_is_read_with_the_folders_in_it_and_without_what_is_no_data(tmp_path):
    head, *lines = LINES
    (tmp_path / "2010" / "12").mkdir(parents=True)
    (tmp_path / "2010" / "12" / "a.csv").write_text("\n".join([head, *lines[:2]]))
    (tmp_path / "b.parquet").write_bytes(parquet(FRAME[2:3]))
    (tmp_path / "c.jsonl.gz").write_bytes(gzipped(json_lines(FRAME[3:])))
    (tmp_path / "_SUCCESS").write_bytes(b"\0")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part.csv").write_text("not,orders")
    (tmp_path / ".part.crc").write_bytes(b"crc\0")
    (tmp_path / "empty.csv").touch()
    assert_as_expected(read(tmp_path, COLUMNS))


def test_a_line_that_is_in_two_files_is_a_duplicate_whatever_the_columns_sequence(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    FRAME[1:2].select(reversed(FRAME.columns)).write_csv(tmp_path / "b.csv")
    report = read(tmp_path, COLUMNS).report
    assert (report.rows_used, report.rejected[Rejection.DUPLICATE]) == (4, 1)


def test_windows_1252_is_read_and_the_user_is_told():
    text = CSV.decode().replace("17850", "Zoë–1").replace("HAND", "£ HAND")
    cleaned = from_bytes(text.encode("cp1252"), "text/csv", COLUMNS)
    assert cleaned.histories.customer_ids == ["13047", "Zoë–1"]
    assert cleaned.report.conventions.encoding == "cp1252"
    (note,) = (each for each in cleaned.report.notes if "UTF-8" in each)
    assert note.startswith("the text is not UTF-8: read as Windows-1252")
    assert 'line 2 of the request has "' in note


def test_one_file_of_another_encoding_is_counted(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    for name in ("b.csv", "c.csv"):
        (tmp_path / name).write_bytes(CSV.replace(b"HAND", b"\xa3"))
    (note,) = (each for each in read(tmp_path, COLUMNS).report.notes if "UTF-8" in each)
    assert 'line 4 of b.csv has "' in note
    assert note.endswith(" (in 2 of 3 files)")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_found_and_the_user_is_told(delimiter):
    body = CSV.decode().replace('"LANTERN, ""WHITE"""', "LANTERN").replace(",", delimiter)
    cleaned = from_bytes(body.encode(), "text/csv", COLUMNS)
    assert_as_expected(cleaned)
    assert any(repr(delimiter) in note for note in cleaned.report.notes)


def test_a_comma_is_a_decimal_mark_between_semicolons():
    body = CSV.decode().replace(",", ";").replace(".", ",").encode()
    assert_as_expected(from_bytes(body, "text/csv", COLUMNS))


def test_lines_of_nothing_are_no_rows():
    body = CSV.replace(b"\n536366", b"\n\n,,,,,,,\n536366") + b"\n\n"
    assert_as_expected(from_bytes(body, "text/csv", COLUMNS))


def test_names_may_have_blanks_around_come_in_any_sequence_and_twice():
    body = b"x, CustomerID ,x," + CSV.replace(b"CustomerID", b"UnitPrice").replace(
        b"\n", b"\nx,17850,y,"
    )
    body = body.removesuffix(b"x,17850,y,")
    cleaned = from_bytes(body, "text/csv", COLUMNS)
    assert cleaned.histories.customer_ids == ["17850"]


def test_a_tab_before_the_first_name_is_an_unnamed_column():
    head, *lines = (line.replace(",", "\t") for line in LINES if '"' not in line)
    body = "\n".join([f"\t{head}", *(f"{i}\t{line}" for i, line in enumerate(lines))])
    assert from_bytes(body.encode(), "text/csv", COLUMNS).report.rows_used == 3


def test_stray_quotes_and_line_breaks_in_cells_are_read():
    body = CSV.replace(b"HAND WARMER", b'5" WARMER').replace(b"BIRD ORNAMENT", b'"BIRD\nORNAMENT"')
    assert_as_expected(from_bytes(body, "text/csv", COLUMNS))


def test_a_quote_without_its_partner_is_reported_with_its_line():
    with pytest.raises(DataError, match=r"line 4 of the request is not CSV"):
        from_bytes(CSV.replace(b"HAND WARMER", b'"HAND WARMER'), "text/csv", COLUMNS)


def test_a_line_with_too_few_cells_is_judged_by_the_cells_it_has():
    report = from_bytes(CSV + b"536368,22960,JAM\n", "text/csv", COLUMNS).report
    assert (report.rows_used, report.rejected[Rejection.NO_CUSTOMER]) == (4, 1)
    assert any(
        "1 in the request, the first: line 6 has 3 of 8 cells" in note for note in report.notes
    )


def test_a_line_with_too_many_cells_is_refused():
    body = CSV + b"536369,21756,BLOCK,3,2010-12-03,5.95,13047,France,more\n"
    with pytest.raises(DataError, match="line 6 of the request has 9 cells, the header 8"):
        from_bytes(body, "text/csv", COLUMNS)


def test_a_json_key_may_come_late_and_be_left_out():
    lines = [json.loads(line) for line in json_lines(FRAME).splitlines()]
    for line in lines[:-1]:
        del line["Country"], line["StockCode"]
    lines[0]["CustomerID"], lines[0]["Quantity"] = 17850.0, " 6 "
    body = "\n".join(json.dumps(line) for line in lines).encode()
    assert_as_expected(from_bytes(body, "application/jsonlines", COLUMNS))


@pytest.mark.parametrize("body", [b'{"CustomerID": 1}\n{"CustomerID"\n', b"[[1]]"])
def test_what_is_not_json_lines_is_refused(body):
    with pytest.raises(DataError, match=r"JSON|jsonlines"):
        from_bytes(body, "application/jsonlines", COLUMNS)


def test_typed_parquet_columns_are_read():
    frame = FRAME.with_columns(
        pl.col("InvoiceDate").str.to_datetime().dt.replace_time_zone("Europe/London"),
        pl.col("UnitPrice").cast(pl.Decimal(10, 2)),
        pl.col("CustomerID").cast(pl.Float64),
        pl.col("Quantity").cast(pl.Int16),
        pl.col("StockCode").cast(pl.Categorical),
        Tags=pl.Series([["a"], [], None, ["b"]]),
    )
    assert_as_expected(from_bytes(parquet(frame), "parquet", COLUMNS))
    dates = frame.with_columns(pl.col("InvoiceDate").dt.date(), pl.col("UnitPrice").cast(float))
    assert_as_expected(from_bytes(parquet(dates), "parquet", COLUMNS))


def test_typed_dates_are_read_beside_a_date_format():
    frame = FRAME.with_columns(pl.col("InvoiceDate").str.to_datetime())
    assert_as_expected(read(frame, Columns(date_format="%d.%m.%Y")))


PANDAS = pd.read_csv(io.BytesIO(CSV), dtype={"InvoiceNo": str})


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        PANDAS,
        PANDAS.astype({"CustomerID": float, "Quantity": "Int64", "StockCode": "category"}),
        PANDAS.assign(InvoiceDate=pd.to_datetime(PANDAS["InvoiceDate"])),
        PANDAS.assign(InvoiceDate=pd.to_datetime(PANDAS["InvoiceDate"]).astype("datetime64[s]")),
        PANDAS.assign(InvoiceDate=pd.to_datetime(PANDAS["InvoiceDate"]).dt.tz_localize("Asia/Tokyo")),
        PANDAS.assign(InvoiceDate=pd.to_datetime(PANDAS["InvoiceDate"]).dt.date),
        PANDAS.astype(object).set_index("Country"),
    ],
    ids=["polars", "pandas", "types", "moments", "seconds", "Tokyo", "dates", "objects"],
)  # fmt: skip
def test_a_frame_is_read(frame):
    assert_as_expected(read(frame, COLUMNS))


def test_what_pandas_calls_missing_is_missing():
    frame = PANDAS.assign(
        InvoiceNo=["1", "2", "3", "4"],
        CustomerID=[17850.0, float("nan"), 17850.0, 13047.0],
        Quantity=pd.array([6, 6, None, 32], dtype="Int64"),
        InvoiceDate=pd.to_datetime(pd.Series(["2010-12-01", "2010-12-01", "2010-12-01", None])),
    )
    report = read(frame, Columns(max_unreadable=1)).report
    rejected = {why: count for why, count in report.rejected.items() if count}
    assert rejected == {"no_customer_id": 1, "unreadable_quantity": 1, "unreadable_date": 1}


def test_a_frame_of_things_is_refused():
    frame = pl.DataFrame({name: [[1]] for name in FRAME.columns})
    with pytest.raises(DataError, match="the frame cannot be read"):
        read(frame, COLUMNS)


def test_every_column_can_be_mapped():
    names = {
        "customer_column": "kunde",
        "date_column": "datum",
        "order_column": "beleg",
        "product_column": "artikel",
        "quantity_column": "menge",
        "price_column": "preis",
    }
    frame = FRAME.rename({getattr(COLUMNS, setting): name for setting, name in names.items()})
    assert_as_expected(read(frame, Columns(**names)))


def test_a_ready_amount_takes_the_place_of_quantity_and_price():
    frame = FRAME.with_columns(Total=pl.col("Quantity") * pl.col("UnitPrice"))
    columns = Columns(amount_column="Total")
    assert_as_expected(read(frame, columns))
    cleaned = read(frame.drop("Quantity", "UnitPrice"), columns)
    assert [values[:1] + values[2:] for values in orders(cleaned).values()] == [
        [pytest.approx(amount), lines] for amount, _, lines in EXPECTED.values()
    ]
    assert np.isnan(cleaned.histories.items).all()
    assert any("Quantity" in note for note in cleaned.report.notes)


def test_order_and_product_columns_are_done_without_and_the_user_is_told():
    cleaned = read(FRAME.drop("InvoiceNo", "StockCode"), COLUMNS)
    assert_as_expected(cleaned)
    assert [re.findall(r"\((\w+)\)", note) for note in cleaned.report.notes] == [
        ["order_column"],
        ["product_column"],
    ]


def test_a_missing_column_is_named_with_the_nearest_name_and_the_setting():
    frame = FRAME.rename({"CustomerID": "customer_id", "InvoiceDate": "Invoice Date"})
    with pytest.raises(MissingColumn) as error:
        read(frame, COLUMNS)
    message = str(error.value)
    assert '"CustomerID" (set customer_column to "customer_id")' in message
    assert '"InvoiceDate" (set date_column to "Invoice Date")' in message
    assert all(name in message for name in frame.columns)


def test_a_missing_price_reminds_of_the_ready_amount():
    with pytest.raises(MissingColumn, match=r"price_column .* amount_column"):
        read(FRAME.drop("UnitPrice").rename({"Country": "Total"}), COLUMNS)


def test_the_file_in_which_a_column_is_missing_is_named(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "b.csv").write_text(
        "name;when;InvoiceNo;Quantity;UnitPrice\nana;2010-12-01;1;2;3\n"
    )
    with pytest.raises(MissingColumn, match=r"^b\.csv has no column .*Columns seen: name, when, I"):
        read(tmp_path, COLUMNS)


def test_names_that_differ_more_than_they_resemble_are_not_proposed():
    names = {"CustomerID": "Currency", "InvoiceDate": "Invoiced", "Country": "Amount"}
    frame = FRAME.drop("UnitPrice").rename(names)
    with pytest.raises(MissingColumn) as error:
        read(frame, COLUMNS)
    assert '"CustomerID" (set customer_column to its name)' in str(error.value)
    assert '"InvoiceDate" (set date_column to "Invoiced")' in str(error.value)
    assert "(set price_column to its name, or amount_column if" in str(error.value)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b" \n\n", "a.csv is empty"),
        ("a.csv.gz", gzipped(b""), "a.csv.gz is empty"),
        ("a.csv", CSV.splitlines()[0], "names columns but has no rows"),
        ("a.parquet", parquet(FRAME[:0]), "names columns but has no rows"),
        ("a.csv", bytes(range(256)) * 9, "binary.*save it as CSV"),
        ("a.xlsx", b"PK\3\4\0\0rest", "a.xlsx cannot be read"),
        ("a.csv.gz", gzipped(CSV)[:-12], "a.csv.gz cannot be read"),
        ("a.parquet", parquet(FRAME)[:-9], "a.parquet cannot be read as parquet"),
        ("a.parquet", CSV, "a.parquet cannot be read as parquet"),
    ],
)
def test_a_file_without_data_is_refused_in_a_sentence(tmp_path, name, body, message):
    (tmp_path / name).write_bytes(body)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, COLUMNS)


def test_a_path_without_data_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file or folder"):
        read(tmp_path / "orders.csv", COLUMNS)
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(DataError, match="has no data files"):
        read(tmp_path, COLUMNS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "a.csv").chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        read(tmp_path / "a.csv", COLUMNS)


@settings(max_examples=60)
@given(
    st.sampled_from([CSV, gzipped(CSV), json_lines(FRAME)]),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9), st.binary(max_size=9))),
    st.booleans(),
)
def test_whatever_the_bytes_are_they_are_read_or_refused(body, edits, strict):
    for at, cut, put in edits:
        body = body[:at] + put + body[at + cut :]
    with contextlib.suppress(UserError):
        report = from_bytes(body, None, COLUMNS, strict=strict).report
        assert report.rows_read == report.rows_used + sum(report.rejected.values())


def test_the_day_of_a_moment_before_1970_is_right():
    frame = FRAME.with_columns(InvoiceDate=pl.lit("1969-12-31 23:00:00"))
    assert read(frame, COLUMNS).report.first_day == datetime.date(1969, 12, 31)
