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


def engine_of(url: str) -> sql.Engine:
    """An engine without a pool. Its driver does not know `sslmode`, which is left out."""
    plain = sql.make_url(url).difference_update_query(["sslmode", "sslrootcert"])
    return sql.create_engine(plain, poolclass=NullPool)


def load(
    url: str,
    lines: Sequence[Line],
    table: str = "orders",
    columns: Mapping[str, type[sql.types.TypeEngine[Any]]] = CANONICAL,
) -> None:
    """Insert order lines into a table of these columns, which is created if missing."""
    engine = engine_of(url)
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
    engine = engine_of(url)
    for statement in statements:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
