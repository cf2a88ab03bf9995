"""Amounts of several currencies, told by a column: refused with the option that decides."""

import re

import polars as pl
import pytest
from ordergap import inspect
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest import Cleaned, read

COLUMNS = {"customer_column": "Customer", "date_column": "Date", "amount_column": "Total"}


def shop(**others: list[str]) -> pl.DataFrame:
    """Sixty orders of ten customers, of which every third has the last of the other cells."""
    days = [f"2022-0{1 + n // 10}-1{n % 10}" for n in range(60)]
    repeated = {name: [cells[-(n % 3 == 0)] for n in range(60)] for name, cells in others.items()}
    return pl.DataFrame(
        {"Customer": [f"c{n % 10}" for n in range(60)], "Date": days, "Total": ["5"] * 60}
    ).with_columns(**{name: pl.Series(cells) for name, cells in repeated.items()})


def clean(frame: pl.DataFrame, **options) -> Cleaned:
    return read(frame, Columns(**{**COLUMNS, **options}))


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Currency", ["EUR", "USD"]),
        ("Currency", ["eur", "Usd"]),
        ("order_currency_code", ["EUR", "USD"]),
        ("Währung", ["€", "$"]),
        ("Col 7", ["EUR", "USD"]),
    ],
)
def test_several_currencies_are_refused_with_their_shares(tmp_path, name, cells):
    frame = shop(**{name: cells})
    most, least = (cell.upper() for cell in cells)
    with pytest.raises(DataError, match=re.escape(f"({most} 66.7%, {least} 33.3%)")) as refused:
        clean(frame)
    assert f'status_column to "{name}" and excluded_statuses to {least}' in str(refused.value)
    assert inspect(frame, **COLUMNS).refusal == str(refused.value)
    one = clean(frame, status_column=name, excluded_statuses=[least])
    assert one.report.revenue == 5 * 40
    every = clean(frame, status_column=name, excluded_statuses=["none"])
    assert every.report.revenue == 5 * 60
    for currency, part in frame.group_by(name):  # a file for each
        part.write_csv(tmp_path / f"{ord(currency[0][0])}.csv")
    with pytest.raises(DataError, match="several currencies"):
        read(tmp_path, Columns(**COLUMNS))


@pytest.mark.parametrize(
    "others",
    [
        {"Currency": ["EUR", "EUR"]},
        {"Currency": ["EUR", ""]},
        {"Currency": ["EUR", "N/A"]},
        {"Currency rate": ["1.05", "1"]},
        {"Size": ["ALL", "TOP"]},
        {"Country": ["DEU", "USA"]},
        {"Total Currency": ["EUR", "EUR"], "Paid Currency": ["EUR", "USD"]},
    ],
)
def test_one_currency_and_what_is_none_are_left_alone(others):
    assert clean(shop(**others)).report.revenue == 5 * 60


def test_of_several_columns_of_currencies_the_one_that_is_named_decides():
    frame = shop(**{"Currency": ["EUR", "USD"], "Paid Currency": ["USD", "EUR"]})
    with pytest.raises(DataError, match='in "Currency"'):
        clean(frame)
    one = clean(frame, status_column="Currency", excluded_statuses=["USD"])
    assert one.report.revenue == 5 * 40


def test_columns_that_the_amounts_do_not_tell_apart_are_all_looked_at():
    """Magento's grand_total is in the currency of the order, whichever column comes first."""
    frame = shop(base_currency_code=["EUR", "EUR"], order_currency_code=["EUR", "USD"])
    with pytest.raises(DataError, match='in "order_currency_code"'):
        clean(frame)
    base = clean(frame.rename({"Total": "base_total"}), amount_column="base_total")
    assert base.report.revenue == 5 * 60


@pytest.mark.parametrize("amount", ["total_eur", "TotalEUR", "Total (EUR)"])
def test_amounts_called_those_of_one_currency_are_in_one(amount):
    frame = shop(**{"order currency": ["EUR", "USD"]}).rename({"Total": amount})
    assert clean(frame, amount_column=amount).report.revenue == 5 * 60


def test_beside_a_status_the_column_of_currencies_can_be_taken_out():
    frame = shop(Currency=["EUR", "USD"], Status=["paid", "voided"])
    with pytest.raises(DataError, match=r"or take the column out$"):
        clean(frame, status_column="Status")
    left = clean(frame.drop("Currency"), status_column="Status")
    assert left.report.revenue == 5 * 40


def test_currencies_of_files_without_amounts_do_not_matter():
    frame = shop(Currency=["EUR", "USD"])
    assert clean(frame, amount_column=None, amounts="unknown").report.orders == 60


@pytest.mark.parametrize("cells", [["€ 5", "$5"], ["EUR 5", "USD 5"], ["5 kr", "£5"]])
def test_signs_of_several_currencies_in_the_amounts_are_refused(cells):
    frame = shop(Amount=cells)
    with pytest.raises(DataError, match="are in two currencies"):
        clean(frame, amount_column="Amount")
