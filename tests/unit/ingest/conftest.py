"""The cleaning once more, in plain Python: slow, obvious and sharing no code with the package."""

import datetime
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pytest

NO_PRODUCTS = {"AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "PADS", "POST", "S"}

Orders = dict[tuple[str, datetime.date], tuple[float, float, int]]
Plainly = Callable[[Iterable[Mapping[str, str]]], tuple[Counter[str], Orders]]


class Row(NamedTuple):
    customer: str
    moment: datetime.datetime | None
    quantity: float | None
    price: float | None
    product: str
    order: str
    rest: tuple[str, str]

    @classmethod
    def of(cls, cells: Mapping[str, str]) -> "Row":
        return cls(
            cells["CustomerID"].strip().removesuffix(".0"),
            moment(cells["InvoiceDate"]),
            number(cells["Quantity"]),
            number(cells["UnitPrice"]),
            cells["StockCode"].strip(),
            cells["InvoiceNo"],
            (cells["Description"], cells["Country"]),
        )


@dataclass
class Sale:
    order: str
    moment: datetime.datetime
    bought: float
    left: float


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def moment(text: str) -> datetime.datetime | None:
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if 1900 <= parsed.year < 2200 else None


def filled(rows: list[Row]) -> list[Row]:
    """Blank customers from the lines of the same order and day, where these have one customer.

    And of negative lines of a later day, where all lines of the order have one customer and day.
    """

    def day(row: Row) -> datetime.date | None:
        return row.moment.date() if row.moment else None

    named: dict[tuple[str, datetime.date | None], set[str]] = defaultdict(set)
    ordered: dict[str, set[tuple[str, datetime.date | None]]] = defaultdict(set)
    for row in rows:
        if row.customer not in {"", "nan"}:
            ordered[row.order.strip()].add((row.customer, day(row)))
            if row.moment:
                named[row.order.strip(), day(row)].add(row.customer)

    def customer(row: Row) -> str:
        there = named[row.order.strip(), day(row)]
        if row.customer not in {"", "nan"} or len(there) == 1:
            return row.customer if row.customer not in {"", "nan"} else next(iter(there))
        (who, then), *others = ordered[row.order.strip()] or {("", None)}
        negative = (row.quantity or 0) < 0 or (row.price or 0) < 0
        now = day(row)
        refund = negative and not others and then and now and now > then
        return who if refund else row.customer

    return [row._replace(customer=customer(row)) for row in rows]


def why_not(row: Row, earlier: set[Row]) -> str | None:
    """The first reason against a line, apart from cancellations."""
    reasons = {
        "no_customer_id": row.customer in {"", "nan"},
        "unreadable_date": row.moment is None,
        "unreadable_quantity": row.quantity is None,
        "unreadable_price": row.price is None,
        "duplicate_line": row in earlier,
        "non_product_code": row.product.upper() in NO_PRODUCTS,
        "zero_quantity": row.quantity == 0,
        "non_positive_price": not row.price or (row.price < 0 and (row.quantity or 0) < 0),
    }
    earlier.add(row)
    return next((why for why, holds in reasons.items() if holds), None)


def cancel(sales: list[Sale], cancellation: Sale) -> bool:
    """Take pieces back from sales up to the moment, of its order first, the latest first.

    Returns whether there were any.
    """
    matched = False

    def rank(sale: Sale) -> tuple[bool, datetime.datetime, float, str]:
        return sale.order == cancellation.order, sale.moment, sale.bought, sale.order

    for sale in sorted(sales, key=rank, reverse=True):
        if sale.moment <= cancellation.moment and sale.left and cancellation.left:
            taken = min(sale.left, cancellation.left)
            sale.left -= taken
            cancellation.left -= taken
            matched = True
    return matched


def cleaned_plainly(rows: Iterable[Mapping[str, str]]) -> tuple[Counter[str], Orders]:
    """Counts by reason, and (amount, items, lines) by customer and day."""
    counts: Counter[str] = Counter()
    earlier: set[Row] = set()
    kinds: dict[tuple[str, str, float], tuple[list[Sale], list[Sale]]]
    kinds = defaultdict(lambda: ([], []))
    for row in filled([Row.of(cells) for cells in rows]):
        if why := why_not(row, earlier):
            counts[why] += 1
            continue
        assert row.moment is not None
        assert row.quantity is not None
        assert row.price is not None
        sale = Sale(row.order, row.moment, abs(row.quantity), abs(row.quantity))
        cancels = row.quantity * row.price < 0
        kinds[row.customer, row.product, abs(row.price)][cancels].append(sale)
    lines = defaultdict(list)
    for (customer, _, price), (sales, cancellations) in kinds.items():
        cancellations.sort(key=lambda one: (one.moment, one.bought, one.order))
        # What all cancellations take from their own orders is taken before anything else.
        of_order = [cancel([s for s in sales if s.order == c.order], c) for c in cancellations]
        for one, found in zip(cancellations, of_order, strict=True):
            matched = cancel(sales, one) or found
            counts["cancellation" if matched else "cancellation_of_nothing"] += 1
        for sale in sales:
            if sale.left:
                lines[customer, sale.moment.date()].append((sale.left * price, sale.left))
            else:
                counts["cancelled_line"] += 1
    return counts, {
        key: (sum(amount for amount, _ in some), sum(items for _, items in some), len(some))
        for key, some in lines.items()
    }


@pytest.fixture(scope="session")
def plainly() -> Plainly:
    return cleaned_plainly
