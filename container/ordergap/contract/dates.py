"""Dates as text, and hints at what was meant where they are none."""

from __future__ import annotations

import datetime
import re
from contextlib import suppress

from pydantic_core import PydanticCustomError

NOT_A_DATE = "date_as_text"
"""The kind of pydantic's error for what is no date; its context has a `hint`."""

_1970, _EXCEL = datetime.datetime(1970, 1, 1), datetime.datetime(1899, 12, 30)  # noqa: DTZ001
_NUMBERS = (  # what they count, from, below, since, a unit: years 1973 to 2286, in Excel to 2173
    ("seconds since 1970", 1e8, 1e10, _1970, datetime.timedelta(seconds=1)),
    ("milliseconds since 1970", 1e11, 1e13, _1970, datetime.timedelta(milliseconds=1)),
    ("days as Excel counts them", 1e4, 1e5, _EXCEL, datetime.timedelta(days=1)),
)


def date_from(value: object) -> datetime.date:
    """A date, or text such as 2011-12-09; nothing else, wherever a request has a date.

    The day of a moment depends on the shop's time zone, and a number may count seconds,
    milliseconds or days: both are refused, with a hint. Raises PydanticCustomError, a ValueError.
    """
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        with suppress(ValueError):
            return datetime.date.fromisoformat(value)
    raise PydanticCustomError(NOT_A_DATE, "expected a date: {hint}", {"hint": _hint(value)})


def _hint(value: object) -> str:
    """How to write what was probably meant.

    >>> _hint("2022-01-11T08:05:00Z")
    'write the day alone: 2022-01-11'
    >>> _hint(1641888300)
    'this looks like seconds since 1970; write the day, such as 2022-01-11'
    """
    text = "" if isinstance(value, list | dict) else str(value)[:40].strip()
    if match := re.match(r"(\d{4})-?(\d\d)-?(\d\d)($|[T\s])", text, re.ASCII):
        with suppress(ValueError):
            day = datetime.date(*map(int, match.groups()[:3]))
            return f"write the day alone: {day}" if match[4] else f"write it as {day}"
    with suppress(ValueError):
        number = float(text)
        for what, lowest, end, since, unit in _NUMBERS:
            if lowest <= number < end:
                day = (since + number * unit).date()
                return f"this looks like {what}; write the day, such as {day}"
    return "write a day as 2011-12-09"
