"""What only the model or the day can say against the orders of a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.hashed import HashedColumns
from ordergap.contract.prediction import Order, ScoringRecord
from ordergap.errors import Problem
from ordergap.hashing import bucket_each
from ordergap.histories import date_of


def free_orders_of(record: ScoringRecord, i: int, label: str) -> Iterator[Problem]:
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


def buckets_of(
    orders: Sequence[Mapping[str, Any]], columns: HashedColumns
) -> dict[str, NDArray[np.uint32]]:
    """Hashed column -> (n, B + 1) lines of each order in each bucket, from its values or buckets.

    Raises KeyError, TypeError or ValueError where an order has neither, or has others than it may.
    """
    counts = {}
    for name in columns.hashed_columns:
        lines = [_lines(order, name, columns.hash_buckets) for order in orders]
        owner = np.repeat(np.arange(len(orders)), [len(each) for each in lines])
        counts[name] = np.zeros((len(orders), columns.hash_buckets + 1), np.uint32)
        np.add.at(counts[name], (owner, [bucket for each in lines for bucket in each]), 1)
    return counts


def _lines(order: Mapping[str, Any], name: str, buckets: int) -> list[int]:
    """The bucket of each line of an order."""
    given = (order.get("values") or {}).get(name)
    found = bucket_each(name, given, buckets) if given is not None else order["buckets"][name]
    if type(given or found) is not list or not all(
        type(each) is int and 0 <= each <= buckets for each in found
    ):
        raise ValueError("the lines of an order need a closer look")
    return list(found)


def unhashed_orders(
    record: ScoringRecord, columns: HashedColumns, i: int, label: str
) -> Iterator[Problem]:
    """Orders without the values that the model counts, or with buckets that it does not have."""
    for k, order in enumerate(record.orders):
        for name in columns.hashed_columns:
            if problem := _against(order, name, columns.hash_buckets):
                field, message, hint = problem
                yield Problem(f"{label}: orders[{k}].{field} {message}", i, f"orders[{k}]", hint)


def _against(order: Order, name: str, buckets: int) -> tuple[str, str, str] | None:
    """Field, what is wrong with it, and the remedy."""
    if name in order.values:
        return None
    if name not in order.buckets:
        hint = (
            f'write "values": {{"{name}": [...]}}, a text for each line, null where it is unknown'
        )
        return "values", f"has no {name}, which the model counts by bucket", hint
    largest = max(order.buckets[name], default=0)
    if largest <= buckets:
        return None
    return "buckets", f"has {largest} of {name}", f"the model has buckets 0 to {buckets}"
