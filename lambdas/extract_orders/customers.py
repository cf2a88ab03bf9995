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

    Raises SourceColumnMissing, and BadEvent for what the database rejects and for days that are not
    written as 2011-12-09.
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
    if SINCE in rows.columns:
        rows = _until(rows, as_of)
    last = rows.unique(CUSTOMER, keep="last", maintain_order=True)
    objects = [
        json.dumps({name: cell for name, cell in row.items() if cell is not None})
        for row in last.select(names).iter_rows(named=True)
    ]
    return pl.DataFrame({CUSTOMER: last[CUSTOMER], "attributes": objects}, schema=_KNOWN)


def _until(rows: pl.DataFrame, as_of: datetime.date) -> pl.DataFrame:
    """The rows that hold from `as_of` or earlier, by day; those without a day come first."""
    blank = is_blank(rows[SINCE]).fill_null(value=True)
    day = rows[SINCE].str.slice(0, 10).set(blank, None).str.to_date("%Y-%m-%d", strict=False)
    written = rows[SINCE].str.contains(_DAY).fill_null(value=False)
    if (wrong := rows[SINCE].filter(~blank & (day.is_null() | ~written))).len():
        problem = (
            f"{SETTING}: {SINCE} {wrong[0]!r} is no day written as 2011-12-09; "
            f"select CAST({SINCE} AS DATE)"
        )
        raise BadEvent([problem])
    dated = rows.with_columns(day.alias(_DATED)).filter(blank | (day <= as_of))
    return dated.sort(_DATED, nulls_last=False, maintain_order=True)
