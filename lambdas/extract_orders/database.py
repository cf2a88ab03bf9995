"""The shop's database: its URL out of a secret, and a connection that reads and raises our errors.

See docs/decisions/lambdas.md#a-markets-query-only-reads and `tls`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from lambdas.extract_orders import tls
from lambdas.shared.errors import BadEvent, SourceUnreachable
from lambdas.shared.logs import logger

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CONNECT_SECONDS = 10
READ_SECONDS = 600  # a query may sort and join for long before its first row
DRIVERS = {
    "postgres": "postgresql+pg8000",
    "postgresql": "postgresql+pg8000",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite",
}
# What PostgreSQL (a write, a change to writing) and MySQL refuse in a read-only transaction.
_WRITES = {"25006", "25001", 1792}


def source_url(secrets: SecretsManagerClient, secret_id: str, place: str | None = None) -> URL:
    """The URL in a secret: alone, as ``{"url": …}``, or in parts as AWS writes them.

    The secret may also hold `sslmode` and, as `ca`, the certificates that `sslrootcert` is about.

    place  the database's URL without user and password, where the secret has only these, as one
           that RDS manages

    Raises BadEvent, whose message never contains the secret's value.
    """
    try:
        value = secrets.get_secret_value(SecretId=secret_id).get("SecretString", "").strip()
    except (
        secrets.exceptions.ResourceNotFoundException,
        secrets.exceptions.InvalidRequestException,  # it is being deleted
    ):
        raise BadEvent([f"there is no secret {secret_id}; create it or correct its name"]) from None
    try:
        secret = {"url": value} if "://" in value.partition("{")[0] else json.loads(value)
        if place is None and secret.keys() == {"username", "password"}:
            problem = (
                f"the secret {secret_id} holds a user and a password alone; name their database "
                "in market.database, such as postgresql://host:5432/shop"
            )
            raise BadEvent([problem])
        url = _from_parts(secret, place)
        driver = DRIVERS[url.get_backend_name()]
    except (ArgumentError, AttributeError, KeyError, TypeError, ValueError):
        problem = (
            f"the secret {secret_id} holds no database URL; write "
            '{"url": "postgresql://user:password@host:5432/shop"}, with one of '
            f"{', '.join(DRIVERS)} and special characters of the password %-encoded"
        )
        if place is not None:
            problem = (
                f"market.database and the secret {secret_id} make no database URL; write "
                "postgresql://host:5432/shop into the former and "
                '{"username": …, "password": …} into the latter'
            )
        raise BadEvent([problem]) from None
    return url.set(drivername=driver)


def _from_parts(secret: Mapping[str, str], place: str | None) -> URL:
    if place is not None:
        url = make_url(place).set(username=secret["username"], password=secret["password"])
    elif "url" in secret:
        url = make_url(secret["url"])
    else:
        url = URL.create(
            secret["engine"].removeprefix("aurora-"),
            username=secret["username"],
            password=secret["password"],
            host=secret["host"],
            port=int(secret["port"]) if "port" in secret else None,
            database=secret["dbname"],
        )
    given = {"sslmode": secret.get("sslmode"), "sslrootcert": secret.get("ca")}
    return url.update_query_dict({name: value for name, value in given.items() if value})


@contextmanager
def connect(url: URL) -> Iterator[Connection]:
    """A connection to the database, in a transaction that cannot write.

    The URL's parameters `sslmode` and `sslrootcert` set TLS, see `tls.context`. Raises
    SourceUnreachable where connecting fails or the connection breaks later, and BadEvent for
    parameters that the driver does not support and for rows that cannot be read without writing.
    """
    query = {name: value for name, value in url.query.items() if name not in tls.OPTIONS}
    arguments = {} if url.get_backend_name() == "sqlite" else _connect_arguments(url)
    engine = create_engine(
        _unwritable(url.set(query=query)), poolclass=NullPool, connect_args=arguments
    )
    driver_error = engine.dialect.loaded_dbapi.Error
    try:
        connection = engine.connect()
    except (DBAPIError, OSError) as error:
        advice = tls.advice(error, url) or (
            "Check that the database is up, the secret is right and the function's subnets reach "
            "the database"
        )
        raise SourceUnreachable(
            f"cannot connect to {redacted(url)}: {reason_of(error, url)}. {advice}"
        ) from None
    except TypeError:
        raise BadEvent(
            [f"the driver does not support one of the URL's parameters {', '.join(query)}"]
        ) from None
    except AttributeError:
        if url.password:
            raise
        raise BadEvent([f"{redacted(url)} needs a password; add it to the secret"]) from None
    with connection:
        try:
            _prepare(connection)
            yield connection
        except (DBAPIError, driver_error, ConnectionError, TimeoutError) as error:
            connection.invalidate()
            if _code(error) in _WRITES:
                raise BadEvent(
                    [f"market: what is read must not write: {reason_of(error, url)}"]
                ) from None
            raise SourceUnreachable(
                f"reading from {redacted(url)} failed: {reason_of(error, url)}"
            ) from None
        except BaseException:
            connection.invalidate()  # rather than read the rest of the rows
            raise


def _unwritable(url: URL) -> URL:
    """The URL of a file of SQLite, opened for reading alone; every other unchanged."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    name = url.database if url.database.startswith("file:") else f"file:{quote(url.database)}"
    return url.set(database=name).update_query_dict({"mode": "ro", "uri": "true"})


def _prepare(connection: Connection) -> None:
    """Begin a transaction that cannot write, in which all is read.

    Reading has its own timeout, as a query may take longer than connecting.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.driver == "pg8000":
        driver._usock.settimeout(READ_SECONDS)  # noqa: SLF001
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        # Servers may be set to write dates in another way, which SQL's comparisons do not show.
        connection.exec_driver_sql("SET datestyle TO ISO")
    elif connection.dialect.driver == "pymysql":
        driver._read_timeout = READ_SECONDS  # noqa: SLF001
        connection.exec_driver_sql("START TRANSACTION READ ONLY")


def _connect_arguments(url: URL) -> dict[str, object]:
    """The driver's arguments for timeouts and TLS."""
    context = tls.context(url)
    if context is None:
        logger().warning(f"{redacted(url)} is read as plain text, as sslmode=disable asks for")
    if url.drivername == DRIVERS["postgresql"]:
        return {"timeout": CONNECT_SECONDS, "ssl_context": context or False}
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": CONNECT_SECONDS,
        "ssl": context,
        "ssl_disabled": context is None,
    }


def _cause(error: Exception) -> BaseException:
    """The driver's own error."""
    return (error.orig if isinstance(error, DBAPIError) else None) or error


def _code(error: Exception) -> object:
    """The database's code of an error, text of PostgreSQL and a number of MySQL."""
    first = next(iter(_cause(error).args), None)
    return first.get("C") if isinstance(first, dict) else first


def redacted(url: URL) -> str:
    """The URL as text, without its password and parameters."""
    return url.set(query={}).render_as_string()


def reason_of(error: Exception, url: URL) -> str:
    """The message of the database or its driver, on one line and without the password."""
    cause = _cause(error)
    last = cause.args[-1] if cause.args else cause
    text = last.get("M", "") if isinstance(last, dict) else str(last)
    if url.password:
        for password in (url.password, quote(url.password), quote(url.password, safe="")):
            text = text.replace(password, "***")
    return " ".join(text.split()).rstrip(".")
