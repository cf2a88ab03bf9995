"""Excel's and OpenDocument's workbooks, by python-calamine.

See docs/decisions/data.md#workbooks-are-read-by-calamine.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ordergap.contract.column_names import column_name
from ordergap.errors import DataError, MissingColumn
from ordergap.frames import column_names
from ordergap.ingest.header import Wanted
from ordergap.ingest.typed import column

_HEADERS = 100  # rows that are searched for a header


@dataclass(frozen=True)
class _Sheet:
    name: str
    rows: Sequence[Sequence[object]]
    header: int
    columns: list[str]

    @property
    def filled(self) -> list[Sequence[object]]:
        """The rows below the header with something in them."""
        return [row for row in self.rows[self.header + 1 :] if any(cell != "" for cell in row)]


def read(
    data: Path | bytes, where: str, wanted: Wanted, header_line: int | None
) -> tuple[pl.DataFrame, dict[str, str], dict[str, int]]:
    """The rows of all sheets that have the needed columns, one after the other; notes; sheets.

    The latter are name -> number of rows, in the sequence of the rows.
    Columns of numbers and of moments have these types, others are text. Raises DataError for a
    damaged or protected workbook and where the header is on another line than `header_line`, and
    MissingColumn where several sheets have columns and none has the needed ones.
    """
    needed = {*wanted.needed}
    sheets = [
        _sheet(name, rows, header_line, needed) for name, rows in _tables(data, where) if rows
    ]
    fitting = [sheet for sheet in sheets if needed <= set(sheet.columns)]
    if not wanted.used and sheets:
        largest = max(sheets, key=lambda sheet: len(sheet.rows))
        fitting = [sheet for sheet in sheets if sheet.columns == largest.columns]
    if needed:
        _raise_for_other_line([each for each in sheets if each not in fitting], where, wanted)
    if not fitting and len(sheets) > 1:
        listed = "; ".join(f'"{each.name}" has {", ".join(each.columns[:20])}' for each in sheets)
        raise MissingColumn(
            f"no sheet of {where} has the columns {', '.join(sorted(wanted.needed))}: {listed}"
        )
    notes = {}
    if len(sheets) > 1 and fitting:
        notes[f"sheets that were read: {_listed(fitting)}"] = ""
        if others := [sheet for sheet in sheets if sheet not in fitting]:
            listed = ", ".join(f'"{sheet.name}" ({len(sheet.filled):,} rows)' for sheet in others)
            notes[f"sheets without the needed columns were passed over: {listed}"] = ""
    taken = fitting or sheets
    return _frame(taken), notes, {sheet.name: len(sheet.filled) for sheet in taken}


def line_below_title(data: Path | bytes, where: str) -> int | None:
    """The line of the largest sheet's header, if lines with fewer cells stand above it.

    Raises DataError for a damaged or protected workbook.
    """
    rows = max((rows for _, rows in _tables(data, where)), key=len, default=[])
    filled = [sum(cell != "" for cell in row) for row in rows[:_HEADERS]]
    usual = Counter(filter(None, filled)).most_common(1)
    first = next((i for i, count in enumerate(filled) if count), 0)
    header = next((i for i, count in enumerate(filled) if usual and count >= usual[0][0]), first)
    return None if header == first else header + 1


def _listed(sheets: Sequence[_Sheet]) -> str:
    return ", ".join(f'"{sheet.name}"' for sheet in sheets)


def _tables(data: Path | bytes, where: str) -> Sequence[tuple[str, Sequence[Sequence[object]]]]:
    """The name and the rows of every sheet with cells."""
    import python_calamine as calamine  # noqa: PLC0415 - a Lambda that reads CSV has none

    try:
        file = io.BytesIO(data) if isinstance(data, bytes) else data
        with calamine.load_workbook(file) as book:
            return [
                (each.name, book.get_sheet_by_name(each.name).to_python(skip_empty_area=False))
                for each in book.sheets_metadata
                if each.typ == calamine.SheetTypeEnum.WorkSheet
            ]
    except calamine.PasswordError as error:
        raise DataError(f"{where} is protected by a password: save it without one") from error
    except (calamine.CalamineError, OSError) as error:
        raise DataError(
            f"{where} cannot be read as a workbook ({error}): save it as .xlsx or CSV"
        ) from error


def _sheet(
    name: str, rows: Sequence[Sequence[object]], header_line: int | None, needed: set[str]
) -> _Sheet:
    first = next((i for i, row in enumerate(rows) if any(cell != "" for cell in row)), 0)
    if header_line == 0:
        return _Sheet(name, rows, -1, [f"column {n}" for n in range(1, max(map(len, rows)) + 1)])
    # Of several sheets only some may have lines above the header.
    if header_line and not (needed and needed <= set(map(column_name, rows[first]))):
        header = min(header_line, len(rows)) - 1
    else:
        header = min(first, len(rows) - 1)
    return _Sheet(name, rows, header, column_names(rows[header]))


def _raise_for_other_line(sheets: Sequence[_Sheet], where: str, wanted: Wanted) -> None:
    for sheet in sheets:
        for number, row in enumerate(sheet.rows[:_HEADERS], 1):
            if set(wanted.needed) <= set(map(column_name, row)):
                raise DataError(
                    f'the header of sheet "{sheet.name}" of {where} is on line {number}: set '
                    f"header_line to {number}"
                )


def _frame(sheets: Sequence[_Sheet]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for sheet in sheets for name in sheet.columns))
    cells: dict[str, list[object]] = {name: [] for name in names}
    for sheet in sheets:
        places = {name: place for place, name in enumerate(sheet.columns)}
        rows = sheet.filled
        for name in names:
            place = places.get(name)
            cells[name] += [
                None if place is None or row[place] == "" else row[place] for row in rows
            ]
    return pl.DataFrame([column(name, values) for name, values in cells.items()])
