"""What the contract's models do not say of a scoring record."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Set
from typing import Any

from ordergap.contract.prediction import Order, ScoringRecord
from ordergap.errors import Problem
from ordergap.histories import date_of
from ordergap.serving.formats.context import similar_option

FIELDS, _ORDER_FIELDS = (frozenset(each.model_fields) for each in (ScoringRecord, Order))


def misspelled_options(record: Any, i: int, label: str) -> Iterator[Problem]:
    """Fields that resemble an option and would be ignored."""
    for name in record if isinstance(record, dict) else ():
        if name not in FIELDS and (option := similar_option(name)):
            once = "" if option in FIELDS else " once for the whole request"
            message = f"{label}: {name[:60]} is not a field of a record"
            yield Problem(message, i, name, f"write {option}{once}")


def misspelled_amount(fields: Set[str]) -> str | None:
    """Which field of orders without an amount seems to be meant as theirs."""
    names = {name.lower(): name for name in fields - _ORDER_FIELDS}
    similar = difflib.get_close_matches("amount", names, n=1, cutoff=0.8)
    return names[similar[0]] if similar else None


def misspelled_amounts(record: Any, i: int, label: str) -> Iterator[Problem]:
    """Orders without an amount that have a field of nearly that name."""
    for k, order in enumerate(record["orders"]):
        if order.get("amount") is None and (name := misspelled_amount(order.keys())):
            field = f"orders[{k}].amount"
            yield Problem(f"{label}: {field} is missing", i, field, f"did you mean {name[:60]}?")


def free_orders(record: ScoringRecord, i: int, label: str) -> Iterator[Problem]:
    """Orders of the amount 0, which in a file would be rejected."""
    hint = "leave free orders out, or train with free_orders = on"
    for k, order in enumerate(record.orders):
        if order.amount == 0:
            field = f"orders[{k}].amount"
            yield Problem(f"{label}: {field} = 0: the model counts no free orders", i, field, hint)


def late_orders(record: ScoringRecord, today: int, i: int, label: str) -> Iterator[Problem]:
    """Orders after as_of."""
    as_of = date_of(today) if record.as_of is None else record.as_of
    hint = "leave out later orders, or set as_of, which by default is today in UTC"
    first = min(order.date for order in record.orders)
    if first > as_of:
        message = f"{label}: as_of {as_of} is before the customer's first order on {first}"
        yield Problem(message, i, "as_of", hint)
        return
    for k, order in enumerate(record.orders):
        if order.date > as_of:
            message = f"{label}: orders[{k}].date {order.date} is after as_of {as_of}"
            yield Problem(message, i, f"orders[{k}].date", hint)
