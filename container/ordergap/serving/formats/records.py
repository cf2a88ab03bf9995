"""Scoring records, as parsed from JSON, into histories.

Good records are read a column at a time, which is fast, and checked as strictly as the contract's
models check them. If a check fails, those models read each record: they say what is wrong, or
accept what was only written in an unusual way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from typing import Any

import numpy as np
from annotated_types import Le
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ordergap.contract.attributes import AttributeParameters
from ordergap.contract.hashed import HashedColumns
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.prediction import Date, Order, ScoringRecord
from ordergap.errors import InvalidRequest, Problem
from ordergap.histories import Histories, day_of
from ordergap.scoring.answer import Placeholder
from ordergap.scoring.problems import LIMIT, from_contract, shorten
from ordergap.serving.formats import attributes
from ordergap.serving.formats.context import similar_option
from ordergap.serving.formats.customers import NoCustomer, customer, resolved
from ordergap.serving.formats.order_checks import (
    FIELDS,
    buckets_of,
    free_orders_of,
    late_orders,
    misspelled_amount,
    misspelled_amounts,
    misspelled_options,
    unhashed_orders,
    without_lines,
)
from ordergap.serving.formats.question import placeholder

_DATE: TypeAdapter[Date] = TypeAdapter(Date)
_NAN = float("nan")
Names = Callable[[], dict[str, str]]
_BLOCK = 1000  # orders of a record that are validated at once


def _maximum(field: str) -> Any:
    """The largest value of a field of an order."""
    limits = Order.model_fields[field].metadata
    return next(limit.le for limit in limits if isinstance(limit, Le))


LAST_DAY = day_of(_maximum("date"))
_MAX_AMOUNT, _MAX_ITEMS, _MAX_LINES = map(_maximum, ("amount", "items", "lines"))


class Days(dict[str, int]):
    """Date as text -> days since 1970-01-01, each text parsed once. Raises ValidationError."""

    def __missing__(self, text: str) -> int:
        self[text] = day = day_of(_DATE.validate_python(text))
        return day


@dataclass(frozen=True)
class Rules:
    """How records are read.

    free_orders        whether an amount may be 0
    no_customer_words  customers that stand for nobody, besides NA, guest and the like
    hashed             columns whose values each order has
    asked              the attributes that are read
    """

    free_orders: bool = False
    no_customer_words: Sequence[str] = ()
    hashed: HashedColumns = field(default_factory=HashedColumns)
    asked: AttributeParameters = field(default_factory=AttributeParameters)

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> Rules:
        """Those of a model."""
        columns = hyperparameters.columns
        free = columns.free_orders == "on"
        return cls(free, columns.no_customer_words, columns, hyperparameters)


def read(
    records: Sequence[Any],
    today: int,
    lines: Sequence[int] | None = None,
    rules: Rules = Rules(),
) -> tuple[Histories, NDArray[np.int64]]:
    """The histories of the records' customers, in their sequence, and the as_of day of each.

    records  as parsed; a Problem in place of one that could not be
    today    the as_of of a record that has none, in days since 1970-01-01
    lines    the number of each record's line, where the request has lines

    Raises InvalidRequest with the first problems, each with its record and field.
    """
    names = _names_of(records, rules.no_customer_words)
    try:
        return _read_columns(records, today, names, rules)
    except (AttributeError, KeyError, TypeError, ValueError):
        problems: list[Problem] = []
        accepted = []
        for valid, wrong in _validated(records, today, lines, names, rules):
            problems += wrong
            if valid is not None:
                accepted.append(valid)
            if len(problems) >= LIMIT:
                break
        if problems:
            raise InvalidRequest(problems[:LIMIT]) from None
        return _read_columns(accepted, today, names, rules)


def read_good(
    records: Sequence[Any],
    today: int,
    lines: Sequence[int] | None = None,
    rules: Rules = Rules(),
) -> tuple[Histories, NDArray[np.int64], dict[int, Placeholder]]:
    """As `read`, of the records that can be answered, and placeholders for the others."""
    names = _names_of(records, rules.no_customer_words)
    try:
        return *_read_columns(records, today, names, rules), {}
    except (AttributeError, KeyError, TypeError, ValueError):
        accepted, placeholders = [], {}
        validated = _validated(records, today, lines, names, rules)
        for i, (valid, problems) in enumerate(validated):
            if valid is not None:
                accepted.append(valid)
            else:
                placeholders[i] = placeholder(_customer(records[i]), problems)
        return *_read_columns(accepted, today, names, rules), placeholders


def _names_of(records: Sequence[Any], words: Sequence[str]) -> Names:
    """The customers of the records, by what they are called there, found once they are asked for.

    Those that are not `resolved` are missing; `_validated` adds those that are good after all.
    """
    return cache(lambda: resolved(filter(None, map(_customer, records)), words))


def _customer(record: Any) -> str | None:
    """The customer of a record that may be invalid."""
    value = record.get("customer_id") if isinstance(record, dict) else None
    return str(value) if isinstance(value, str | int) else None


def _read_columns(
    records: Sequence[Any], today: int, names: Names, rules: Rules
) -> tuple[Histories, NDArray[np.int64]]:
    """As `read`; raises one of the errors that `read` expects where a check fails."""
    days = Days()
    segments = [record["orders"] for record in records]
    counts = np.array([len(segment) for segment in segments], np.int64)
    orders = list(chain.from_iterable(segments))
    day = np.array([days[order["date"]] for order in orders], np.int32)
    amount, items, lines = (
        _numbers([_NAN if (n := order.get(name)) is None else n for order in orders])
        for name in ("amount", "items", "lines")
    )
    as_of = np.array(
        [today if (text := r.get("as_of")) is None else days[text] for r in records], np.int64
    )
    valid = (
        bool(np.all(counts > 0))
        and not np.any((amount < 0) | (amount > _MAX_AMOUNT))
        and (rules.free_orders or bool(np.all(amount)))
        and not misspelled_amount(
            set().union(*(orders[i] for i in np.flatnonzero(np.isnan(amount))))
        )
        and not np.any((items < 0) | (items > _MAX_ITEMS) | (lines < 0) | (lines > _MAX_LINES))
        and bool(np.all(day <= np.repeat(as_of, counts)))
        and not any(map(similar_option, set().union(*records) - FIELDS))
    )
    if not valid:
        raise ValueError("a record needs a closer look")
    ids = [_id(record["customer_id"]) for record in records]
    customers = [names()[each] for each in ids]
    position = np.repeat(np.arange(len(records)), counts)
    facts = attributes.of_records(records, rules.asked)
    given = amount, items, lines, facts, buckets_of(orders, rules.hashed)
    return Histories.from_orders(customers, position, day, *given), as_of


def _numbers(values: Sequence[object]) -> NDArray[np.float64]:
    column = np.array(values)
    if bool in set(map(type, values)) or column.dtype.kind not in "iuf" or column.ndim != 1:
        raise ValueError("not plain numbers")
    return column.astype(np.float64)


def _id(value: object) -> str:
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    raise ValueError("not a plain customer id")


def _validated(
    records: Sequence[Any],
    today: int,
    lines: Sequence[int] | None,
    names: Names,
    rules: Rules,
) -> Iterator[tuple[dict[str, object] | None, list[Problem]]]:
    """Each record as the contract's model reads it, or None and its problems."""
    hashed = rules.hashed
    for i, record in enumerate(records):
        label = f"record {i}" if lines is None else f"line {lines[i]}"
        if isinstance(record, Problem):
            yield None, [record]
            continue
        problems = list(islice(misspelled_options(record, i, label), LIMIT))
        valid, violations = _validate(record if hashed.hashed_columns else without_lines(record))
        problems += (from_contract(each, i, label) for each in violations)
        if valid:
            problems += islice(late_orders(valid, today, i, label), LIMIT)
            problems += islice(misspelled_amounts(record, i, label), LIMIT)
            problems += islice(unhashed_orders(valid, hashed, i, label), LIMIT)
            problems += islice(attributes.problems(valid.attributes, rules.asked, i, label), LIMIT)
            if not rules.free_orders:
                problems += islice(free_orders_of(valid, i, label), LIMIT)
            if valid.customer_id not in names():
                problems += _add_name(names(), valid, rules.no_customer_words, i, label)
        yield (None if valid is None or problems else valid.model_dump()), problems


def _validate(record: Any) -> tuple[ScoringRecord | None, list[ErrorDetails]]:
    """A record as the contract's model reads it, or None and what it says against the record.

    It looks at a block of the orders at a time: at once it would make an error for each of a
    million orders, of which `LIMIT` are shown.
    """
    blocks: list[ScoringRecord] = []
    violations: list[ErrorDetails] = []
    orders: Any = record.get("orders") if isinstance(record, dict) else None
    count = len(orders) if isinstance(orders, list) else 0
    for start in range(0, max(count, 1), _BLOCK):
        part = record
        if count > _BLOCK:
            part = {**record, "orders": orders[start : start + _BLOCK]}
        try:
            blocks.append(ScoringRecord.model_validate(part))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                name, *inner = detail["loc"] or [""]
                if name == "orders" and inner:
                    detail["loc"] = (name, int(inner[0]) + start, *inner[1:])
                if name == "orders" or not start:  # what else is wrong is said once
                    violations.append(detail)
        if len(violations) >= LIMIT:
            break
    if violations:
        return None, violations[:LIMIT]
    orders = [order for block in blocks for order in block.orders]
    return blocks[0].model_copy(update={"orders": orders}), []


def _add_name(
    names: dict[str, str], record: ScoringRecord, words: Sequence[str], i: int, label: str
) -> Iterator[Problem]:
    """Add the record's customer to `names`, or say that the id names none."""
    try:
        names[record.customer_id] = customer(record.customer_id, words)
    except NoCustomer as error:
        message = f"{label}: customer_id = {shorten(record.customer_id)}: {error.reason}"
        yield Problem(message, i, "customer_id", error.hint)
