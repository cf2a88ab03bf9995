"""The rows of customers of files and frames, as text."""

from __future__ import annotations

import difflib
import os
from itertools import islice
from pathlib import Path

import polars as pl

from ordergap.contract.attributes import CUSTOMER_ID, VALID_FROM, AttributeParameters
from ordergap.contract.orders import Columns
from ordergap.errors import DataError, MissingColumn
from ordergap.frames import Frame, blocks, repeats
from ordergap.ingest import scanning
from ordergap.ingest.plain_csv import UNREADABLE
from ordergap.ingest.sources import find
from ordergap.ingest.table import as_text, raise_for_inexact

Customers = str | os.PathLike[str] | Frame
"""A path of attributes of customers, or a frame of them."""
FILE, ROW, ID, DAY = " file", " row", " id", " day"
"""Columns beside the attributes; no column of a file is called so, as names lose their blanks."""


def name_of(source: Customers) -> str:
    """What messages call a source."""
    return str(source) if isinstance(source, str | os.PathLike) else "the frame of customers"


def collect(
    source: Customers, asked: AttributeParameters, columns: Columns, content_type: str | None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """`FILE`, `ROW`, `ID`, `DAY` and what is `asked` for, and notes on how the files are read.

    Cells are text, but for `ROW`; numbers that were some have the mark of `frames.exact`. `DAY` is
    there only where the rows are dated. Raises DataError and MissingColumn.
    """
    if not isinstance(source, str | os.PathLike):
        where = name_of(source)
        try:
            parts = [_part(each, asked, columns, where) for each in blocks(source)]
        except UNREADABLE as error:
            raise DataError(f"{where} cannot be read: {error}") from error
        return _numbered(pl.concat(parts)), ()
    notes: dict[str, None] = {}
    frames: list[pl.DataFrame] = []

    def use(version: scanning.Version) -> list[pl.DataFrame]:
        parts = version.parts(file.name)
        found = [_numbered(_part(part, asked, columns, name)) for name, part in parts]
        notes.update(dict.fromkeys(f"customers: {note}" for note in version.notes))
        return found

    plain = columns.model_copy(update={"encoding": None, "header_line": None})
    for file in find(Path(source), content_type):
        frames += scanning.read(file, plain, use, search=False)
    dated = [DAY in frame.columns for frame in frames]
    if any(dated) and not all(dated):
        one, other = (frames[dated.index(each)].item(0, FILE) for each in (True, False))
        raise DataError(f"{one} has a column {VALID_FROM} and {other} has none: give each of them")
    return pl.concat(frames), tuple(notes)


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_row_index(ROW, 1)


def _part(
    frame: pl.LazyFrame, asked: AttributeParameters, columns: Columns, where: str
) -> pl.DataFrame:
    schema = frame.collect_schema()
    key = _key(schema.names(), asked, columns, where)
    sources = {ID: key, **({DAY: VALID_FROM} if VALID_FROM in schema else {})}
    sources |= {name: name for name in asked.attribute_names}
    for name in sources.values():
        if others := repeats(name, schema):
            raise DataError(f'{where} has two columns "{name}" ({others[0]}): keep one of them')
        if schema[name].is_nested():
            raise DataError(f'{where} cannot be read: the cells of "{name}" are lists or records')
    raise_for_inexact(frame, schema, key, where)
    cells = {}
    for role, name in sources.items():
        text = as_text(name, schema[name])
        if schema[name].is_numeric() and role in asked.numeric_attributes:
            text = pl.lit("=") + pl.col(name).cast(pl.Float64).fill_nan(None).cast(pl.String)
        cells[role] = text.fill_null("")
    file = pl.lit(where).alias(FILE)
    return frame.select(file, *(text.alias(role) for role, text in cells.items())).collect()


def _key(present: list[str], asked: AttributeParameters, columns: Columns, where: str) -> str:
    """The customers' column; MissingColumn where there is none, or none of what is asked for."""
    keys = [name for name in (columns.customer_column, CUSTOMER_ID) if name in present]
    problems = [] if keys else [f'"{CUSTOMER_ID}", nor "{columns.customer_column}"']
    for setting in ("numeric_attributes", "category_attributes"):
        for name in getattr(asked, setting):
            if name not in present:
                near = difflib.get_close_matches(name, present, n=2, cutoff=0.6)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                problems.append(f'"{name}" ({setting}{hint})')
    if problems:
        seen = ", ".join(islice(present, 20)) + ", …" * (len(present) > 20)
        raise MissingColumn(
            f"{where} has no column {', no column '.join(problems)}. Columns seen: {seen}"
        )
    return keys[0]
