import csv
import datetime
import io
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.orders import Columns, Rejection
from ordergap.errors import DataError, InvalidRequest
from ordergap.histories import date_of
from ordergap.ingest import Cleaned, describe, from_bytes, read

NAMES = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
         "CustomerID", "Country")  # fmt: skip
# Few rows, many of them unreadable on purpose.
COLUMNS = Columns(max_unreadable=1)

Row = dict[str, str]


def row(customer="ana", day="2011-01-04 08:26:00", quantity="2", price="2.5", product="tea",
        order="1", description="") -> Row:  # fmt: skip
    return dict(zip(NAMES, (order, product, description, quantity, day, price, customer, "UK"),
                    strict=True))  # fmt: skip


def text(rows: Sequence[Row]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, NAMES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def clean(*rows: Row, columns: Columns = COLUMNS, strict: bool = False) -> Cleaned:
    return from_bytes(text(rows), "text/csv", columns, strict=strict)


def rejected(cleaned: Cleaned) -> dict[str, int]:
    return {why: count for why, count in cleaned.report.rejected.items() if count}


def orders(cleaned: Cleaned) -> dict[tuple[str, datetime.date], list[float]]:
    histories = cleaned.histories
    ids = [histories.customer_ids[customer] for customer in histories.customer]
    columns = (histories.amount, histories.items, histories.lines)
    return {
        (customer, date_of(day)): values
        for customer, day, *values in zip(
            ids, histories.day, *(column.tolist() for column in columns), strict=True
        )
    }


FEW = {
    "CustomerID": ["1", "2", " 1 ", "1.0", "", "nan"],
    "InvoiceDate": ["2011-01-04 08:00:00", "2011-01-04 09:00", "2011-01-05", "2011-01-06T07:00:00",
                    "soon", "9999-12-31"],
    "InvoiceNo": ["1", "2", "C3", "CA-4"],
    "StockCode": ["A", "B1", " A", "POST", "m"],
    "Description": ["tea", "coffee"],
    "Quantity": ["1", "2", "3", " 4 ", "0.5", "-1", "-2", "-3", "0", "x", ""],
    "UnitPrice": ["1.1", "2.55", "0.07", "0", "-1", "x"],
    "Country": ["UK"],
}  # fmt: skip
# The first two values of a column twice as often, so that enough rows are good and meet.
ROWS = st.lists(
    st.fixed_dictionaries(
        {name: st.sampled_from(values[:2] * 2 + values) for name, values in FEW.items()}
    ),
    min_size=1,
    max_size=30,
)


def outcome(cleaned: Cleaned) -> tuple[dict[str, int], str]:
    return rejected(cleaned), cleaned.histories.digest()


# A row that is always used, since data of which nothing is left is refused.
SURE = row(day="2000-01-01", customer="sure")


@settings(max_examples=100)
@given(ROWS)
def test_cleaning_equals_the_plain_one_and_accounts_for_every_row(plainly, rows):
    counts, expected = plainly([SURE, *rows])
    cleaned = clean(SURE, *rows)
    assert rejected(cleaned) == counts
    assert orders(cleaned) == {key: pytest.approx(values) for key, values in expected.items()}
    report = cleaned.report
    assert report.rows_read == len(rows) + 1 == report.rows_used + sum(report.rejected.values())
    assert report.rows_used == cleaned.histories.lines.sum()
    assert report.revenue == pytest.approx(cleaned.histories.amount.sum())


@settings(max_examples=60)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_sequence_of_the_rows_changes_no_bit(rows, random):
    shuffled = random.sample([SURE, *rows], len(rows) + 1)
    assert outcome(clean(*shuffled)) == outcome(clean(SURE, *rows))


@settings(max_examples=40)
@given(ROWS, st.sets(st.integers(1, 29), max_size=3))
def test_how_rows_are_split_over_files_changes_no_bit(rows, cuts):
    whole = [SURE, *rows]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    # An order that two files have may be one that was exported twice.
    every = COLUMNS.model_copy(update={"duplicates": "keep"})
    with tempfile.TemporaryDirectory() as folder:
        for begin, end in itertools.pairwise(bounds):
            Path(folder, f"{begin:02}.csv").write_bytes(text(whole[begin:end]))
        assert outcome(read(folder, every)) == outcome(clean(*whole, columns=every))


@settings(max_examples=40)
@given(ROWS, st.sets(st.sampled_from(FEW["InvoiceNo"])))
def test_how_orders_are_split_over_files_changes_no_bit(rows, first):
    parts = (
        [SURE, *(r for r in rows if r["InvoiceNo"] in first)],
        [r for r in rows if r["InvoiceNo"] not in first],
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, part in enumerate(parts):
            Path(folder, f"{name}.csv").write_bytes(text(part))
        assert outcome(read(folder, COLUMNS)) == outcome(clean(SURE, *rows))


def test_many_prices_add_up_the_same_from_either_end():
    prices = np.random.default_rng(7).lognormal(0, 3, 5000).round(4)
    rows = [row(price=f"{price + 0.0001:.4f}", product=str(i)) for i, price in enumerate(prices)]
    assert outcome(clean(*rows)) == outcome(clean(*rows[::-1]))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (row(customer="", order="2"), "no_customer_id"),
        (row(customer=" ", order="2"), "no_customer_id"),
        (row(customer="NaN", day="soon", quantity="x", price="x"), "no_customer_id"),
        (row(day="soon", quantity="x"), "unreadable_date"),
        (row(day="9999-12-31"), "unreadable_date"),
        (row(quantity="x", price="x"), "unreadable_quantity"),
        (row(quantity="0"), "zero_quantity"),
        (row(quantity="inf"), "unreadable_quantity"),
        (row(price=""), "unreadable_price"),
        (row(price="1e11", quantity="1000"), "unreadable_price"),
        (row(product="POST", price="0"), "non_product_code"),
        (row(product=" m "), "non_product_code"),
        (row(price="0"), "non_positive_price"),
        (row(price="-2.5", quantity="-1"), "non_positive_price"),
        (row(price="-2.5", product="else"), "cancellation_of_nothing"),
        (row(quantity="-1", product="else"), "cancellation_of_nothing"),
        (row(order="C1", product="else"), None),
        (row(customer="guest"), "no_customer_id"),
        (row(day="2201-01-01"), "unreadable_date"),
        (row(day="2099-12-31"), "impossible_date"),
        (row(day="2011-01-04 08:26"), "duplicate_line"),
        (row(customer="ana.0"), None),
        (row(order="CA-2016-1"), None),
        (row(description="as a gift"), None),
    ],
)
def test_a_row_is_rejected_for_the_first_reason_that_fits(bad, why):
    cleaned = clean(row(), bad)
    assert rejected(cleaned) == ({why: 1} if why else {})
    assert cleaned.report.rows_used == 2 - bool(why)


def test_the_report_has_every_reason_in_the_sequence_of_the_checks():
    assert list(clean(row()).report.rejected) == list(Rejection)


def test_codes_that_are_no_products_can_be_chosen():
    columns = COLUMNS.model_copy(update={"non_product_codes": ("Tea",)})
    cleaned = clean(row(), row(product="POST"), columns=columns)
    assert rejected(cleaned) == {"non_product_code": 1}


def test_one_customers_lines_of_one_day_are_one_order():
    cleaned = clean(
        row(day="2011-01-04 08:26", order="1"),
        row(day="2011-01-04 23:59", order="2", quantity="3"),
        row(day="2011-01-05", order="3"),
        row(customer="bob"),
    )
    assert orders(cleaned) == {
        ("ana", datetime.date(2011, 1, 4)): [12.5, 5, 2],
        ("ana", datetime.date(2011, 1, 5)): [5, 2, 1],
        ("bob", datetime.date(2011, 1, 4)): [5, 2, 1],
    }


def test_an_order_that_was_wholly_cancelled_is_no_order():
    cleaned = clean(
        row(customer="bob"),
        row(day="2011-01-04"),
        row(day="2011-01-05", quantity="6"),
        row(day="2011-01-09", order="C3", quantity="-4"),
        row(day="2011-01-10", order="C4", quantity="-3"),
    )
    assert rejected(cleaned) == {"cancellation": 2, "cancelled_line": 1}
    assert orders(cleaned)["ana", datetime.date(2011, 1, 4)] == [2.5, 1, 1]
    assert cleaned.report.orders == 2


def test_without_products_cancellations_are_matched_by_customer_and_price():
    frame = pl.DataFrame(
        [row(quantity="3"), row(day="2011-01-05"), row(day="2011-01-06", quantity="-4")]
    )
    cleaned = read(frame.drop("StockCode"), COLUMNS)
    assert rejected(cleaned) == {"cancellation": 1, "cancelled_line": 1}
    assert cleaned.histories.items.tolist() == [1]


def test_customers_are_sorted_and_those_seen_are_in_the_files_sequence():
    cleaned = clean(row(customer="bob"), row(customer="eve", price="0"), row(), row(customer=""))
    assert cleaned.histories.customer_ids == ["ana", "bob"]
    assert cleaned.seen == ["bob", "eve", "ana"]


def test_rows_after_as_of_are_counted_and_reach_nothing_back():
    cancelling = row(day="2011-01-06 09:00", order="C2", quantity="-2")
    rows = text([SURE, row(), cancelling, row(day="2011-01-07")])
    before = from_bytes(rows, "text/csv", COLUMNS, as_of=datetime.date(2011, 1, 5))
    assert rejected(before) == {"after_as_of": 2}
    assert orders(before)["ana", datetime.date(2011, 1, 4)] == [5, 2, 1]
    after = from_bytes(rows, "text/csv", COLUMNS, as_of=datetime.date(2011, 1, 6))
    assert rejected(after) == {"after_as_of": 1, "cancellation": 1, "cancelled_line": 1}


@settings(max_examples=40)
@given(ROWS, st.integers(4, 6))
def test_reading_as_of_a_day_equals_reading_a_file_that_ends_there(rows, day):
    as_of = datetime.date(2011, 1, day)
    until_then = [
        one for one in rows if one["InvoiceDate"][:10] <= str(as_of) or one["InvoiceDate"] > "a"
    ]
    later = from_bytes(text([SURE, *rows]), "text/csv", COLUMNS, as_of=as_of)
    assert later.histories.digest() == clean(SURE, *until_then).histories.digest()


AMOUNTS = Columns(amount_column="Total", max_unreadable=1)


def amounts(*totals: str, quantities: Sequence[str] | None = None) -> Cleaned:
    days = [f"2011-01-{day:02}" for day in range(1, len(totals) + 1)]
    columns = {"CustomerID": ["ana"] * len(totals), "InvoiceDate": days, "Total": totals}
    return read(pl.DataFrame(columns | ({"Quantity": quantities} if quantities else {})), AMOUNTS)


def test_a_negative_amount_takes_money_back_and_pieces_in_proportion():
    cleaned = amounts("10.00", "20.00", "-5.00", "0", quantities=["1", "8", "-2", "1"])
    assert rejected(cleaned) == {"non_positive_price": 1, "cancellation": 1}
    assert cleaned.histories.amount.tolist() == [10, 15]
    assert cleaned.histories.items.tolist() == [1, 6]


def test_beside_a_ready_amount_a_blank_quantity_is_unknown_and_a_wrong_one_unreadable():
    cleaned = amounts("10", "20", "30", "x", quantities=["", "2", "two", "2"])
    assert rejected(cleaned) == {"unreadable_quantity": 1, "unreadable_price": 1}
    np.testing.assert_equal(cleaned.histories.items, [np.nan, 2])


def test_all_rows_rejected_is_refused_with_the_reasons_and_an_example():
    with pytest.raises(DataError) as error:
        clean(row(day="1. Mai"), row(day="2. Mai"), row(price="0"))
    assert str(error.value) == (
        "none of the 3 rows of the request can be used: 2 unreadable date, 1 non positive price. "
        'For example, row 1: InvoiceDate "1. Mai"'
    )


def test_a_strict_reader_names_the_cells_that_cannot_be_read():
    with pytest.raises(InvalidRequest) as error:
        clean(row(), row(customer="", order="2"), row(day="x" * 99), row(quantity="two"),
              row(price="1,234,5"), strict=True)  # fmt: skip
    problems = error.value.problems
    assert [(problem.record, problem.field) for problem in problems] == [
        (1, "CustomerID"),
        (2, "InvoiceDate"),
        (3, "Quantity"),
        (4, "UnitPrice"),
    ]
    assert problems[0].message.startswith("row 1: CustomerID (blank)")
    assert len(problems[1].message) < 120
    assert '"1,234,5"' in problems[3].message


def test_a_strict_reader_names_rows_after_as_of():
    with pytest.raises(InvalidRequest, match=r'row 1: InvoiceDate "2011-01-06" is after as_of'):
        from_bytes(text([row(), row(day="2011-01-06")]), "text/csv", COLUMNS, strict=True,
                   as_of=datetime.date(2011, 1, 5))  # fmt: skip


def test_a_strict_reader_names_twenty_problems_at_most():
    with pytest.raises(InvalidRequest) as error:
        clean(*[row(price="")] * 30, strict=True)
    assert len(error.value.problems) == 20


def test_a_strict_reader_leaves_customers_without_orders_to_the_caller():
    cleaned = clean(row(price="0"), row(customer="bob", quantity="-1"), strict=True)
    assert (cleaned.seen, len(cleaned.histories)) == (["ana", "bob"], 0)
    assert (cleaned.report.first_day, cleaned.report.revenue) == (None, 0)


def test_the_conventions_that_come_back_read_a_smaller_file_alike():
    found = clean(row(day="13/1/2011"), row(day="2/1/2011")).report.conventions
    smaller = from_bytes(text([row(day="2/1/2011")]), "text/csv", COLUMNS, known=found)
    assert smaller.report.first_day == datetime.date(2011, 1, 2)


def test_the_description_adds_up():
    report = clean(
        row(), row(), row(customer="guest"), row(day="soon"), row(day="13/2/2011")
    ).report
    assert (
        describe(report)
        == """\
            5 rows read
-           1 no customer id (row 3: CustomerID "guest"): orders of nobody teach nothing
-           1 unreadable date (row 4: InvoiceDate "soon"): set date_format, or correct the cells
-           1 duplicate line (row 2: InvoiceNo "1"): set duplicates to keep if they are pieces
=           2 rows used
1 customers, 2 orders, revenue 10.00, 41 days from 2011-01-04 to 2011-02-13
note: dates are read day-first, as InvoiceDate "13/2/2011" shows
note: numbers have a decimal point, as UnitPrice "2.5" shows
warning: 1 rows (20.0%) have an unreadable date, of 1 customers and a revenue of 5.00; \
set date_format, or correct the cells"""
    )
