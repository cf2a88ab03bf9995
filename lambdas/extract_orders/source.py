"""The rows of a table or a query: are the columns there, and which rows are wanted?"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import polars as pl
import sqlalchemy as sql
from ordergap.contract.orders import Columns
from ordergap.errors import MissingColumn
from ordergap.ingest.table import Tabulator, names, settings
from sqlalchemy.exc import DBAPIError

from lambdas.extract_orders.database import said
from lambdas.extract_orders.request import Market
from lambdas.shared.errors import BadEvent, SourceColumnMissing

CHUNK = 100_000  # rows held at once
AMOUNT = "Amount"

# The drivers' codes for columns that hold dates.
_DATES = {
    "postgresql": {1082, 1114, 1184},  # date, timestamp, timestamp with time zone
    "mysql": {7, 10, 12},  # timestamp, date, datetime
    "mariadb": {7, 10, 12},
}

Rows = sql.Select[*tuple[Any, ...]]
Take = Callable[[pl.DataFrame], None]


def canonical(columns: Columns) -> Columns:
    """The columns as training files call them: as Online Retail does."""
    return Columns(
        amount_column=columns.amount_column and AMOUNT,
        date_format=columns.date_format,
        non_product_codes=columns.non_product_codes,
    )


@dataclass(frozen=True)
class Source:
    """What is read.

    rows     the table or query
    columns  canonical name -> the source's name, of every column that is read
    date     the date column in a form that can be compared with days; None where the dates are
             texts of some other form than ISO 8601
    value    a day in that form
    """

    connection: sql.Connection
    rows: sql.FromClause | sql.TextClause
    columns: dict[str, str]
    date: sql.ColumnElement[Any] | None
    value: Callable[[datetime.date], sql.ColumnElement[Any]]

    def count_after(self, as_of: datetime.date) -> int:
        """The rows after the day `as_of`, none where dates cannot be compared."""
        if self.date is None:
            return 0
        late = sql.select(sql.func.count()).select_from(self.rows)
        late = late.where(self.date >= self.value(as_of + datetime.timedelta(1)))
        count: int = self.connection.exec_driver_sql(_text(late, self.connection)).scalar_one()
        return count

    def read(self, since: datetime.date | None, as_of: datetime.date, take: Take) -> None:
        """Hand the rows of `statement` to `take`, a chunk at a time, in columns of text."""
        way = _copy if self.connection.dialect.driver == "pg8000" else fetch
        way(self.connection, self.statement(since, as_of), take)

    def statement(self, since: datetime.date | None, as_of: datetime.date) -> Rows:
        """The rows of the days from `since` to `as_of` and those without a date.

        All rows where dates cannot be compared.
        """
        statement: Rows = sql.select(
            *(sql.column(theirs).label(ours) for ours, theirs in self.columns.items())
        ).select_from(self.rows)
        if self.date is not None:
            wanted = self.date < self.value(as_of + datetime.timedelta(1))
            if since:
                wanted = sql.and_(wanted, self.date >= self.value(since))
            statement = statement.where(sql.or_(self.date.is_(None), wanted))
        return statement


def open_source(connection: sql.Connection, market: Market) -> Source:
    """Look at the table or query; raises SourceColumnMissing, or BadEvent where it is refused."""
    try:
        rows, where = _rows(connection, market)
        head = connection.exec_driver_sql(
            _text(sql.select(sql.text("*")).select_from(rows).limit(0), connection)
        )
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        reason = said(error, connection.engine.url)
        what = "query" if market.query else "table"
        raise BadEvent([f"market.{what}: the database refuses it: {reason}"]) from None
    types = {column[0]: column[1] for column in head.cursor.description or ()}
    head.close()
    given = _as_spelt(market.columns, list(types))
    _check(given, list(types), where, market.columns.model_fields_set)
    theirs, ours = names(given), names(canonical(given))
    columns = {ours[role]: name for role, name in theirs.items() if name in types}
    date: sql.ColumnElement[Any] = sql.column(theirs["date"])
    if types[theirs["date"]] in _DATES.get(connection.dialect.name, ()):
        return Source(connection, rows, columns, date, lambda day: sql.literal(day, sql.Date()))
    text = sql.cast(date, sql.String())
    odd = sql.select(sql.literal(1)).select_from(rows).where(text.not_like("____-__-__%")).limit(1)
    iso = connection.exec_driver_sql(_text(odd, connection)).first() is None
    return Source(
        connection,
        rows,
        columns,
        text if iso else None,
        lambda day: sql.literal(day.isoformat(), sql.String()),
    )


def _text(statement: Rows | sql.Select[Any], connection: sql.Connection) -> str:
    """The statement without parameters: a driver that has any to fill in stumbles over a %."""
    return str(statement.compile(connection, compile_kwargs={"literal_binds": True}))


def _rows(
    connection: sql.Connection, market: Market
) -> tuple[sql.FromClause | sql.TextClause, str]:
    if market.query:
        query = market.query.strip().rstrip(";").replace(":", r"\:")  # no parameters of ours
        return sql.text(f"({query}\n) AS orders"), "the query"
    name = market.table or "orders"
    inspector = sql.inspect(connection)
    schema, _, rest = name.rpartition(".")
    for place, table in ((None, name), (schema, rest)):
        if place != "" and inspector.has_table(table, place):
            return sql.table(table, schema=place), f"the table {name}"
    seen = ", ".join(inspector.get_table_names()[:30] + inspector.get_view_names()[:30])
    raise SourceColumnMissing(f"the source has no table {name}. Tables seen: {seen or 'none'}")


def _as_spelt(columns: Columns, seen: list[str]) -> Columns:
    """Names as the source spells them, where that differs in upper and lower case alone."""
    plain = {name.lower(): name for name in reversed(seen)}
    found = {
        settings(columns)[role]: name if name in seen else plain.get(name.lower(), name)
        for role, name in names(columns).items()
    }
    return columns.model_copy(update=found)


def _check(columns: Columns, seen: list[str], where: str, told: set[str]) -> None:
    """SourceColumnMissing for what is needed or was named, and is not there."""
    try:
        Tabulator(columns).add(pl.LazyFrame(schema=dict.fromkeys(seen, pl.String)), where)
    except MissingColumn as error:
        raise SourceColumnMissing(str(error)) from None
    for role, name in names(columns).items():
        setting = settings(columns)[role]
        if setting in told and name not in seen:
            raise SourceColumnMissing(
                f'{where} has no column "{name}" ({setting}). Columns seen: {", ".join(seen)}'
            )


def fetch(connection: sql.Connection, statement: Rows, take: Take) -> None:
    """Every row by a cursor on the server's side."""
    streaming = connection.execution_options(stream_results=True, max_row_buffer=CHUNK)
    result = streaming.exec_driver_sql(_text(statement, connection))
    columns = list(result.keys())
    for rows in result.partitions(CHUNK):
        texts = ([_cell(value) for value in values] for values in zip(*rows, strict=True))
        take(
            pl.DataFrame(dict(zip(columns, texts, strict=True)), dict.fromkeys(columns, pl.String))
        )


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


class _Pg8000(Protocol):
    def execute_unnamed(self, statement: str, *, stream: _Csv) -> object: ...


def _copy(connection: sql.Connection, statement: Rows, take: Take) -> None:
    """Every row by COPY: far faster than `fetch`, since no value becomes an object of Python."""
    stream = _Csv([column.name for column in statement.selected_columns], take)
    driver = cast("_Pg8000", connection.connection.driver_connection)
    driver.execute_unnamed(
        f"COPY ({_text(statement, connection)}) TO STDOUT WITH (FORMAT csv)", stream=stream
    )
    stream.flush()


class _Csv:
    """Where COPY writes: each write is one row."""

    def __init__(self, columns: list[str], take: Take) -> None:
        self._columns = columns
        self._take = take
        self._rows: list[bytes] = []

    def write(self, row: bytes) -> None:
        self._rows.append(row)
        if len(self._rows) == CHUNK:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            block = b"".join(self._rows)
            self._rows.clear()
            self._take(
                pl.read_csv(block, has_header=False, new_columns=self._columns, infer_schema=False)
            )
