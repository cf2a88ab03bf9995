"""Numbers of the calendar, from days since 1970-01-01; all (n,) to (n,)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int32] | NDArray[np.int64]
Ints = NDArray[np.int64]


def weekday(day: Days) -> Ints:
    """0 on Monday to 6 on Sunday; 1970-01-01 was a Thursday."""
    return (day.astype(np.int64) + 3) % 7


def month(day: Days) -> Ints:
    """1 to 12."""
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months % 12 + 1


def quarter(day: Days) -> Ints:
    """1 to 4."""
    return (month(day) + 2) // 3


def day_of_month(day: Days) -> Ints:
    """1 to 31."""
    return _days_into(day, "M") + 1


def day_of_year(day: Days) -> Ints:
    """1 to 366."""
    return _days_into(day, "Y") + 1


def week_of_year(day: Days) -> Ints:
    """1 to 53 as in ISO 8601: a week belongs to the year of its Thursday."""
    thursday = day - weekday(day) + 3
    return _days_into(thursday, "Y") // 7 + 1


def _days_into(day: Days, unit: Literal["M", "Y"]) -> Ints:
    """Days since the month or the year began."""
    date = day.astype("datetime64[D]")
    begin = date.astype(f"datetime64[{unit}]").astype("datetime64[D]")
    return (date - begin).astype(np.int64)
