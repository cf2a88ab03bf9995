"""What is read from a database, and its errors."""

import datetime
import gc
import itertools
import json
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sql
from ordergap.contract.orders import Columns
from pydantic import ValidationError
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL

from lambdas.extract_orders import database
from lambdas.extract_orders.database import connect, source_url
from lambdas.extract_orders.reading import Take, fetch
from lambdas.extract_orders.request import Market
from lambdas.extract_orders.source import Source, open_source
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, SourceColumnMissing, SourceUnreachable
from tests.sources import CANONICAL, PASSWORD, do, engine_of, load

AS_OF = datetime.date(2024, 6, 30)
LINE = ("ana", datetime.datetime.fromisoformat("2024-01-01T09:00"), "1", "A1", 4, 2.5)
NUMBER = itertools.count()


@pytest.fixture
def empty(tmp_path: Path) -> str:
    path = tmp_path / "shop of ana, 100%?#.db"
    path.touch()
    return sql.URL.create("sqlite", database=str(path)).render_as_string()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[str]:
    """An empty database."""
    name = f"source_{next(NUMBER)}"
    do(postgres_url, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    yield sql.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    do(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def opened(url: str, **market: object) -> None:
    with connect(sql.make_url(url)) as connection:
        open_source(connection, Market.model_validate(market))


def stream(
    url: str,
    take: Take,
    read_rows: Callable[..., None] | None = None,
    as_of: datetime.date = AS_OF,
    since: datetime.date | None = None,
    **market: object,
) -> Source:
    """Read a source the way that is chosen for it, or another."""
    with connect(sql.make_url(url)) as connection:
        source = open_source(connection, Market.model_validate(market))
        if read_rows:
            read_rows(connection, source.statement(since, as_of), take)
        else:
            source.read(since, as_of, take)
    return source


def read(
    url: str,
    as_of: datetime.date = AS_OF,
    since: datetime.date | None = None,
    read_rows: Callable[..., None] | None = None,
    **market: object,
) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    source = stream(url, frames.append, read_rows, as_of, since, **market)
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(source.columns, pl.String)), *frames])


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date", "text"])
def test_copy_and_cursor_read_the_same_rows(postgres: str, kind: str) -> None:
    do(
        postgres,
        f"""CREATE TABLE orders ("CustomerID" text, "InvoiceDate" {kind}, "InvoiceNo" varchar,
            "StockCode" text, "Quantity" bigint, "UnitPrice" numeric(12, 4))""",
        r"""INSERT INTO orders VALUES
            ('a"b,c', '2024-01-02 03:04:05', '1', E'new\nline', 3, 1.25),
            ('\N', '2024-01-02', '', ' ', -3, 12345678.9),
            ('é', '2024-06-30', 'C1', '\.', NULL, 0),
            (NULL, '2024-07-01', NULL, 'later', NULL, NULL),
            ('x', '2024-03-03', NULL, NULL, NULL, NULL)""",
        "INSERT INTO orders VALUES (NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    rows, fetched = read(postgres), read(postgres, read_rows=fetch)
    # The cursor's driver writes the offset +00 as +00:00.
    fetched = fetched.with_columns(pl.col("InvoiceDate").str.replace(r"\+00:00$", "+00"))
    assert rows.sort(pl.all()).equals(fetched.sort(pl.all()))
    assert len(rows) == 5
    assert "later" not in rows["StockCode"]
    assert "new\nline" in rows["StockCode"]


def test_dates_are_iso_whatever_the_server_is_set_to(postgres: str) -> None:
    name = sql.make_url(postgres).database
    do(postgres, f"ALTER DATABASE {name} SET datestyle TO 'SQL, DMY'")
    load(postgres, [LINE])
    for read_rows in (None, fetch):
        assert read(postgres, read_rows=read_rows)["InvoiceDate"][0].startswith("2024-01-01")


def test_text_is_compared_with_days_only_where_it_sorts_as_they_do(empty: str) -> None:
    rows = [("ana", date, "1", "A1", 1, 2.0) for date in ("2024-01-07", "2024-09-07")]
    load(empty, rows, columns=dict.fromkeys(CANONICAL, sql.String))
    assert len(read(empty)) == 1
    assert len(read(empty, columns={"date_format": "%Y-%d-%m"})) == 2


def test_columns_that_are_done_without_are_said(empty: str) -> None:
    kinds = {name: kind for name, kind in CANONICAL.items() if name != "StockCode"}
    load(empty, [], columns=kinds)
    with connect(sql.make_url(empty)) as connection:
        (note,) = open_source(connection, Market()).notes
    assert note.startswith('no column "StockCode" (product_column): ')


def test_columns_of_kinds_and_currencies_are_said_as_they_are_not_read(empty: str) -> None:
    kinds = CANONICAL | {"line_type": sql.String, "Currency": sql.String, "Country": sql.String}
    load(empty, [], columns=kinds)
    with connect(sql.make_url(empty)) as connection:
        notes = open_source(connection, Market()).notes
    assert [note.split()[0] for note in notes] == ['"line_type"', '"Currency"']


def test_rows_come_in_chunks(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load(postgres, [LINE] * 25)
    monkeypatch.setattr("lambdas.extract_orders.reading.CHUNK", 10)
    for read_rows in (None, fetch):
        frames: list[pl.DataFrame] = []
        stream(postgres, frames.append, read_rows)
        assert [len(frame) for frame in frames] == [10, 10, 5]


@pytest.mark.parametrize("kind", [datetime.datetime, datetime.date])
def test_since_chooses_the_day_and_later_and_rows_without_a_date(
    postgres: str, empty: str, kind: type[datetime.date]
) -> None:
    days = [kind.fromisoformat("2024-01-01") + datetime.timedelta(days=n) for n in range(6)]
    rows = [("ana", day, f"{n}", "A1", 1, 2.0) for n, day in enumerate([*days, None])]
    for url in (postgres, empty):
        column = sql.DateTime if kind is datetime.datetime else sql.Date
        load(url, rows, columns={**CANONICAL, "InvoiceDate": column})
        since = datetime.date(2024, 1, 3)
        got = read(url, datetime.date(2024, 1, 5), since)
        assert sorted(got["InvoiceNo"]) == ["2", "3", "4", "6"]


def test_all_rows_are_read_where_dates_are_not_iso(empty: str) -> None:
    load(empty, [("ana", day, "1", "A1", 1, 2.0) for day in ("1/2/2024", "2031-01-01")],
         columns=dict.fromkeys(CANONICAL, sql.String))  # fmt: skip
    assert len(read(empty, since=AS_OF)) == 2


def test_names_of_any_kind_are_quoted(postgres: str, empty: str) -> None:
    names = ['we"ird; --', "order", "Größe %s", "stock", "quantity", "a b"]
    settings = ["customer", "date", "order", "product", "quantity", "price"]
    columns = {f"{role}_column": name for role, name in zip(settings, names, strict=True)}
    kinds = dict(zip(names, CANONICAL.values(), strict=True))
    for url in (postgres, empty):
        load(url, [LINE], 'ta"ble', kinds)
        got = read(url, table='ta"ble', columns=columns)
        assert got.columns == ["CustomerID", "InvoiceDate", "InvoiceNo", "StockCode", "Quantity",
                               "UnitPrice"]  # fmt: skip
        assert got["CustomerID"].to_list() == ["ana"]


def test_only_the_columns_that_are_needed_are_read(empty: str) -> None:
    load(empty, [(*LINE, "secret")], columns={**CANONICAL, "card_number": sql.String})
    assert "secret" not in read(empty).row(0)


def test_a_table_may_be_named_with_its_schema(postgres: str) -> None:
    do(postgres, "CREATE SCHEMA sales", "CREATE SCHEMA empty")
    load(postgres, [LINE])
    do(postgres, "ALTER TABLE orders SET SCHEMA sales")
    assert len(read(postgres, table="sales.orders")) == 1


@pytest.mark.parametrize(
    "query",
    [
        'WITH latest AS (SELECT * FROM orders) SELECT * FROM latest;',
        "SELECT * FROM orders WHERE \"InvoiceNo\" LIKE '%1%' AND '10:30' <> ' :x' -- all of them",
        'SELECT *, 7 % 2 AS odd, CAST(1 AS integer) AS "%s" FROM orders',
    ],
)  # fmt: skip
def test_a_query_is_sent_as_it_was_written(postgres: str, empty: str, query: str) -> None:
    for url in (postgres, empty):
        load(url, [LINE])
        assert len(read(url, query=query)) == 1
    assert len(read(postgres, query=query, read_rows=fetch)) == 1


def test_names_may_differ_in_upper_and_lower_case(empty: str) -> None:
    lower = {name.lower(): kind for name, kind in CANONICAL.items()}
    load(empty, [LINE], columns=lower)
    assert read(empty)["CustomerID"].to_list() == ["ana"]


def test_mysql_compares_dates_as_dates_and_quotes_in_its_own_way() -> None:
    date: sql.ColumnElement[datetime.date] = sql.column("or der")
    source = Source(
        sql.create_mock_engine("mysql+pymysql://", lambda *_: None).connect(),  # type: ignore[arg-type]
        sql.table("order"),
        {"CustomerID": "client", "InvoiceDate": "or der"},
        frozenset(),
        (),
        date,
        lambda day: sql.literal(day, sql.Date()),
    )
    statement = source.statement(datetime.date(2024, 1, 2), AS_OF)
    text = statement.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})
    assert " ".join(str(text).split()) == (
        "SELECT client AS `CustomerID`, `or der` AS `InvoiceDate` FROM `order` "
        "WHERE `or der` IS NULL OR `or der` < '2024-07-01' AND `or der` >= '2024-01-02'"
    )


def test_a_missing_table_names_the_tables_there_are(postgres: str, empty: str) -> None:
    for url in (postgres, empty):
        load(url, [], "order_lines")
        with pytest.raises(SourceColumnMissing, match=r"no table orders\. .* order_lines"):
            opened(url)
        with pytest.raises(SourceColumnMissing, match=r"no table sales\.lines"):
            opened(url, table="sales.lines")


def test_a_missing_column_names_the_nearest_one(postgres: str, empty: str) -> None:
    kinds = {("client_id" if name == "CustomerID" else name): kind
             for name, kind in CANONICAL.items()}  # fmt: skip
    for url in (postgres, empty):
        load(url, [], columns=kinds)
        with pytest.raises(SourceColumnMissing, match='the table orders has no column "Client"'):
            opened(url, columns={"customer_column": "Client"})
        with pytest.raises(SourceColumnMissing, match='customer_column to "client_id"'):
            opened(url, columns={"customer_column": "clientid"})
        with pytest.raises(SourceColumnMissing, match=r'the query has no column "CustomerID"'):
            opened(url, query="SELECT * FROM orders")


def test_a_column_to_be_done_without_must_be_there_when_it_is_named(empty: str) -> None:
    kinds = {name: kind for name, kind in CANONICAL.items() if name != "StockCode"}
    load(empty, [], columns=kinds)
    opened(empty)
    with pytest.raises(SourceColumnMissing, match=r'"sku" \(product_column\)'):
        opened(empty, columns={"product_column": "sku"})


def test_a_query_that_the_database_rejects_is_a_bad_event(postgres: str, empty: str) -> None:
    for url in (postgres, empty):
        with pytest.raises(BadEvent, match=r"market\.query: the database rejects it: .*syntax"):
            opened(url, query="SELEC 1")


SEVERAL = [
    "SELECT * FROM orders; DELETE FROM orders",
    "SELECT * FROM orders) AS x; DELETE FROM orders; SELECT * FROM (SELECT 1",
    "SELECT * FROM orders) AS x; DELETE FROM orders; COMMIT; SELECT * FROM (SELECT 1",
    "SELECT 1) AS x; COMMIT; DELETE FROM orders --",
    "SELECT * FROM orders; -- it is all\n DELETE FROM orders; -- done",
]


def remain(url: str, table: str = "orders") -> int:
    """The rows of a table, as another connection sees them."""
    engine = engine_of(url)
    with engine.connect() as connection:
        return int(connection.execute(sql.text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


@pytest.mark.parametrize("query", SEVERAL)
def test_a_query_of_several_statements_is_refused(postgres: str, empty: str, query: str) -> None:
    for url in (postgres, empty):
        load(url, [LINE])
        with pytest.raises(BadEvent, match=r"market\.query: the database rejects it: "):
            opened(url, query=query)
        assert remain(url) == 1


@pytest.mark.parametrize(
    "end",
    [
        "",
        ";",
        ";;\n",
        "; -- done",
        ";\n-- once\n-- twice\n",
        "; /* all */ -- done",
        " -- done; really",
    ],
)
@pytest.mark.parametrize("where", ["", "WHERE '; -- no' <> 'it''s'"])
def test_a_query_may_end_in_a_semicolon_and_comments(
    postgres: str, empty: str, end: str, where: str
) -> None:
    for url in (postgres, empty):
        load(url, [LINE])
        assert len(read(url, query=f"SELECT * FROM orders {where}{end}")) == 1  # noqa: S608


def test_the_driver_of_mysql_takes_one_statement() -> None:
    driver = sql.create_engine("mysql+pymysql://").dialect.loaded_dbapi
    client = driver.constants.CLIENT  # type: ignore[attr-defined]
    assert not client.CAPABILITIES & client.MULTI_STATEMENTS


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "SELECT * FROM orders FOR UPDATE",
        "COPY orders TO PROGRAM 'cat'",
        "DELETE FROM orders RETURNING *",
        "SELECT * INTO copied FROM orders",
        "DO $$BEGIN DELETE FROM orders; END$$",
        "CALL clear()",
    ],
)
def test_a_query_that_is_no_plain_select_is_refused(postgres: str, query: str) -> None:
    load(postgres, [LINE])
    do(
        postgres,
        "CREATE PROCEDURE clear() LANGUAGE sql AS 'DELETE FROM orders'",
    )
    with pytest.raises(BadEvent, match="market"):
        read(postgres, query=query)
    assert remain(postgres) == 1


@pytest.mark.parametrize(
    "body",
    [
        "DELETE FROM orders;",
        "CREATE TABLE made (i int);",
        "PERFORM nextval('numbers');",
        "PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM orders;",
        "SET TRANSACTION READ WRITE; DELETE FROM orders;",
        "PERFORM set_config('default_transaction_read_only', 'off', false); DELETE FROM orders;",
    ],
)
@pytest.mark.parametrize("place", ["column", "filter", "view"])
def test_a_function_that_writes_is_refused_wherever_it_is_called(
    postgres: str, body: str, place: str
) -> None:
    load(postgres, [LINE])
    do(
        postgres,
        "CREATE SEQUENCE numbers",
        "CREATE FUNCTION write() RETURNS boolean LANGUAGE plpgsql AS "
        f"$$BEGIN {body} RETURN true; END$$",
        "CREATE VIEW lines AS SELECT *, write() FROM orders",
    )
    market = {
        "column": {"query": "SELECT *, write() FROM orders"},
        "filter": {"query": "SELECT * FROM orders WHERE write()"},
        "view": {"table": "lines", "columns": {"status_column": "write"}},
    }[place]
    with pytest.raises(BadEvent, match="market: what is read must not write: "):
        read(postgres, **market)
    assert remain(postgres) == 1
    do(postgres, "CREATE TABLE made (i int)")  # which is not there


def test_the_documented_user_reads_and_cannot_write(postgres: str, root: Path) -> None:
    load(postgres, [LINE])
    do(postgres, "DROP TABLE IF EXISTS customers", "CREATE TABLE customers (customer_id text)")
    document = (root / "infra/README.md").read_text(encoding="utf-8")
    (statements,) = re.findall(r"```sql\n-- PostgreSQL\n(.*?)\n\n", document, re.DOTALL)
    do(postgres, *statements.split(";\n"))
    user = sql.make_url(postgres).set(username="ordergap", password="…")  # noqa: S106
    url = user.render_as_string(hide_password=False)
    try:
        assert len(read(url)) == 1
        with pytest.raises(sql.exc.ProgrammingError, match="in a read-only transaction"):
            do(url, "DELETE FROM orders")
    finally:
        do(postgres, "DROP OWNED BY ordergap", "DROP ROLE ordergap")


def test_a_file_of_sqlite_is_opened_for_reading(empty: str, tmp_path: Path) -> None:
    load(empty, [LINE])
    with connect(sql.make_url(empty)) as connection:
        for statement in ("DELETE FROM orders", "CREATE TABLE made (i int)"):
            with pytest.raises(sql.exc.OperationalError, match="readonly database"):
                connection.exec_driver_sql(statement)
    missing = tmp_path / "missing.db"
    assert "unable to open database file" in unreachable(sql.make_url(f"sqlite:///{missing}"))
    assert not missing.exists()


def test_a_table_that_may_not_be_read_is_a_bad_event(postgres: str) -> None:
    load(postgres, [LINE])
    do(postgres, "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = sql.make_url(postgres).set(username="guest", password="guest")  # noqa: S106
    with pytest.raises(BadEvent, match=r"market\.table: .* permission denied"):
        opened(guest.render_as_string(hide_password=False))


def unreachable(url: URL) -> str:
    with pytest.raises(SourceUnreachable) as error, connect(url):
        pass
    assert error.value.__suppress_context__
    text = str(error.value)
    del error
    with warnings.catch_warnings():  # the driver leaves sockets that failed to be collected
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return text


@pytest.mark.parametrize("kind", ["postgresql+pg8000", "mysql+pymysql"])
def test_a_host_that_refuses_is_unreachable_at_once(kind: str) -> None:
    start = time.monotonic()
    text = unreachable(sql.make_url(f"{kind}://shop:secret%2F@127.0.0.1:1/shop"))
    assert time.monotonic() - start < 60  # the drivers alone wait for minutes
    assert f"cannot connect to {kind}://shop:***@127.0.0.1:1/shop" in text
    assert "secret" not in text.replace("the secret is right", "")


@pytest.mark.parametrize("kind", ["postgresql+pg8000", "mysql+pymysql"])
def test_a_host_that_does_not_answer_is_unreachable_soon(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        start = time.monotonic()
        unreachable(sql.make_url(f"{kind}://shop:secret@127.0.0.1:{port}/shop"))
        assert time.monotonic() - start < 60  # the drivers alone wait for minutes


def test_a_query_may_take_longer_than_connecting(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CONNECT_SECONDS", 1)
    with connect(sql.make_url(postgres)) as connection:
        assert connection.execute(sql.text("SELECT 1 FROM pg_sleep(1.5)")).scalar_one() == 1


def test_the_error_of_a_wrong_password_does_not_contain_it(postgres: str) -> None:
    url = sql.make_url(postgres).set(password=PASSWORD + "x")
    text = unreachable(url)
    assert 'password authentication failed for user "shop"' in text
    assert PASSWORD not in text


def test_a_url_without_the_required_password_is_a_bad_event(postgres: str) -> None:
    server = sql.make_url(postgres)
    url = sql.URL.create(
        server.drivername, "shop", host=server.host, port=server.port, database=server.database,
        query=server.query,
    )  # fmt: skip
    with pytest.raises(BadEvent, match="needs a password"), connect(url):
        pass
    with warnings.catch_warnings():  # as above
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_password_in_the_message_of_the_driver_is_replaced() -> None:
    url = sql.make_url("postgresql+pg8000://shop:se%2Fcret@host/shop")
    for text in ("at se/cret@host", "at se%2Fcret@host"):
        assert database.reason_of(OSError(1, text), url) == "at ***@host"


def test_a_connection_that_breaks_while_reading_is_unreachable(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.extract_orders.reading.CHUNK", 1000)
    do(postgres, """CREATE TABLE orders AS SELECT 'ana' AS "CustomerID",
        timestamp '2024-01-01' AS "InvoiceDate", repeat('x', 200) AS "StockCode", 1 AS "Quantity",
        i AS "UnitPrice" FROM generate_series(1, 100000) i""")  # fmt: skip

    def cut(_: pl.DataFrame) -> None:
        do(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
           "'COPY%%' OR query LIKE 'FETCH%%'")  # fmt: skip

    for read_rows in (None, fetch):
        with pytest.raises(SourceUnreachable, match=r"reading from .* failed"):
            stream(postgres, cut, read_rows)


def test_an_error_of_the_caller_while_reading_is_raised_at_once(postgres: str) -> None:
    load(postgres, [LINE])

    def fail(_: pl.DataFrame) -> None:
        raise ZeroDivisionError

    for read_rows in (None, fetch):
        with pytest.raises(ZeroDivisionError):
            stream(postgres, fail, read_rows)


def test_unknown_parameters_of_the_url_are_a_bad_event(postgres: str) -> None:
    url = sql.make_url(postgres)
    with (
        pytest.raises(BadEvent, match=r"sslrootcert=/no\.pem cannot be read"),
        connect(url.set(query={"sslmode": "verify-full", "sslrootcert": "/no.pem"})),
    ):
        pass
    with (
        pytest.raises(BadEvent, match="sslmode=always"),
        connect(url.set(query={"sslmode": "always"})),
    ):
        pass
    with (
        pytest.raises(BadEvent, match="channel_binding"),
        connect(url.set(query={"channel_binding": "require"})),
    ):
        pass


SECRET = {"username": "shop", "password": "p/w", "host": "db", "port": 5432, "dbname": "shop"}


@pytest.mark.parametrize(
    ("secret", "url"),
    [
        ("postgresql://shop:p%2Fw@db:5432/shop", "postgresql+pg8000://shop:p%2Fw@db:5432/shop"),
        ('{"url": "postgres://shop:p%2Fw@db/shop"}', "postgresql+pg8000://shop:p%2Fw@db/shop"),
        (" mysql://shop:x@db/shop\n", "mysql+pymysql://shop:x@db/shop"),
        ("mariadb://shop:x@db/shop", "mariadb+pymysql://shop:x@db/shop"),
        ("sqlite:////data/shop.db", "sqlite:////data/shop.db"),
        (json.dumps({**SECRET, "engine": "postgres"}), "postgresql+pg8000://shop:p%2Fw@db:5432/shop"),
        (json.dumps({**SECRET, "engine": "aurora-mysql"}), "mysql+pymysql://shop:p%2Fw@db:5432/shop"),
        ('{"url": "mysql://shop:x@db/shop", "sslmode": "require"}',
         "mysql+pymysql://shop:x@db/shop?sslmode=require"),
        ('{"url": "mysql://shop:x@db/shop?sslmode=require", "ca": "PEM"}',
         "mysql+pymysql://shop:x@db/shop?sslmode=require&sslrootcert=PEM"),
    ],
)  # fmt: skip
def test_a_secret_holds_a_url_or_its_parts(aws: None, secret: str, url: str) -> None:
    clients.secrets().create_secret(Name="shop", SecretString=secret)
    got = source_url(clients.secrets(), "shop")
    assert got.render_as_string(hide_password=False) == url


def test_a_secret_of_rds_has_a_user_and_a_password_and_the_market_names_the_database(
    aws: None,
) -> None:
    value = json.dumps({"username": "shop", "password": "p/w:hunter2"})
    clients.secrets().create_secret(Name="shop", SecretString=value)
    got = source_url(clients.secrets(), "shop", "postgresql://db:5432/shop?sslmode=verify-ca")
    assert got == sql.make_url(
        "postgresql+pg8000://shop:p%2Fw%3Ahunter2@db:5432/shop?sslmode=verify-ca"
    )
    with pytest.raises(BadEvent, match=r"a user and a password alone; name .* market\.database"):
        source_url(clients.secrets(), "shop")
    with pytest.raises(BadEvent, match="make no database URL") as error:
        source_url(clients.secrets(), "shop", "oracle://db/shop")
    assert "hunter2" not in str(error.value)
    with pytest.raises(ValidationError):  # the input of a run is read by more people than a secret
        Market(database="postgresql://shop:hunter2@db/shop")


@pytest.mark.parametrize(
    "secret",
    ["hunter2", "{hunter2", '["hunter2"]', '{"password": "hunter2"}', '{"url": "hunter2"}',
     '{"url": ["hunter2"]}', "oracle://shop:hunter2@db/shop", "postgresql://shop:hunter2@db:x/shop",
     "7"],
)  # fmt: skip
def test_a_secret_of_another_kind_is_refused_and_not_shown(aws: None, secret: str) -> None:
    clients.secrets().create_secret(Name="shop", SecretString=secret)
    with pytest.raises(BadEvent, match="the secret shop holds no database URL") as error:
        source_url(clients.secrets(), "shop")
    assert "hunter2" not in str(error.value)
    assert error.value.__suppress_context__


def test_a_secret_that_is_not_there_is_named(aws: None) -> None:
    with pytest.raises(BadEvent, match="there is no secret shop"):
        source_url(clients.secrets(), "shop")


def test_default_columns_are_optional(empty: str) -> None:
    load(empty, [LINE])
    opened(empty, columns=Columns().model_dump(include={"non_product_codes"}))
