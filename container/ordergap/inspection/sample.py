"""The first rows of a source as text, and how its files are written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from ordergap.contract.orders import Columns
from ordergap.errors import DataError, UserError
from ordergap.frames import blocks
from ordergap.ingest import Orders, encodings, listings, nested, scanning, workbooks
from ordergap.ingest.archives import compression
from ordergap.ingest.header import Wanted, find_header
from ordergap.ingest.sources import Source, find
from ordergap.ingest.table import OPTIMIZATIONS
from ordergap.inspection.result import File

ROWS = 100_000  # looked at in all
FILES = 20  # looked at
_TEXTS = ("csv", "json")
_LINES, _LONGEST = 5, 100  # of a file that cannot be read, and their characters


@dataclass(frozen=True)
class Sample:
    """The first rows of a source.

    cells        text, null where there is none; of several files all columns that any has
    files        the files that were looked at
    header_line  where the header is, if it is not found without being told; 0: there is none
    """

    cells: pl.DataFrame
    files: tuple[File, ...] = ()
    header_line: int | None = None


def take(source: Orders, columns: Columns) -> Sample:
    """The first rows, of each of the first files an equal share.

    Raises DataError where a file cannot be read.
    """
    if not isinstance(source, str | os.PathLike):
        try:
            frame, _ = nested.frame(next(blocks(source)), columns, "the frame")
            return Sample(_texts(frame.head(ROWS)))
        except (PolarsError, PanicException, OSError) as error:  # a LazyFrame may be of a file
            raise DataError(f"the frame cannot be read: {error}") from error
    path = Path(source)
    found = list(islice(find(path, date_column=columns.date_column), FILES))
    told = columns.header_line is not None
    line = None
    if found[0].form == "workbook" and not told:
        line = workbooks.line_below_title(found[0].data, found[0].name)
        columns = columns.model_copy(update={"header_line": line})
    frames, files = zip(
        *(_take(one, path, columns, ROWS // len(found)) for one in found), strict=True
    )
    if found[0].form == "csv" and not told:
        line = _line_below_title(found[0], files[0], frames[0])
    return Sample(pl.concat(frames, how="diagonal"), files, line)


def glimpse(source: Orders) -> tuple[tuple[File, ...], tuple[str, ...]]:
    """The first file and its first lines, of a source of which no rows can be read."""
    try:
        path = Path(source)  # type: ignore[arg-type]  # a frame has no lines
        first = next(find(path))
    except (TypeError, UserError):
        return (), ()
    lines = first.head.decode(errors="replace").splitlines() if first.form in _TEXTS else []
    return (_file(first, path),), tuple(line[:_LONGEST] for line in lines[:_LINES])


def _take(source: Source, path: Path, columns: Columns, rows: int) -> tuple[pl.DataFrame, File]:
    def cells(version: scanning.Version) -> tuple[pl.DataFrame, scanning.Version]:
        return _texts(version.frame.head(rows)), version

    frame, version = scanning.read(source, columns, cells, search=False)
    facts: dict[str, object] = {}
    if source.form in _TEXTS:
        shown = columns.encoding or version.encoding or encodings.shown(source.head)
        facts["encoding"] = shown or "utf-8"
    if version.header:
        facts["delimiter"] = version.header.delimiter
        facts["header_line"] = version.header.skipped + 1 if version.header.lines else 0
    return frame, _file(source, path).model_copy(update=facts)


def _line_below_title(source: Source, file: File, cells: pl.DataFrame) -> int | None:
    """The line of a header that a reader who knows the columns does not take for one."""
    if file.header_line == 0:
        return 0
    head = encodings.beginning(source.head)
    if listings.is_listing(head, complete=False):
        return None
    wanted = Wanted(cells.columns, cells.columns, "", (), ())
    try:
        find_header(head, source.name, wanted, None)
    except DataError:
        return file.header_line
    return None


def _file(source: Source, path: Path) -> File:
    name = source.name.rpartition(" in ")[2]  # of an archive
    where = path if path.is_file() else path / name
    size, how = where.stat().st_size, compression(where)
    return File(name=source.name, form=source.form, bytes=size, compression=how)


def _texts(frame: pl.LazyFrame) -> pl.DataFrame:
    cells = frame.collect(optimizations=OPTIMIZATIONS)
    return pl.DataFrame([_text(column) for column in cells])


def _text(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        texts = [None if value is None else str(value) for value in column.to_list()]
        return pl.Series(column.name, texts, pl.String)
    return column.cast(pl.String, strict=False)
