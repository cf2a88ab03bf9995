"""Order lines in a database, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sql
from sqlalchemy.pool import NullPool

PASSWORD = "se/cr:et@1"  # noqa: S105 - of a temporary server
Line = tuple[object, ...]

CANONICAL: dict[str, type[sql.types.TypeEngine[Any]]] = {
    "CustomerID": sql.String,
    "InvoiceDate": sql.DateTime,
    "InvoiceNo": sql.String,
    "StockCode": sql.String,
    "Quantity": sql.Integer,
    "UnitPrice": sql.Float,
}


def load(
    url: str,
    lines: Sequence[Line],
    table: str = "orders",
    columns: Mapping[str, type[sql.types.TypeEngine[Any]]] = CANONICAL,
) -> None:
    """Insert order lines into a table of these columns, which is created if missing."""
    engine = sql.create_engine(url, poolclass=NullPool)
    target = sql.Table(
        table,
        sql.MetaData(),
        *(
            sql.Column(name, kind(200) if kind is sql.String else kind())
            for name, kind in columns.items()
        ),
    )
    with engine.begin() as connection:
        target.create(connection, checkfirst=True)
        if lines:
            connection.execute(
                target.insert(), [dict(zip(columns, line, strict=True)) for line in lines]
            )


def do(url: str, *statements: str) -> None:
    """Run SQL statements, each in its own transaction."""
    engine = sql.create_engine(url, poolclass=NullPool)
    for statement in statements:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
