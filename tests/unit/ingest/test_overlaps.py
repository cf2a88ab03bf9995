"""Orders that two files have: once where their exports overlap, whole where they are divided."""

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.orders import Columns, Rejection
from ordergap.ingest import Cleaned, read

from tests.workbook import workbook

AGAIN, ANEW = "are in several files", "with different lines"


def order(number: int, *items: tuple[str, int], **cells: str) -> pl.DataFrame:
    """An order of one customer in ten, with a line for each product and quantity."""
    day = datetime.date(2022, 1, 3) + datetime.timedelta(number)
    return pl.DataFrame(
        [
            {"InvoiceNo": f"o{number}", "CustomerID": f"c{number % 10}", "InvoiceDate": str(day),
             "StockCode": product, "Quantity": str(pieces), "UnitPrice": "2.5", **cells}
            for product, pieces in items
        ]
    )  # fmt: skip


ORDERS = [order(number, ("tea", 1 + number % 3), ("milk", 1), ("milk", 1)) for number in range(60)]


def exported(folder, *exports: list[pl.DataFrame], index: str | None = "", **options) -> Cleaned:
    """Read a folder with a file for each export, with the numbers of its rows."""
    folder.mkdir(exist_ok=True)
    for name, parts in zip("abcdefgh", exports, strict=False):
        frame = pl.concat(parts)
        frame = frame if index is None else frame.with_row_index(index or "Index")
        frame.write_csv(folder / f"{name}.csv")
    return read(folder, Columns(**options))


def notes(cleaned: Cleaned) -> list[str]:
    return [note for note in cleaned.report.notes if "several files" in note]


def test_an_order_of_two_exports_counts_once_with_its_equal_lines(tmp_path):
    found = exported(tmp_path / "two", ORDERS[:40], ORDERS[25:])
    whole = exported(tmp_path / "one", ORDERS)
    assert found.histories.digest() == whole.histories.digest()
    assert found.report.rows_used == 3 * 60
    assert found.report.rejected[Rejection.DUPLICATE] == 3 * 15
    (note,) = notes(found)
    assert note.startswith(
        '15 orders are in several files, such as "o25" in a.csv and b.csv, with the same lines'
    )
    kept = exported(tmp_path / "two", ORDERS[:40], ORDERS[25:], duplicates="keep")
    assert (kept.report.rows_used, notes(kept)) == (3 * 75, [])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(1, 60)), min_size=2, max_size=5),
    st.booleans(),
)
def test_exports_of_any_periods_have_each_order_once(tmp_path_factory, periods, with_products):
    folder = tmp_path_factory.mktemp("exports")
    orders = [each if with_products else each.drop("StockCode") for each in ORDERS]
    exports = [orders[start : start + days] for start, days in periods]
    present = sorted(
        {day for start, days in periods for day in range(start, min(60, start + days))}
    )
    whole = exported(folder / "whole", [orders[day] for day in present])
    assert exported(folder / "parts", *exports).histories.digest() == whole.histories.digest()


@pytest.mark.parametrize("paid", ["paid", "refunded"])
def test_of_an_order_that_changed_the_later_file_counts(tmp_path, paid):
    first = [each.with_columns(Status=pl.lit("paid")) for each in ORDERS[:40]]
    second = [each.with_columns(Status=pl.lit("paid")) for each in ORDERS[25:]]
    second[0] = order(25, ("tea", 7), Status=paid)
    found = exported(tmp_path, first, second, status_column="Status")
    whole = exported(tmp_path, [*first[:25], *second], status_column="Status")
    assert found.report.orders == 60 - (paid == "refunded")
    assert any("1 order is" in note and ANEW in note and "b.csv" in note for note in notes(found))
    assert whole.report.revenue == found.report.revenue


def test_a_status_that_changed_is_that_of_the_later_file(tmp_path):
    first = [each.with_columns(Status=pl.lit("paid")) for each in ORDERS]
    second = [each.with_columns(Status=pl.lit("voided")) for each in ORDERS[50:]]
    assert exported(tmp_path, first, second, status_column="Status").report.orders == 50


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90))
def test_exports_that_cut_orders_have_each_order_whole(tmp_path_factory, end, back):
    folder = tmp_path_factory.mktemp("exports")
    shop = pl.concat(ORDERS[:30])
    start = max(0, end - back)
    found = exported(folder / "parts", [shop[:end]], [shop[start:]])
    # Only an order that both cut, with an overlap of less than its three lines, may lose lines.
    if end - start >= 6 or not (start % 3 and end % 3):
        assert found.histories.digest() == exported(folder / "one", [shop]).histories.digest()


def test_files_of_changes_alone_hold_the_later_state(tmp_path):
    changed = [order(number, ("tea", 9)) for number in range(5)]
    found = exported(tmp_path, ORDERS, changed)
    assert (
        found.report.revenue == exported(tmp_path / "new", [*ORDERS[5:], *changed]).report.revenue
    )
    totals = [each[:1].drop("StockCode") for each in ORDERS]
    changes = [order(number, ("", 9)).drop("StockCode") for number in range(5)]
    found = exported(tmp_path / "totals", totals, changes)
    assert sum(found.histories.items) == sum(int(each["Quantity"][0]) for each in totals[5:]) + 45


def test_orders_whose_lines_are_divided_among_files_stay_whole(tmp_path):
    lines = pl.concat([order(number, ("tea", 1), ("milk", 2)) for number in range(60)])
    for products in (True, False):
        shop = lines if products else lines.drop("StockCode")
        tea, milk = shop[::2], shop[1::2]
        # Here and there a file has an order's two lines.
        found = exported(tmp_path, [tea, milk[:9]], [milk[9:]])
        assert found.report.rows_used == 120
        (note,) = notes(found)
        assert note.startswith("51 orders are in several files")
        assert "all count" in note


def test_returns_in_a_file_of_their_own_take_back(tmp_path):
    returns = [order(number, ("tea", -1 - number % 3)) for number in range(5)]
    found = exported(tmp_path, ORDERS, returns)
    assert found.report.rejected[Rejection.CANCELLATION] == 5
    assert notes(found) == []


def test_receipts_whose_numbers_begin_anew_are_no_exports_of_one_order(tmp_path):
    other = [each.with_columns(CustomerID=pl.lit("bob")) for each in ORDERS]
    assert exported(tmp_path, ORDERS, other).report.rows_used == 6 * 60


def test_without_order_numbers_an_overlap_is_said(tmp_path):
    nameless = [each.drop("InvoiceNo") for each in ORDERS]
    (note,) = notes(exported(tmp_path, nameless[:40], nameless[25:]))
    assert "the same in several files 15 times, such as those of row 76 of a.csv" in note
    assert notes(exported(tmp_path, nameless[:30], nameless[30:])) == []


def test_blocks_of_a_frame_are_no_files(monkeypatch):
    monkeypatch.setattr("ordergap.frames.BLOCK", 50)
    frame = pl.concat(ORDERS).with_row_index("Index")
    odd = frame.with_columns(InvoiceDate=pl.when(pl.col("Index") == 99).then(pl.lit("soon"))
                             .otherwise("InvoiceDate")).to_pandas()  # fmt: skip
    report = read(odd, Columns()).report
    assert (report.rows_used, report.examples[Rejection.BAD_DATE].row) == (179, 100)
    assert report.examples[Rejection.BAD_DATE].file is None


def test_a_return_that_two_exports_have_counts_once(tmp_path):
    back = order(30, ("tea", -1))
    found = exported(tmp_path / "two", [*ORDERS[:40], back], [*ORDERS[25:], back])
    whole = exported(tmp_path / "one", [*ORDERS, back])
    assert found.histories.digest() == whole.histories.digest()
    assert found.report.rejected[Rejection.CANCELLATION] == 1


def test_the_later_of_numbered_exports_has_the_larger_number(tmp_path):
    """As text, `export_10` comes before `export_9`."""
    paid = [each.with_columns(Status=pl.lit("paid")) for each in ORDERS[:3]]
    refunded = [each.with_columns(Status=pl.lit("refunded")) for each in ORDERS[:1]]
    for number, parts in ((9, paid), (10, [*refunded, *paid[1:]])):
        pl.concat(parts).write_csv(tmp_path / f"export_{number}.csv")
    found = read(tmp_path, Columns(status_column="Status"))
    assert found.report.orders == 2


def test_amounts_that_two_files_divide_among_them_add_up(tmp_path):
    """Goods and services of each order, without products."""
    parts = [each.drop("StockCode", "Quantity").head(1) for each in ORDERS]
    for name, price in (("goods", "1.5"), ("services", "1")):
        frame = pl.concat(parts).with_columns(UnitPrice=pl.lit(price))
        frame.write_csv(tmp_path / f"{name}.csv")
    found = read(tmp_path, Columns(amount_column="UnitPrice"))
    assert found.report.revenue == 60 * 2.5
    (note,) = notes(found)
    assert "all count" in note


NAMED = [each.with_columns(CustomerID="Zoë  Bär " + pl.col("CustomerID")) for each in ORDERS]


@pytest.mark.parametrize(
    "spelled",
    [
        pl.col("CustomerID").str.to_uppercase(),
        " " + pl.col("CustomerID").str.replace_all(" +", " "),
        pl.col("CustomerID").str.normalize("NFD"),
    ],
)
@pytest.mark.parametrize("numbered", [True, False])
def test_exports_that_spell_customers_differently_have_each_order_once(tmp_path, spelled, numbered):
    again = [each.with_columns(CustomerID=spelled) for each in NAMED[25:]]
    if not numbered:
        found = exported(tmp_path, *([o.drop("InvoiceNo") for o in e] for e in (NAMED[:40], again)))
        assert any("the same in several files 15 times" in note for note in notes(found))
        return
    found = exported(tmp_path, NAMED[:40], again)
    assert (found.report.rows_used, found.report.orders) == (3 * 60, 60)
    said = [note for note in found.report.notes if "case and blanks alone" in note]
    assert len(said) == (found.report.customers > 10)


def test_exports_by_clocks_of_several_time_zones_have_each_order_once(tmp_path):
    at = pl.col("InvoiceDate") + " 23:17:05"
    here = [each.with_columns(InvoiceDate=at) for each in ORDERS]
    moments = pl.col("InvoiceDate").str.to_datetime() + datetime.timedelta(hours=5, minutes=45)
    there = [each.with_columns(InvoiceDate=moments.dt.to_string()) for each in here]
    found = exported(tmp_path / "two", here[:40], there[25:])
    assert (found.report.rows_used, found.report.orders) == (3 * 60, 60)
    # Numbers that begin anew every day, and orders of two days.
    later = pl.col("InvoiceDate").str.to_datetime() + datetime.timedelta(days=1)
    other = [each.with_columns(InvoiceDate=later.dt.to_string()) for each in here]
    assert exported(tmp_path / "days", here[:40], other[:40]).report.rows_used == 2 * 3 * 40


def test_exports_on_two_sheets_have_each_order_once(tmp_path):
    header = ORDERS[0].columns
    sheets = {
        name: [header, *pl.concat(orders).iter_rows()]
        for name, orders in (("May", ORDERS[:40]), ("June", ORDERS[25:]))
    }
    (tmp_path / "a.xlsx").write_bytes(workbook(sheets))
    found = read(tmp_path / "a.xlsx", Columns())
    (tmp_path / "b.xlsx").write_bytes(workbook({"all": [header, *pl.concat(ORDERS).iter_rows()]}))
    whole = read(tmp_path / "b.xlsx", Columns())
    assert found.histories.digest() == whole.histories.digest()
    assert 'in a.xlsx, sheet "May" and a.xlsx, sheet "June"' in " ".join(notes(found))
