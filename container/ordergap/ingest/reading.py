"""Where transactions come from: a path, a frame, the body of a request."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from pathlib import Path

from polars.exceptions import PanicException, PolarsError

from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.frames import Frame, blocks
from ordergap.ingest.cleaning import Cleaned, clean
from ordergap.ingest.scanning import scan, versions
from ordergap.ingest.sources import DAMAGED, Source, data_files, find, open_source
from ordergap.ingest.table import Tabulator, names

Orders = str | os.PathLike[str] | Frame
"""A path of transactions, or a frame of them."""

# A damaged Parquet file makes polars panic.
_UNREADABLE = (PolarsError, PanicException)


def read(
    source: Orders,
    columns: Columns,
    content_type: str | None = None,
    *,
    part: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Clean the transactions of a file, of all data files of a folder, or of a frame.

    A file is CSV, Parquet or JSON Lines, as `content_type` says, else as its beginning and its
    suffix say; CSV and JSON Lines may be gzipped. A frame is one of pandas, polars or pyarrow. The
    same orders give the same histories whichever way they come, and whatever the types of a
    frame's columns; of a moment with a time zone the day is that of the zone's clock. Rows after
    the day `as_of` are counted and not used. Of a `part` of the transactions no row need be
    usable. Raises DataError (MissingColumn) and UnsupportedMediaType.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return _clean(find(path, content_type), columns, str(path), part=part, as_of=as_of)
    tabulator = Tabulator(columns)
    try:
        for block in blocks(source):
            tabulator.add(block, "the frame")
    except (*_UNREADABLE, OSError) as error:  # a LazyFrame may be of a file
        raise DataError(f"the frame cannot be read: {_first_line(error)}") from error
    return clean(tabulator.table(), columns, "the frame", part=part, as_of=as_of)


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
    strict: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """Clean the transactions of a request's body.

    `strict` raises InvalidRequest, naming row and column, for cells that cannot be read and for
    rows after `as_of` instead of counting them; customers without an order are in `seen`, and it
    is no error if nobody has one. Raises DataError (MissingColumn) and UnsupportedMediaType.
    """
    where = "the request"
    source = open_source(where, body, content_type)
    return _clean([source], columns, where, strict=strict, as_of=as_of)


def _clean(
    sources: Iterable[Source],
    columns: Columns,
    where: str,
    *,
    strict: bool = False,
    part: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    tabulator = Tabulator(columns)
    for source in sources:
        _add(source, tabulator, set(names(columns).values()))
    return clean(tabulator.table(), columns, where, strict=strict, part=part, as_of=as_of)


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
