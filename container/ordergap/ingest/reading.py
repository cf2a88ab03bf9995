"""Where transactions come from: a path, a frame, the body of a request."""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from polars.exceptions import PanicException, PolarsError

from ordergap.clock import today
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError
from ordergap.frames import Frame, blocks
from ordergap.ingest import cells, dates
from ordergap.ingest.cleaning import Cleaned, clean
from ordergap.ingest.conventions import Decided, Evidence, decide
from ordergap.ingest.filling import fill
from ordergap.ingest.plausibility import by_day
from ordergap.ingest.scanning import scan, versions
from ordergap.ingest.sources import DAMAGED, Source, data_files, find, open_source
from ordergap.ingest.table import Table, Tabulator, names

Orders = str | os.PathLike[str] | Frame
"""A path of transactions, or a frame of them."""

# A damaged Parquet file makes polars panic.
_UNREADABLE = (PolarsError, PanicException)


@dataclass(frozen=True)
class Rows:
    """Transactions that are tabulated, but not read yet, and what messages call them."""

    table: Table
    where: str

    def evidence(self, columns: Columns) -> Evidence:
        """What the cells show of the conventions by which they are written."""
        numbers = {
            names(columns)[role]: self.table.texts[role]
            for role in ("quantity", "price")
            if role in self.table.present - self.table.typed
        }
        return Evidence.of(columns, self.table.texts["date"], numbers, today())

    def by_day(self, columns: Columns, decided: Decided) -> Counter[int]:
        """Day since 1970-01-01 -> number of rows, as cleaning has them."""
        moments = dates.read(
            self.table.texts["date"],
            columns.date_format,
            decided.conventions.date_order,
            columns.time_zone,
        )
        customers = cells.customers(self.table.texts["customer"], columns.no_customer_words)
        return by_day(fill(self.table, customers, moments).rows["date"], moments)

    def clean(
        self,
        columns: Columns,
        decided: Decided,
        *,
        strict: bool = False,
        part: bool = False,
        whole: Mapping[int, int] | None = None,
        as_of: datetime.date | None = None,
    ) -> Cleaned:
        """As `read`, by conventions that are decided.

        whole  where these are a part: the sum of `by_day` of all parts
        """
        conventions, notes = decided
        priced = "price" in self.table.present
        conventions = conventions.model_copy(update={"amounts": priced})
        cleaned = clean(
            self.table, columns, conventions, self.where,
            strict=strict, part=part, whole=whole, as_of=as_of,
        )  # fmt: skip
        report = cleaned.report
        return replace(cleaned, report=report.model_copy(update={"notes": notes + report.notes}))


def tabulate(
    source: Orders,
    columns: Columns,
    content_type: str | None = None,
    known: Conventions | None = None,
) -> Rows:
    """The rows of a file, of all data files of a folder, or of a frame, as `read` has them."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return _tabulate(find(path, content_type), columns, str(path), known)
    tabulator = _tabulator(columns, known)
    try:
        for block in blocks(source):
            tabulator.add(block, "the frame")
    except (*_UNREADABLE, OSError) as error:  # a LazyFrame may be of a file
        raise DataError(f"the frame cannot be read: {_first_line(error)}") from error
    return Rows(tabulator.table(), "the frame")


def read(
    source: Orders,
    columns: Columns,
    content_type: str | None = None,
    *,
    known: Conventions | None = None,
    part: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Clean the transactions of a file, of all data files of a folder, or of a frame.

    A file is CSV, Parquet or JSON Lines, as `content_type` says, else as its beginning and its
    suffix say; CSV and JSON Lines may be gzipped. A frame is one of pandas, polars or pyarrow. The
    same orders give the same histories whichever way they come, and whatever the types of a
    frame's columns.

    known  conventions by which cells are written, as a model learnt them; None: they are found out
    part   whether these are only a part of the transactions, of which no row need be usable
    as_of  rows after this day are counted and not used

    Raises DataError (MissingColumn) and UnsupportedMediaType.
    """
    rows = tabulate(source, columns, content_type, known)
    decided = decide(rows.evidence(columns), columns, known)
    return rows.clean(columns, decided, part=part, as_of=as_of)


def has_data(source: Orders) -> bool:
    """Whether `source` is a frame, a file, or a folder with data files."""
    if not isinstance(source, str | os.PathLike):
        return True
    path = Path(source)
    return path.is_file() or bool(data_files(path))


def from_bytes(
    body: bytes,
    content_type: str | None,
    columns: Columns,
    *,
    known: Conventions | None = None,
    strict: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Clean the transactions of a request's body.

    `strict` raises InvalidRequest, naming row and column, for cells that cannot be read and for
    rows after `as_of` instead of counting them; customers without an order are in `seen`, and it
    is no error if nobody has one. Raises DataError (MissingColumn) and UnsupportedMediaType.
    """
    where = "the request"
    rows = _tabulate([open_source(where, body, content_type)], columns, where, known)
    decided = decide(rows.evidence(columns), columns, known, strict=strict)
    return rows.clean(columns, decided, strict=strict, as_of=as_of)


def _tabulator(columns: Columns, known: Conventions | None) -> Tabulator:
    return Tabulator(columns, amounts=bool(known and known.amounts))


def _tabulate(
    sources: Iterable[Source], columns: Columns, where: str, known: Conventions | None
) -> Rows:
    tabulator = _tabulator(columns, known)
    for source in sources:
        _add(source, tabulator, set(names(columns).values()))
    return Rows(tabulator.table(), where)


def _add(source: Source, tabulator: Tabulator, wanted: set[str]) -> None:
    """Add the first version of the data that can be read."""
    reason: BaseException | None = None
    try:
        for data, notes in versions(source, wanted):
            try:
                frame, more = scan(source, data, wanted)
                tabulator.add(frame, source.name, notes + more)
            except _UNREADABLE as error:
                reason = error
            else:
                return
    except DAMAGED as error:
        reason = error
    raise DataError(
        f"{source.name} cannot be read as {source.form}: {_first_line(reason)}"
    ) from reason


def _first_line(error: BaseException | None) -> str:
    return str(error).partition("\n")[0]
