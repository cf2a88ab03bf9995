"""One source as a lazy frame: the fast way where it is plain, else as exactly as it takes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import polars as pl

from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError
from ordergap.frames import column_names
from ordergap.ingest import delimited, documents, encodings, listings, nested, plain_csv, workbooks
from ordergap.ingest.archives import DAMAGED, GZIP, content
from ordergap.ingest.header import Header, Wanted, find_header
from ordergap.ingest.plain_csv import UNREADABLE
from ordergap.ingest.roles import hashed, names
from ordergap.ingest.sources import HEAD, Source

T = TypeVar("T")


@dataclass(frozen=True)
class Version:
    """One reading of a source.

    frame     its rows. Cells of CSV are text; of Parquet, workbooks and JSON, columns of nothing
              but numbers or moments have such a type
    notes     sentence for the user -> an example, or ""
    encoding  of text that is not UTF-8: guessed, or that of the model; None where it is said, or
              where the file itself shows it
    header    of CSV
    sheets    of a workbook: name -> number of rows, in their sequence
    """

    frame: pl.LazyFrame
    notes: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    header: Header | None = None
    sheets: Mapping[str, int] = field(default_factory=dict)

    def parts(self, name: str) -> Iterator[tuple[str, pl.LazyFrame]]:
        """The frame as that of the file `name`, or a frame for each of several sheets."""
        if len(self.sheets) < 2:
            yield name, self.frame
            return
        start = 0
        for sheet, count in self.sheets.items():
            yield f'{name}, sheet "{sheet}"', self.frame.slice(start, count)
            start += count


def read(
    source: Source,
    columns: Columns,
    use: Callable[[Version], T],
    conventions: Conventions | None = None,
    *,
    search: bool = True,
) -> T:
    """What `use` makes of the first of the `versions` that it can read. Raises DataError."""
    reason: BaseException | None = None
    try:
        for version in versions(source, columns, conventions, search=search):
            try:
                return use(version)
            except UNREADABLE as error:
                reason = error
    except (*DAMAGED, *UNREADABLE) as error:
        reason = error
    first_line = str(reason).partition("\n")[0]
    raise DataError(f"{source.name} cannot be read as {source.form}: {first_line}") from reason


def columns_of(source: Source, columns: Columns) -> list[str]:
    """The names of the source's columns. Raises DataError."""
    return read(source, columns, lambda version: version.frame.collect_schema().names())


def versions(
    source: Source,
    columns: Columns,
    conventions: Conventions | None = None,
    *,
    search: bool = True,
) -> Iterator[Version]:
    """Readings of the source, for a user who takes the first that polars can read.

    conventions  of the model's own data, for text that is not UTF-8
    search       whether the columns are looked for; else the header is the first line that may be

    Raises DataError where none is right.
    """
    wanted = _wanted(source, columns) if search else Wanted((), (), "", (), ())
    of_model = conventions.encoding if conventions else None
    if source.form == "parquet":
        frame, said = nested.frame(_parquet(source.data), columns, source.name)
        found: Iterator[Version] = iter([Version(frame, said)])
    elif source.form == "workbook":
        data = source.data if isinstance(source.data, bytes) else _bytes(source.data)
        rows, said, sheets = workbooks.read(data, source.name, wanted, columns.header_line)
        found = iter([Version(rows.lazy(), said, sheets=sheets)])
    elif source.form == "json":
        found = _json(source, columns, wanted, of_model)
    else:
        found = _csv(source, columns, wanted, of_model)
    for version in found:
        frame = version.frame
        if source.columns:
            taken = source.columns.keys() - set(frame.collect_schema().names())
            frame = frame.with_columns(
                pl.lit(value, pl.String).alias(name)
                for name, value in source.columns.items()
                if name in taken
            )
        notes = {**dict.fromkeys(source.notes, ""), **version.notes}
        yield replace(version, frame=frame, notes=notes)


def _wanted(source: Source, columns: Columns) -> Wanted:
    used = {*names(columns).values(), *hashed(columns).values()}
    needed = {columns.customer_column, columns.date_column} - source.columns.keys()
    numbers = (columns.quantity_column, columns.price_column, columns.amount_column or "")
    values = {columns.date_column, *numbers}
    return Wanted(needed, used, columns.date_column, values, values | {columns.order_column})


def _bytes(data: Path | bytes) -> bytes:
    with content(data) as file:
        return file.read()


def _parquet(data: Path | bytes) -> pl.LazyFrame:
    with data.open("rb") if isinstance(data, Path) else io.BytesIO(data) as file:
        zipped = file.read(2) == GZIP
    if zipped or isinstance(data, bytes):
        frame = pl.scan_parquet(io.BytesIO(_bytes(data)), glob=False)
    else:
        frame = pl.scan_parquet(data, glob=False)
    present = frame.collect_schema().names()
    return frame.rename(dict(zip(present, column_names(present), strict=True)))


def _json(
    source: Source, columns: Columns, wanted: Wanted, of_model: str | None
) -> Iterator[Version]:
    """One object a line by polars; else, or where these lack what is needed, by Python."""
    ids = {columns.customer_column, columns.order_column, columns.product_column}
    ids |= {*columns.hashed_columns}
    if not columns.encoding:
        try:
            frame, said = _json_lines(source, ids, wanted, columns)
        except UNREADABLE:
            frame = None
        if frame is not None:
            yield Version(frame, said)
    text = encodings.decode(_bytes(source.data), source.name, columns.encoding, of_model)
    whole, notes = documents.read(text.text, source.name, wanted, columns)
    yield Version(whole.lazy(), text.notes | notes, text.encoding)


def _json_lines(
    source: Source, ids: set[str], wanted: Wanted, columns: Columns
) -> tuple[pl.LazyFrame | None, dict[str, str]]:
    """Numbers where all cells of a column are, but for identifiers; else text; and notes."""
    # A key may occur on the last line for the first time.
    rows = pl.scan_ndjson(source.data, infer_schema_length=None)
    schema = rows.collect_schema()
    renamed = dict(zip(schema, column_names(schema), strict=True))
    if not set(wanted.needed) <= set(renamed.values()):
        return None, {}
    if _may_repeat(source, schema, [key for key in schema if renamed[key] in wanted.used]):
        return None, {}
    lists = nested.lists(schema)
    if lists and not wanted.needed and rows.select(pl.len()).collect().item() == 1:
        return None, {}  # an object with a list of orders
    outer = [renamed[key] for key in schema if key not in lists]
    lines, notes = nested.choose(outer, lists, columns, source.name)
    if lines:
        return None, {}
    for key, dtype in schema.items():
        if renamed[key] in wanted.used and dtype.is_nested():
            documents.raise_for_nested(renamed[key], source.name)
    types = {
        key: dtype if dtype.is_numeric() and renamed[key] not in ids else pl.String()
        for key, dtype in schema.items()
    }
    return pl.scan_ndjson(source.data, schema=types).rename(renamed), notes


def _may_repeat(source: Source, keys: Collection[str], used: Collection[str]) -> bool:
    """Whether a line may have a used key twice, of which polars would read the first in silence.

    Where every line has as many keys as there are in all, each is taken to have each once.
    """
    line = pl.col("line")
    lines = pl.scan_csv(
        source.data,
        has_header=False,
        new_columns=["line"],
        infer_schema=False,
        separator="\x01",
        quote_char=None,
    ).drop_nulls()
    count = line.str.count_matches('":', literal=True)
    if lines.select((count == len(keys)).all()).collect(engine="streaming").item():
        return False
    twice = []
    for key in used:
        ways = {json.dumps(key), json.dumps(key, ensure_ascii=False)}
        pattern = rf"(?:{'|'.join(map(re.escape, ways))})\s*:"
        twice.append(line.str.count_matches(pattern) > 1)
    return bool(lines.select(pl.any_horizontal(twice).any()).collect(engine="streaming").item())


def _csv(
    source: Source, columns: Columns, wanted: Wanted, of_model: str | None
) -> Iterator[Version]:
    """By polars where the beginning is plain; else, or where the rest is not, by Python."""
    name, line = source.name, columns.header_line
    head = encodings.beginning(source.head)
    if listings.is_listing(head, len(source.head) < HEAD):
        text = encodings.decode(_bytes(source.data), name, columns.encoding, of_model)
        listed, notes = listings.as_delimited(text.text, name)
        header = find_header(listed, name, wanted, line)
        rows, more = delimited.read(listed, name, header, wanted)
        yield Version(rows.lazy(), {**text.notes, **notes, **more}, text.encoding, header)
        return
    utf8 = encodings.shown(source.head) in {None, "utf-8"} and "\ufffd" not in head
    whole = "\n" in head or len(source.head) < HEAD  # else the header is longer
    tried = utf8 and whole and not columns.encoding
    if tried:
        header = find_header(head, name, wanted, line)
        beginning = delimited.sample(head, len(source.head) < HEAD, header, wanted)
        for frame in plain_csv.frames(source.data, beginning, header, wanted):
            yield Version(frame, _note(header), header=header)
    text = encodings.decode(_bytes(source.data), name, columns.encoding, of_model)
    head = text.text[: max(HEAD, text.text.find("\n") + 1)]
    header = find_header(head, name, wanted, line)
    notes = {**text.notes, **_note(header)}
    if whole and (not tried or text.encoding):
        beginning = delimited.sample(head, len(head) < HEAD, header, wanted)
        for frame in plain_csv.frames(text.text.encode(), beginning, header, wanted):
            yield Version(frame, notes, text.encoding, header)
    rows, more = delimited.read(text.text, name, header, wanted)
    yield Version(plain_csv.without_blank(rows.lazy()), notes | more, text.encoding, header)


def _note(header: Header) -> dict[str, str]:
    notes = []
    if header.delimiter != ",":
        notes.append(f"the delimiter was taken to be {header.delimiter!r}")
    if not header.lines:
        notes.append(f"without a header, the columns are column 1 to column {len(header.names)}")
    return dict.fromkeys(notes, "")
