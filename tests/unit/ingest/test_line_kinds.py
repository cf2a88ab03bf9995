"""Lines of payments and totals beside lines of goods: refused with the option that decides."""

import numpy as np
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


def receipts(*kinds: str, column="Вид", split=0.0, seed=1) -> pl.DataFrame:
    """Two hundred receipts of one to four lines with prices, each with its sum in the last kinds.

    split  the share of receipts whose last line is divided in two of equal amount
    """
    draw = np.random.default_rng(seed)
    goods, *again = kinds
    rows = []
    for number in range(200):
        prices = draw.integers(100, 9_999, draw.integers(1, 5)) / 100
        lines = [(goods, f"sku{n}", price) for n, price in enumerate(prices)]
        lines += [(kind, f"sku of {kind}", sum(prices)) for kind in again]
        if draw.random() < split:
            *lines, (kind, sku, price) = lines
            lines += [(each, sku, price / 2) for each in (kind, f"{kind} 2")]
        rows += [
            {
                "Receipt": f"r{number}",
                "Customer": f"c{number % 10}",
                column: kind,
                "Sku": sku,
                "Date": f"2022-0{1 + number // 28}-{1 + number % 28:02}",
                "Total": f"{price:.2f}",
            }
            for kind, sku, price in lines
        ]
    return pl.DataFrame(rows)[draw.permutation(len(rows))]  # fmt: skip


def revenue(frame: pl.DataFrame, goods: str, column="Вид") -> float:
    return float(frame.filter(pl.col(column) == goods)["Total"].cast(float).sum())


@pytest.mark.parametrize(
    ("again", "without", "decimal"),
    [
        (["Итого"], "", "."),
        (["Итого", "Оплата"], "Receipt", ","),
        (["合計", "現金", "x"], "Sku", ","),
    ],
)
def test_lines_that_add_up_the_others_are_refused_in_any_language(again, without, decimal):
    frame = receipts("Товар", *again)
    goods = revenue(frame, "Товар")
    if without == "Receipt":  # one receipt of a customer at a time
        frame = frame.with_columns(Date=pl.col("Date") + " 10:00:00")
    frame = frame.drop(without or []).with_columns(
        pl.col("Total").str.replace(".", decimal, literal=True)
    )
    with pytest.raises(DataError, match='in "Вид", with the same amounts in all') as refused:
        clean(frame)
    words = str(refused.value).rpartition(": ")[2].split(",")
    found = clean(frame, status_column="Вид", excluded_statuses=words, duplicates="keep")
    assert found.report.revenue == pytest.approx(goods)
    nothing = {"excluded_statuses": ["none"], "non_product_codes": ["none"]}
    every = clean(frame, status_column="Вид", duplicates="keep", **nothing)
    assert every.report.revenue == pytest.approx((1 + len(again)) * goods)


def test_payments_in_several_kinds_are_all_named():
    frame = receipts("Ware", "bar")
    by_card = pl.col("Receipt").str.contains("[1-3]$") & (pl.col("Вид") == "bar")
    frame = frame.with_columns(Вид=pl.when(by_card).then(pl.lit("Karte")).otherwise("Вид"))
    with pytest.raises(DataError, match=r"else to what does not: Karte,bar$"):
        clean(frame)


def test_lines_of_two_kinds_are_not_equal_once_the_remedy_names_the_kinds():
    """Half is paid as a deposit and half as the balance, both on one day."""
    frame = shop([("Deposit", "", "15"), ("Balance", "", "15")], "Type")
    frame = frame.with_columns(Total=(pl.int_range(pl.len()) // 2 + 10).cast(pl.String))
    with pytest.raises(DataError, match="a word that is none of these where all count"):
        clean(frame)
    both = clean(frame, status_column="Type", excluded_statuses=["none"]).report
    assert (both.rows_used, both.revenue) == (120, frame["Total"].cast(float).sum())
    # Of the statuses that an order had one after the other one counts.
    had = frame.with_columns(Type=pl.col("Type").replace({"Deposit": "pending", "Balance": "paid"}))
    assert clean(had, status_column="Type").report.rows_used == 60


def test_a_kind_beside_blank_ones_is_left_out_beforehand():
    """Where only the line of the whole order says what it is, a blank one would be so, too."""
    frame = receipts("", "Kopf", column="Satzart").drop("Sku")
    with pytest.raises(DataError, match='out whose "Satzart" is "Kopf", or set status'):
        clean(frame)
    goods = frame.filter(pl.col("Satzart") == "")
    found = clean(goods, duplicates="keep")
    assert found.report.revenue == pytest.approx(revenue(frame, "", "Satzart"))
    every = clean(frame, status_column="Satzart", excluded_statuses=["none"], duplicates="keep")
    assert every.report.revenue == pytest.approx(2 * revenue(frame, "", "Satzart"))


def test_two_exports_of_the_same_orders_are_no_sums(tmp_path):
    """The day of the export is told by a column, and each order is in both."""
    goods = receipts("tea").drop("Вид")[:250]
    for day in ("Monday", "Tuesday"):
        goods.with_columns(Exported=pl.lit(day)).write_csv(tmp_path / f"{day}.csv")
    found = read(tmp_path, Columns(**COLUMNS))
    assert found.report.revenue == pytest.approx(goods["Total"].cast(float).sum())


def test_only_the_total_is_named_among_a_thousand_products():
    """Most are sold once: alone, with half of all, or beside another of the same price."""
    frame = receipts("tea", "TOTAL").drop("Вид").with_row_index()
    rare = pl.format("rare {}", "index")
    frame = frame.with_columns(
        Sku=pl.when(pl.col("Sku") == "sku of TOTAL").then("Sku").otherwise(rare),
    ).drop("index")
    with pytest.raises(DataError, match=r"else to what does not: sku of TOTAL$"):
        clean(frame)


def test_kinds_that_are_new_with_every_line_are_no_kinds():
    frame = receipts("sale", "payment", column="Line Type").with_row_index()
    frame = frame.with_columns(pl.format("{} {}", "Line Type", "index").alias("Line Type"))
    notes = clean(frame.drop("index", "Sku")).report.notes
    assert any("sum of the others" in note for note in notes)


@pytest.mark.parametrize("size", [3, 15])
def test_totals_in_many_small_files_are_refused_as_in_one(tmp_path, size):
    """As a till writes a file each day: no file alone has receipts enough."""
    frame = receipts("Товар", "Итого")
    day = pl.col("Receipt").str.slice(1).cast(int) // size
    for (number,), part in frame.group_by(day):
        part.write_csv(tmp_path / f"{number}.csv")
    with pytest.raises(DataError, match=r"else to what does not: Итого$"):
        read(tmp_path, Columns(**COLUMNS))


def test_the_sum_of_a_bundle_beside_its_parts_is_said():
    """Most orders have one line, and every fourth a bundle: the line of it has its parts' sum."""
    frame = receipts("part", "bundle").with_columns(Вид=pl.col("Sku"))
    one = (pl.col("Receipt").str.slice(1).cast(int) % 4) > 0
    frame = frame.filter(~one | (pl.col("Sku") == "sku of bundle"))
    (note,) = [note for note in clean(frame).report.notes if "sum of the others" in note]
    assert note.startswith("in nearly all orders of the frame with several lines")


def test_totals_told_by_the_product_alone_are_refused():
    frame = receipts("tea", "TOTAL").drop("Вид")
    with pytest.raises(DataError, match=r"non_product_codes .*: sku of TOTAL$"):
        clean(frame)
    found = clean(frame, non_product_codes=["sku of TOTAL"])
    assert found.report.revenue == pytest.approx(revenue(receipts("tea", "TOTAL"), "tea"))
    unmarked = receipts("tea", "TOTAL").drop("Вид", "Sku")
    (note,) = [n for n in clean(unmarked).report.notes if "sum of the others" in n]
    assert note.startswith("in nearly all orders of the frame")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("Product Type", ["Bath Products", "Total Care"]),
     ("Type", ["Bath Products", "Total Care"]),
     ("Order Type", ["Online Order", "Deposit Order"]),
     ("Line Type", ["Card Payment", "Voucher Sale"])],
)  # fmt: skip
def test_words_that_the_amounts_contradict_refuse_nothing(name, kinds):
    goods = receipts("x", column=name)
    by_line = [kinds[int(sku[-1]) % 2] for sku in goods["Sku"]]
    by_order = [kinds[int(order[-1]) % 2] for order in goods["Receipt"]]
    for each in (by_line, by_order):
        frame = goods.with_columns(pl.Series(name, each))
        assert clean(frame).report.revenue == pytest.approx(revenue(goods, "x", name))


@pytest.mark.parametrize("name", ["Line Type", "Method"])
def test_a_payment_divided_in_two_now_and_then_is_no_sum(name):
    frame = receipts("Card Payment", column=name, split=0.1)
    frame = frame.with_columns(pl.col(name).str.replace("Payment 2", "Sale"))
    assert clean(frame).report.revenue == pytest.approx(frame["Total"].cast(float).sum())


def test_payments_of_a_later_day_are_those_of_the_customer():
    frame = receipts("Invoice", "Payment", column="Type")
    paid = pl.col("Type") == "Payment"
    frame = frame.with_columns(
        Receipt=pl.when(paid).then("p" + pl.col("Receipt")).otherwise("Receipt"),
        Date=pl.when(paid).then(pl.col("Date").str.replace("2022", "2023")).otherwise("Date"),
    )
    with pytest.raises(DataError, match=r"excluded_statuses .*: Payment$"):
        clean(frame)
