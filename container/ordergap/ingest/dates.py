"""Moments of texts, whose sequence of day, month and year the whole column shows.

A date such as 3/4/2022 is read only once it is known whether the day or the month comes first: a
cell shows it where it can only be one of them. Every function takes the (k,) distinct texts of a
column.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.contract.orders import DateOrder
from ordergap.ingest.date_parts import DAY, NO_DAY, ORDERS, ZONE, Parts, offsets, to_zone

# As in a scoring request; placeholders such as 9999-12-31 lie outside.
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2200, 1, 1)
MANY = 10  # distinct dates of two kinds that are not so by chance
_DAY = r"^\d{4}-\d\d-\d\d$"
_SAMPLE = 2_000  # texts that mostly show that a form has days of any number
_NUMBERS = r"^\d+[-/.] ?\d+[-/.] ?\d+"
# Days since 1899-12-30, and seconds and milliseconds since 1970 -> microseconds of one.
_UNITS = {"excel": float(DAY), "epoch-s": 1e6, "epoch-ms": 1e3}


@dataclass(frozen=True)
class Evidence:
    """What the texts of a date column show.

    orders  the sequences that a text can be read in, joined by ``|`` -> the first such text
    later   sequence -> the first text that it would make a day after today
    named   a text with a month's name and a year of two digits, which shows nothing
    marks   mark between the numbers, and sequences as in `orders` -> the first dates, 10 at most
    halves  a text of each of two forms, where all of the one have a day up to 12 and all of the
            other one beyond: a spreadsheet took the ones for days, with day and month exchanged,
            and left the others
    """

    orders: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    marks: dict[str, list[str]] = field(default_factory=dict)
    named: str | None = None
    halves: tuple[str, str] | None = None


class Texts:
    """Texts that are taken apart once, both for what they show and for what they are."""

    def __init__(self, texts: pl.Series) -> None:
        self._texts = texts

    @cached_property
    def stripped(self) -> pl.Series:
        """The texts without blanks around them and the mark of a number."""
        return self._texts.str.strip_chars().str.strip_prefix("=")

    @cached_property
    def plain(self) -> pl.Series:
        """The moments of the forms that most exports have, fast; null for others."""
        moments = self._parse(self.stripped, "%Y-%m-%d %H:%M:%S")
        if moments.has_nulls():
            days = self.stripped.str.contains(_DAY) & moments.is_null()
            moments.scatter(days.arg_true(), self._parse(self.stripped.filter(days), "%Y-%m-%d"))
        return moments

    @staticmethod
    def _parse(texts: pl.Series, form: str) -> pl.Series:
        return texts.str.to_datetime(form, strict=False, time_unit="us", cache=False)

    @cached_property
    def odd(self) -> Parts:
        """The parts of all other texts."""
        return Parts(self.stripped.filter(self.plain.is_null()))


def evidence(texts: pl.Series | Texts, today: datetime.date) -> Evidence:
    """What the texts show of the sequence of day, month and year.

    >>> evidence(pl.Series(["1/13/2022", "3/4/2022"]), datetime.date(2023, 1, 1)).orders
    {'day-first|month-first': '3/4/2022', 'month-first': '1/13/2022'}
    """
    dated = texts if isinstance(texts, Texts) else Texts(texts)
    parts = dated.odd
    days = parts.days()
    open_ = parts.open.copy()
    # A day that is the same whichever way it is read shows nothing.
    same = (days == days.max(axis=0)) | (days == NO_DAY)
    open_ &= ~same.all(axis=0) | ((days != NO_DAY).sum(axis=0) == 1)
    named = open_ & parts.named & ((days != NO_DAY).sum(axis=0) > 1)
    orders: dict[str, str] = {}
    marks: dict[str, list[str]] = {}
    for fits in {*map(tuple, (days[:, open_ & ~named] != NO_DAY).T.tolist())} - {(False,) * 3}:
        those = ((days != NO_DAY) == np.array(fits)[:, None]).all(axis=0) & open_ & ~named
        label = "|".join(order for order, fit in zip(ORDERS, fits, strict=True) if fit)
        orders[label] = _first(parts.texts, those)
        numbers = parts.texts.filter(pl.Series(those & ~parts.named)).str.extract(_NUMBERS, 0)
        for mark in "-/.":
            some = numbers.filter(numbers.str.contains(mark, literal=True)).unique().sort()
            if len(some):
                marks[f"{mark} {label}"] = some.head(MANY).to_list()
    end = np.datetime64(today).astype(np.int64)
    numeric = open_ & ~parts.named
    written = dated.stripped if numeric.sum() >= MANY else parts.texts.clear()
    written = written.filter(written.str.contains(r"^\d{4}-"))
    fixed = read(written).drop_nulls().dt.day() if len(written) else written
    halves = (
        len(fixed) >= MANY
        and bool((fixed <= 12).all())
        and len(orders) == 1
        and {*orders} <= {"day-first", "month-first"}
    )
    return Evidence(
        dict(sorted(orders.items())),
        {
            order: _first(parts.texts, late)
            for order, row in zip(ORDERS, days, strict=True)
            if (late := (row > end) & numeric).any()
        },
        marks,
        _first(parts.texts, named) if named.any() else None,
        (str(written.min()), next(iter(orders.values()))) if halves else _swapped(dated),
    )


def _swapped(dated: Texts) -> tuple[str, str] | None:
    """As `Evidence.halves`, where all days beyond 12 are of forms with one sequence.

    A form is what is left of a text without its digits and letters.
    """
    texts = dated.stripped
    odd = len(dated.odd.texts)
    if dated.odd.open.all() if odd == len(texts) else not odd and _have_one_length(texts):
        return None  # all sequences are open, or one form is all
    for some in (texts[:: len(texts) // _SAMPLE + 1], texts):
        moments = read(some, order="day-first")
        beyond = (moments.dt.day() > 12) | moments.is_null()
        form = some.str.replace_all(r"\d+", "0").str.replace_all(r"[^\W\d_]+", "a")
        dates = pl.DataFrame(
            {"text": some, "form": form, "day": moments.dt.date(), "beyond": beyond}
        )
        forms = dates.group_by("form").agg(pl.col("beyond").mean())
        if forms["beyond"].is_between(0, 1, closed="none").any() or forms["beyond"].n_unique() < 2:
            return None
    low, high = dates.filter(~beyond), dates.filter(beyond)
    months, days = low["day"].dt.month().n_unique(), low["day"].dt.day().n_unique()
    if min(low["day"].n_unique(), high["day"].n_unique()) < MANY or min(months, days) < 2:
        return None
    return str(low["text"].min()), str(high["text"].min())


def _have_one_length(texts: pl.Series) -> bool:
    return texts.str.len_bytes().n_unique() == 1


def join_marks(
    one: Mapping[str, list[str]], other: Mapping[str, list[str]]
) -> dict[str, list[str]]:
    """`Evidence.marks` of two parts."""
    return {
        mark: sorted({*one.get(mark, ()), *other.get(mark, ())})[:MANY]
        for mark in sorted({*one, *other})
    }


def unshown(marks: Mapping[str, list[str]], order: DateOrder) -> tuple[str, str] | None:
    """A date, and the sequences that it has, where only dates with another mark show the `order`.

    None also where the ones can only be of this order, the others can all be of several, and both
    are many: then a program wrote one column in two ways, by whether the day is beyond 12.

    >>> marks = {"- day-first": ["14-01-2022"], "/ day-first|month-first": ["1/4/2022"]}
    >>> unshown(marks, "day-first")
    ('1/4/2022', 'day-first|month-first')
    """
    texts: dict[str, dict[str, list[str]]] = {}
    for key, shown in marks.items():
        mark, orders = key.split(" ", 1)
        texts.setdefault(mark, {})[orders] = shown
    proven = {
        mark: set.intersection(*({*orders.split("|")} for orders in its)) == {order}
        for mark, its in texts.items()
    }
    halves = all(len(its) == 1 and len(*its.values()) >= MANY for its in texts.values())
    if all(proven.values()) or halves:
        return None
    orders, (text, *_) = min(texts[min(mark for mark in texts if not proven[mark])].items())
    return text, orders


def read(
    texts: pl.Series | Texts,
    date_format: str | None = None,
    order: DateOrder | None = None,
    time_zone: str | None = None,
) -> pl.Series:
    """Moments by the shop's clock, to the microsecond; null for what is none.

    date_format  as in `Columns`; ISO 8601 is read besides
    order        the sequence in dates such as 3/4/2022; None: no text shows one
    time_zone    where moments with an offset are converted to; None: the day is the one written

    >>> texts = ["2010-12-01T08:26:00Z", "20101202", "1. Mai 2010", "2/1/2010 8:26 pm"]
    >>> read(pl.Series(texts), order="day-first").dt.to_string("%Y-%m-%dT%H:%M").to_list()
    ['2010-12-01T08:26', '2010-12-02T00:00', '2010-05-01T00:00', '2010-01-02T20:26']
    """
    dated = texts if isinstance(texts, Texts) else Texts(texts)
    if date_format in ORDERS:
        date_format, order = None, date_format
    if date_format in _UNITS:
        moments = _counted(dated.stripped, date_format, time_zone)
    elif date_format:
        moments = _by_pattern(dated.stripped, date_format, time_zone)
    else:
        moments = dated.plain.clone()  # scatter changes it
    # A pattern for years first reads ISO 8601 itself, or contradicts it.
    rest = moments.is_null() & (not (date_format or "").startswith("%Y"))
    if rest.any():
        parts = Parts(dated.stripped.filter(rest), iso_only=True) if date_format else dated.odd
        moments = moments.scatter(rest.arg_true(), parts.moments(order, time_zone))
    return moments.set(~moments.is_between(pl.lit(FIRST_DAY), pl.lit(LAST_DAY)), None)


def _first(texts: pl.Series, those: NDArray[np.bool_]) -> str:
    return str(texts.filter(pl.Series(those)).min())


def _by_pattern(text: pl.Series, pattern: str, time_zone: str | None) -> pl.Series:
    """Parse a strptime pattern; where it has no time of day, a time may follow the date."""
    pattern = pattern.replace(".%f", "%.f")  # polars' name for a fraction of a second
    zone = None
    if re.search("%:?[zZ]|[^%]Z$", pattern):  # Z is that of UTC
        pattern = re.sub(" ?%:?[zZ]|Z$", "", pattern)
        zone = text.str.extract(ZONE, 1)
        text = text.str.replace(ZONE, "")
    times = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p"]
    if re.search("%[HIMSTRXcs+]", pattern):
        times = [""]
    moments = _nothing(len(text))
    for time in times:
        parsed = text.str.to_datetime(pattern + time, strict=False, time_unit="us")
        moments = moments.fill_null(parsed.dt.replace_time_zone(None))
    return moments if zone is None else to_zone(moments, offsets(zone), time_zone)


def _nothing(count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, count)


def _counted(text: pl.Series, unit: str, time_zone: str | None) -> pl.Series:
    """Moments counted in some unit; of seconds and milliseconds the day is that of UTC."""
    shown = text.str.contains(r"^\d+([.,]\d+)?$")
    number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    number = number.set(~shown.fill_null(value=False), None)
    micros = (number * _UNITS[unit]).round()
    micros = micros.set(~micros.is_between(0, 1e16), None).cast(pl.Int64)
    if unit == "excel":
        # 44572.33681 is 8:05 but for the digits that it does not have.
        days = (micros / 1e6).round().cast(pl.Int64) * 1_000_000
        return (days - 25_569 * DAY).cast(pl.Datetime("us"))
    moments = micros.cast(pl.Datetime("us"))
    return to_zone(moments, np.zeros(len(text)), time_zone)
