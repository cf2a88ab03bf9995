"""The ways in: a path, a frame, the body of a request."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.ingest.cleaning import Cleaned, clean
from ordergap.ingest.scanning import scan, versions
from ordergap.ingest.sources import DAMAGED, Source, data_files, find, open_source
from ordergap.ingest.table import Tabulator, names

# A damaged Parquet file makes the library panic.
_UNREADABLE = (PolarsError, PanicException)


def read(
    path: Path | str,
    columns: Columns,
    content_type: str | None = None,
    *,
    part: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """The transactions of a file, or of all data files of a folder, cleaned.

    CSV, Parquet or JSON Lines, as `content_type` says, else as their beginning and their suffix
    say; CSV and JSON Lines may be gzipped. Rows after the day `as_of` are counted and not looked
    at. Of a `part` of the transactions no row need be usable. Raises DataError (MissingColumn) and
    UnsupportedMediaType.
    """
    path = Path(path)
    return _clean(find(path, content_type), columns, str(path), part=part, as_of=as_of)


def has_data(path: Path) -> bool:
    """Whether `path` is a file, or a folder with data files."""
    return path.is_file() or bool(data_files(path))


def from_bytes(
    body: bytes,
    content_type: str | None,
    columns: Columns,
    *,
    strict: bool = False,
    as_of: datetime.date | None = None,
) -> Cleaned:
    """The transactions of a request's body, cleaned.

    `strict` refuses cells that cannot be read and rows after `as_of` (InvalidRequest naming row
    and column) instead of counting them, and returns customers without orders, in `seen`, instead
    of refusing them. Raises DataError (MissingColumn) and UnsupportedMediaType.
    """
    where = "the request"
    source = open_source(where, body, content_type)
    return _clean([source], columns, where, strict=strict, as_of=as_of)


class _Series(Protocol):
    @property
    def dtype(self) -> object: ...
    def to_numpy(self, dtype: object = ...) -> np.ndarray: ...
    def isna(self) -> _Series: ...


class PandasFrame(Protocol):
    """What is used of a pandas DataFrame, which is not needed for anything else."""

    def items(self) -> Iterable[tuple[Hashable, _Series]]:
        """Names and columns."""
        ...


def from_frame(frame: pl.DataFrame | PandasFrame, columns: Columns) -> Cleaned:
    """The transactions of a polars or pandas frame, cleaned. Raises DataError (MissingColumn)."""
    if not isinstance(frame, pl.DataFrame):
        frame = pl.DataFrame({str(name): _column(series) for name, series in frame.items()})
    tabulator = Tabulator(columns)
    try:
        tabulator.add(frame.lazy(), "the frame")
    except _UNREADABLE as error:
        raise DataError(f"the frame cannot be read: {error}") from error
    return clean(tabulator.table(), columns, "the frame")


def _column(series: _Series) -> pl.Series:
    """A pandas column without pyarrow: numbers and moments as they are, all else as text."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iufM":
        values = series.to_numpy()
        return pl.Series(values.astype("datetime64[us]") if values.dtype.kind == "M" else values)
    missing = series.isna().to_numpy()
    values = series.to_numpy(dtype=object)
    return pl.Series(
        [None if gone else str(value) for value, gone in zip(values, missing, strict=True)],
        dtype=pl.String,
    )


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
        _take(source, tabulator, set(names(columns).values()))
    return clean(tabulator.table(), columns, where, strict=strict, part=part, as_of=as_of)


def _take(source: Source, tabulator: Tabulator, wanted: set[str]) -> None:
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
        f"{source.name} cannot be read as {source.form}: {str(reason).partition(chr(10))[0]}"
    ) from reason
