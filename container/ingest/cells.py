"""The texts of cells, read: identifiers, numbers, dates. Each distinct text is read once.

A column is given as its (k,) distinct texts, among them "" for cells that are not there.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from container.errors import DataError

# What programs write where there is no value.
BLANK = ("", "nan", "null", "none", "<na>", "nat")

LARGEST = 1e12  # of a quantity, a price or an amount
SMALLEST = 1e-9  # anything nearer to zero is zero

MICROSECONDS = 86_400_000_000  # in a day
UNREADABLE = np.iinfo(np.int64).min
# As in a scoring request; placeholders such as 9999-12-31 lie outside.
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2200, 1, 1)
MONTH_FIRST, DAY_FIRST = "%m/%d/%Y", "%d/%m/%Y"


def identifiers(texts: pl.Series) -> pl.Series:
    """(k,) the texts without surrounding blanks and ``.0``; null where there is none.

    >>> identifiers(pl.Series([" 17850.0", "85123A", "nan", " "])).to_list()
    ['17850', '85123A', None, None]
    """
    ids = texts.str.strip_chars().str.replace(r"^(\d+)\.0+$", "${1}")
    return ids.set(ids.str.to_lowercase().is_in(BLANK), None)


def ranks(ids: pl.Series) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct ids in text order, and (k,) the place of each id in it; -1 for none.

    >>> ranks(pl.Series(["b", None, "a", "b"]))
    (['a', 'b'], array([ 1, -1,  0,  1], dtype=int32))
    """
    places = ids.rank("dense").cast(pl.Int32).fill_null(0) - 1
    return ids.drop_nulls().unique().sort().to_list(), places.to_numpy()


def numbers(texts: pl.Series) -> NDArray[np.float64]:
    """(k,) numbers; NaN where unreadable or beyond `LARGEST`.

    A comma before one, two or more than three digits can only be a decimal comma.

    >>> numbers(pl.Series([" 2.50 ", "2,5", "1,234", "1e400", "six"])).tolist()
    [2.5, 2.5, nan, nan, nan]
    """
    text = texts.str.strip_chars().str.replace(r"^([+-]?\d+),(\d{1,2}|\d{4,})$", "${1}.${2}")
    values = text.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    return np.where(np.abs(values) < SMALLEST, 0, values)


@dataclass(frozen=True)
class Dates:
    """The moments of a date column and how they were read.

    moments      (k,) microseconds since 1970-01-01 by the shop's clock, or `UNREADABLE`
    date_format  what reads a smaller file alike: as given, or `DAY_FIRST` where the values said so
    """

    moments: NDArray[np.int64]
    date_format: str | None
    notes: tuple[str, ...] = ()


def dates(texts: pl.Series, date_format: str | None = None) -> Dates:
    """Read `date_format` (strptime), ISO 8601, and without the former ``20101201`` and slashes.

    The day is the one that is written: an offset from UTC is passed over. Slashes part month, day
    and year, or day, month and year where only that can be meant. Raises DataError where some
    dates can only be meant one way and some only the other.

    >>> found = dates(pl.Series(["2010-12-01T08:26:00Z", "20101202", "13/1/2010", "2/1/2010 8:26"]))
    >>> np.datetime_as_string(found.moments.view("datetime64[us]"), unit="m").tolist()
    ['2010-12-01T08:26', '2010-12-02T00:00', '2010-01-13T00:00', '2010-01-02T08:26']
    >>> found.date_format
    '%d/%m/%Y'
    """
    text = texts.str.strip_chars()
    if date_format:
        return Dates(_moments(_or_iso(_with_clock(text, date_format), text)), date_format)
    moments = _parse(text, ["%Y-%m-%d %H:%M:%S"])
    if moments.null_count():
        compact = text.str.extract(r"^(\d{8})(?:\.0)?$")
        moments = _or_iso(moments, text).fill_null(_parse(compact, ["%Y%m%d"]))
    slashed = text.filter(moments.is_null() & text.str.contains("/", literal=True))
    if slashed.is_empty():
        return Dates(_moments(moments), None)
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
        return Dates(_moments(moments.fill_null(_with_clock(text, DAY_FIRST))), DAY_FIRST, (note,))
    sure = len(only_month) or not by_month.is_not_null().any()
    note = f"dates were read as month/day/year; if they are not, set date_format to {DAY_FIRST}"
    moments = moments.fill_null(_with_clock(text, MONTH_FIRST))
    return Dates(_moments(moments), None, () if sure else (note,))


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


def _moments(moments: pl.Series) -> NDArray[np.int64]:
    sane = moments.is_between(pl.lit(FIRST_DAY), pl.lit(LAST_DAY))
    return moments.set(~sane, None).to_physical().fill_null(UNREADABLE).to_numpy()
