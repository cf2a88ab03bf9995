"""The shop's database holds the file's rows, with types where that loses nothing."""

from __future__ import annotations

import datetime
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy
from ordergap.contract.orders import Columns
from ordergap.errors import DataError

from local import source
from tests.sources import engine_of

MORNING = datetime.datetime.fromisoformat("2011-01-13 08:26")
COLUMNS = Columns(
    customer_column="client", date_column="day", quantity_column="n", amount_column="total"
)


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def rows(database: source.Database, query: str) -> list[tuple[object, ...]]:
    engine = engine_of(database.url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
    finally:
        engine.dispose()


def test_dates_and_numbers_are_typed_and_the_rest_is_text(tmp_path: Path):
    file = written(
        tmp_path / "orders.csv",
        "client,day,n,total,note\n007,13/1/2011 8:26,2,9.5,café\n 17850.0,1/2/2011 10:00,1,3,\n",
        "latin-1",
    )
    frame = source.read(file, COLUMNS)
    assert frame["day"].to_list() == [
        MORNING,
        datetime.datetime.fromisoformat("2011-02-01 10:00"),
    ]
    assert frame["total"].to_list() == [9.5, 3.0]
    assert frame["client"].to_list() == ["007", " 17850.0"]
    assert frame["note"].to_list() == ["café", None]


def test_a_column_with_a_cell_that_cannot_be_read_stays_text(tmp_path: Path):
    file = written(
        tmp_path / "orders.csv", "client,day,n,total\na,2011-01-02,two,1\nb,someday,1,2\n"
    )
    frame = source.read(file, COLUMNS)
    assert frame["day"].to_list() == ["2011-01-02", "someday"]
    assert frame["n"].to_list() == ["two", "1"]


def test_several_files_are_one_table(tmp_path: Path):
    written(tmp_path / "a.csv", "client,day,n,total\na,2011-01-02,1,1\n")
    written(tmp_path / "b.csv", "client,day,total\nb,2011-01-03,2\n")
    frame = source.read(tmp_path, COLUMNS)
    assert frame.select("client", "n").rows() == [("a", 1.0), ("b", None)]


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        source.read(tmp_path / "nowhere.csv", COLUMNS)


FRAME = pl.DataFrame(
    {
        "the day": [MORNING, None],
        'a "name"': ["x,y\nz", None],
        "empty": ["", "0"],
        "number": [1.5, None],
        "whole": [3, 4],
    }
)
SELECTED = 'SELECT * FROM "or ders" ORDER BY whole'


def test_a_database_returns_the_frame_it_was_loaded_with():
    with source.database() as database:
        for _ in range(2):  # the second table replaces the first
            database.load("or ders", FRAME)
        result = rows(database, SELECTED)
    first = FRAME.rows()[0]
    if database.kind.startswith("SQLite"):
        first = ("2011-01-13 08:26:00.000000", *first[1:])
    assert result == [first, FRAME.rows()[1]]


def test_sqlite_is_used_where_postgresql_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "_postgres_programs", lambda: None)
    with source.database() as database:
        database.load("or ders", FRAME)
        assert database.kind == "SQLite (PostgreSQL's server is not installed)"
        path = database.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as connection:
            result = connection.execute(SELECTED).fetchall()
    assert result == [
        ("2011-01-13 08:26:00.000000", "x,y\nz", "", 1.5, 3),
        (None, None, "0", None, 4),
    ]
    assert not Path(path).exists()
