"""MariaDB's transaction that only reads, on a server."""

from collections.abc import Iterator
from contextlib import ExitStack

import polars as pl
import pytest
import sqlalchemy as sql

from lambdas.extract_orders.database import connect
from lambdas.extract_orders.request import Market
from lambdas.extract_orders.source import open_source
from lambdas.shared.errors import BadEvent
from tests.mariadb import mariadb
from tests.sources import PASSWORD, do, load
from tests.unit.lambdas.test_extract_orders_source import AS_OF, LINE, SEVERAL, remain

WRITER = "CREATE FUNCTION writer() RETURNS INT BEGIN {}; RETURN 1; END"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ExitStack() as stack:
        try:
            url = stack.enter_context(mariadb(PASSWORD))
        except OSError as reason:
            pytest.skip(str(reason))
        yield url


@pytest.fixture
def shop(server: str) -> Iterator[str]:
    """A database with one line of an order."""
    do(server, "CREATE DATABASE shop CHARACTER SET utf8mb4")
    load(server + "shop", [LINE])
    yield server + "shop"
    do(server, "DROP DATABASE shop")


def read(url: str, **market: object) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    with connect(sql.make_url(url)) as connection:
        source = open_source(connection, Market.model_validate(market))
        source.read(None, AS_OF, frames.append)
    return pl.concat(frames)


@pytest.mark.parametrize("query", [None, "SELECT * FROM orders", "SELECT * FROM orders; -- all"])
def test_a_table_or_a_query_is_read(shop: str, query: str | None) -> None:
    (row,) = read(shop, query=query).rows(named=True)
    assert (row["CustomerID"], row["Quantity"], row["UnitPrice"]) == ("ana", "4", "2.5")
    assert row["InvoiceDate"].startswith("2024-01-01")


@pytest.mark.parametrize(
    "query", [*SEVERAL, "DELETE FROM orders RETURNING *", "CREATE TABLE made (n INT)"]
)
def test_a_query_of_several_statements_or_none_that_selects_is_refused(
    shop: str, query: str
) -> None:
    with pytest.raises(BadEvent, match=r"market\.query: the database rejects it: "):
        read(shop, query=query)
    assert remain(shop) == 1


@pytest.mark.parametrize("body", ["DELETE FROM kept", "INSERT INTO kept VALUES (2)"])
@pytest.mark.parametrize("place", ["column", "filter"])
def test_a_function_that_writes_is_refused_wherever_it_is_called(
    shop: str, body: str, place: str
) -> None:
    do(shop, "CREATE TABLE kept AS SELECT 1 AS n", WRITER.format(body))
    called = {
        "column": "writer() AS w, o.* FROM orders AS o",
        "filter": "* FROM orders WHERE writer()",
    }
    with pytest.raises(BadEvent, match="in a READ ONLY transaction"):
        read(shop, query=f"SELECT {called[place]}")
    assert remain(shop, "kept") == 1


@pytest.mark.parametrize("statement", ["DELETE FROM orders", "UPDATE orders SET Quantity = 5"])
def test_the_transaction_takes_no_statement_that_writes(shop: str, statement: str) -> None:
    with (
        pytest.raises(BadEvent, match="must not write"),
        connect(sql.make_url(shop)) as connection,
    ):
        connection.exec_driver_sql(statement)
    assert remain(shop) == 1
