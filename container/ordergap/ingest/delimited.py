"""CSV read line by line, for files that a fast reader would misunderstand.

See docs/decisions/data.md#odd-csv-goes-through-pythons-reader.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from ordergap.errors import DataError
from ordergap.ingest.header import Header, Wanted

_BLOCK = 1 << 16  # rows that become columns at once
_SAMPLE = 1 << 16  # characters that show the style
_ROWS = 1 << 14  # characters of rows that show how long cells are
_ESCAPED = '\\"'
_STRICT: dict[str, Any] = {"strict": True}
_AFTER_BLANKS = {**_STRICT, "skipinitialspace": True}
_BACKSLASHES = {**_STRICT, "escapechar": "\\"}
_UNQUOTED: dict[str, Any] = {"quoting": csv.QUOTE_NONE, "quotechar": None}


@dataclass(frozen=True)
class Sample:
    """What the beginning of a plain CSV file shows.

    longest   bytes of the longest cell of each column
    shortest  bytes of the shortest
    filled    whether the last column has a cell in every row
    breaks    whether there are cells with line breaks
    quoted    whether cells are in quotation marks that need none
    """

    longest: list[int]
    shortest: list[int]
    filled: bool
    breaks: bool
    quoted: bool


class _Inconsistent(Exception):
    """The lines are no rows of this dialect; says which and what to do."""


def sample(head: str, complete: bool, header: Header, wanted: Wanted) -> Sample | None:
    """What the beginning of a file shows; None where it is not plain CSV."""
    mark = re.escape(header.delimiter)
    if not complete:
        head = head[: head.rfind("\n") + 1]
    if (
        not head
        or head.startswith(("x^", "x\1"))  # polars would take it for zlib
        or header.lines > 1
        or (not header.lines and head.startswith(("\n", "\r")))
        or len(header.delimiter.encode()) > 1
        or _ESCAPED in head
        or "\0" in head
        or _is_after_blanks(head, header)
        or re.search(r"\r(?!\n)", head)
    ):
        return None
    start = head[: head.find("\n", _ROWS) + 1] or head
    reader = _Rows(start, "", header, wanted, _STRICT)
    try:
        rows = list(reader.read(complete and start == head))
    except _Inconsistent:
        return None
    if reader.short:
        return None
    size = len if start.isascii() else lambda cell: len(cell.encode())
    columns = [*zip(*rows, strict=True)] or [("",)] * len(header.names)
    sizes = [[*map(size, cells)] for cells in columns]
    return Sample(
        list(map(max, sizes)),
        list(map(min, sizes)),
        all(row[-1] for row in rows),
        reader.breaks,
        '"' in head and bool(re.search(rf'[\n{mark}]"[^"\r\n{mark}]*"[\r\n{mark}]', head)),
    )


def read(
    text: str, where: str, header: Header, wanted: Wanted
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The rows below the header, all text, null where a cell is empty or not there; and notes.

    A dialect in which all rows have the header's width is right before one in which some have less.
    Raises DataError, which names the line, where they have more in every dialect.
    """
    problems, short = [], None
    for dialect, note in _dialects(text, header):
        escaped = _keep_nulls(text, header.delimiter) if dialect is _BACKSLASHES else text
        rows = _Rows(escaped, where, header, wanted, dialect)
        try:
            frame = _frame(rows.read(), header)
        except _Inconsistent as error:
            problems.append(error)
            continue
        quoted, others = rows.quoted
        notes = {note: ""} if note else {}
        if rows.short:
            sentence = "lines with fewer cells than the header were judged by the cells they have"
            notes[sentence] = f"{rows.short:,} in {where}, the first: {rows.first_short}"
            short = short or (frame, notes, rows.first_short)
        elif dialect is not _UNQUOTED or quoted < others:
            return frame, notes
        elif short:
            raise DataError(
                f"it is not clear what quotation marks mean in {where}: if they enclose cells, "
                f"{short[2]}, else every line has all; double those that are part of a cell"
            )
    if short:
        return short[:2]
    raise DataError(str(problems[0])) from problems[0]


def _dialects(text: str, header: Header) -> Iterator[tuple[dict[str, Any], str]]:
    """Settings of Python's reader to try, and what to tell the user."""
    after_blanks = "blanks after a delimiter are no part of the cell"
    first = _is_after_blanks(text[:_SAMPLE], header)
    if first:
        yield _AFTER_BLANKS, after_blanks
    yield _STRICT, ""
    if not first and header.delimiter != "\t" and f'{header.delimiter} "' in text:
        yield _AFTER_BLANKS, after_blanks
    if any(f"\\{each}" in text for each in f'"\n{header.delimiter}'):
        yield _BACKSLASHES, "backslashes before what would end a cell were left out"
    if not header.lines or (header.lines == 1 and '"' not in _line(text[:_SAMPLE], header.skipped)):
        yield _UNQUOTED, "quotation marks were read as part of the cells"


def _is_after_blanks(text: str, header: Header) -> bool:
    """Whether quotation marks open after a blank after the delimiter.

    That is so where the names do, or where no quotation mark follows a delimiter.
    """
    mark = header.delimiter
    above = islice(io.StringIO(text, newline=""), header.skipped, header.skipped + header.lines)
    names = "".join(above).split(mark)[1:]
    return mark != "\t" and (
        (bool(names) and all(name.startswith(" ") for name in names))
        or (f'{mark} "' in text and f'{mark}"' not in text)
    )


def _line(text: str, number: int) -> str:
    return next(islice(io.StringIO(text, newline=""), number, None), "")


def _keep_nulls(text: str, delimiter: str) -> str:
    r"""The text with its cells ``\N`` written so that a reader of backslashes leaves them."""
    mark = re.escape(delimiter)
    return re.sub(rf"(?<![^{mark}\r\n])\\N(?![^{mark}\r\n])", r"\\\\N", text)


def _frame(rows: Iterable[list[str | None]], header: Header) -> pl.DataFrame:
    iterator = iter(rows)
    frames = [pl.DataFrame(schema=dict.fromkeys(header.names, pl.String))]
    while block := list(islice(iterator, _BLOCK)):
        columns = zip(header.names, zip(*block, strict=True), strict=True)
        # From a list of series a column without a name would get one.
        frames.append(
            pl.DataFrame({name: pl.Series(cells, dtype=pl.String) for name, cells in columns})
        )
    return pl.concat(frames).with_columns(pl.all().replace("", None))


class _Rows:
    """The rows below a header, each of its width; _Inconsistent where one is not.

    dialect  settings of Python's reader
    short    rows with fewer cells than the header, and `first_short` of them
    breaks   whether cells have line breaks
    quoted   cells that begin with a quotation mark: those that end with one, and the others
    """

    def __init__(
        self, text: str, where: str, header: Header, wanted: Wanted, dialect: dict[str, Any]
    ) -> None:
        self.short, self.first_short = 0, ""
        self.breaks = False
        self.quoted = [0, 0]
        self._where, self._header, self._dialect = where, header, dialect
        self._width = len(header.names)
        self._date = list(header.names).index(wanted.date) if wanted.date in header.names else None
        self._file = io.StringIO(text, newline="")
        self._lines: list[str] = []  # of the row that was read last
        self._line = header.skipped  # the number of the last of them

    def read(self, complete: bool = True) -> Iterator[list[Any]]:
        """Read the rows. A quotation mark may be open at the end of what is not `complete`."""
        for _ in range(self._header.skipped):
            next(self._file, None)
        reader = csv.reader(self._next_lines(), delimiter=self._header.delimiter, **self._dialect)
        try:
            if self._header.lines:
                next(reader, None)
            self._lines.clear()
            for row in reader:
                if len(row) == self._width or self._fit(row):
                    self._look_at_quotes(row)
                    yield row
                self._lines.clear()
        except csv.Error as error:
            if complete or next(self._file, None) is not None:
                raise _Inconsistent(
                    f"line {self._first} of {self._where} is not CSV ({error}): close the "
                    "quotation mark that is open there, and double those inside of cells"
                ) from error

    def _next_lines(self) -> Iterator[str]:
        for line in self._file:
            self._lines.append(line)
            self._line += 1
            yield line

    @property
    def _first(self) -> int:
        return self._line - len(self._lines) + 1

    def _fit(self, row: list[Any]) -> bool:
        """Make a row as wide as the header; False for a blank line."""
        if not "".join(row).strip():
            return False
        missing = self._width - len(row)
        if missing > 0 and self._dialect is not _UNQUOTED:
            if not self.short:
                self.first_short = f"line {self._first} has {len(row)} of {self._width} cells"
            self.short += 1
            row += [None] * missing
        elif missing < 0 and not "".join(row[self._width :]).strip():
            del row[self._width :]
        else:
            raise _Inconsistent(
                f"line {self._first} of {self._where} has {len(row)} cells, the header "
                f"{self._width}: quote values that contain the delimiter "
                f"{self._header.delimiter!r}, or name the first column, for which R's write.table "
                "writes no name"
            )
        return True

    def _look_at_quotes(self, row: list[Any]) -> None:
        if len(self._lines) > 1:
            self.breaks = True
            if self._are_rows():
                raise _Inconsistent(
                    f"a quotation mark on line {self._first} of {self._where} makes one cell of "
                    f"what is on the lines until {self._line}: close it there, or double it"
                )
        elif self._dialect is _UNQUOTED and '"' in self._lines[0]:
            for cell in row:
                self.quoted[not (len(cell) > 1 and cell.endswith('"'))] += cell[:1] == '"'

    def _are_rows(self) -> bool:
        """Whether each line of this row would be a row by itself, with digits as its date."""
        rows = [line.rstrip("\r\n").split(self._header.delimiter) for line in self._lines]
        return self._width > 1 and all(
            len(row) == self._width
            and (self._date is None or re.search(r"\d\D*\d\D*\d", row[self._date]))
            for row in rows
        )
