"""Files beside those of orders that have no orders, such as a list of customers.

See docs/decisions/data.md#a-folders-data-are-what-is-not-known-to-be-something-else.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Set
from contextlib import suppress
from itertools import islice

import polars as pl

from ordergap.contract.column_names import DELIMITERS, column_name
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest import encodings, scanning
from ordergap.ingest.archives import content
from ordergap.ingest.header import Wanted, find_header, looks_like_data
from ordergap.ingest.roles import names
from ordergap.ingest.sources import Source

_LINES = 200  # that may be the header
_LISTED = 5  # files that a note names


def split(sources: Iterable[Source], columns: Columns) -> tuple[frozenset[str], dict[str, str]]:
    """The names of the columns that all files of orders have; and every other file.

    These are given as name -> the name with the number of its rows. A file has no orders where it
    names neither customer nor date and at most two other columns that have a meaning, or one such
    column alone; and only beside a file with both. A file without names of columns may have some.
    Raises DataError for a file of orders whose columns cannot be found.
    """
    needed = {columns.customer_column, columns.date_column}
    common: list[frozenset[str]] = []
    asides: dict[str, str] = {}
    refusals: list[DataError] = []
    for source in sources:
        present: frozenset[str] = frozenset()
        refusal = None
        try:
            present = frozenset(scanning.columns_of(source, columns))
        except DataError as error:
            refusal = error
        if not needed <= present and _has_no_orders(source, columns, present):
            asides[source.name] = f"{source.name} ({_size(source, columns)})"
            refusals += [refusal] if refusal else []
        elif refusal:
            raise refusal
        else:
            common.append(present)
    if not any(needed <= present for present in common):
        if refusals:
            raise refusals[0]
        return frozenset(), {}
    return frozenset.intersection(*common), asides


def note(asides: Collection[str]) -> tuple[str, ...]:
    """A sentence for the user on files that `split` has found to be without orders."""
    listed = ", ".join(sorted(asides)[:_LISTED]) + ", …" * (len(asides) > _LISTED)
    return (f"passed over, as they have no columns of orders: {listed}",) if asides else ()


def _has_no_orders(source: Source, columns: Columns, present: frozenset[str]) -> bool:
    """Whether none of the lines that may be its header names columns of orders.

    present  the names of its columns; none where they cannot be found
    """
    headers: Iterable[Set[str]] = [present]
    if source.form == "csv":
        head = encodings.beginning(source.head)
        try:
            header = find_header(head, source.name, Wanted((), (), "", (), ()), None)
        except DataError:
            return False
        present, headers = frozenset(header.names if header.lines else ()), _lines(head)
    if not present or looks_like_data(present):
        return False
    needed = {columns.customer_column, columns.date_column}
    used = {*names(columns).values()}
    return all(len(found & used) <= (1 if found & needed else 2) for found in headers) and not (
        _normal(needed) <= _normal(present)  # but for letter case and blanks
    )


def _normal(names: Iterable[str]) -> set[str]:
    return {re.sub(r"[\W_]+", "", name).casefold() for name in names}


def _lines(head: str) -> Iterator[Set[str]]:
    """The names that a text may have as its header: cells of any of its first lines."""
    for line in islice(io.StringIO(head), _LINES):
        for delimiter in DELIMITERS:
            with suppress(csv.Error):
                yield set(map(column_name, next(csv.reader([line], delimiter=delimiter), [])))


def _size(source: Source, columns: Columns) -> str:
    if source.form == "csv":
        with content(source.data) as file:
            return f"{sum(1 for _ in file):,} lines"
    count = scanning.read(
        source,
        columns,
        lambda version: version.frame.select(pl.len()).collect().item(),
        search=False,
    )
    return f"{count:,} rows"
