"""Lines of payments and totals beside lines of goods: refused with the option that decides."""

import polars as pl
import pytest
from ordergap import inspect
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest import Cleaned, read

COLUMNS = {
    "customer_column": "Customer", "date_column": "Date", "order_column": "Receipt",
    "product_column": "Sku", "amount_column": "Total",
}  # fmt: skip
LINES = [("Sale", "", "30"), ("Sale Line", "tea", "10"), ("Sale Line", "milk", "20"),
         ("Payment", "", "30")]  # fmt: skip


def shop(lines=LINES, name="Line Type") -> pl.DataFrame:
    """Sixty receipts of ten customers."""
    return pl.DataFrame(
        [
            {"Receipt": str(n), "Customer": f"c{n % 10}", "Date": f"2022-0{1 + n // 10}-1{n % 10}",
             name: kind, "Sku": sku, "Total": total}
            for n in range(60)
            for kind, sku, total in lines
        ]
    )  # fmt: skip


def clean(frame: pl.DataFrame, **options) -> Cleaned:
    return read(frame, Columns(**{**COLUMNS, **options}))


@pytest.mark.parametrize(
    ("name", "kinds", "excluded"),
    [
        ("Line Type", ["Sale", "Sale Line", "Sale Line", "Payment"], "Payment,Sale"),
        ("Type", ["Total", "Product", "Product", "Tender"], "Tender,Total"),
        ("recordType", ["Subtotal", "LINE_ITEM", "LINE_ITEM", "CARD_PAYMENT"], "CARD_PAYMENT,Subt"),
        ("Line: Type", ["Transaction", "Line Item", "Line Item", "Payout"], "Payout,Transaction"),
        ("Belegart", ["Zahlung", "Artikel", "Artikel", "Summe"], "Summe,Zahlung"),
    ],
)
def test_lines_that_repeat_amounts_are_refused_naming_what_to_exclude(
    tmp_path, name, kinds, excluded
):
    lines = [(kind, sku, total) for kind, (_, sku, total) in zip(kinds, LINES, strict=True)]
    frame = shop(lines, name)
    with pytest.raises(DataError) as refused:
        clean(frame)
    assert f'status_column to "{name}"' in str(refused.value)
    assert excluded in str(refused.value)
    shown = inspect(frame, **COLUMNS)
    assert shown.refusal == str(refused.value)
    remedy = str(refused.value).rpartition(": ")[2].split(",")
    assert clean(frame, status_column=name, excluded_statuses=remedy).report.revenue == 60 * 30
    frame.write_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"a\.csv has lines of"):
        read(tmp_path / "a.csv", Columns(**COLUMNS))


def test_other_lines_are_said(tmp_path):
    lines = [("Sale Line", "tea", "10"), ("Shipping", "", "5")]
    notes = clean(shop(lines)).report.notes
    assert any('"Line Type" count: "Sale Line", "Shipping"' in note for note in notes)
    # A payment without an amount of its own adds nothing.
    free = [("Sale Line", "tea", "10"), ("Payment", "", "")]
    assert clean(shop(free), max_unreadable=1).report.revenue == 600


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Payment Type", ["Sale", "Payment"]),
        ("Customer Type", ["Sale", "Payment"]),
        ("Type", ["charge", "adjustment"]),
        ("Type", ["Sale", "Sale"]),
        ("Description", ["Sale", "Payment"]),
    ],
)
def test_columns_of_other_things_are_left_alone(name, kinds):
    report = clean(shop([(kind, "tea", "10") for kind in kinds], name)).report
    assert not any(name in note for note in report.notes)
