"""What is read of a database: the columns of a query, and the rows of a statement as text.

See docs/decisions/lambdas.md#postgresql-is-read-by-copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import polars as pl
import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError

from lambdas.extract_orders.database import reason_of
from lambdas.shared.errors import BadEvent

CHUNK = 100_000  # rows in memory at once

# Blanks and comments without signs that might end a text or a comment around them.
_COMMENTS = re.compile(r"(?:\s|--[^\n*'\"`$]*(?:\n|$)|/\*[^*'\"`$]*\*/)*")

Rows = sql.Select[*tuple[Any, ...]]
Take = Callable[[pl.DataFrame], None]


@contextmanager
def refused(connection: sql.Connection, setting: str) -> Iterator[None]:
    """Raise BadEvent, which names the setting, where the database rejects what it says."""
    driver: Any = connection.dialect.loaded_dbapi
    try:
        yield
    except (DBAPIError, driver.DatabaseError, driver.Warning) as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        reason = reason_of(error, connection.engine.url)
        raise BadEvent([f"{setting}: the database rejects it: {reason}"]) from None


def subquery(query: str, name: str) -> sql.TextClause:
    """A query that a statement can read from. A semicolon at its end is left out."""
    before, _, rest = query.rpartition(";")
    query = before if _COMMENTS.fullmatch(rest) else query
    query = query.strip().rstrip(";").replace(":", r"\:")  # ":name" is no parameter
    return sql.text(f"({query}\n) AS {name}")


def types_of(connection: sql.Connection, rows: sql.FromClause | sql.TextClause) -> dict[str, Any]:
    """The names of the columns and the driver's codes of their types.

    This is the first use of a query, and refused where it is several statements: PostgreSQL takes
    one alone in the protocol of `execute_unnamed`, MySQL unless the client asks for more, and
    SQLite's driver always. The driver of PostgreSQL has another protocol for statements without
    parameters, in which each of several is run.
    """
    head = render(sql.select(sql.text("*")).select_from(rows).limit(0), connection)
    if connection.dialect.driver == "pg8000":
        columns = _pg8000(connection).execute_unnamed(head).columns
        return {column["name"]: column["type_oid"] for column in columns}
    result = connection.exec_driver_sql(head)
    types = {column[0]: column[1] for column in result.cursor.description or ()}
    result.close()
    return types


def everything(
    connection: sql.Connection, query: str, name: str, setting: str
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """All rows of a query as text, and what `types_of` says of its columns. Raises BadEvent."""
    source = subquery(query, name)
    frames: list[pl.DataFrame] = []
    with refused(connection, setting):
        types = types_of(connection, source)
        read(connection, sql.select(*map(sql.column, types)).select_from(source), frames.append)
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(types, pl.String)), *frames]), types


def render(statement: Rows | sql.Select[Any], connection: sql.Connection) -> str:
    """The statement without parameters: with parameters, drivers would interpret each %."""
    return str(statement.compile(connection, compile_kwargs={"literal_binds": True}))


def read(connection: sql.Connection, statement: Rows, take: Take) -> None:
    """Pass the statement's rows to `take`, a chunk at a time, with columns of text."""
    read_rows = _copy if connection.dialect.driver == "pg8000" else fetch
    read_rows(connection, statement, take)


def fetch(connection: sql.Connection, statement: Rows, take: Take) -> None:
    """Read all rows by a server-side cursor."""
    streaming = connection.execution_options(stream_results=True, max_row_buffer=CHUNK)
    result = streaming.exec_driver_sql(render(statement, connection))
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
    def execute_unnamed(self, statement: str, *, stream: _Csv | None = None) -> Any: ...


def _pg8000(connection: sql.Connection) -> _Pg8000:
    return cast("_Pg8000", connection.connection.driver_connection)


def _copy(connection: sql.Connection, statement: Rows, take: Take) -> None:
    """Read all rows by COPY: far faster than `fetch`, as no value becomes a Python object."""
    stream = _Csv([column.name for column in statement.selected_columns], take)
    _pg8000(connection).execute_unnamed(
        f"COPY ({render(statement, connection)}) TO STDOUT WITH (FORMAT csv)", stream=stream
    )
    stream.flush()


class _Csv:
    """The file that COPY writes to: each write is one row."""

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
