"""Attributes of the customers: a query's rows, as a training channel and in scoring records.

See docs/decisions/lambdas.md#attributes-are-of-a-query-of-their-own.
"""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Container
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sql
from ordergap.errors import DataError
from ordergap.ingest.cells import customers, is_blank

from lambdas.extract_orders.reading import read, refused, subquery, types_of
from lambdas.shared.customers import without
from lambdas.shared.errors import BadEvent, SourceColumnMissing

CUSTOMER, SINCE = "customer_id", "valid_from"
"""The columns that are no attributes: whose row it is, and from which day on it holds."""
SETTING = "market.customers_query"
_KNOWN = {CUSTOMER: pl.String, "attributes": pl.String}
_DATED = "_day"
_DAY = r"^\d{4}-\d{2}-\d{2}(?:[ T]|$)"


@dataclass(frozen=True)
class Attributes:
    """The rows of the query as text, and of each customer what holds at the end of `as_of`.

    rows   unchanged, with every day; none where nothing is asked
    known  customer_id, as orders are read, and `attributes` as a JSON object of text
    """

    rows: pl.DataFrame
    known: pl.DataFrame

    def files(self) -> list[bytes]:
        """The file of the training channel, where there are rows."""
        file = io.BytesIO()
        self.rows.write_parquet(file)
        return [file.getvalue()] if len(self.rows) else []

    def notes(self, scored: int, attributed: int) -> list[str]:
        """What there is of the customers who are scored, of whom so many have attributes."""
        known = len(self.known)
        sentence = (
            f"attributes: {len(self.rows):,} rows of {known:,} customers, "
            f"{known - attributed:,} of them without an order; {scored - attributed:,} of "
            f"{scored:,} customers with orders have none"
        )
        return [sentence] if len(self.rows) else []


def attributes(
    connection: sql.Connection,
    query: str | None,
    as_of: datetime.date,
    nobody: tuple[str, ...],
    forgotten: Container[str] | None = None,
) -> Attributes:
    """Read the attributes of all customers; none without a query.

    nobody     words that stand for no customer, whose rows are left out of `known`
    forgotten  customers whose rows are dropped

    Raises SourceColumnMissing, and BadEvent for what the database rejects, for days that are not
    written as 2011-12-09 and for two rows of one customer and day that differ.
    """
    if query is None:
        return Attributes(pl.DataFrame(), pl.DataFrame(schema=_KNOWN))
    source = subquery(query, "customers")
    with refused(connection, SETTING):
        actual = [*types_of(connection, source)]
    special = {name: name.lower() for name in actual if name.lower() in {CUSTOMER, SINCE}}
    if CUSTOMER not in special.values():
        raise SourceColumnMissing(
            f'{SETTING} has no column "{CUSTOMER}"; give the customers\' column this name by AS. '
            f"Columns seen: {', '.join(actual)}"
        )
    if len(actual) == len(special):
        raise BadEvent([f"{SETTING}: it has no attribute beside {', '.join(special)}"])
    frames: list[pl.DataFrame] = []
    with refused(connection, SETTING):
        read(connection, sql.select(*map(sql.column, actual)).select_from(source), frames.append)
    if not frames:
        raise BadEvent([f"{SETTING}: it has no rows; correct it, or leave it out"])
    rows = without(pl.concat(frames).rename(special), forgotten, nobody)
    return Attributes(rows, _known(rows, as_of, nobody))


def _known(rows: pl.DataFrame, as_of: datetime.date, nobody: tuple[str, ...]) -> pl.DataFrame:
    """What holds of each customer at the end of `as_of`: the latest row not after it."""
    names = [name for name in rows.columns if name not in {CUSTOMER, SINCE}]
    texts = rows[CUSTOMER].unique().drop_nulls()
    try:
        read_as = customers(texts, nobody)
    except DataError as error:
        raise BadEvent([f"{SETTING}: {error}"]) from None
    rows = rows.with_columns(
        rows[CUSTOMER].replace_strict(texts, read_as, default=None, return_dtype=pl.String)
    ).drop_nulls(CUSTOMER)
    rows = _dated(rows)
    _raise_for_two(rows, names)
    always, day = pl.col(_DATED).is_null(), pl.col(_DATED)
    rows = rows.filter(always | (day <= as_of)).sort(_DATED, nulls_last=False, maintain_order=True)
    last = rows.unique(CUSTOMER, keep="last", maintain_order=True)
    objects = [
        json.dumps({name: cell for name, cell in row.items() if cell is not None})
        for row in last.select(names).iter_rows(named=True)
    ]
    return pl.DataFrame({CUSTOMER: last[CUSTOMER], "attributes": objects}, schema=_KNOWN)


def _dated(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the day from which each holds; null where it always does."""
    if SINCE not in rows.columns:
        return rows.with_columns(pl.lit(None, pl.Date).alias(_DATED))
    blank = is_blank(rows[SINCE]).fill_null(value=True)
    day = rows[SINCE].str.slice(0, 10).set(blank, None).str.to_date("%Y-%m-%d", strict=False)
    written = rows[SINCE].str.contains(_DAY).fill_null(value=False)
    if (wrong := rows[SINCE].filter(~blank & (day.is_null() | ~written))).len():
        problem = (
            f"{SETTING}: {SINCE} {wrong[0]!r} is no day written as 2011-12-09; "
            f"select CAST({SINCE} AS DATE)"
        )
        raise BadEvent([problem])
    return rows.with_columns(day.alias(_DATED))


def _raise_for_two(rows: pl.DataFrame, names: list[str]) -> None:
    """BadEvent where rows of one customer hold from the same day and differ, as training does."""
    blank = {name: is_blank(rows[name]).fill_null(value=True) for name in names}
    values = (rows[name].str.strip_chars().set(blank[name], None) for name in names)
    cells = rows.select(CUSTOMER, _DATED, *values).unique(maintain_order=True)
    twice = cells.filter(pl.struct(CUSTOMER, _DATED).is_duplicated())
    if twice.is_empty():
        return
    customer, day = twice.row(0)[:2]
    same = (pl.col(CUSTOMER) == customer) & pl.col(_DATED).eq_missing(day)
    one, other = twice.filter(same).rows(named=True)[:2]
    name = next(name for name in names if one[name] != other[name])
    since = f"from {day}" if day else "without a day"
    remedy = "keep the one that is right"
    if not day:
        remedy += f", or give in {SINCE} the day from which each holds"
    problem = (
        f"{SETTING}: customer {customer} has two rows {since} that differ in {name} "
        f"({one[name]!r} and {other[name]!r}): {remedy}, or leave the column out"
    )
    raise BadEvent([problem])
