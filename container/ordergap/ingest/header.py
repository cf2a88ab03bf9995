"""Where the header of a CSV file is, its delimiter and the columns' names."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from ordergap.contract.column_names import DELIMITERS
from ordergap.errors import DataError, MissingColumn
from ordergap.frames import column_names

_LINES = 200  # that are looked at
_WIDE = 20  # characters of lines that are all as long, and so may have columns of a fixed width
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_VALUE = re.compile(r"[-+]?[\d.,:/ T-]*\d[\d.,:/ TZ-]*")  # a number, a date or a moment


@dataclass(frozen=True)
class Wanted:
    """The columns to look for.

    needed   customer and date, but for those in the names of folders
    used     all that have a meaning
    date     has dates
    values   have dates or numbers: an unreadable cell of theirs is counted and shown
    regular  have cells of about one length: dates, numbers and order numbers
    """

    needed: Collection[str]
    used: Collection[str]
    date: str
    values: Collection[str]
    regular: Collection[str]


@dataclass(frozen=True)
class Header:
    """The header of a CSV file.

    delimiter  between its cells
    skipped    lines above it
    lines      that it has: several where a name has line breaks, none where there are no names
    names      of the columns, in plain blanks and distinct
    """

    delimiter: str
    skipped: int
    lines: int
    names: Sequence[str]


def find_header(head: str, where: str, wanted: Wanted, header_line: int | None) -> Header:
    """The header in the beginning of a text, which messages call `where`.

    It is the first line, but for blank ones and ``sep=;``, or the `header_line`; 0: there is none,
    and columns are called by their number. The delimiter is the one that gives most of the wanted
    columns, else the most columns. Raises DataError where another line is the header, and
    MissingColumn where there is none.
    """
    lines = list(islice(io.StringIO(head, newline=""), max(_LINES, header_line or 0)))
    sep = _SEP.fullmatch(lines[0]) if lines else None
    delimiters = sep[1] if sep else DELIMITERS
    if header_line == 0:
        return _nameless(lines, 1 if sep else 0, delimiters, wanted)
    start = (header_line or (2 if sep else 1)) - 1
    while not header_line and start < len(lines) and not lines[start].strip():
        start += 1
    if start < len(lines) and not any(mark in lines[start] for mark in delimiters):
        _raise_for_fixed_width(lines[start:], where)
    if not (header_line or sep or wanted.used):
        start = _below_title(lines, start) or start
    if start >= len(lines) or not lines[start].strip():
        raise DataError(f"{where} has no header on line {start + 1}: nothing is there")
    header = _best(lines, start, delimiters, wanted)
    if not (header_line or wanted.used) and looks_like_data(header.names):
        return _nameless(lines, start, delimiters, wanted)
    first = _best(lines, 1 if sep else 0, delimiters, wanted) if header_line else header
    if header_line and wanted.needed and set(wanted.needed) <= set(first.names):
        return first  # of several files only some have lines above the header
    if not set(wanted.needed) <= set(header.names):
        _raise_for_other(lines, start, delimiters, where, wanted)
        if not header_line:
            _raise_for_none(lines, header, where, wanted)
    return header


def _best(lines: Sequence[str], start: int, delimiters: str, wanted: Wanted) -> Header:
    headers = [_read(lines, start, delimiter) for delimiter in delimiters]
    for names in (wanted.needed, wanted.used):
        found = [len({*names} & {*header.names}) for header in headers]
        headers = [each for each, count in zip(headers, found, strict=True) if count == max(found)]
    if len(headers) == 1:
        return headers[0]
    # Of no use to them: as many lines as can be with one number of cells, more than one.
    return max(
        headers,
        key=lambda each: _width(lines[start:], each.delimiter)[1] if len(each.names) > 1 else 0,
    )


def _nameless(lines: Sequence[str], start: int, delimiters: str, wanted: Wanted) -> Header:
    """The header that the lines below `start` would have, with the number of each column."""
    headers = []
    for delimiter in delimiters:
        width, times = _width(lines[start:], delimiter)
        names = [f"column {number}" for number in range(1, width + 1)]
        found = set(wanted.needed) <= set(names)
        headers.append(((found, times, width), Header(delimiter, start, 0, names)))
    return max(headers, key=lambda each: each[0])[1]


def looks_like_data(names: Iterable[str]) -> bool:
    """Whether names of columns are cells, because one of them is a number or a date."""
    return any(_VALUE.fullmatch(name) for name in names)


def _read(lines: Sequence[str], start: int, delimiter: str) -> Header:
    reader = csv.reader(lines[start:], delimiter=delimiter, skipinitialspace=delimiter != "\t")
    try:
        names = column_names(next(reader))
    except csv.Error:
        names = column_names([lines[start]])
    return Header(delimiter, start, reader.line_num, names)


def _width(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """The number of cells, above one, that most lines have, and how many have it."""
    counts = Counter(_cells(line, delimiter) for line in lines if delimiter in line)
    del counts[1]
    return counts.most_common(1)[0] if counts else (1, 0)


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:
        return 0


def _raise_for_fixed_width(lines: Sequence[str], where: str) -> None:
    """DataError where runs of blanks, or places alone, tell columns apart."""
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    gaps = sum(bool(re.search(r"[^\s,;|] {2,}[^\s,;|]", line)) for line in filled)
    same = len({*map(len, filled[:-1])}) == 1 and len(filled[0]) >= _WIDE
    if len(filled) > 2 and (gaps > len(filled) / 2 or same):
        raise DataError(
            f"{where} has columns of a fixed width, and nothing between them: make CSV of it, such "
            f"as with python -c \"import pandas; pandas.read_fwf('{where}', dtype=str)"
            ".to_csv('orders.csv', index=False)\""
        )


def _raise_for_other(
    lines: Sequence[str], start: int, delimiters: str, where: str, wanted: Wanted
) -> None:
    """DataError where another line than `start` names the needed columns."""
    for number in range(len(lines)):
        if number != start and any(
            set(wanted.needed) <= set(_read(lines, number, delimiter).names)
            for delimiter in delimiters
        ):
            _raise_for_line(lines, number, where, "is")


def _raise_for_none(lines: Sequence[str], header: Header, where: str, wanted: Wanted) -> None:
    """Raise where the first line is a title above a table, or a row of one."""
    first = lines[header.skipped]
    if below := _below_title(lines, header.skipped):
        _raise_for_line(lines, below, where, "seems to be")
    if looks_like_data(header.names):
        raise MissingColumn(
            f"the columns of {where} have no names: its first line looks like data, not a header "
            f'("{first.strip()[:60]}"). Put a line with names above it, such as '
            f"{', '.join(sorted(wanted.needed))}; or set header_line to 0, and customer_column and "
            'the others to "column 1", "column 2" and so on'
        )


def _below_title(lines: Sequence[str], start: int) -> int | None:
    """The first line with as many cells as most have, where the line `start` has fewer.

    A header may lack one, as R's row names have none, and has more where rows have line breaks.
    """
    widths = {delimiter: _width(lines, delimiter) for delimiter in DELIMITERS}
    regular = {mark: width for mark, (width, times) in widths.items() if times > len(lines) / 2}
    if not regular or any(
        len(_read(lines, start, mark).names) >= max(2, width - 1) for mark, width in regular.items()
    ):
        return None
    # Of two marks that all lines have, the one with fewer cells is a decimal comma.
    mark = max(regular, key=lambda each: regular[each])
    return next(i for i, line in enumerate(lines) if _cells(line, mark) == regular[mark])


def _raise_for_line(lines: Sequence[str], number: int, where: str, how: str) -> NoReturn:
    raise DataError(
        f'the header of {where} {how} on line {number + 1} ("{lines[number].strip()[:60]}"): set '
        f"header_line to {number + 1}"
    )
