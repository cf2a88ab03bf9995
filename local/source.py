"""The shop's database for a run: PostgreSQL where it is installed, else SQLite; out of a file."""

from __future__ import annotations

import os
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

import polars as pl
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest.cells import dates
from ordergap.ingest.scanning import scan, versions
from ordergap.ingest.sources import find
from ordergap.ingest.table import names

from local.ports import free_port

START_SECONDS = 60
TABLE = "orders"


class Database(Protocol):
    """A database with room for tables."""

    @property
    def kind(self) -> str:
        """What users call it."""
        ...

    @property
    def url(self) -> str:
        """Where it is, as SQLAlchemy writes it."""
        ...

    def load(self, table: str, frame: pl.DataFrame) -> None:
        """Make a table of the frame, in the place of one that is there."""
        ...


def read(path: Path, columns: Columns) -> pl.DataFrame:
    """The rows of a file, or of a folder of files, as a shop's database holds them.

    Dates are moments and numbers are numbers where every cell of the column can be read; all else
    stays text, down to the blanks. Raises DataError.
    """
    wanted = set(names(columns).values())
    frames = []
    for source in find(path):
        reason: Exception | None = None
        for data, _ in versions(source, wanted):
            try:
                frames.append(scan(source, data, wanted)[0].collect())
                break
            except pl.exceptions.PolarsError as error:
                reason = error
        else:
            raise DataError(f"{source.name} cannot be read as {source.form}: {reason}") from reason
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
    moments = dates(distinct, columns.date_format).moments
    if moments.null_count() > distinct.null_count():
        return cells
    return cells.replace_strict(distinct, moments, return_dtype=pl.Datetime("us"))


def _numbers(cells: pl.Series) -> pl.Series:
    numbers = cells.cast(pl.Float64, strict=False)
    return cells if numbers.null_count() > cells.null_count() else numbers


@contextmanager
def database() -> Iterator[Database]:
    """An empty database; it is gone afterwards, with its server and its files.

    PostgreSQL where its programs are installed and it starts, SQLite elsewhere.
    """
    programs, kind = _postgres_programs(), "SQLite"
    server: Database | None = None
    with ExitStack() as stack:
        if programs:
            try:
                server = stack.enter_context(_postgres(programs))
            except OSError as error:
                kind = f"SQLite, for {error}"
        if server is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ordergap-db-"))
            server = Sqlite(Path(folder) / "shop.db", kind)
        yield server


@dataclass(frozen=True)
class Sqlite:
    """A database in a file."""

    path: Path
    kind: str = "SQLite"

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
    kind: str = "PostgreSQL"

    @property
    def url(self) -> str:
        """See `Database`."""
        return f"postgresql+pg8000://{USER}@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *words: str | Path, rows: bytes = b"") -> None:
        """Run one of its client programs with `rows` as its input; OSError where it fails."""
        place = ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}"]
        done = subprocess.run(
            [self.programs / program, *place, "--dbname=postgres", *words],
            input=rows,
            check=False,
            capture_output=True,
        )
        if done.returncode:
            raise OSError(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")

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
    """The folder of the newest installed server; Debian keeps it off PATH."""
    on_path = shutil.which("initdb")
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[4])
    )
    if on_path:
        found.append(Path(on_path).resolve())
    return found[-1].parent if found else None


@contextmanager
def _postgres(programs: Path) -> Iterator[Postgres]:
    """A server with a new cluster, as the user `postgres` where this one is root."""
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ordergap-db-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user, user)
        data, log = Path(folder) / "data", Path(folder) / "log"
        made = subprocess.run(
            [
                programs / "initdb", "--pgdata", data, "--username", USER, "--auth", "trust",
                "--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
            ],
            check=False, capture_output=True, text=True, cwd=folder,
            user=user, group=user, extra_groups=[] if user else None,
        )  # fmt: skip
        if made.returncode:
            raise OSError(f"initdb failed: {made.stderr.strip()}")
        server = Postgres(programs, free_port())
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
            process.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
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
