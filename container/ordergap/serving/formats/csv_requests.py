"""Requests in CSV: order lines under a header, or a feature vector a row."""

from __future__ import annotations

import csv as text_rows
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np
from pydantic import ValidationError

from ordergap.contract.column_names import DELIMITERS
from ordergap.contract.manifest import ID_COLUMNS, Manifest
from ordergap.errors import InvalidRequest, Problem
from ordergap.histories import Histories, date_of
from ordergap.models.base import Snapshot
from ordergap.scoring.encoders import CSV
from ordergap.scoring.problems import LIMIT, from_contract, shorten
from ordergap.serving.formats import looks
from ordergap.serving.formats.context import DecodeContext
from ordergap.serving.formats.customers import NoCustomer, resolved
from ordergap.serving.formats.customers import customer as customer_of
from ordergap.serving.formats.question import Orders, Vectors, placeholder
from ordergap.serving.formats.records import Days

_HEADER_BYTES, _HEADER_ROWS = 1 << 16, 20  # in which a header ends
_REVENUE = "CumulativeTotalPrice"  # the feature that is the sum of the amounts
_MAX_FEATURE = float(np.finfo(np.float32).max)  # beyond it the model reads infinity


def csv(body: bytes, context: DecodeContext) -> Orders | Vectors:
    """Order lines under a header that names the customer and date columns, else vectors."""
    columns = context.manifest.hyperparameters.columns
    header = _find_header(body, {columns.customer_column, columns.date_column})
    if header:
        return _order_lines(body, context, header)
    if _find_header(body, {"first_seen"}):
        message = "CSV has no place for the events of leads"
        raise InvalidRequest([Problem(message, hint="send JSON, or JSON Lines with a lead a line")])
    if not context.placeholders and (hint := looks.hint(body, CSV)):
        raise InvalidRequest([Problem("the body is not CSV", hint=hint)])
    return _vectors(body, context)


@dataclass(frozen=True)
class _Header:
    """The delimiter of a table, the width of its header, and the line in which that ends."""

    delimiter: str
    width: int
    line: int


def _find_header(body: bytes, needed: set[str]) -> _Header | None:
    """The first row that names the columns `needed`; None where none of the first few does.

    How the table is read is decided by ingest; here only what is asked.
    """
    head = body[:_HEADER_BYTES].decode("utf-8", "ignore")
    needed = {" ".join(name.split()) for name in needed}  # which a no-break space separates too
    for delimiter in DELIMITERS:
        rows = text_rows.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        for row in islice(rows, _HEADER_ROWS):
            if needed <= {" ".join(name.split()) for name in row}:
                return _Header(delimiter, len(row), rows.line_num)
    return None


def _order_lines(body: bytes, context: DecodeContext, header: _Header) -> Orders:
    from ordergap.ingest import from_bytes  # noqa: PLC0415 - brings polars, which few requests need

    context.check_size(orders=body.count(b"\n"))
    ragged = list(islice(_ragged_rows(body, header), LIMIT))
    if ragged:
        raise InvalidRequest(ragged)
    columns = context.manifest.hyperparameters.columns
    as_of = date_of(context.as_of)
    known = context.manifest.data.conventions
    cleaned = from_bytes(body, "text/csv", columns, known=known, strict=True, as_of=as_of)
    customers = cleaned.seen
    context.check_size(records=len(customers))
    present = set(cleaned.histories.customer_ids)
    empty = [i for i, customer in enumerate(customers) if customer not in present]
    reason = "has no order: all lines are cancelled, free or not products"
    problems = [
        Problem(f"customer {customers[i]:.60} {reason}", i, columns.customer_column) for i in empty
    ]
    if problems and not context.placeholders:
        raise InvalidRequest(problems[:LIMIT])
    histories = _in_sequence(cleaned.histories, [each for each in customers if each in present])
    placeholders = {
        i: placeholder(customers[i], [problem]) for i, problem in zip(empty, problems, strict=True)
    }
    return Orders(
        histories,
        np.full(len(present), context.as_of),
        context.options,
        placeholders if context.placeholders else None,
    )


def _ragged_rows(body: bytes, header: _Header) -> Iterator[Problem]:
    """Rows below the header that have more or fewer columns than it."""
    counts: Iterator[tuple[int, int]]
    if b'"' in body or b"\n" not in body:
        text = io.StringIO(body.decode(), newline="")
        lines = text_rows.reader(text, delimiter=header.delimiter, strict=True)
        counts = ((lines.line_num, len(row)) for row in lines if any(row))
    else:
        mark = header.delimiter.encode()
        counts = (
            (n, line.count(mark) + 1)
            for n, line in enumerate(body.split(b"\n"), 1)
            if line.strip(b"\r " + mark)
        )
    below = (each for each in counts if each[0] > header.line)
    with suppress(text_rows.Error):  # then ingest says what is wrong, or repairs it
        for row, (n, count) in enumerate(below):
            if count != header.width:
                message = f"line {n} has {count} columns, the header {header.width}"
                yield Problem(message, row, hint="quote values that contain the delimiter")


def _in_sequence(histories: Histories, customers: list[str]) -> Histories:
    """The histories in the sequence of `customers`, who all have orders."""
    position = {customer: i for i, customer in enumerate(customers)}
    owner = np.array([position[customer] for customer in histories.customer_ids], np.int64)
    return Histories.from_orders(
        customers,
        np.repeat(owner, histories.order_count),
        histories.day,
        histories.amount,
        histories.items,
        histories.lines,
        buckets=histories.buckets,
    )


def _vectors(body: bytes, context: DecodeContext) -> Vectors:
    """Rows of `manifest.csv_columns`, with or without their names above them; empty is NaN."""
    manifest, as_of = context.manifest, context.as_of
    try:
        lines = text_rows.reader(io.StringIO(body.decode(), newline=""))
        rows = [(lines.line_num, row) for row in lines if row]
    except text_rows.Error as error:
        raise InvalidRequest([Problem(f"the body is not CSV: {error}")]) from error
    if tuple(name.strip() for name in rows[0][1]) == manifest.csv_columns:
        del rows[0]
    context.check_size(records=len(rows))
    days = Days()
    names = manifest.feature_names
    words = manifest.hyperparameters.columns.no_customer_words
    known = resolved((row[0] for _, row in rows), words)
    vectors: list[tuple[str, int, list[float]]] = []
    problems: dict[int, Problem] = {}
    for i, (line, row) in enumerate(rows):
        try:
            vectors.append(_vector(row, manifest, as_of, days, known))
        except _InvalidRow as error:
            problems[i] = Problem(f"line {line} {error}", i, error.field, error.hint)
            if len(problems) == LIMIT and not context.placeholders:
                break
    if problems and not context.placeholders:
        raise InvalidRequest(list(problems.values()))
    values = np.array([values for _, _, values in vectors], float).reshape(-1, len(names))
    unknown = np.full(len(vectors), np.nan)
    customers = Snapshot(
        [customer for customer, _, _ in vectors],
        np.full(len(vectors), as_of),
        np.array([last for _, last, _ in vectors], np.int64),
        values[:, names.index("order_count")].astype(np.int64),
        values[:, names.index(_REVENUE)] if _REVENUE in names else unknown,
    )
    placeholders = {
        i: placeholder(rows[i][1][0] or None, [problem]) for i, problem in problems.items()
    }
    return Vectors(
        customers,
        values.astype(np.float32),
        context.options,
        placeholders if context.placeholders else None,
    )


class _InvalidRow(Exception):
    """What is wrong with a row, in words that follow the number of its line."""

    def __init__(self, reason: str, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(reason)
        self.field = field
        self.hint = hint


def _vector(
    row: list[str], manifest: Manifest, as_of: int, days: Days, known: Mapping[str, str]
) -> tuple[str, int, list[float]]:
    """Customer, day of the last order and features of one row; `known` as from `resolved`."""
    expected = manifest.csv_columns
    if len(row) != len(expected):
        columns = manifest.hyperparameters.columns
        raise _InvalidRow(
            f"has {len(row)} columns, expected {len(expected)}",
            hint=f"order lines need a header that names {columns.customer_column} and "
            f"{columns.date_column}; else the columns are {', '.join(expected)}",
        )
    name, date, *cells = row
    if not name:
        raise _InvalidRow("has no customer_id", ID_COLUMNS[0])
    try:
        words = manifest.hyperparameters.columns.no_customer_words
        customer = known.get(name) or customer_of(name, words)
    except NoCustomer as error:
        reason = f"has customer_id {shorten(name)}: {error.reason}"
        raise _InvalidRow(reason, ID_COLUMNS[0], error.hint) from error
    try:
        last = days[date]
    except ValidationError as error:
        wrong = from_contract(error.errors(include_url=False)[0], label=ID_COLUMNS[1])
        raise _InvalidRow(f"has {wrong.message}", ID_COLUMNS[1], wrong.hint) from error
    if last > as_of:
        reason = f"has last_order_date {date}, after as_of {date_of(as_of)}"
        raise _InvalidRow(reason, ID_COLUMNS[1], "set as_of, which by default is today in UTC")
    values = [_number(cell, name) for cell, name in zip(cells, manifest.feature_names, strict=True)]
    count = manifest.feature_names.index("order_count")
    if not (1 <= values[count] <= 1e9 and values[count].is_integer()):
        reason = f"has order_count {shorten(cells[count])}, expected a whole number from 1"
        raise _InvalidRow(reason, "order_count")
    return customer, last, values


def _number(cell: str, name: str) -> float:
    try:
        value = float(cell.replace("_", "?")) if cell.strip() else np.nan
    except ValueError as error:
        raise _InvalidRow(f"has {name} {shorten(cell)}, which is not a number", name) from error
    if abs(value) > _MAX_FEATURE:
        raise _InvalidRow(f"has {name} {shorten(cell)}, which is too large", name)
    return value
