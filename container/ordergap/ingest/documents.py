"""JSON that is not one object a line: arrays, objects over several lines, a list under a key."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice
from typing import Any

import polars as pl

from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.frames import column_names
from ordergap.ingest import nested
from ordergap.ingest.header import Wanted
from ordergap.ingest.typed import column

_BLANK = re.compile(r"[\s,]*")
_STRING_OR_END = re.compile(r'"(?:[^"\\]|\\.)*"|\}')


def read(
    text: str, where: str, wanted: Wanted, columns: Columns
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The objects as rows, with numbers where all cells of a column are; and notes.

    They are those of an array, of lists and objects one after the other, or, where one object is
    all, of the only list in it; each as often as it has lines, where `nested.choose` says so.
    Raises DataError, which names the line, for what is no JSON, and for a key that an object has
    twice.
    """
    values, notes = _values(text, where), {}
    if len(values) == 1 and isinstance(values[0], dict):
        lists = {key: value for key, value in values[0].items() if _is_table(value)}
        missing = not set(wanted.needed) <= set(column_names(values[0]))
        if lists and (missing or (not wanted.needed and len(lists) == 1)):
            if len(lists) > 1:
                raise DataError(
                    f"{where} is an object with several lists ({', '.join(lists)}): write the "
                    "list of orders alone, as JSON Lines"
                )
            ((key, values),) = lists.items()
            notes = {f'of the JSON object the list "{key}" was read': ""}
    rows = [row for value in values for row in (value if isinstance(value, list) else [value])]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(
                f"value {number} of {where} is no JSON object: write an object for each row, such "
                'as {"date": "2022-01-11"}'
            )
    keys = list(dict.fromkeys(key for row in rows for key in row))
    tables = {
        key: [
            *dict.fromkeys(
                name
                for row in rows
                if _is_table(row.get(key))
                for line in row[key]
                for name in line
            )
        ]
        for key in keys
    }
    lists = {key: its for key, its in tables.items() if its}
    lines, said = nested.choose([key for key in keys if key not in lists], lists, columns, where)
    if lines:
        rows = [*nested.records(rows, lines)]
        keys = list(dict.fromkeys(key for row in rows for key in row))
    names = column_names(keys)
    cells_of = [[row.get(key) for row in rows] for key in keys]
    for name, cells in zip(names, cells_of, strict=True):
        if name in wanted.used and any(isinstance(cell, dict | list) for cell in cells):
            raise_for_nested(name, where)
    return pl.DataFrame(list(map(column, names, cells_of))), notes | said


def raise_for_nested(name: str, where: str) -> None:
    """DataError for a column of objects or lists."""
    raise DataError(
        f'"{name}" of {where} holds objects or lists: write what is wanted of them under a key of '
        "its own, with one value a row"
    )


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _values(text: str, where: str) -> list[Any]:
    """The JSON values that follow one another."""
    ended = 0  # objects so far

    def record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal ended
        ended += 1
        found = dict(pairs)
        if len(found) < len(pairs):
            ((name, _),) = Counter(key for key, _ in pairs).most_common(1)
            raise DataError(
                f'line {_line_of_end(text, ended)} of {where} has "{name}" twice in one object: '
                "give each key once"
            )
        return found

    decoder, values, at = json.JSONDecoder(object_pairs_hook=record), [], _end_of_blank(text, 0)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError as error:
            line = getattr(error, "lineno", 1)
            raise DataError(f"line {line} of {where} is not JSON: {error}") from error
        values.append(value)
        at = _end_of_blank(text, at)
    return values


def _line_of_end(text: str, number: int) -> int:
    """The line on which the so-many-th object ends, the first being 1."""
    outside = (match for match in _STRING_OR_END.finditer(text) if match[0] == "}")
    end = next(islice(outside, number - 1, None)).end()
    return text.count("\n", 0, end) + 1


def _end_of_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
