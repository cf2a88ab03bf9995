"""The shop's database: its URL out of a secret, and a connection that reads and raises our errors.

See docs/decisions/lambdas.md#a-markets-query-only-reads.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from lambdas.shared.errors import BadEvent, SourceUnreachable

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
_TLS = ("sslmode", "sslrootcert")
# What PostgreSQL (a write, a change to writing) and MySQL refuse in a read-only transaction.
_WRITES = {"25006", "25001", 1792}


def source_url(secrets: SecretsManagerClient, secret_id: str) -> URL:
    """The URL in a secret: alone, as ``{"url": …}``, or in parts as RDS writes them.

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
        url = make_url(value) if "://" in value.partition("{")[0] else _from_json(json.loads(value))
        driver = DRIVERS[url.get_backend_name()]
    except (ArgumentError, AttributeError, KeyError, TypeError, ValueError):
        problem = (
            f"the secret {secret_id} holds no database URL; write "
            '{"url": "postgresql://user:password@host:5432/shop"}, with one of '
            f"{', '.join(DRIVERS)} and special characters of the password %-encoded"
        )
        raise BadEvent([problem]) from None
    return url.set(drivername=driver)


def _from_json(secret: dict[str, str]) -> URL:
    if "url" in secret:
        return make_url(secret["url"])
    return URL.create(
        secret["engine"],
        username=secret["username"],
        password=secret["password"],
        host=secret["host"],
        port=int(secret["port"]),
        database=secret["dbname"],
    )


@contextmanager
def connect(url: URL) -> Iterator[Connection]:
    """A connection to the database, in a transaction that cannot write.

    The URL's parameters `sslmode` and `sslrootcert` set TLS as in libpq. Raises SourceUnreachable
    where connecting fails or the connection breaks later, and BadEvent for parameters that the
    driver does not support and for rows that cannot be read without writing.
    """
    query = {name: value for name, value in url.query.items() if name not in _TLS}
    arguments = _connect_arguments(url) if url.host else {}
    engine = create_engine(
        _unwritable(url.set(query=query)), poolclass=NullPool, connect_args=arguments
    )
    driver_error = engine.dialect.loaded_dbapi.Error
    try:
        connection = engine.connect()
    except (DBAPIError, OSError) as error:
        raise SourceUnreachable(
            f"cannot connect to {redacted(url)}: {reason_of(error, url)}. Check that the database "
            "is up, the secret is right and the function's subnets reach the database"
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
    """The driver's arguments for timeouts and TLS. Without sslmode the drivers prefer TLS."""
    mode, authority = (url.normalized_query.get(name, (None,))[0] for name in _TLS)
    if mode not in {None, "disable", "prefer", "require", "verify-ca", "verify-full"}:
        raise BadEvent(
            [f"sslmode={mode} in the URL; set disable, prefer, require, verify-ca or verify-full"]
        )
    context: ssl.SSLContext | bool | None = None
    if mode in {"require", "verify-ca", "verify-full"}:
        try:
            context = ssl.create_default_context(cafile=authority)
        except OSError as error:
            raise BadEvent([f"sslrootcert={authority} cannot be read: {error}"]) from None
        context.check_hostname = mode == "verify-full"
        if mode == "require" and not authority:
            context.verify_mode = ssl.CERT_NONE
    if url.drivername == DRIVERS["postgresql"]:
        return {
            "timeout": CONNECT_SECONDS,
            "ssl_context": False if mode == "disable" else context,
        }
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": CONNECT_SECONDS,
        "ssl": context,
        "ssl_disabled": mode == "disable",
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
