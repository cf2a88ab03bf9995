"""Where transactions come from: a path, a frame, the body of a request."""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import polars as pl

from ordergap.clock import today
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError, MissingColumn
from ordergap.frames import Frame, blocks
from ordergap.ingest import asides, cells, dates, nested, scanning
from ordergap.ingest.cleaning import Cleaned, clean
from ordergap.ingest.conventions import Decided, Evidence, decide
from ordergap.ingest.currencies import Currencies
from ordergap.ingest.encodings import raise_for_doubt
from ordergap.ingest.filling import fill
from ordergap.ingest.line_kinds import LineKinds, check
from ordergap.ingest.plain_csv import UNREADABLE
from ordergap.ingest.plausibility import by_day
from ordergap.ingest.roles import names
from ordergap.ingest.scanning import Version
from ordergap.ingest.sources import Source, data_files, find, open_source
from ordergap.ingest.table import Table, Tabulator

Orders = str | os.PathLike[str] | Frame
"""A path of transactions, or a frame of them."""


@dataclass(frozen=True)
class Rows:
    """Transactions that are tabulated, but not read yet, and what messages call them.

    encoding  that was guessed, of text that is not UTF-8, or that of the model
    """

    table: Table
    where: str
    encoding: str | None = None

    @cached_property
    def _dates(self) -> dates.Texts:
        return dates.Texts(self.table.texts["date"])

    def _moments(self, columns: Columns, decided: Decided) -> pl.Series:
        order = decided.conventions.date_order
        return dates.read(self._dates, columns.date_format, order, columns.time_zone)

    def evidence(self, columns: Columns) -> Evidence:
        """What the cells show of the conventions by which they are written."""
        numbers = {
            names(columns)[role]: self.table.texts[role]
            for role in ("quantity", "price")
            if role in self.table.present - self.table.typed
        }
        shown = Evidence.of(columns, self._dates, numbers, today())
        return shown.model_copy(update={"encoding": self.encoding})

    def by_day(self, columns: Columns, decided: Decided) -> Counter[int]:
        """Day since 1970-01-01 -> number of rows, as cleaning has them."""
        moments = self._moments(columns, decided)
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
            self.table, columns, conventions, self._moments(columns, decided), self.where,
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
        files = partial(find, path, content_type, columns.date_column)
        several = path.is_dir() and len(data_files(path)) > 1
        common, without = asides.split(files(), columns) if several else (None, {})
        sources = (each for each in files() if each.name not in without)
        rows = _tabulate(sources, columns, str(path), known, common)
        notes = rows.table.notes + asides.note(without.values())
        return replace(rows, table=replace(rows.table, notes=notes))
    tabulator, money = _tabulator(columns, known), Currencies(columns)
    try:
        for each in blocks(source):
            block, said = nested.frame(each, columns, "the frame")
            added = tabulator.add(block, "the frame", [*said])
            money.add(block, len(added))
            tabulator.note(check(block, added, columns, "the frame"))
    except (*UNREADABLE, OSError) as error:  # a LazyFrame may be of a file
        raise DataError(f"the frame cannot be read: {_first_line(error)}") from error
    money.raise_for_several("the frame")
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

    A file is CSV, JSON, Parquet or a workbook, as `content_type` says, else as its beginning and
    its suffix say; it may be compressed by gzip, bzip2 or xz, or be alone in a zip archive. A frame
    is one of pandas, polars or pyarrow. The same orders give the same histories whichever way they
    come, and whatever the types of a frame's columns.

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
    # A request is UTF-8 and begins with its header, whatever the files are like.
    columns = columns.model_copy(update={"encoding": None, "header_line": None})
    source = open_source(where, body, content_type)
    try:
        rows = _tabulate([source], columns, where, known)
    except DataError as error:
        raise type(error)(
            f"{error}. A request sets no options: name its columns as the model's data have them, "
            "and leave out what should not count"
        ) from error
    decided = decide(rows.evidence(columns), columns, known, strict=strict)
    return rows.clean(columns, decided, strict=strict, as_of=as_of)


def _tabulator(
    columns: Columns, known: Conventions | None, common: Collection[str] | None = None
) -> Tabulator:
    return Tabulator(columns, common, amounts=bool(known and known.amounts))


def _tabulate(
    sources: Iterable[Source],
    columns: Columns,
    where: str,
    known: Conventions | None,
    common: Collection[str] | None = None,
) -> Rows:
    tabulator = _tabulator(columns, known, common)
    money, kinds = Currencies(columns), LineKinds(columns)
    said: dict[str, str] = {}  # a sentence for the user -> with the first example of it
    encodings: list[str] = []
    for source in sources:
        add = partial(_add, tabulator, money, kinds, source.name, said)
        try:
            encodings += filter(None, [scanning.read(source, columns, add, known)])
        except MissingColumn as error:
            if common is None:
                raise
            raise MissingColumn(
                f"{error}. If {source.name} has no orders, take it out of the folder"
            ) from error
    money.raise_for_several(where)
    tabulator.note(kinds.together(where))
    table, encoding = tabulator.table(), next(iter(encodings), None)
    if encoding and not (known and known.encoding):
        raise_for_doubt(table.texts["customer"], columns.customer_column, encoding)
    return Rows(table, where, encoding)


def _add(
    tabulator: Tabulator,
    money: Currencies,
    kinds: LineKinds,
    name: str,
    said: dict[str, str],
    version: Version,
) -> str | None:
    """Add a version of the data; returns its encoding."""
    notes = [
        said.setdefault(sentence, f"{sentence} ({example})" if example else sentence)
        for sentence, example in version.notes.items()
    ]
    for where, frame in version.parts(name):
        rows = tabulator.add(frame, where, notes)
        money.add(frame, len(rows))
        tabulator.note(kinds.add(frame, rows, where))
    return version.encoding


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
