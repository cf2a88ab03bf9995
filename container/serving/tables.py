"""Requests that are tables: raw order lines under a header, or a feature vector a row."""

from __future__ import annotations

import csv as text_rows
import io
import re

import numpy as np

from container.contract.manifest import ID_COLUMNS, Manifest
from container.errors import InvalidRequest, Problem
from container.forecast import Known
from container.histories import Histories, date_of
from container.serving.options import Options
from container.serving.predictor import Orders, Vectors
from container.serving.problems import DATE_HINT, LIMIT, shorten
from container.serving.records import Days

_HEADER = 1 << 16  # bytes in which a header ends
_LARGEST = float(np.finfo(np.float32).max)  # of a feature; beyond it is infinite to the model


def csv(body: bytes, told: Options, manifest: Manifest, today: int) -> Orders | Vectors:
    """Order lines where the first line names the customer and date columns, else vectors."""
    columns = manifest.hyperparameters.columns
    header = re.split(rb"[\r\n]", body[:_HEADER].lstrip(), maxsplit=1)[0].decode("utf-8", "replace")
    needed = {columns.customer_column, columns.date_column}
    splits = (next(text_rows.reader([header], delimiter=delimiter)) for delimiter in ",;\t|")
    if any(needed <= {name.strip() for name in names} for names in splits):
        return _order_lines(body, "text/csv", told, manifest, today)
    return _vectors(body, told, manifest, today)


def parquet(body: bytes, told: Options, manifest: Manifest, today: int) -> Orders:
    """Order lines, as the CSV form with a header."""
    return _order_lines(body, "application/x-parquet", told, manifest, today)


def _order_lines(
    body: bytes, content_type: str, told: Options, manifest: Manifest, today: int
) -> Orders:
    from container.ingest import from_bytes  # noqa: PLC0415 - brings polars, which few requests need

    columns = manifest.hyperparameters.columns
    as_of = today if told.as_of is None else told.as_of
    cleaned = from_bytes(body, content_type, columns, strict=True, as_of=date_of(as_of))
    histories = _in_sequence(cleaned.histories, cleaned.seen)
    without = np.flatnonzero(histories.order_count == 0)[:LIMIT].tolist()
    if without:
        what = "has no order: every line was cancelled or is no product"
        raise InvalidRequest([
            Problem(f"customer {cleaned.seen[i]} {what}", i, columns.customer_column)
            for i in without
        ])  # fmt: skip
    return Orders(histories, np.full(len(histories.customer_ids), as_of), told)


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


def _vectors(body: bytes, told: Options, manifest: Manifest, today: int) -> Vectors:
    """Rows of `manifest.csv_columns`, with or without their names in the first; empty is NaN."""
    try:
        lines = text_rows.reader(io.StringIO(body.decode(), newline=""))
        rows = [(lines.line_num, row) for row in lines if row]
    except (UnicodeDecodeError, text_rows.Error) as error:
        raise InvalidRequest([Problem(f"the request is not CSV in UTF-8: {error}")]) from error
    if tuple(name.strip() for name in rows[0][1]) == manifest.csv_columns:
        del rows[0]
    as_of = today if told.as_of is None else told.as_of
    days = Days()
    vectors, problems = [], []
    for i, (line, row) in enumerate(rows):
        try:
            vectors.append(_vector(row, manifest, as_of, days))
        except _Unreadable as error:
            problems.append(Problem(f"line {line} {error}", i, error.field, error.hint))
            if len(problems) == LIMIT:
                break
    if problems:
        raise InvalidRequest(problems)
    features = np.array([values for _, _, values in vectors], np.float32)
    known = Known(
        [customer for customer, _, _ in vectors],
        np.full(len(vectors), as_of),
        np.array([last for _, last, _ in vectors], np.int64),
        features[:, manifest.feature_names.index("order_count")].astype(np.int64),
    )
    return Vectors(known, features, told)


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
        value = float(cell) if cell.strip() else np.nan
    except ValueError as error:
        raise _Unreadable(f"has {name} {shorten(cell)}, which is no number", name) from error
    if abs(value) > _LARGEST:
        raise _Unreadable(f"has {name} {shorten(cell)}, which is too large", name)
    return value
