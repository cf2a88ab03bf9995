"""Any table of orders, in any way that shops write it, is read back equal or refused by name.

ORDERGAP_EXAMPLES sets how many tables are drawn.
"""

import csv
import datetime
import io
import os
from collections import defaultdict
from typing import Literal, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.histories import date_of
from ordergap.ingest import Cleaned, from_bytes

EXAMPLES = int(os.environ.get("ORDERGAP_EXAMPLES", "200"))
NAMES = ("InvoiceNo", "CustomerID", "InvoiceDate", "StockCode", "Quantity", "UnitPrice")
FIRST, LAST = map(datetime.datetime.fromisoformat, ("2012-01-01", "2024-12-31"))
OPTIONS = ("date_format", "decimal", "encoding")

DATES = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+02:00", "%Y/%m/%d", "%Y%m%d",
    "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d-%m-%Y", "%m-%d-%Y",
    "%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%d.%m.%y %H:%M",
    "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y %I:%M %p", "%d %B %Y", "%a, %d %b %Y %H:%M:%S +0000",
)  # fmt: skip


class Line(NamedTuple):
    customer: str | None
    moment: datetime.datetime
    quantity: int  # thousandths
    price: int  # hundredths


class Dialect(NamedTuple):
    delimiter: str
    dates: str
    mark: str
    group: str
    places: int | None
    currency: str
    encoding: str
    quoting: Literal[0, 1]
    line_end: str
    nobody: str


def number(value: float, places: int | None, dialect: Dialect, currency: str = "") -> str:
    """The number with so many decimals; None: as few as it has."""
    text = f"{value:,.{3 if places is None else places}f}"
    if places is None:
        text = text.rstrip("0").rstrip(".")
    text = text.replace(",", "\0").replace(".", dialect.mark).replace("\0", dialect.group)
    return currency.format(text) if currency else text


def written(lines: list[Line], dialect: Dialect) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file, delimiter=dialect.delimiter, quoting=dialect.quoting, lineterminator=dialect.line_end
    )
    writer.writerow(NAMES)
    for i, line in enumerate(lines):
        price = number(line.price / 100, dialect.places, dialect, dialect.currency)
        writer.writerow([
            f"N{i}", line.customer or dialect.nobody, line.moment.strftime(dialect.dates), f"P{i}",
            number(line.quantity / 1000, None, dialect), price,
        ])  # fmt: skip
    return file.getvalue().encode(dialect.encoding)


def expected(lines: list[Line]) -> dict[tuple[str, datetime.date], list[float]]:
    orders: dict[tuple[str, datetime.date], list[float]] = defaultdict(lambda: [0, 0])
    for line in lines:
        if line.customer:
            customer = line.customer.lower() if "@" in line.customer else line.customer
            order = orders[customer, line.moment.date()]
            order[0] += line.quantity * line.price / 100_000
            order[1] += line.quantity / 1000
    return dict(orders)


def found(cleaned: Cleaned) -> dict[tuple[str, datetime.date], list[float]]:
    histories = cleaned.histories
    return {
        (histories.customer_ids[customer], date_of(day)): [amount, items]
        for customer, day, amount, items in zip(
            histories.customer, histories.day, histories.amount, histories.items, strict=True
        )
    }


LINES = st.lists(
    st.builds(
        Line,
        st.sampled_from(["17850", "Ana@Shop.example", "ana@shop.example", "Müller", "x1", None]),
        st.datetimes(FIRST, LAST),
        st.one_of(
            st.integers(1, 9).map(lambda n: n * 1000),
            st.integers(1, 4).map(lambda n: n * 1_000_000),
            st.integers(1, 5000),
        ),
        st.one_of(st.integers(1, 2000), st.integers(1, 10_000_000)),
    ),
    min_size=1,
    max_size=12,
).map(lambda lines: [*lines, Line("sure", LAST, 1000, 100)])  # fmt: skip

DIALECTS = st.tuples(
    st.sampled_from(",;\t|"),
    st.sampled_from(DATES),
    st.sampled_from([(".", ","), (".", "'"), (".", ""), (",", "."), (",", "\u00a0"), (",", "")]),
    st.sampled_from([2, 2, 3, None]),
    st.sampled_from(["", "", "${}", "{} EUR", "\u20ac {}"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "NA", "NULL", "guest", "-", "(null)"]),
).map(lambda drawn: Dialect(*drawn[:2], *drawn[2], *drawn[3:]))


@settings(max_examples=EXAMPLES)
@given(LINES, DIALECTS)
def test_what_any_shop_writes_is_read_back_or_refused_with_the_option_that_decides(lines, dialect):
    body = written(lines, dialect)
    try:
        cleaned = from_bytes(body, "text/csv", Columns(max_unreadable=0))
    except DataError as error:
        refusal = str(error)
    else:
        orders = expected(lines)
        assert found(cleaned) == {key: pytest.approx(values) for key, values in orders.items()}
        return
    assert any(option in refusal for option in OPTIONS), refusal
