"""Columns of values that have types already, as cells of workbooks and of JSON have."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

import polars as pl

from ordergap.frames import exact

_EXACT = 2.0**53  # floats below are exact where they are whole


def column(name: str, values: Sequence[object]) -> pl.Series:
    """Numbers where all values are, moments where all are; else text. None is missing.

    >>> column("a", [1.0, None, 2]).dtype, column("a", [1.0, "x"]).to_list()
    (Int64, ['1', 'x'])
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, float}:
        numbers = [value for value in values if isinstance(value, int | float)]
        if all(abs(number) < _EXACT and number == int(number) for number in numbers):
            whole = [None if value is None else int(value) for value in values]  # type: ignore[call-overload]
            return pl.Series(name, whole, pl.Int64)
        if float in kinds:
            return pl.Series(name, values, pl.Float64, strict=False)
    if kinds and kinds <= {datetime.date, datetime.datetime}:
        return pl.Series(name, [_moment(value) for value in values], pl.Datetime("us"))
    return pl.Series(name, [_text(value) for value in values], pl.String)


def _moment(value: object) -> object:
    if type(value) is datetime.date:
        return datetime.datetime.combine(value, datetime.time())
    return value


def _text(value: object) -> str | None:
    """As a file would have it: a whole float is an integer, True is true, others are `exact`."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        return str(int(value))
    if isinstance(value, bool | list | dict):
        return json.dumps(value)
    return exact(value) if isinstance(value, float) else str(value)
