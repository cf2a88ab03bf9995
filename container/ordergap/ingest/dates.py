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
from typing import get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.contract.orders import DateOrder
from ordergap.ingest.months import MONTHS

ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)
# As in a scoring request; placeholders such as 9999-12-31 lie outside.
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2200, 1, 1)
COUNTS = {"excel": "days since 1899-12-30", "epoch-s": "seconds since 1970", "epoch-ms": "ms"}

_NO = np.iinfo(np.int64).min  # no day, no time
_DAY = 86_400_000_000  # microseconds
_TIME = (
    r"(?:(?:[Tt]| ?, ?| )?(?:at |um |à )?(\d{1,2})[:.h](\d\d)(?:[:.](\d\d)(?:[.,](\d{1,9}))?)?"
    r" ?([AaPp]\.? ?[Mm]\.?)?)?"
)
_ZONE = r" ?([Zz]|[A-Z]{2,5}|(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?)?(?: \([^)]*\))?$"
_TAIL = _TIME + _ZONE
_LETTERS = r"([^\W\d_]{3,})"
_YEAR = r"'?(\d{4}|\d\d)"
_FORMS = {
    "iso": r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _TAIL,
    "compact": r"^(\d{4})(\d\d)(\d\d)(?:\.0+)?"
    r"(?:[Tt ]?(\d\d):?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?()?)?" + _ZONE,
    "numbers": r"^(\d{1,2})[-/.] ?(\d{1,2})[-/.] ?(\d{4}|\d\d)" + _TAIL,
    "day name": rf"^(\d{{1,2}})(?:st|nd|rd|th|er|º)?\.?[-/ ]?(?:de )?{_LETTERS}\.?[-/ ,]*(?:de )?"
    + _YEAR
    + _TAIL,
    "name day": rf"^{_LETTERS}\.?[-/ ]*(\d{{1,2}})(?:st|nd|rd|th)?[-/ ,]+{_YEAR}{_TAIL}",
    "year name": rf"^(\d{{4}})[-/ ]+{_LETTERS}\.?[-/ ]+(\d{{1,2}}){_TAIL}",
}


@dataclass(frozen=True)
class Evidence:
    """What the texts of a date column show.

    orders  the sequences that a text can be read in, joined by ``|`` -> the first such text
    later   sequence -> the first text that it would make a day after today
    named   a text with a month's name and a year of two digits, which shows nothing
    """

    orders: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    named: str | None = None


def evidence(texts: pl.Series, today: datetime.date) -> Evidence:
    """What the texts show of the sequence of day, month and year.

    >>> evidence(pl.Series(["1/13/2022", "3/4/2022"]), datetime.date(2023, 1, 1)).orders
    {'day-first|month-first': '3/4/2022', 'month-first': '1/13/2022'}
    """
    text = texts.str.strip_chars()
    parts = _Parts(text.filter(_plain(text).is_null()))
    days = parts.days()
    open_ = parts.open
    # A day that is the same whichever way it is read shows nothing.
    same = (days == days.max(axis=0)) | (days == _NO)
    open_ &= ~same.all(axis=0) | ((days != _NO).sum(axis=0) == 1)
    named = open_ & parts.named & ((days != _NO).sum(axis=0) > 1)
    orders: dict[str, str] = {}
    for fits in {*map(tuple, (days[:, open_ & ~named] != _NO).T.tolist())} - {(False,) * 3}:
        those = ((days != _NO) == np.array(fits)[:, None]).all(axis=0) & open_ & ~named
        label = "|".join(order for order, fit in zip(ORDERS, fits, strict=True) if fit)
        orders[label] = _first(parts.texts, those)
    end = np.datetime64(today).astype(np.int64)
    numeric = open_ & ~parts.named
    return Evidence(
        dict(sorted(orders.items())),
        {
            order: _first(parts.texts, late)
            for order, row in zip(ORDERS, days, strict=True)
            if (late := (row > end) & numeric).any()
        },
        _first(parts.texts, named) if named.any() else None,
    )


def read(
    texts: pl.Series,
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
    text = texts.str.strip_chars()
    if date_format in ORDERS:
        date_format, order = None, date_format
    if date_format in COUNTS:
        moments = _counted(text, date_format, time_zone)
    elif date_format:
        moments = _by_pattern(text, date_format, time_zone)
    else:
        moments = _plain(text)
    rest = moments.is_null()
    if rest.any():
        parts = _Parts(text.filter(rest), iso_only=date_format is not None)
        moments = moments.scatter(rest.arg_true(), parts.moments(order, time_zone))
    return moments.set(~moments.is_between(pl.lit(FIRST_DAY), pl.lit(LAST_DAY)), None)


def _plain(text: pl.Series) -> pl.Series:
    """The moments of the form that most exports have, fast."""
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")


def _first(texts: pl.Series, those: NDArray[np.bool_]) -> str:
    return str(texts.filter(pl.Series(those)).min())


def _by_pattern(text: pl.Series, pattern: str, time_zone: str | None) -> pl.Series:
    """Parse a strptime pattern; where it has no time of day, a time may follow the date."""
    pattern = pattern.replace(".%f", "%.f")  # polars' name for a fraction of a second
    zone = None
    if re.search("%:?[zZ]", pattern):
        pattern = re.sub(" ?%:?[zZ]", "", pattern)
        zone = text.str.extract(_ZONE, 1)
        text = text.str.replace(_ZONE, "")
    times = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p"]
    if re.search("%[HIMSTRXcs+]", pattern):
        times = [""]
    moments = _nothing(len(text))
    for time in times:
        parsed = text.str.to_datetime(pattern + time, strict=False, time_unit="us")
        moments = moments.fill_null(parsed.dt.replace_time_zone(None))
    return moments if zone is None else _to_zone(moments, _offsets(zone), time_zone)


def _nothing(count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, count)


def _counted(text: pl.Series, unit: str, time_zone: str | None) -> pl.Series:
    """Moments counted in some unit; of seconds and milliseconds the day is that of UTC."""
    shown = text.str.contains(r"^\d+([.,]\d+)?$")
    number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    number = number.set(~shown.fill_null(value=False), None)
    scale = {"excel": float(_DAY), "epoch-s": 1e6, "epoch-ms": 1e3}[unit]
    micros = (number * scale).round()
    micros = micros.set(~micros.is_between(0, 1e16), None).cast(pl.Int64)
    if unit == "excel":
        # 44572.33681 is 8:05 but for the digits that it does not have.
        days = (micros / 1e6).round().cast(pl.Int64) * 1_000_000
        return (days - 25_569 * _DAY).cast(pl.Datetime("us"))
    moments = micros.cast(pl.Datetime("us"))
    return _to_zone(moments, np.zeros(len(text)), time_zone)


def _offsets(zones: pl.Series) -> NDArray[np.float64]:
    """Minutes ahead of UTC; NaN where no offset is written."""
    zones = zones.fill_null("")
    groups = zones.str.extract_groups(r"^(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?$").struct
    minutes = (
        groups.field("2").cast(pl.Float64) * 60 + groups.field("3").cast(pl.Float64).fill_null(0)
    ) * groups.field("1").replace_strict(
        {"+": 1.0, "-": -1.0}, default=None, return_dtype=pl.Float64
    )
    utc = zones.str.to_uppercase().is_in(["Z", "UTC", "GMT"])
    return minutes.set(utc, 0.0).fill_null(np.nan).to_numpy()


def _to_zone(moments: pl.Series, offsets: NDArray[np.float64], time_zone: str | None) -> pl.Series:
    """Moments with an offset by the clock of `time_zone`; the others as they are."""
    known = pl.Series(~np.isnan(offsets))
    if time_zone is None or not known.any():
        return moments
    micros = pl.Series(np.nan_to_num(offsets) * 60e6).cast(pl.Int64).cast(pl.Duration("us"))
    utc = (moments - micros).dt.replace_time_zone("UTC")
    local = utc.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    return moments.zip_with(~known, local)


class _Parts:
    """Texts taken apart.

    texts   those of the call
    open    (k,) true where the sequence of day, month and year is open
    named   (k,) true where the month has a name
    """

    def __init__(self, texts: pl.Series, *, iso_only: bool = False) -> None:
        self.texts = texts
        count = len(texts)
        self._numbers = np.full((3, count), -1, np.int64)
        self._clock = np.full(count, _NO)
        self._offset = np.full(count, np.nan)
        self._two_digits = np.zeros(count, bool)
        self.open = np.zeros(count, bool)
        self.named = np.zeros(count, bool)
        left = np.arange(count)
        text = texts if iso_only else _tidy(texts)
        for form in ("iso", "compact") if iso_only else _FORMS:
            groups = text.str.extract_groups(_FORMS[form]).struct.unnest()
            found = groups["1"].is_not_null().to_numpy()
            if found.any():
                self._take(form, left[found], groups.filter(pl.Series(found)))
                left, text = left[~found], text.filter(pl.Series(~found))

    def _take(self, form: str, at: NDArray[np.int64], groups: pl.DataFrame) -> None:
        first, second, third, hour, minute, second_, fraction, half, zone = groups.columns
        names = {"day name": second, "name day": first, "year name": second}
        numbers = []
        for column in (first, second, third):
            text = groups[column]
            if column == names.get(form):
                text = text.str.to_lowercase().replace_strict(
                    MONTHS, default=None, return_dtype=pl.Int64
                )
            numbers.append(text.cast(pl.Int64, strict=False).fill_null(-1).to_numpy())
        a, b, c = numbers
        short = (groups[third].str.len_bytes() == 2).to_numpy() & (
            form not in {"iso", "compact", "year name"}
        )
        fixed = {
            "iso": (a, b, c),
            "compact": (a, b, c),
            "year name": (a, b, c),
            "name day": (c, a, b),
        }
        year, month, day = fixed.get(form, (c, b, a))
        self._numbers[:, at] = np.array([year, month, day])
        self._two_digits[at] = short
        self.named[at] = form in names
        # With its name a month is known, so that only two digits leave the year open.
        self.open[at] = short if form == "day name" else form == "numbers"
        hours = _int(groups[hour])
        if half:
            letters = groups[half].str.to_lowercase().str.slice(0, 1)
            noon = (letters == "p").fill_null(value=False).to_numpy()
            clocked = letters.is_not_null().to_numpy()
            hours = np.where(
                clocked, np.where((hours < 1) | (hours > 12), 99, hours % 12 + 12 * noon), hours
            )
        micros = groups[fraction].fill_null("").str.pad_end(6, "0").str.slice(0, 6)
        minutes, seconds = _int(groups[minute]), _int(groups[second_])
        clock = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + _int(micros)
        self._clock[at] = np.where((hours < 24) & (minutes < 60) & (seconds < 61), clock, _NO)
        self._offset[at] = _offsets(groups[zone])

    def days(self) -> NDArray[np.int64]:
        """(3, k) days since 1970-01-01 for each sequence of `ORDERS`; `_NO` where there is none."""
        year, month, day = self._numbers  # as if the day came first
        century = np.where(
            self._two_digits & (year < 69), 2000, np.where(self._two_digits, 1900, 0)
        )
        day_first = _days(year + century, month, day)
        # Only the sequence of open ones matters.
        month_first = np.where(self.named, _NO, _days(year + century, day, month))
        swapped = np.where(day < 69, 2000, 1900)
        year_first = np.where(self._two_digits, _days(day + swapped, month, year), _NO)
        clocked = self._clock != _NO
        fixed = ~self.open
        every = [
            day_first,
            np.where(fixed, day_first, month_first),
            np.where(fixed, day_first, year_first),
        ]
        return np.where(clocked, np.array(every).reshape(3, -1), _NO)

    def moments(self, order: DateOrder | None, time_zone: str | None) -> pl.Series:
        """Null where a text is no date in that sequence, or has none while `order` is None."""
        every = self.days()
        days = (
            every[ORDERS.index(order)]
            if order
            else np.where((every == every[0]).all(axis=0) | ~self.open, every[0], _alike(every))
        )
        micros = np.where(days == _NO, 0, days * _DAY + self._clock)
        moments = pl.Series(micros).cast(pl.Datetime("us")).set(pl.Series(days == _NO), None)
        return _to_zone(moments, self._offset, time_zone)


def _alike(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """The day where every sequence that fits gives the same, else `_NO`."""
    highest = days.max(axis=0, initial=_NO)
    alike = ((days == highest) | (days == _NO)).all(axis=0)
    return np.where(alike, highest, _NO)


def _int(texts: pl.Series) -> NDArray[np.int64]:
    return texts.cast(pl.Int64, strict=False).fill_null(0).to_numpy().copy()


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Days since 1970-01-01; `_NO` where there is no such day."""
    fits = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1) & (year <= 9999)
    months = np.where(fits, (year - 1970) * 12 + month - 1, 0).astype("M8[M]")
    days = months.astype("M8[D]") + np.where(fits, day - 1, 0)
    return np.where(fits & (days.astype("M8[M]") == months), days.astype(np.int64), _NO)


def _tidy(texts: pl.Series) -> pl.Series:
    """Blanks as one, without a weekday, and the year behind the day where a time stands between."""
    return (
        texts.str.replace_all(r"[\s\u00A0\u202F]+", " ")
        .str.replace(r"^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? ", "")
        .str.replace(
            r"^([A-Za-z]{3}) (\d\d?) ([\d:]+)( [A-Z+0-9-]+)? (\d{4})$", "${2} ${1} ${5} ${3}${4}"
        )
        .str.replace(r"^(\d{4}) ?年 ?(\d\d?) ?月 ?(\d\d?) ?日", "${1}-${2}-${3}")
    )
