"""Attributes of customers out of files and frames: what is read, counted, warned of and refused."""

import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.attributes import category, number
from ordergap.contract.attributes import AttributeParameters
from ordergap.contract.hyperparameters import parse
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError, InvalidHyperparameters, MissingColumn
from ordergap.histories import Histories, day_of
from ordergap.ingest import attributes
from ordergap.ingest.attribute_names import may_change

from tests.workbook import workbook

ASKED = AttributeParameters(numeric_attributes=("age",), category_attributes=("region",))
CSV = "customer_id,region,age\n01104905,north,40\n1104905, Norté ,\nb@x.org,7.0,41.5\n"


def read(
    source: Any,
    asked: AttributeParameters = ASKED,
    known: Conventions | None = None,
    **columns: Any,
) -> attributes.ReadAttributes:
    return attributes.read(source, asked, Columns(**columns), known)


def facts(found: attributes.ReadAttributes, day: int = 0) -> dict[str, dict[str, Any]]:
    table = found.table
    rows = table.rows(table.places(table.customer_ids), np.full(len(table.customer_ids), day))
    return {
        each: table.values_of(row)
        for each, row in zip(table.customer_ids, rows, strict=True)
        if row >= 0
    }


EXPECTED = {
    "01104905": {"age": 40.0, "region": "north"},
    "1104905": {"region": "Norté"},
    "b@x.org": {"age": 41.5, "region": "7"},
}


def test_ids_are_text_from_the_file_on() -> None:
    assert facts(read(pl.read_csv(CSV.encode(), infer_schema=False))) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_of_any_encoding_and_delimiter(tmp_path: Path, encoding: str, delimiter: str) -> None:
    (tmp_path / "c.csv").write_bytes(CSV.replace(",", delimiter).encode(encoding))
    assert facts(read(tmp_path / "c.csv")) == EXPECTED


def test_files_of_every_form_give_the_same(tmp_path: Path) -> None:
    frame = pl.read_csv(CSV.encode(), infer_schema=False)
    frame.write_parquet(tmp_path / "c.parquet")
    frame.write_ndjson(tmp_path / "c.jsonl")
    (tmp_path / "c.json").write_text(json.dumps(frame.to_dicts()))
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    sheet = [frame.columns, *frame.rows()]
    (tmp_path / "c.xlsx").write_bytes(workbook({"Customers": sheet}))
    found = {path.name: facts(read(path)) for path in sorted(tmp_path.iterdir())}
    assert found == dict.fromkeys(found, EXPECTED)
    assert len(found) == 5


def test_a_folder_of_parts_and_the_customers_column_of_the_orders(tmp_path: Path) -> None:
    head, *lines = CSV.replace("customer_id", "Kunde").splitlines()
    for i, line in enumerate(lines):
        (tmp_path / f"part{i}.csv").write_text(f"{head}\n{line}\n")
    assert facts(read(tmp_path, customer_column="Kunde")) == EXPECTED


@given(st.lists(st.floats(-1e12, 1e12) | st.integers(-(10**9), 10**9), min_size=1))
def test_numbers_of_frames_texts_and_records_are_the_same_bits(values: list[float]) -> None:
    ids = [f"c{i}" for i in range(len(values))]
    asked = AttributeParameters(numeric_attributes=("x",))
    typed = pl.DataFrame(
        {"customer_id": ids, "x": pl.Series(values, dtype=pl.Float64, strict=False)}
    )
    expected = [number(each) for each in values]
    for frame in (typed, typed.cast({"x": pl.String})):
        table = read(frame, asked, Conventions(decimal="point")).table
        assert [table.numbers["x"][i] for i in table.places(ids)] == expected


@given(st.lists(st.text(max_size=6), min_size=1))
def test_categories_of_files_and_records_are_the_same(values: list[str]) -> None:
    ids = [f"c{i}" for i in range(len(values))]
    asked = AttributeParameters(category_attributes=("x",))
    table = read(pl.DataFrame({"customer_id": ids, "x": values}), asked).table
    found = [table.values_of(int(i)).get("x") for i in table.offsets[table.places(ids)]]
    assert found == [category(each) for each in values]


def test_two_columns_of_one_name_are_refused_by_it(tmp_path: Path) -> None:
    head, row = ["customer_id", "region", "region"], ["a", "north", "south"]
    (tmp_path / "c.csv").write_text(f"{','.join(head)}\n{','.join(row)}\n")
    (tmp_path / "c.xlsx").write_bytes(workbook({"Customers": [head, row]}))
    asked = AttributeParameters(category_attributes=("region",))
    for source in (tmp_path / "c.csv", tmp_path / "c.xlsx", pd.DataFrame([row], columns=head)):
        with pytest.raises(DataError, match=r'two columns "region" \(region \(column 3\)\): keep'):
            read(source, asked)
    (tmp_path / "c.csv").write_text("customer_id,x,x,region\na,1,2,north\n")
    assert facts(read(tmp_path / "c.csv", asked)) == {"a": {"region": "north"}}


DATED = """customer_id,region,age,valid_from
a,north,40,2022-03-01
a,south,40,2022-05-01
a,west,39,
b,north,20,2022-05-01
"""


def test_dated_rows_hold_from_their_day_on() -> None:
    found = read(pl.read_csv(DATED.encode(), infer_schema=False))
    regions = [
        facts(found, day_of(datetime.date.fromisoformat(day)))
        for day in ("2022-02-28", "2022-03-01", "2022-06-01")
    ]
    assert [each["a"]["region"] for each in regions] == ["west", "north", "south"]
    assert ["b" in each for each in regions] == [False, False, True]
    assert any("1 rows have no valid_from" in note for note in found.notes)


def test_day_and_month_are_told_apart_by_all_cells_or_by_the_orders() -> None:
    frame = pl.DataFrame({"customer_id": ["a"], "region": ["n"], "age": ["1"],
                          "valid_from": ["03/04/2022"]})  # fmt: skip
    with pytest.raises(DataError, match="date_format"):
        read(frame)
    (since,) = read(frame, known=Conventions(date_order="day-first")).table.since
    assert since == day_of(datetime.date(2022, 4, 3))


def test_decimal_marks_are_those_of_all_cells() -> None:
    frame = pl.DataFrame({"customer_id": ["a", "b"], "region": ["n", "n"], "age": ["1.234", "1,5"]})
    assert [each["age"] for each in facts(read(frame)).values()] == [1234.0, 1.5]


def frame(**columns: list[Any]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    plain: dict[str, Any] = {"customer_id": [f"c{i}" for i in range(count)]}
    plain |= {"region": ["north"] * count, "age": ["40"] * count}
    return pl.DataFrame(plain | columns)


def test_equal_rows_are_counted_and_different_ones_refused() -> None:
    found = read(frame(customer_id=["a", "a", "b"]))
    assert "customers: 1 rows equal another of the same customer and day" in found.notes
    for undated in ({}, {"valid_from": [None, None, ""]}):
        with pytest.raises(DataError, match=r"a has two rows without a day that differ .*or give"):
            read(frame(customer_id=["a", "b", "a"], age=["1", "1", "2"], **undated))
    days = ["2022-01-31", "2022-01-31"]
    with pytest.raises(DataError, match=r"two rows from 2022-01-31 that differ \(row 1 .*row 2"):
        read(frame(customer_id=["a", "a"], region=["n", "s"], valid_from=days))


def test_numbers_that_are_texts_are_counted_and_many_refused() -> None:
    found = read(frame(age=["40"] * 9 + ["forty"]))
    assert any("1 cells of age are no numbers" in n and '"forty" (row 10' in n for n in found.notes)
    assert np.isnan(found.table.numbers["age"][-1])
    with pytest.raises(DataError, match=r'3 cells of "age" are no numbers.*category_attributes'):
        read(frame(age=["40"] * 7 + ["forty"] * 3))


def test_rows_without_customer_or_day_are_counted_and_many_refused() -> None:
    found = read(frame(customer_id=["", *(f"c{i}" for i in range(9))]))
    assert "customers: left out 1 rows without a customer, such as row 1" in " ".join(found.notes)
    days = ["2022-01-31"] * 7 + ["soon"] * 3
    with pytest.raises(DataError, match=r"3 of 10 rows .* without a day in valid_from"):
        read(frame(valid_from=days))


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (frame(age=["1"]).drop("age").rename({"region": "Region"}), MissingColumn,
         r'no column "age" \(numeric_attributes\).*"region" .*did you mean Region'),
        (frame(age=["1"]).drop("customer_id"), MissingColumn, 'no column "customer_id"'),
        (frame(age=["1"]).clear(), DataError, "has no rows"),
        (frame(age=[[1]]), DataError, "lists or records"),
        (frame(customer_id=[1e17, 2e17, 2.5]), DataError, "customer_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(
    source: pl.DataFrame, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(source)


def test_either_all_files_have_days_or_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "b.csv").write_text(DATED)
    with pytest.raises(DataError, match=r"b\.csv has a column valid_from and .*a.csv has none"):
        read(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["points", "Loyalty Points", "accountBalance", "customer_segment", "Status", "lastVisit",
     "total_spent", "Punkte", "Kontostand Saldo", "último_pedido", "dernière commande", "CLV"],
)  # fmt: skip
def test_names_of_what_changes_are_warned_about(name: str) -> None:
    asked = AttributeParameters(category_attributes=(name,))
    rows = pl.DataFrame({"customer_id": ["a"], name: ["x"]})
    (warning,) = read(rows, asked).warnings
    assert name in warning
    assert "valid_from" in warning
    assert not read(rows.with_columns(valid_from=pl.lit("2022-01-31")), asked).warnings


@pytest.mark.parametrize("name", ["birth_year", "region", "Signup day", "state", "channel"])
def test_fixed_facts_are_not(name: str) -> None:
    assert not may_change(name)


def test_who_is_where_and_what_is_missing_is_said() -> None:
    orders = Histories.from_orders(
        ["c0", "c1", "zz"], np.arange(3), np.full(3, 9, np.int32), np.ones(3)
    )
    found = read(frame(age=["40", "", "41"]))
    whole, notes, warnings = attributes.join(orders, found)
    said = " ".join(notes)
    assert "2 of 3 with orders have attributes, 1 have none, such as zz; 1 others in" in said
    assert "age is missing for 1 of 2" in said
    assert not warnings
    assert whole.attributes is not None
    _, notes, (few,) = attributes.join(orders, read(frame(customer_id=["x1", "x2"])))
    assert "0 of 3 with orders have attributes" in " ".join(notes)
    assert 'such as "c0", those with attributes such as "x1"' in few


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"numeric_attributes": "age,x=1"}, "numeric_attributes"),
        ({"numeric_attributes": "customer_id"}, "numeric_attributes"),
        ({"category_attributes": ["valid_from"]}, "category_attributes"),
        ({"category_attributes": "x" * 41}, "at most 40 characters"),
        ({"numeric_attributes": "age", "category_attributes": "age,region"}, "category_attributes"),
    ],
)
def test_names_that_cannot_be_attributes_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidHyperparameters, match=message):
        parse(given)


def test_names_are_read_as_columns_are() -> None:
    given = parse(
        {"numeric_attributes": '["Birth  year", "age"]', "category_attributes": "2020, b"}
    )
    assert given.attribute_names == ("Birth year", "age", "2020", "b")
