"""How cells of a role are read: the one place where an inspection asks the reader for values."""

from __future__ import annotations

import datetime

import polars as pl

from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError
from ordergap.ingest import cells, dates, numerals
from ordergap.ingest.date_parts import ORDERS
from ordergap.ingest.statuses import excluded


def numbers(texts: pl.Series) -> pl.Series:
    """(k,) numbers, null where a text is none, whichever decimal mark it has."""
    return numerals.read(texts, "point").fill_null(numerals.read(texts, "comma"))


def are_dates(texts: pl.Series) -> pl.Series:
    """(k,) whether a text can be read as a date, whatever the sequence of day and month."""
    dated = dates.Texts(texts)
    read = [dates.read(dated, order=order).is_not_null() for order in ORDERS]
    return read[0] | read[1] | read[2]


def understood(
    role: str, texts: pl.Series, columns: Columns, conventions: Conventions
) -> list[str | None]:
    """What each of the (k,) different cells of a column was understood as; None: unreadable.

    conventions  what was found out from all rows
    """
    if role == "date":
        zone = columns.time_zone
        moments = dates.read(texts, columns.date_format, conventions.date_order, zone)
        return [_day(moment) for moment in moments]
    if role in {"quantity", "price", "amount"}:
        values = numerals.read(texts, conventions.decimal)
        return [None if value is None else f"{value:.15g}" for value in values]
    if role == "customer":
        try:
            return [text or "nobody" for text in cells.customers(texts, columns.no_customer_words)]
        except DataError:  # an id that lost digits
            return [None] * len(texts)
    if role == "status":
        return ["does not count" if each else "counts" for each in excluded(texts, columns)]
    return texts.to_list()


def _day(moment: datetime.datetime | None) -> str | None:
    if moment is None:
        return None
    return str(moment.date()) if moment.time() == datetime.time() else f"{moment:%Y-%m-%d %H:%M}"
