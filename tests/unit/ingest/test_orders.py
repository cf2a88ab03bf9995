"""Which lines make orders: statuses, duplicates, refunds, blank lines, dates that cannot be."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from ordergap.contract.orders import Columns, Rejection
from ordergap.errors import DataError, InvalidRequest, MissingColumn
from ordergap.ingest import Cleaned, describe, from_bytes, read

DAY = datetime.date(2022, 1, 3)


def lines(count=1, **cells) -> pl.DataFrame:
    """So many equal order lines, of one customer unless told otherwise."""
    values = {"InvoiceNo": "1", "CustomerID": "ana", "InvoiceDate": str(DAY), "StockCode": "tea",
              "Quantity": "2", "UnitPrice": "2.5"} | cells  # fmt: skip
    return pl.DataFrame({name: [value] * count for name, value in values.items()})


def clean(*parts: pl.DataFrame, **options) -> Cleaned:
    return read(pl.concat(parts, how="diagonal_relaxed"), Columns(**options))


def rejected(cleaned: Cleaned) -> dict[str, int]:
    return {str(why): count for why, count in cleaned.report.rejected.items() if count}


SHOP = pl.concat(
    lines(
        InvoiceNo=f"{customer}-{order}",
        CustomerID=f"c{customer}",
        InvoiceDate=str(DAY + datetime.timedelta(7 * order + customer % 7)),
    )
    for customer in range(50)
    for order in range(20)
)  # 1,000 lines


def test_orders_of_an_excluded_status_do_not_count_however_it_is_written():
    statuses = ["paid", "VOIDED", " refunded ", "wc-failed", "partially_refunded", ""]
    some = [lines(InvoiceNo=str(i), CustomerID=f"c{i}", Status=s) for i, s in enumerate(statuses)]
    cleaned = clean(*some, status_column="Status")
    assert rejected(cleaned) == {"excluded_status": 3}
    assert cleaned.histories.customer_ids == ["c0", "c4", "c5"]
    assert cleaned.report.examples[Rejection.STATUS].cell == "VOIDED"
    only = clean(*some, status_column="Status", excluded_statuses=["Paid"])
    assert only.histories.customer_ids == ["c1", "c2", "c3", "c4", "c5"]
    with pytest.raises(MissingColumn, match="status_column"):
        clean(*some, status_column="State")


@pytest.mark.parametrize(
    ("columns", "duplicates", "count"),
    [
        ([], "auto", 1), ([], "keep", 3), (["InvoiceNo"], "auto", 1),
        (["InvoiceNo", "Quantity"], "auto", 3), (["InvoiceNo", "Quantity"], "drop", 1),
    ],
)  # fmt: skip
def test_equal_lines_are_duplicates_where_order_numbers_or_quantities_say_so(
    columns, duplicates, count
):
    frame = lines(3).drop(columns)
    options = {"amount_column": "UnitPrice"} if "Quantity" in columns else {}
    cleaned = clean(frame, duplicates=duplicates, **options)
    assert cleaned.report.rows_used == count


def test_later_lines_of_an_order_take_what_its_first_line_says():
    cleaned = clean(
        lines(Status="paid"),
        lines(CustomerID=None, InvoiceDate=None, StockCode="milk", Status=None),
        lines(InvoiceNo="2", CustomerID="bob", Status="voided"),
        lines(InvoiceNo="2", CustomerID=None, InvoiceDate=None, StockCode="milk", Status=None),
        status_column="Status",
    )
    assert cleaned.histories.customer_ids == ["ana"]
    assert cleaned.histories.amount.tolist() == [10]
    assert rejected(cleaned) == {"excluded_status": 2}
    notes = cleaned.report.notes
    assert any(each.startswith("2 lines have the customer and date that other") for each in notes)
    assert 'orders of these statuses count (Status): "paid"' in notes


def test_receipts_whose_numbers_begin_anew_every_day_join_nothing():
    cleaned = clean(
        lines(),
        lines(CustomerID=None, InvoiceDate="2022-01-04"),
        lines(CustomerID="bob", StockCode="milk"),
        lines(CustomerID=None, StockCode="bread"),
    )
    assert rejected(cleaned) == {"no_customer_id": 2}


def test_a_refund_is_netted_in_its_own_order_first():
    cleaned = clean(
        lines(),
        lines(InvoiceNo="2", InvoiceDate="2022-02-01"),
        lines(InvoiceDate="2022-03-01", Quantity="-2"),
    )
    assert cleaned.report.last_day == datetime.date(2022, 2, 1)
    assert cleaned.report.orders == 1


def test_a_negative_price_takes_back_as_a_negative_quantity_does():
    cleaned = clean(lines(), lines(InvoiceDate="2022-01-05", UnitPrice="-2.5", Quantity="1"))
    assert cleaned.histories.amount.tolist() == [2.5]
    assert rejected(cleaned) == {"cancellation": 1}


def test_free_orders_count_where_asked():
    free = [lines(InvoiceNo="2", InvoiceDate="2022-02-01", UnitPrice="0.00")]
    assert rejected(clean(lines(), *free)) == {"non_positive_price": 1}
    cleaned = clean(lines(), *free, free_orders="on")
    assert cleaned.histories.amount.tolist() == [5, 0]
    amounts = clean(lines(), *free, free_orders="on", amount_column="UnitPrice")
    assert amounts.histories.amount.tolist() == [2.5, 0]


def test_without_prices_every_order_counts_and_amounts_are_unknown():
    frame = SHOP.select("CustomerID", "InvoiceDate")
    cleaned = clean(frame)
    report = cleaned.report
    assert (report.orders, report.revenue, report.conventions.amounts) == (1000, None, False)
    assert np.isnan(cleaned.histories.amount).all()
    assert "amounts unknown" in describe(report)
    assert any("amounts are unknown" in note for note in report.notes)


@pytest.mark.parametrize("name", ["Price", "order_total", "Umsatz", "Net Sales"])
def test_a_file_that_may_have_amounts_is_not_read_without_them(name):
    with pytest.raises(MissingColumn, match="price_column"):
        clean(SHOP.select("CustomerID", "InvoiceDate", pl.lit("1").alias(name)))


def test_data_without_prices_are_refused_where_the_models_had_them():
    frame = SHOP.select("CustomerID", "InvoiceDate")
    known = clean(SHOP).report.conventions
    with pytest.raises(MissingColumn, match="price_column"):
        read(frame, Columns(), known=known)


@pytest.mark.parametrize("day", ["1900-01-01", "1987-06-05", "2098-01-01", "2015-01-01"])
def test_a_date_that_cannot_be_is_rejected_and_named(day):
    odd = lines(InvoiceNo="odd", InvoiceDate=day)
    cleaned = clean(SHOP, odd)
    assert rejected(cleaned) == {"impossible_date": 1}
    example = cleaned.report.examples[Rejection.IMPOSSIBLE_DATE]
    assert (example.row, example.column, example.cell) == (1001, "InvoiceDate", day)
    assert cleaned.report.orders == 1000


def test_a_program_writes_its_placeholder_any_number_of_times():
    odd = pl.concat([lines(InvoiceNo=f"{i}", InvoiceDate="1970-01-01") for i in range(200)])
    cleaned = clean(SHOP, odd)
    assert rejected(cleaned) == {"impossible_date": 200}
    assert any(
        "200 rows are dated over 365 days before or after" in n for n in cleaned.report.notes
    )


@pytest.mark.parametrize(
    ("day", "count"), [("1950-05-01", 2), ("2011-05-01", 2), ("2013-05-01", 0)]
)
def test_in_small_data_what_is_ten_years_from_all_others_is_rejected(day, count):
    odd = [lines(InvoiceNo=f"odd{i}", InvoiceDate=day, StockCode=str(i)) for i in range(2)]
    assert rejected(clean(SHOP[:200], *odd)).get("impossible_date", 0) == count
    assert rejected(clean(SHOP[:30], *odd)) == {}


def test_an_amount_that_is_the_orders_on_each_line_is_said():
    goods = [
        lines(3, InvoiceNo=str(n), CustomerID=f"c{n % 9}", Total=str(5 + n), Line=str(2 + n))
        .with_columns(StockCode=pl.Series(["tea", "milk", "tea"]), Index=pl.Series(list("123")))
        for n in range(40)
    ]  # fmt: skip
    notes = clean(*goods, amount_column="Total").report.notes
    assert any(
        '"Total" is the same on all lines of 40 of 40 orders with several, such as "0"' in note
        and "amount_column" in note
        for note in notes
    )
    for other in (
        [each.with_columns(Total=pl.Series(["1", "2", "1"])) for each in goods],
        [each.with_columns(Total=pl.lit("5")) for each in goods],
        [each.with_columns(StockCode=pl.lit("tea")) for each in goods],
    ):
        assert not any(
            "is the same" in each for each in clean(*other, amount_column="Total").report.notes
        )


@pytest.mark.parametrize("without", ["InvoiceNo", ""])
@pytest.mark.parametrize("amount_column", [None, "Total"])
def test_an_orders_amount_is_seen_as_a_price_and_without_order_numbers(without, amount_column):
    goods = [
        lines(3, InvoiceNo=str(n), CustomerID=f"c{n}", Quantity="1", UnitPrice=str(5 + n))
        .with_columns(StockCode=pl.Series(["tea", "milk", "rice"]), Total="UnitPrice")
        for n in range(40)
    ]  # fmt: skip
    goods = [each.drop(without or []) for each in goods]

    def said(frames: list[pl.DataFrame]) -> list[str]:
        notes = clean(*frames, amount_column=amount_column).report.notes
        return [note for note in notes if "is the same on all lines of" in note]

    (note,) = said(goods)
    assert note.startswith(f'"{amount_column or "UnitPrice"}" is the same on all lines of 40 of 40')
    assert ("such as that of row 1:" in note) == bool(without)
    assert (
        said(
            [
                each.with_columns(
                    UnitPrice=pl.Series(["1", "2", "3"]), Total=pl.Series(["1", "2", "3"])
                )
                for each in goods
            ]
        )
        == []
    )
    if amount_column is None:
        assert (
            said([each.with_columns(Quantity=pl.Series(["2", "3", "2"])) for each in goods]) == []
        )


def test_digits_that_a_spreadsheet_keeps_as_text_are_the_same_customer(tmp_path):
    shop = SHOP.with_columns(CustomerID=pl.lit("00105"))
    kept = shop.with_columns(
        pl.format('="{}"', name).alias(name) for name in ("CustomerID", "Quantity")
    )
    shop[::2].write_csv(tmp_path / "a.csv")
    kept[1::2].write_csv(tmp_path / "b.csv")
    cleaned = read(tmp_path, Columns())
    assert cleaned.histories.customer_ids == ["00105"]
    assert cleaned.histories.digest() == clean(shop).histories.digest()


def test_old_orders_that_are_not_few_or_not_apart_count():
    early = [
        lines(InvoiceNo=f"{i}", InvoiceDate="2019-05-01", CustomerID=f"e{i}") for i in range(3)
    ]
    assert rejected(clean(SHOP, *early)) == {}
    near = lines(InvoiceDate="2021-02-01", InvoiceNo="near")
    assert rejected(clean(SHOP, near)) == {}


def test_dates_after_as_of_are_later_and_those_after_today_impossible():
    later = lines(InvoiceNo="later", InvoiceDate="2022-08-01")
    odd = lines(InvoiceNo="odd", InvoiceDate="2098-01-01")
    cleaned = read(pl.concat([SHOP, later, odd]), Columns(), as_of=datetime.date(2022, 7, 1))
    assert rejected(cleaned) == {"impossible_date": 1, "after_as_of": 1}


def test_a_customer_with_an_absurd_share_is_pointed_out():
    cash = [lines(InvoiceNo=f"k{i}", CustomerID="CASH", StockCode=str(i)) for i in range(400)]
    notes = clean(SHOP, *cash).report.notes
    assert 'the customer "CASH" has 29% of all lines' in notes[-1]
    assert "no_customer_words" in notes[-1]
    assert not any("of all lines" in note for note in clean(SHOP).report.notes)
    assert rejected(clean(SHOP, *cash, no_customer_words=["cash"])) == {"no_customer_id": 400}


@pytest.mark.parametrize(
    ("column", "reason", "remedy"),
    [
        ("InvoiceDate", "unreadable date", "date_format"),
        ("Quantity", "unreadable quantity", "decimal"),
        ("UnitPrice", "unreadable price", "decimal"),
    ],
)
def test_unreadable_rows_are_warned_of_and_too_many_are_refused(column, reason, remedy):
    def damaged(share: int) -> pl.DataFrame:
        row = pl.int_range(pl.len())
        cell = pl.when(row % 100 < share).then(pl.lit("?")).otherwise(column)
        return SHOP.with_columns(cell.alias(column))

    assert "warning" not in describe(clean(damaged(1)).report)
    assert f"20 rows (2.0%) have an {reason}, of " in describe(clean(damaged(2)).report)
    clean(damaged(20))
    with pytest.raises(DataError, match=rf"210 of the 1,000 rows .* {reason}.*row 1: .*{remedy}"):
        clean(damaged(21))
    clean(damaged(21), max_unreadable=0.21)


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [("44572", "excel"), ("1641888300", "epoch-s"), ("1641888300000", "epoch-ms")],
)
def test_numbers_in_place_of_dates_are_refused_with_what_they_look_like(cell, remedy):
    with pytest.raises(DataError, match=f"it looks like .*set date_format to {remedy}"):
        clean(SHOP.with_columns(InvoiceDate=pl.lit(cell)))


def test_a_percentage_is_no_price():
    with pytest.raises(DataError, match="a percentage is no amount"):
        clean(SHOP.with_columns(UnitPrice=pl.lit("12%")))


def test_the_file_and_row_of_an_example_are_named(tmp_path):
    SHOP.write_csv(tmp_path / "a.csv")
    pl.concat([SHOP[:2], lines(InvoiceDate="soon")]).write_csv(tmp_path / "b.csv")
    report = read(tmp_path, Columns()).report
    assert '(row 3 of b.csv: InvoiceDate "soon")' in describe(report)


def test_overlapping_files_in_which_a_column_was_added_have_the_same_lines(tmp_path):
    SHOP[:600].write_csv(tmp_path / "a.csv")
    SHOP[400:].with_columns(Coupon=pl.lit("X10")).write_csv(tmp_path / "b.csv")
    report = read(tmp_path, Columns()).report
    assert (report.orders, report.rejected[Rejection.DUPLICATE]) == (1000, 200)


@pytest.mark.parametrize(("customer", "encoding"), [("Müller", "mac_roman"), ("Иванов", "cp1251")])
def test_ids_that_are_no_names_in_the_guessed_encoding_are_refused(tmp_path, customer, encoding):
    file = tmp_path / "a.csv"
    file.write_bytes(pl.concat([SHOP, lines(CustomerID=customer)]).write_csv().encode(encoding))
    with pytest.raises(DataError, match="encoding"):
        read(file, Columns())
    cleaned = read(file, Columns(encoding=encoding))
    assert customer in cleaned.histories.customer_ids


@pytest.mark.parametrize("blank", ["NA", "N/A", "-", "(null)", "\\N", "nan"])
def test_words_for_nothing_on_later_lines_are_filled_in_too(blank):
    later = lines(CustomerID=blank, InvoiceDate=blank, StockCode="milk", Status=blank)
    other = lines(InvoiceNo="2", CustomerID="bob", Status="paid")
    cleaned = clean(lines(Status="voided"), later, other, status_column="Status")
    assert rejected(cleaned) == {"excluded_status": 2}


NAMELESS = {"InvoiceNo": None, "CustomerID": None, "InvoiceDate": None}


def test_lines_that_name_nothing_are_pointed_out():
    nameless = lines(StockCode=None, **NAMELESS)
    notes = clean(lines(), nameless, max_unreadable=1).report.notes
    assert any("1 lines have neither customer, date nor order number" in note for note in notes)


def test_lines_of_products_that_name_nothing_are_of_the_order_above():
    later = lines(StockCode="milk", UnitPrice="1", **NAMELESS)
    guest = lines(InvoiceNo="2", CustomerID=None, StockCode="jam")
    total = lines(StockCode=None, UnitPrice="99", **NAMELESS)
    voided = lines(InvoiceNo="3", CustomerID="bob", Status="voided")
    first = lines(Status="paid")
    cleaned = clean(first, later, guest, later, voided, later, total, status_column="Status")
    assert rejected(cleaned) == {"no_customer_id": 3, "excluded_status": 2}
    assert cleaned.histories.customer_ids == ["ana"]
    assert cleaned.histories.amount.tolist() == [7]
    notes = " ".join(cleaned.report.notes)
    assert "3 lines without order number, customer and date are of the order" in notes
    assert "1 lines have neither" in notes


@pytest.mark.parametrize(
    "first",
    [
        [lines(StockCode="milk", **NAMELESS), lines()],  # no line above it
        [lines(), lines(InvoiceNo=None), lines(StockCode="milk", **NAMELESS)],  # partly blank lines
        [lines().drop("StockCode"), lines(**NAMELESS).drop("StockCode")],  # may be a sum
    ],
)
def test_lines_that_name_nothing_are_refused_where_they_are_many_and_cannot_be_placed(first):
    with pytest.raises(DataError, match=r"1 lines have neither .* take them out, or raise max_unr"):
        clean(*first)
    assert rejected(clean(*first, max_unreadable=1)) == {"no_customer_id": 1}


def test_lines_of_one_file_are_not_of_the_order_that_ends_another(tmp_path):
    lines().write_csv(tmp_path / "a.csv")
    pl.concat([lines(**NAMELESS), lines(InvoiceNo="2")], how="vertical_relaxed").write_csv(
        tmp_path / "b.csv"
    )
    with pytest.raises(DataError, match="1 lines have neither"):
        read(tmp_path, Columns())


def test_a_later_refund_without_a_customer_is_of_the_customer_of_its_order():
    later = str(DAY + datetime.timedelta(20))
    refund = {"CustomerID": None, "InvoiceDate": later, "Quantity": "-1"}
    cleaned = clean(lines(), lines(StockCode="milk"), lines(**refund))
    assert rejected(cleaned) == {"cancellation": 1}
    assert cleaned.histories.amount.tolist() == [7.5]
    # A purchase of a later day is another one; a number of several customers or days is none's.
    assert rejected(clean(lines(), lines(**refund | {"Quantity": "1"}))) == {"no_customer_id": 1}
    for other in ({"CustomerID": "bob"}, {"InvoiceDate": str(DAY + datetime.timedelta(1))}):
        assert rejected(clean(lines(), lines(**other), lines(**refund))) == {"no_customer_id": 1}
    earlier = refund | {"InvoiceDate": str(DAY - datetime.timedelta(1))}
    assert rejected(clean(lines(), lines(**earlier))) == {"no_customer_id": 1}


def test_that_amounts_are_unknown_can_be_said():
    table = lines().rename({"UnitPrice": "Total weight"})
    with pytest.raises(MissingColumn, match="if it has none, set amounts to unknown"):
        clean(table)
    for options in ({}, {"price_column": "Total weight"}, {"amount_column": "Total weight"}):
        cleaned = clean(table, lines(InvoiceNo="2"), amounts="unknown", **options)
        assert cleaned.report.revenue is None
        assert cleaned.histories.items.tolist() == [4]
        assert cleaned.report.conventions.amounts is False
    preset = {"preset": "cdnow", "amounts": "unknown"}
    table = pl.DataFrame({"customer": ["ana"], "date": [str(DAY)], "cds": ["2"], "dollars": ["x"]})
    assert clean(table, **preset).report.revenue is None


def test_an_overlap_of_files_of_several_forms_counts_once(tmp_path):
    numbers = SHOP.with_columns(InvoiceNo=pl.int_range(pl.len()), Weight=pl.lit(1.0))
    numbers[:600].write_parquet(tmp_path / "a.parquet")
    numbers[400:].cast(pl.String).write_csv(tmp_path / "b.csv")
    report = read(tmp_path, Columns()).report
    assert (report.orders, report.rejected[Rejection.DUPLICATE]) == (1000, 200)


@pytest.mark.parametrize("number", [1.459, Decimal("1.459"), np.float64(1.459)])
def test_a_number_beside_texts_with_a_decimal_comma_keeps_its_point(number):
    frame = SHOP.to_pandas().astype({"UnitPrice": object})
    frame.loc[0, "UnitPrice"] = number
    frame.loc[1:, "UnitPrice"] = "3,50"
    cleaned = read(frame, Columns())
    assert cleaned.report.revenue == pytest.approx(2 * 1.459 + 999 * 7)
    assert cleaned.report.conventions.decimal == "comma"


def test_a_file_of_numbers_beside_one_of_texts_keeps_its_point(tmp_path):
    SHOP[:500].with_columns(UnitPrice=pl.lit(1.459)).write_parquet(tmp_path / "a.parquet")
    SHOP[500:].with_columns(UnitPrice=pl.lit("3,50")).write_csv(tmp_path / "b.csv")
    assert read(tmp_path, Columns()).report.revenue == pytest.approx(500 * 2 * 1.459 + 500 * 7)


def test_whole_floats_as_text_show_no_decimal_mark():
    frame = SHOP.with_columns(Quantity=pl.lit("2.0"), UnitPrice=pl.lit("3,50"))
    assert read(frame, Columns()).report.revenue == 7000


def test_moments_of_pandas_with_a_zone_are_those_of_the_shop():
    frame = pd.DataFrame(SHOP.to_dicts())
    moments = pd.to_datetime(frame["InvoiceDate"]) + pd.Timedelta(hours=23, minutes=30)
    frame["InvoiceDate"] = moments.dt.tz_localize("UTC")
    assert read(frame, Columns()).report.first_day == DAY
    berlin = read(frame, Columns(time_zone="Europe/Berlin")).report
    assert berlin.first_day == DAY + datetime.timedelta(1)


def test_a_request_in_another_currency_or_of_a_placeholder_day_is_refused():
    known = clean(SHOP.with_columns(UnitPrice=pl.lit("$2.50"))).report.conventions
    with pytest.raises(DataError, match="EUR"):
        from_bytes(lines(UnitPrice="€3.50").write_csv().encode(), "text/csv", Columns(),
                   known=known, strict=True)  # fmt: skip
    with pytest.raises(InvalidRequest, match="cannot be the day of an order"):
        from_bytes(lines(InvoiceDate="1970-01-01").write_csv().encode(), "text/csv", Columns(),
                   strict=True)  # fmt: skip


def test_of_several_columns_of_one_name_the_first_is_read_and_that_is_said():
    frame = lines().with_columns(pl.lit("9").alias("UnitPrice (column 9)"))
    notes = clean(frame).report.notes
    assert any('of several columns "UnitPrice" the first is read' in note for note in notes)


def test_a_status_column_that_is_not_used_is_pointed_out():
    notes = clean(lines(Status="voided")).report.notes
    assert any('the column "Status" is not used: set status_column' in note for note in notes)


def test_a_year_without_orders_is_said():
    early = [lines(InvoiceNo=f"e{i}", InvoiceDate="2019-05-01") for i in range(30)]
    notes = clean(SHOP, *early).report.notes
    assert any("no row is dated between 2019-05-01 and 2022-01-03" in note for note in notes)


@pytest.mark.parametrize(
    ("cells", "finding"),
    [
        ({"InvoiceDate": "3/4/2010"}, "can be read day-first or month-first"),
        ({"InvoiceDate": "3-Apr-10"}, "begins with a day or with a year"),
        ({"UnitPrice": "1.234"}, "three decimals or one of thousands"),
        ({"UnitPrice": "€3.50", "Quantity": "1,5"}, "the numbers contradict"),
        ({"Currency": "EUR"}, "several currencies"),
    ],
)
def test_what_a_request_cannot_set_is_not_advised_alone(cells, finding):
    rows = pl.concat([lines(**cells), lines(**{**cells, "Currency": "USD"})], how="diagonal")
    with pytest.raises(DataError, match=finding) as refused:
        from_bytes(rows.write_csv().encode(), "text/csv", Columns(), strict=True)
    if finding == "several currencies":
        assert str(refused.value).endswith("and leave out what should not count")
    else:
        assert str(refused.value).endswith("write 2022-01-31 and 1234.5 in a request")
        assert "set " not in str(refused.value).lower()
