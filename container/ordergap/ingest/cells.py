"""Values of texts: identifiers, numbers and dates.

Every function takes the (k,) distinct texts of a column, so that each is read once, and returns
(k,) values, null where a text has none.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from ordergap.errors import DataError

# What programs write where there is no value.
BLANK = ("", "nan", "null", "none", "<na>", "nat")

LARGEST = 1e12  # of a quantity, a price or an amount
SMALLEST = 1e-9  # anything nearer to zero is zero

# As in a scoring request; placeholders such as 9999-12-31 lie outside.
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2200, 1, 1)
MONTH_FIRST, DAY_FIRST = "%m/%d/%Y", "%d/%m/%Y"


def identifiers(texts: pl.Series) -> pl.Series:
    """The texts without surrounding blanks and ``.0``.

    >>> identifiers(pl.Series([" 17850.0", "85123A", "nan", " "])).to_list()
    ['17850', '85123A', None, None]
    """
    ids = texts.str.strip_chars().str.replace(r"^(\d+)\.0+$", "${1}")
    return ids.set(ids.str.to_lowercase().is_in(BLANK), None)


def ranks(ids: pl.Series) -> tuple[list[str], pl.Series]:
    """The distinct ids in text order, and the place of each id in it.

    >>> names, places = ranks(pl.Series(["b", None, "a", "b"]))
    >>> names, places.to_list()
    (['a', 'b'], [1, None, 0, 1])
    """
    places = ids.rank("dense").cast(pl.Int32) - 1
    return ids.drop_nulls().unique().sort().to_list(), places


def numbers(texts: pl.Series) -> pl.Series:
    """Numbers up to `LARGEST`. A comma before one, two or over three digits is a decimal comma.

    >>> numbers(pl.Series([" 2.50 ", "2,5", "1,234", "1e400", "six"])).to_list()
    [2.5, 2.5, None, None, None]
    """
    text = texts.str.strip_chars().str.replace(r"^([+-]?\d+),(\d{1,2}|\d{4,})$", "${1}.${2}")
    values = text.cast(pl.Float64, strict=False)
    values = values.set(~values.is_between(-LARGEST, LARGEST), None)
    return values.set(values.abs() < SMALLEST, 0)


@dataclass(frozen=True)
class Dates:
    """The moments of a date column and how they were read.

    moments      to the microsecond, by the shop's clock
    date_format  the format of the argument, or `DAY_FIRST` where some dates have the day first: a
                 smaller file is then read in the same way
    notes        sentences for the user
    """

    moments: pl.Series
    date_format: str | None
    notes: tuple[str, ...] = ()


def dates(texts: pl.Series, date_format: str | None = None) -> Dates:
    """Read `date_format` (strptime), ISO 8601, and without the former ``20101201`` and slashes.

    The day is the one that is written: an offset from UTC is ignored. Dates with slashes are
    month/day/year, or day/month/year where some of them can only be that. Raises DataError where
    some can only be the one and some only the other.

    >>> texts = ["2010-12-01T08:26:00Z", "20101202", "13/1/2010", "2/1/2010 8:26"]
    >>> column = dates(pl.Series(texts))
    >>> column.moments.dt.to_string("%Y-%m-%dT%H:%M").to_list()
    ['2010-12-01T08:26', '2010-12-02T00:00', '2010-01-13T00:00', '2010-01-02T08:26']
    >>> column.date_format
    '%d/%m/%Y'
    """
    text = texts.str.strip_chars()
    if date_format:
        return Dates(_in_range(_fill_iso(_parse_with_time(text, date_format), text)), date_format)
    moments = _parse(text, ["%Y-%m-%d %H:%M:%S"])
    if moments.null_count():
        compact = text.str.extract(r"^(\d{8})(?:\.0)?$")
        moments = _fill_iso(moments, text).fill_null(_parse(compact, ["%Y%m%d"]))
    slashed = text.filter(moments.is_null() & text.str.contains("/", literal=True))
    if slashed.is_empty():
        return Dates(_in_range(moments), None)
    by_month, by_day = _parse_with_time(slashed, MONTH_FIRST), _parse_with_time(slashed, DAY_FIRST)
    only_month = slashed.filter(by_month.is_not_null() & by_day.is_null()).sort().head(1)
    only_day = slashed.filter(by_day.is_not_null() & by_month.is_null()).sort().head(1)
    if len(only_month) and len(only_day):
        raise DataError(
            f'the dates contradict one another: "{only_month[0]}" can only be month/day and '
            f'"{only_day[0]}" only day/month. Set date_format, for example to {DAY_FIRST}'
        )
    if len(only_day):
        note = f'dates were read as day/month/year, because "{only_day[0]}" can only be that'
        return Dates(
            _in_range(moments.fill_null(_parse_with_time(text, DAY_FIRST))), DAY_FIRST, (note,)
        )
    certain = len(only_month) or not by_month.is_not_null().any()
    note = f"dates were read as month/day/year; if that is wrong, set date_format to {DAY_FIRST}"
    moments = moments.fill_null(_parse_with_time(text, MONTH_FIRST))
    return Dates(_in_range(moments), None, () if certain else (note,))


def _parse(text: pl.Series, formats: Iterable[str]) -> pl.Series:
    moments = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(text))
    for date_format in formats:
        parsed = text.str.to_datetime(date_format, strict=False, time_unit="us")
        moments = moments.fill_null(parsed.dt.replace_time_zone(None))
    return moments


def _parse_with_time(text: pl.Series, date_format: str) -> pl.Series:
    """Parse a format; where it has no time of day, a time may follow the date."""
    date_format = date_format.replace(".%f", "%.f")  # polars' name for a fraction of a second
    if re.search("%[HIMSTRXcs+]", date_format):
        return _parse(text, [date_format])
    times = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
    return _parse(text, [date_format + time for time in times])


def _fill_iso(moments: pl.Series, text: pl.Series) -> pl.Series:
    plain = (
        text.str.replace(r"^(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[Tt]|\s+|$)", "${1}-${2}-${3} ")
        .str.replace(r"(:\d\d(?:\.\d+)?)\s*(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?)$", "${1}")
        .str.strip_chars_end()
    )
    return moments.fill_null(_parse(plain, ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d"]))


def _in_range(moments: pl.Series) -> pl.Series:
    return moments.set(~moments.is_between(pl.lit(FIRST_DAY), pl.lit(LAST_DAY)), None)
