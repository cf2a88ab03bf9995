"""The orders of a table or a query: checks the columns and selects the rows."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import sqlalchemy as sql
from ordergap.contract.orders import Columns
from ordergap.contract.presets import PRESETS
from ordergap.errors import MissingColumn
from ordergap.ingest.currencies import is_of_currencies
from ordergap.ingest.line_kinds import is_of_kinds
from ordergap.ingest.roles import names, settings
from ordergap.ingest.table import Tabulator

from lambdas.extract_orders.reading import Rows, Take, read, refused, render, subquery, types_of
from lambdas.extract_orders.request import Market
from lambdas.shared.errors import BadEvent, SourceColumnMissing

AMOUNT = "Amount"
STATUS = "Status"

# The drivers' codes for columns that hold dates, and for those that hold numbers. PostgreSQL's
# money comes as text with a sign.
_DATES = {
    "postgresql": {1082, 1114, 1184},  # date, timestamp, timestamp with time zone
    "mysql": {7, 10, 12},  # timestamp, date, datetime
    "mariadb": {7, 10, 12},
}
NUMBERS = {
    "postgresql": {20, 21, 23, 700, 701, 1700},  # integers, real, double precision, numeric
    "mysql": {0, 1, 2, 3, 4, 5, 8, 9, 246},  # decimal, integers, float, double, decimal
    "mariadb": {0, 1, 2, 3, 4, 5, 8, 9, 246},
}
_FLOATS = {"postgresql": {700, 701}, "mysql": {4, 5}, "mariadb": {4, 5}}


def canonical(columns: Columns) -> Columns:
    """How training files are read: like the market's rows, under the names of Online Retail.

    Hashed columns keep their own names, which are hashed with their values.

    What is of text files, their encoding and the line of their header, has no meaning here.
    """
    names = {each for each in Columns.model_fields if each.endswith("_column")}
    reading = columns.model_dump(exclude={*names, "preset", "encoding", "header_line"})
    return Columns(
        **reading,
        amount_column=columns.amount_column and AMOUNT,
        status_column=columns.status_column and STATUS,
    )


@dataclass(frozen=True)
class Source:
    """A table or query to read.

    rows     the table or query
    columns  name in training files -> name in the database, of every column that is read
    numbers  names in training files of the quantity and price whose type is a number
    notes    sentences on the columns that are done without
    date     the date column, in a form that can be compared with days; None where dates are text
             that is not ISO 8601
    value    a day, in the form of `date`
    """

    connection: sql.Connection
    rows: sql.FromClause | sql.TextClause
    columns: dict[str, str]
    numbers: frozenset[str]
    notes: tuple[str, ...]
    date: sql.ColumnElement[Any] | None
    value: Callable[[datetime.date], sql.ColumnElement[Any]]

    def count_after(self, as_of: datetime.date) -> int:
        """The number of rows after the day `as_of`; 0 where dates cannot be compared."""
        if self.date is None:
            return 0
        after = sql.select(sql.func.count()).select_from(self.rows)
        after = after.where(self.date >= self.value(as_of + datetime.timedelta(1)))
        count: int = self.connection.exec_driver_sql(render(after, self.connection)).scalar_one()
        return count

    def read(self, since: datetime.date | None, as_of: datetime.date, take: Take) -> None:
        """Pass the rows of `statement` to `take`, a chunk at a time, with columns of text."""
        read(self.connection, self.statement(since, as_of), take)

    def statement(self, since: datetime.date | None, as_of: datetime.date) -> Rows:
        """Selects the rows from the day `since` to `as_of` and those without a date.

        It selects all rows where dates cannot be compared.
        """
        statement: Rows = sql.select(
            *(sql.column(name).label(label) for label, name in self.columns.items())
        ).select_from(self.rows)
        if self.date is not None:
            selected = self.date < self.value(as_of + datetime.timedelta(1))
            if since:
                selected = sql.and_(selected, self.date >= self.value(since))
            statement = statement.where(sql.or_(self.date.is_(None), selected))
        return statement


def open_source(connection: sql.Connection, market: Market) -> Source:
    """Inspect the table or query. Raises SourceColumnMissing, and BadEvent for bad SQL."""
    with refused(connection, f"market.{'query' if market.query else 'table'}"):
        rows, rows_name = _rows(connection, market)
        types = types_of(connection, rows)
    columns = _with_actual_case(market.columns, list(types))
    notes = _check(columns, list(types), rows_name, _named(market.columns))
    in_source, in_training = names(columns), names(canonical(columns))
    selected = {in_training[role]: name for role, name in in_source.items() if name in types}
    kind = connection.dialect.name
    for label, name in zip(market.columns.hashed_columns, columns.hashed_columns, strict=True):
        if types[name] in _FLOATS.get(kind, ()) or selected.setdefault(label, name) != name:
            reason = f"{label} is a float, or called as another column of training files is"
            remedy = "give it as text and by another name in market.query"
            raise BadEvent([f"market.columns.hashed_columns: {reason}: {remedy}"])
    numbers = frozenset(
        in_training[role]
        for role in ("quantity", "price")
        if types.get(in_source[role]) in NUMBERS.get(kind, ())
    )
    date: sql.ColumnElement[Any] = sql.column(in_source["date"])
    source = Source(
        connection, rows, selected, numbers, notes, date, lambda day: sql.literal(day, sql.Date())
    )
    if types[in_source["date"]] in _DATES.get(kind, ()):
        return source
    text = sql.cast(date, sql.String())
    not_iso = sql.select(sql.literal(1)).select_from(rows).where(text.not_like("____-__-__%"))
    iso = connection.exec_driver_sql(render(not_iso.limit(1), connection)).first() is None
    return replace(
        source,
        date=text if iso and _sorts_as_text(columns.date_format) else None,
        value=lambda day: sql.literal(day.isoformat(), sql.String()),
    )


def _sorts_as_text(date_format: str | None) -> bool:
    """Whether dates such as 2024-02-01 are read as year, month and day."""
    return date_format is None or not date_format.startswith("%Y-%d")


def _rows(
    connection: sql.Connection, market: Market
) -> tuple[sql.FromClause | sql.TextClause, str]:
    if market.query:
        return subquery(market.query, "orders"), "the query"
    name = market.table or "orders"
    inspector = sql.inspect(connection)
    prefix, _, rest = name.rpartition(".")
    for schema, table in ((None, name), (prefix, rest)):
        if schema != "" and inspector.has_table(table, schema):
            return sql.table(table, schema=schema), f"the table {name}"
    tables = ", ".join(inspector.get_table_names()[:30] + inspector.get_view_names()[:30])
    raise SourceColumnMissing(f"the source has no table {name}. Tables seen: {tables or 'none'}")


def _with_actual_case(columns: Columns, actual: list[str]) -> Columns:
    """The columns with names as in the database, where they differ only in upper and lower case."""
    by_lower = {name.lower(): name for name in reversed(actual)}
    spelling = {
        settings(columns)[role]: name if name in actual else by_lower.get(name.lower(), name)
        for role, name in names(columns).items()
    }
    hashed = tuple(
        name if name in actual else by_lower.get(name.lower(), name)
        for name in columns.hashed_columns
    )
    return columns.model_copy(update={**spelling, "hashed_columns": hashed})


def _named(columns: Columns) -> set[str]:
    """The options that the market gives, rather than its preset."""
    preset = PRESETS.get(columns.preset or "", {})
    return {name for name in columns.model_fields_set if getattr(columns, name) != preset.get(name)}


def _check(columns: Columns, actual: list[str], rows_name: str, named: set[str]) -> tuple[str, ...]:
    """Sentences on the columns that are done without.

    Raises SourceColumnMissing where one that is required or in `named` is not in `actual`.
    """
    tabulator = Tabulator(columns)
    try:
        tabulator.add(pl.LazyFrame(schema=dict.fromkeys(actual, pl.String)), rows_name)
    except MissingColumn as error:
        raise SourceColumnMissing(str(error)) from None
    for role, name in names(columns).items():
        setting = settings(columns)[role]
        if setting in named and name not in actual:
            raise SourceColumnMissing(
                f'{rows_name} has no column "{name}" ({setting}). Columns seen: {", ".join(actual)}'
            )
    tabulator.note(
        f'"{name}" is not read: if it tells lines or currencies that should not be added up, leave '
        "the others out by a query, or name it with status_column"
        for name in actual
        if name not in {*names(columns).values(), *columns.hashed_columns}
        and (is_of_kinds(name) or is_of_currencies(name))
    )
    return tabulator.table().notes
