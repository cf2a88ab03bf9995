"""The shop's database: the URL from its secret, and a connection whose failures are ours."""

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


def source_url(secrets: SecretsManagerClient, secret_id: str) -> URL:
    """The URL in a secret: bare, as ``{"url": …}``, or in the parts that RDS secrets have.

    Raises BadEvent, which never quotes what is in the secret.
    """
    try:
        value = secrets.get_secret_value(SecretId=secret_id).get("SecretString", "").strip()
    except (
        secrets.exceptions.ResourceNotFoundException,
        secrets.exceptions.InvalidRequestException,  # it is being deleted
    ):
        raise BadEvent(
            [f"there is no secret {secret_id}: create it, or correct its name"]
        ) from None
    try:
        url = make_url(value) if "://" in value.partition("{")[0] else _from_json(json.loads(value))
        driver = DRIVERS[url.get_backend_name()]
    except (ArgumentError, AttributeError, KeyError, TypeError, ValueError):
        sentence = (
            f"the secret {secret_id} holds no URL of a source: write "
            '{"url": "postgresql://user:password@host:5432/shop"}, or begin the URL with one of '
            f"{', '.join(DRIVERS)}; special characters of a password are %-encoded"
        )
        raise BadEvent([sentence]) from None
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
    """A connection to the source.

    The URL may say how to use TLS: `sslmode` and `sslrootcert` mean what they do in libpq. Raises
    SourceUnreachable where there is no connection and where it breaks later, and BadEvent for
    parameters that the driver does not know.
    """
    query = {name: value for name, value in url.query.items() if name not in _TLS}
    arguments = _arguments(url) if url.host else {}
    engine = create_engine(url.set(query=query), poolclass=NullPool, connect_args=arguments)
    driver_error = engine.dialect.loaded_dbapi.Error
    try:
        connection = engine.connect()
    except (DBAPIError, OSError) as error:
        raise SourceUnreachable(
            f"cannot connect to {shown(url)}: {said(error, url)}. See that the database is up, the "
            "secret is right, and the function's network reaches it"
        ) from None
    except TypeError:
        raise BadEvent(
            [f"the driver does not know one of the URL's parameters {', '.join(query)}"]
        ) from None
    except AttributeError:
        if url.password:
            raise
        raise BadEvent([f"{shown(url)} asks for a password: put it into the secret"]) from None
    with connection:
        try:
            _be_patient(connection)
            yield connection
        except (DBAPIError, driver_error, ConnectionError, TimeoutError) as error:
            connection.invalidate()
            raise SourceUnreachable(
                f"reading from {shown(url)} stopped: {said(error, url)}"
            ) from None
        except BaseException:
            connection.invalidate()  # rather than read to the end what nobody wants
            raise


def _be_patient(connection: Connection) -> None:
    """Until here the drivers waited as long for every answer as for connecting."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.driver == "pg8000":
        driver._usock.settimeout(READ_SECONDS)  # noqa: SLF001
    elif connection.dialect.driver == "pymysql":
        driver._read_timeout = READ_SECONDS  # noqa: SLF001


def _arguments(url: URL) -> dict[str, object]:
    """What the drivers want to be told of timeouts and TLS. Left alone they prefer TLS."""
    mode, authority = (url.normalized_query.get(name, (None,))[0] for name in _TLS)
    if mode not in {None, "disable", "prefer", "require", "verify-ca", "verify-full"}:
        raise BadEvent([f"sslmode={mode} in the URL: say disable, require, verify-ca, verify-full"])
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


def shown(url: URL) -> str:
    """The URL for people, without the password and without parameters."""
    return url.set(query={}).render_as_string()


def said(error: Exception, url: URL) -> str:
    """What the database or its driver said, on one line and without the password."""
    cause: BaseException = (error.orig if isinstance(error, DBAPIError) else None) or error
    last = cause.args[-1] if cause.args else cause
    text = last.get("M", "") if isinstance(last, dict) else str(last)
    if url.password:
        for password in (url.password, quote(url.password), quote(url.password, safe="")):
            text = text.replace(password, "***")
    return " ".join(text.split()).rstrip(".")
