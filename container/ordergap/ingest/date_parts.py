"""Texts of dates, taken apart into numbers, a time of day and an offset."""

from __future__ import annotations

from typing import get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.contract.orders import DateOrder
from ordergap.ingest.months import MONTHS

ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)
NO_DAY = np.iinfo(np.int64).min  # no day, no time
DAY = 86_400_000_000  # microseconds
_TIME = (
    r"(?:(?:[Tt]| ?, ?| )?(?:at |um |à )?(\d{1,2})[:.h](\d\d)(?:[:.](\d\d)(?:[.,](\d{1,9}))?)?"
    r" ?([AaPp]\.? ?[Mm]\.?)?)?"
)
ZONE = r" ?([Zz]|[A-Z]{2,5}|(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?)?(?: \([^)]*\))?$"
_TAIL = _TIME + ZONE
_LETTERS = r"([^\W\d_]{3,})"
_YEAR = r"'?(\d{4}|\d\d)"
_FORMS = {
    "iso": r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _TAIL,
    "compact": r"^(\d{4})(\d\d)(\d\d)(?:\.0+)?"
    r"(?:[Tt ]?(\d\d):?(\d\d)(?::?(\d\d)(?:\.(\d{1,9}))?)?()?)?" + ZONE,
    "numbers": r"^(\d{1,2})[-/.] ?(\d{1,2})[-/.] ?(\d{4}|\d\d)" + _TAIL,
    "day name": rf"^(\d{{1,2}})(?:st|nd|rd|th|er|º)?\.?[-/ ]?(?:de )?{_LETTERS}\.?[-/ ,]*(?:de )?"
    + _YEAR
    + _TAIL,
    "name day": rf"^{_LETTERS}\.?[-/ ]*(\d{{1,2}})(?:st|nd|rd|th)?[-/ ,]+{_YEAR}{_TAIL}",
    "year name": rf"^(\d{{4}})[-/ ]+{_LETTERS}\.?[-/ ]+(\d{{1,2}}){_TAIL}",
}


class Parts:
    """Texts taken apart.

    texts   those of the call
    open    (k,) true where the sequence of day, month and year is open
    named   (k,) true where the month has a name
    """

    def __init__(self, texts: pl.Series, *, iso_only: bool = False) -> None:
        self.texts = texts
        count = len(texts)
        self._numbers = np.full((3, count), -1, np.int64)
        self._clock = np.full(count, NO_DAY)
        self._offset = np.full(count, np.nan)
        self._two_digits = np.zeros(count, bool)
        self.open = np.zeros(count, bool)
        self.named = np.zeros(count, bool)
        left = np.arange(count)
        text = texts if iso_only or not count else _tidy(texts)
        for form in ("iso", "compact") if iso_only else _FORMS:
            if not len(left):  # compiling a pattern takes longer than some texts
                break
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
            clocked = letters.is_in(["a", "p"]).fill_null(value=False).to_numpy()
            hours = np.where(
                clocked, np.where((hours < 1) | (hours > 12), 99, hours % 12 + 12 * noon), hours
            )
        micros = groups[fraction].fill_null("").str.pad_end(6, "0").str.slice(0, 6)
        minutes, seconds = _int(groups[minute]), _int(groups[second_])
        clock = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + _int(micros)
        self._clock[at] = np.where((hours < 24) & (minutes < 60) & (seconds < 61), clock, NO_DAY)
        self._offset[at] = offsets(groups[zone])

    def days(self) -> NDArray[np.int64]:
        """(3, k) days since 1970-01-01 for each sequence of `ORDERS`; `NO_DAY` for none."""
        year, month, day = self._numbers  # as if the day came first
        century = np.where(
            self._two_digits & (year < 69), 2000, np.where(self._two_digits, 1900, 0)
        )
        day_first = _days(year + century, month, day)
        # Only the sequence of open ones matters.
        month_first = np.where(self.named, NO_DAY, _days(year + century, day, month))
        swapped = np.where(day < 69, 2000, 1900)
        year_first = np.where(self._two_digits, _days(day + swapped, month, year), NO_DAY)
        clocked = self._clock != NO_DAY
        fixed = ~self.open
        every = [
            day_first,
            np.where(fixed, day_first, month_first),
            np.where(fixed, day_first, year_first),
        ]
        return np.where(clocked, np.array(every).reshape(3, -1), NO_DAY)

    def moments(self, order: DateOrder | None, time_zone: str | None) -> pl.Series:
        """Null where a text is no date in that sequence, or has none while `order` is None."""
        every = self.days()
        days = (
            every[ORDERS.index(order)]
            if order
            else np.where((every == every[0]).all(axis=0) | ~self.open, every[0], _alike(every))
        )
        micros = np.where(days == NO_DAY, 0, days * DAY + self._clock)
        moments = pl.Series(micros).cast(pl.Datetime("us")).set(pl.Series(days == NO_DAY), None)
        return to_zone(moments, self._offset, time_zone)


def _alike(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """The day where every sequence that fits gives the same, else `NO_DAY`."""
    highest = days.max(axis=0, initial=NO_DAY)
    alike = ((days == highest) | (days == NO_DAY)).all(axis=0)
    return np.where(alike, highest, NO_DAY)


def _int(texts: pl.Series) -> NDArray[np.int64]:
    return texts.cast(pl.Int64, strict=False).fill_null(0).to_numpy().copy()


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Days since 1970-01-01; `NO_DAY` where there is no such day."""
    fits = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1) & (year <= 9999)
    months = np.where(fits, (year - 1970) * 12 + month - 1, 0).astype("M8[M]")
    days = months.astype("M8[D]") + np.where(fits, day - 1, 0)
    return np.where(fits & (days.astype("M8[M]") == months), days.astype(np.int64), NO_DAY)


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


def offsets(zones: pl.Series) -> NDArray[np.float64]:
    """Minutes ahead of UTC; NaN where none is written, infinite for names such as EST."""
    zones = zones.fill_null("")
    groups = zones.str.extract_groups(r"^(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?$").struct
    minutes = (
        groups.field("2").cast(pl.Float64) * 60 + groups.field("3").cast(pl.Float64).fill_null(0)
    ) * groups.field("1").replace_strict(
        {"+": 1.0, "-": -1.0}, default=None, return_dtype=pl.Float64
    )
    utc = zones.str.to_uppercase().is_in(["Z", "UTC", "GMT"])
    minutes = minutes.set(utc, 0.0).fill_null(np.inf)
    return minutes.set(zones == "", np.nan).to_numpy()


def to_zone(moments: pl.Series, offsets: NDArray[np.float64], time_zone: str | None) -> pl.Series:
    """Moments with an offset by the clock of `time_zone`; those without one as they are.

    Names of zones stand for several: a moment with one is null, unless there is no `time_zone`.
    """
    if time_zone is None:
        return moments
    known = pl.Series(np.isfinite(offsets))
    moments = moments.set(pl.Series(np.isinf(offsets)), None)
    if not known.any():
        return moments
    micros = pl.Series(np.where(known, offsets, 0) * 60e6).cast(pl.Int64).cast(pl.Duration("us"))
    utc = (moments - micros).dt.replace_time_zone("UTC")
    local = utc.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    return moments.zip_with(~known, local)
