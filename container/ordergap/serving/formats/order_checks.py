"""What the contract's models do not say against a record and its orders."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cache, partial
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.hashed import HashedColumns
from ordergap.contract.prediction import Order, ScoringRecord
from ordergap.errors import Problem
from ordergap.hashing import bucket
from ordergap.histories import counts_by_bucket, date_of
from ordergap.serving.formats.context import similar_option

FIELDS, _ORDER_FIELDS = (frozenset(each.model_fields) for each in (ScoringRecord, Order))
_CELLS: dict[str, set[type]] = {"values": {str, NoneType}, "buckets": {int}}
"""Field of an order -> the types of its lines' cells."""


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
    names, buckets = columns.hashed_columns, columns.hash_buckets
    if not names:  # such a model passes over what it does not know
        return {}
    given = [tuple(_given(order, field) for field in _CELLS) for order in orders]
    counts = {}
    lengths: list[int] | None = None
    for name in names:
        hashed = cache(partial(bucket, name, buckets=buckets))
        lines = [_buckets(values, numbers, columns, name, hashed) for values, numbers in given]
        own = [len(each) for each in lines]
        if own != (lengths := lengths or own):
            raise ValueError("the lines of an order need a closer look")
        owner = np.repeat(np.arange(len(orders)), own)
        flat = np.array([*chain.from_iterable(lines)], np.int64)
        counts[name] = counts_by_bucket(owner, flat, len(orders), buckets)
    return counts


def _given(order: Mapping[str, Any], field: str) -> Mapping[str, list[Any]]:
    """What an order has of `values` or `buckets`."""
    found = order.get(field, {})
    if type(found) is not dict or not all(
        type(lines) is list and {*map(type, lines)} <= _CELLS[field] for lines in found.values()
    ):
        raise ValueError("the lines of an order need a closer look")
    return found


def _buckets(
    values: Mapping[str, list[str | None]],
    numbers: Mapping[str, list[int]],
    columns: HashedColumns,
    name: str,
    hashed: Callable[[str | None], int],
) -> list[int]:
    """The bucket of each line of an order."""
    if name in values:
        return [*map(hashed, values[name])]
    lines = numbers[columns.buckets_key(name)]
    if not all(0 <= each <= columns.hash_buckets for each in lines):
        raise ValueError("the model has no such bucket")
    return lines


def without_lines(record: Any) -> Any:
    """A record, which may be invalid, without the values and buckets of its orders."""
    orders = record.get("orders") if isinstance(record, dict) else None
    if not isinstance(orders, list):
        return record
    plain = [
        {name: each for name, each in order.items() if name not in _CELLS}
        if isinstance(order, dict)
        else order
        for order in orders
    ]
    return {**record, "orders": plain}


def unhashed_orders(
    record: ScoringRecord, columns: HashedColumns, i: int, label: str
) -> Iterator[Problem]:
    """Orders without the values that the model counts, or with buckets that it does not have."""
    last = columns.hash_buckets
    for k, order in enumerate(record.orders):
        lengths: dict[str, int] = {}
        for name in columns.hashed_columns:
            key = columns.buckets_key(name)
            if name in order.values:
                lengths[name] = len(order.values[name])
                continue
            if key not in order.buckets:
                field, message = "values", f"has no {name}, of which the model counts the values"
                hint = (
                    f'write "values": {{"{name}": [...]}}: a text for each order line, or null; '
                    f'or "buckets": {{"{key}": [...]}}'
                )
            elif wrong := [each for each in order.buckets[key] if not 0 <= each <= last]:
                field, message = "buckets", f"has {wrong[0]} in {key}"
                hint = f"the buckets are 0 to {last - 1}, and {last} where there is no value"
            else:
                lengths[name] = len(order.buckets[key])
                continue
            yield Problem(
                f"{label}: orders[{k}].{field} {message}", i, f"orders[{k}].{field}", hint
            )
        if len({*lengths.values()}) > 1:
            counted = " and ".join(f"{count} of {name}" for name, count in lengths.items())
            field = f"orders[{k}].values"
            hint = "each has a text, or null, for each order line"
            yield Problem(f"{label}: {field} are {counted}", i, field, hint)
