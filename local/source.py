"""The shop's database for a run, filled from a file: PostgreSQL if installed, else SQLite."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import polars as pl
from ordergap.clock import today
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest import Evidence, dates, decide, scanning
from ordergap.ingest.sources import find

from local.ports import free_port

START_SECONDS = 60
TABLE = "orders"


class Database(Protocol):
    """An empty database."""

    @property
    def kind(self) -> str:
        """Its name for the user."""
        ...

    @property
    def url(self) -> str:
        """Its URL, in SQLAlchemy's form."""
        ...

    def load(self, table: str, frame: pl.DataFrame) -> None:
        """Create a table of the frame, replacing one of that name."""
        ...


def read(path: Path, columns: Columns) -> pl.DataFrame:
    """The rows of a file or a folder of files, with types as in a shop's database.

    A column of dates or numbers has that type if all its cells can be read. All other columns are
    text, unchanged. Raises DataError.
    """
    frames = [
        scanning.read(source, columns, lambda version: version.frame.collect())
        for source in find(path, date_column=columns.date_column)
    ]
    frame = pl.concat(frames, how="diagonal_relaxed")
    numbers = (columns.quantity_column, columns.price_column, columns.amount_column)
    return frame.with_columns(
        *(_moments(frame[name], columns) for name in (columns.date_column,) if name in frame),
        *(_numbers(frame[name]) for name in numbers if name and name in frame.columns),
    )


def _moments(cells: pl.Series, columns: Columns) -> pl.Series:
    if cells.dtype != pl.String:
        return cells
    distinct = cells.unique()
    try:
        shown = Evidence.of(columns, distinct, {}, today())
        order = decide(shown, columns).conventions.date_order
    except DataError:
        return cells  # for the extraction to refuse
    moments = dates.read(distinct, columns.date_format, order, columns.time_zone)
    if moments.null_count() > distinct.null_count():
        return cells
    return cells.replace_strict(distinct, moments, return_dtype=pl.Datetime("us"))


def _numbers(cells: pl.Series) -> pl.Series:
    numbers = cells.cast(pl.Float64, strict=False)
    return cells if numbers.null_count() > cells.null_count() else numbers


@contextmanager
def database() -> Iterator[Database]:
    """An empty database while the context lasts: PostgreSQL if it starts, else SQLite."""
    server: Database
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except OSError as error:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ordergap-db-"))
            server = Sqlite(Path(folder) / "shop.db", f"SQLite ({error})")
        yield server


@dataclass(frozen=True)
class Sqlite:
    """A database in a file."""

    path: Path
    kind: str

    @property
    def url(self) -> str:
        """See `Database`."""
        return f"sqlite:///{self.path}"

    def load(self, table: str, frame: pl.DataFrame) -> None:
        """See `Database`."""
        text = frame.with_columns(
            pl.col(pl.Datetime).dt.to_string("%Y-%m-%d %H:%M:%S%.6f"), pl.col(pl.Date).cast(str)
        )
        columns = ", ".join(
            f"{_quoted(name)} {'REAL' if dtype.is_numeric() else 'TEXT'}"
            for name, dtype in text.schema.items()
        )
        marks = ", ".join("?" * text.width)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"DROP TABLE IF EXISTS {_quoted(table)}")
            connection.execute(f"CREATE TABLE {_quoted(table)} ({columns})")
            connection.executemany(
                f"INSERT INTO {_quoted(table)} VALUES ({marks})",  # noqa: S608
                text.iter_rows(),
            )


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server on this machine."""

    programs: Path
    port: int
    password: str
    kind: str = "PostgreSQL"

    @property
    def url(self) -> str:
        """See `Database`."""
        password = quote(self.password, safe="")
        server = f"postgresql+pg8000://{USER}:{password}@127.0.0.1:{self.port}/postgres"
        return f"{server}?sslmode=disable"  # it has no certificate

    def run(self, program: str, *arguments: str, rows: bytes = b"") -> None:
        """Run one of its client programs with `rows` as input. Raises OSError."""
        server = ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}"]
        result = subprocess.run(
            [self.programs / program, *server, "--dbname=postgres", *arguments],
            input=rows,
            env={"PGPASSWORD": self.password},
            check=False,
            capture_output=True,
        )
        if result.returncode:
            raise OSError(f"{program} failed: {result.stderr.decode(errors='replace').strip()}")

    def load(self, table: str, frame: pl.DataFrame) -> None:
        """See `Database`."""
        columns = ", ".join(f"{_quoted(name)} {_sql(kind)}" for name, kind in frame.schema.items())
        name = _quoted(table)
        self.run(
            "psql",
            "--no-psqlrc",
            f"--command=DROP TABLE IF EXISTS {name}",
            f"--command=CREATE TABLE {name} ({columns})",
            f"--command=COPY {name} FROM STDIN WITH (FORMAT csv)",
            rows=frame.write_csv(include_header=False).encode(),
        )


USER = "shop"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql(dtype: pl.DataType) -> str:
    if dtype == pl.Datetime:
        return "TIMESTAMP"
    if dtype == pl.Date:
        return "DATE"
    if dtype.is_integer():
        return "BIGINT"
    return "DOUBLE PRECISION" if dtype.is_numeric() else "TEXT"


def _postgres_programs() -> Path | None:
    """The folder of the newest installed server, which need not be on PATH."""
    on_path = shutil.which("initdb")
    initdbs = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[4])
    )
    if on_path:
        initdbs.append(Path(on_path).resolve())
    return initdbs[-1].parent if initdbs else None


@contextmanager
def postgres(password: str | None = None) -> Iterator[Postgres]:
    """A server with an empty database while the context lasts. The password is random by default.

    It runs as the user `postgres` where this user is root, which PostgreSQL refuses. Raises OSError
    where it is not installed or does not start.
    """
    programs = _postgres_programs()
    if programs is None:
        raise OSError("PostgreSQL's server is not installed")
    password = password or secrets.token_hex(8)
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ordergap-db-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user, user)
        data, log, secret = (Path(folder) / name for name in ("data", "log", "password"))
        secret.write_text(password, encoding="utf-8")
        result = subprocess.run(
            [
                programs / "initdb", "--pgdata", data, "--username", USER,
                "--auth", "scram-sha-256", "--pwfile", secret, "--encoding", "UTF8",
                "--no-locale", "--no-sync", "--no-instructions",
            ],
            check=False, capture_output=True, text=True, cwd=folder,
            user=user, group=user, extra_groups=[] if user else None,
        )  # fmt: skip
        if result.returncode:
            raise OSError(f"initdb failed: {result.stderr.strip()}")
        server = Postgres(programs, free_port(), password)
        options = {
            "port": str(server.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    programs / "postgres", "-D", data,
                    *(word for pair in options.items() for word in ("-c", "=".join(pair))),
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                user=user, group=user, extra_groups=[] if user else None, start_new_session=True,
            )  # fmt: skip
        try:
            _wait(server, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # immediate shutdown, without a checkpoint
            process.wait()


def _wait(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            server.run("pg_isready", "--quiet")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise OSError(f"PostgreSQL did not start: {log.read_text(errors='replace').strip()[-500:]}")
