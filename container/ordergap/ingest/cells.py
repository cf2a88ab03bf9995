"""The texts of cells, read: identifiers, numbers, dates. Each distinct text is read once.

A column is given as its (k,) distinct texts; answers are (k,) values, null where there is none.
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
    date_format  what reads a smaller file alike: as given, or `DAY_FIRST` where the values said so
    """

    moments: pl.Series
    date_format: str | None
    notes: tuple[str, ...] = ()


def dates(texts: pl.Series, date_format: str | None = None) -> Dates:
    """Read `date_format` (strptime), ISO 8601, and without the former ``20101201`` and slashes.

    The day is the one that is written: an offset from UTC is passed over. Slashes part month, day
    and year, or day, month and year where only that can be meant. Raises DataError where some
    dates can only be meant one way and some only the other.

    >>> found = dates(pl.Series(["2010-12-01T08:26:00Z", "20101202", "13/1/2010", "2/1/2010 8:26"]))
    >>> found.moments.dt.to_string("%Y-%m-%dT%H:%M").to_list()
    ['2010-12-01T08:26', '2010-12-02T00:00', '2010-01-13T00:00', '2010-01-02T08:26']
    >>> found.date_format
    '%d/%m/%Y'
    """
    text = texts.str.strip_chars()
    if date_format:
        return Dates(_sane(_or_iso(_with_clock(text, date_format), text)), date_format)
    moments = _parse(text, ["%Y-%m-%d %H:%M:%S"])
    if moments.null_count():
        compact = text.str.extract(r"^(\d{8})(?:\.0)?$")
        moments = _or_iso(moments, text).fill_null(_parse(compact, ["%Y%m%d"]))
    slashed = text.filter(moments.is_null() & text.str.contains("/", literal=True))
    if slashed.is_empty():
        return Dates(_sane(moments), None)
    by_month, by_day = _with_clock(slashed, MONTH_FIRST), _with_clock(slashed, DAY_FIRST)
    only_month = slashed.filter(by_month.is_not_null() & by_day.is_null()).sort().head(1)
    only_day = slashed.filter(by_day.is_not_null() & by_month.is_null()).sort().head(1)
    if len(only_month) and len(only_day):
        raise DataError(
            f'"{only_month[0]}" can only be month/day and "{only_day[0]}" only day/month: say how '
            f"the dates are meant with date_format, such as {DAY_FIRST}"
        )
    if len(only_day):
        note = f'dates were read as day/month/year, since "{only_day[0]}" can only be that'
        return Dates(_sane(moments.fill_null(_with_clock(text, DAY_FIRST))), DAY_FIRST, (note,))
    sure = len(only_month) or not by_month.is_not_null().any()
    note = f"dates were read as month/day/year; if they are not, set date_format to {DAY_FIRST}"
    moments = moments.fill_null(_with_clock(text, MONTH_FIRST))
    return Dates(_sane(moments), None, () if sure else (note,))


def _parse(text: pl.Series, formats: Iterable[str]) -> pl.Series:
    moments = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(text))
    for form in formats:
        read = text.str.to_datetime(form, strict=False, time_unit="us")
        moments = moments.fill_null(read.dt.replace_time_zone(None))
    return moments


def _with_clock(text: pl.Series, form: str) -> pl.Series:
    """Read a format; one without a time of day may be followed by one."""
    form = form.replace(".%f", "%.f")  # the parser's name for a fraction of a second
    if re.search("%[HIMSTRXcs+]", form):
        return _parse(text, [form])
    clocks = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
    return _parse(text, [form + clock for clock in clocks])


def _or_iso(moments: pl.Series, text: pl.Series) -> pl.Series:
    plain = (
        text.str.replace(r"^(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[Tt]|\s+|$)", "${1}-${2}-${3} ")
        .str.replace(r"(:\d\d(?:\.\d+)?)\s*(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?)$", "${1}")
        .str.strip_chars_end()
    )
    return moments.fill_null(_parse(plain, ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d"]))


def _sane(moments: pl.Series) -> pl.Series:
    return moments.set(~moments.is_between(pl.lit(FIRST_DAY), pl.lit(LAST_DAY)), None)
