"""Requests that are tables: raw order lines under a header, or a feature vector a row."""

from __future__ import annotations

import csv as text_rows
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import numpy as np

from ordergap.contract.manifest import ID_COLUMNS, Manifest
from ordergap.errors import InvalidRequest, Problem
from ordergap.forecast import Known
from ordergap.histories import Histories, date_of
from ordergap.serving.formats.context import Terms
from ordergap.serving.formats.problems import DATE_HINT, LIMIT, shorten
from ordergap.serving.formats.question import Orders, Vectors, placeholder
from ordergap.serving.formats.records import Days

_HEADER = 1 << 16  # bytes in which a header ends
_LARGEST = float(np.finfo(np.float32).max)  # of a feature; beyond it is infinite to the model


def csv(body: bytes, terms: Terms) -> Orders | Vectors:
    """Order lines where the first line names the customer and date columns, else vectors."""
    columns = terms.manifest.hyperparameters.columns
    header = re.split(rb"[\r\n]", body[:_HEADER].lstrip(), maxsplit=1)[0].decode("utf-8", "replace")
    needed = {columns.customer_column, columns.date_column}
    for delimiter in ",;\t|":
        names = next(text_rows.reader([header], delimiter=delimiter))
        if needed <= {name.strip() for name in names}:
            return _order_lines(body, terms, delimiter, len(names))
    return _vectors(body, terms)


def _order_lines(body: bytes, terms: Terms, delimiter: str, width: int) -> Orders:
    from ordergap.ingest import from_bytes  # noqa: PLC0415 - brings polars, which few requests need

    terms.allow(orders=body.count(b"\n"))
    ragged = list(islice(_ragged(body, delimiter, width), LIMIT))
    if ragged:
        raise InvalidRequest(ragged)
    columns, as_of = terms.manifest.hyperparameters.columns, date_of(terms.as_of)
    cleaned = from_bytes(body, "text/csv", columns, strict=True, as_of=as_of)
    return _orders(cleaned.histories, cleaned.seen, terms)


def _ragged(body: bytes, delimiter: str, width: int) -> Iterator[Problem]:
    """Rows below the header that have more or fewer columns than it."""
    counts: Iterator[tuple[int, int]]
    if b'"' in body:
        text = io.StringIO(body.decode(), newline="")
        lines = text_rows.reader(text, delimiter=delimiter, strict=True)
        counts = ((lines.line_num, len(row)) for row in lines if any(row))
    else:
        mark = delimiter.encode()
        counts = (
            (n, line.count(mark) + 1)
            for n, line in enumerate(body.split(b"\n"), 1)
            if line.strip(b"\r " + mark)
        )
    with suppress(text_rows.Error):  # then ingest says what is wrong, or mends it
        for row, (n, count) in enumerate(counts, -1):
            if count != width:
                message = f"line {n} has {count} columns, the header {width}"
                yield Problem(message, row, hint="quote a value that has the delimiter in it")


def _orders(histories: Histories, seen: list[str], terms: Terms) -> Orders:
    terms.allow(records=len(seen))
    histories = _in_sequence(histories, seen)
    without = np.flatnonzero(histories.order_count == 0)[:LIMIT].tolist()
    if without:
        column = terms.manifest.hyperparameters.customer_column
        what = "has no order: every line was cancelled or is no product"
        raise InvalidRequest([Problem(f"customer {seen[i]} {what}", i, column) for i in without])
    return Orders(histories, np.full(len(seen), terms.as_of), terms.told)


def _in_sequence(histories: Histories, customers: list[str]) -> Histories:
    """The histories of `customers`, in that sequence; one who has no order has an empty segment."""
    place = {customer: i for i, customer in enumerate(customers)}
    owner = np.array([place[customer] for customer in histories.customer_ids], np.int64)
    return Histories.from_orders(
        customers,
        np.repeat(owner, histories.order_count),
        histories.day,
        histories.amount,
        histories.items,
        histories.lines,
    )


def _vectors(body: bytes, terms: Terms) -> Vectors:
    """Rows of `manifest.csv_columns`, with or without their names in the first; empty is NaN."""
    manifest, as_of = terms.manifest, terms.as_of
    try:
        lines = text_rows.reader(io.StringIO(body.decode(), newline=""))
        rows = [(lines.line_num, row) for row in lines if row]
    except text_rows.Error as error:
        raise InvalidRequest([Problem(f"the request is not CSV: {error}")]) from error
    if tuple(name.strip() for name in rows[0][1]) == manifest.csv_columns:
        del rows[0]
    terms.allow(records=len(rows))
    days = Days()
    vectors: list[tuple[str, int, list[float]]] = []
    problems: dict[int, Problem] = {}
    for i, (line, row) in enumerate(rows):
        try:
            vectors.append(_vector(row, manifest, as_of, days))
        except _Unreadable as error:
            problems[i] = Problem(f"line {line} {error}", i, error.field, error.hint)
            if len(problems) == LIMIT and not terms.placeholder:
                break
    if problems and not terms.placeholder:
        raise InvalidRequest(list(problems.values()))
    features = np.array([values for _, _, values in vectors], np.float32)
    features = features.reshape(len(vectors), len(manifest.feature_names))
    known = Known(
        [customer for customer, _, _ in vectors],
        np.full(len(vectors), as_of),
        np.array([last for _, last, _ in vectors], np.int64),
        features[:, manifest.feature_names.index("order_count")].astype(np.int64),
    )
    placeholders = {
        i: placeholder(rows[i][1][0] or None, [problem]) for i, problem in problems.items()
    }
    return Vectors(known, features, terms.told, placeholders if terms.placeholder else None)


class _Unreadable(Exception):
    """What is wrong with a row, in words that follow its line's number."""

    def __init__(self, what: str, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.field = field
        self.hint = hint


def _vector(
    row: list[str], manifest: Manifest, as_of: int, days: Days
) -> tuple[str, int, list[float]]:
    """Customer, day of the last order and features of one row."""
    expected = manifest.csv_columns
    if len(row) != len(expected):
        columns = manifest.hyperparameters.columns
        raise _Unreadable(
            f"has {len(row)} columns, expected {len(expected)}",
            hint=f"the columns are {', '.join(expected)}; order lines need a header that names "
            f"{columns.customer_column} and {columns.date_column}",
        )
    customer, date, *cells = row
    if not customer:
        raise _Unreadable("has no customer_id", ID_COLUMNS[0])
    try:
        last = days[date]
    except ValueError as error:
        what = f"has last_order_date {shorten(date)}, which is no date"
        raise _Unreadable(what, ID_COLUMNS[1], DATE_HINT) from error
    if last > as_of:
        what = f"has last_order_date {date}, after as_of {date_of(as_of)}"
        raise _Unreadable(what, ID_COLUMNS[1], "as_of is today (UTC) unless it is given")
    values = [_number(cell, name) for cell, name in zip(cells, manifest.feature_names, strict=True)]
    count = values[manifest.feature_names.index("order_count")]
    if not (1 <= count <= 1e9 and count.is_integer()):
        raise _Unreadable("needs an order_count, a whole number from 1", "order_count")
    return customer, last, values


def _number(cell: str, name: str) -> float:
    try:
        value = float(cell.replace("_", "?")) if cell.strip() else np.nan
    except ValueError as error:
        raise _Unreadable(f"has {name} {shorten(cell)}, which is no number", name) from error
    if abs(value) > _LARGEST:
        raise _Unreadable(f"has {name} {shorten(cell)}, which is too large", name)
    return value
