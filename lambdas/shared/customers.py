"""Which rows of a table are of certain customers, by the ids as ingest reads them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import polars as pl
from ordergap.errors import DataError
from ordergap.ingest.cells import customers, identifiers, plain

COLUMNS = ("customer_id", "customerid", "lead_id")
"""The columns that say who, in lower case, in what the pipeline writes."""
_ORDER = "invoiceno"


def normal(texts: Sequence[str], nobody: Iterable[str] = ()) -> list[str | None]:
    """The ids as ingest reads them; a number that lost digits is taken as it is written."""
    series = plain(pl.Series(texts, dtype=pl.String))
    try:
        return customers(series, nobody).to_list()
    except DataError:
        return identifiers(series).to_list()


def of(frame: pl.DataFrame, chosen: Container[str], nobody: Iterable[str] = ()) -> pl.Series:
    """For each row whether it is of a chosen customer.

    A row without a customer is of the customer whom other rows of its order name, where these name
    no other. A table without a column of `COLUMNS` has no row of anybody.

    nobody  words that stand for no customer
    """
    names = {name.lower(): name for name in frame.columns}
    mine = pl.repeat(value=False, n=len(frame), dtype=pl.Boolean, eager=True)
    for name in filter(None, map(names.get, COLUMNS)):
        who = frame[name].cast(pl.String)
        texts = who.unique().drop_nulls()
        hits = [each is not None and each in chosen for each in normal(texts.to_list(), nobody)]
        of_column = who.is_in(texts.filter(pl.Series(hits, dtype=pl.Boolean)).implode())
        mine |= of_column.fill_null(value=False)
        if _ORDER in names and mine.any():
            order = identifiers(frame[names[_ORDER]].cast(pl.String))
            near = (order.is_in(order.filter(mine).implode()) & ~mine).fill_null(value=False)
            read_as = normal(who.filter(near).fill_null("").to_list(), nobody)
            nameless = pl.Series([each is None for each in read_as], dtype=pl.Boolean)
            shared = order.filter(near).filter(~nameless)
            own = nameless & ~order.filter(near).is_in(shared.implode())
            mine = mine.scatter(near.arg_true().filter(own), True)
    return mine


def without(
    frame: pl.DataFrame, chosen: Container[str] | None, nobody: Iterable[str] = ()
) -> pl.DataFrame:
    """The rows that are not of a chosen customer; all where nobody is chosen."""
    return frame if chosen is None else frame.filter(~of(frame, chosen, nobody))
