"""Numbers of the calendar, from days since 1970-01-01; all (n,) to (n,), years 1 to 9999.

The arithmetic counts in eras of 400 years that begin on a first of March, so that the leap day
ends a year. (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int32]
Numbers = NDArray[np.uint32]

MARCH_0000 = 719_468  # days from 0000-03-01, a Wednesday, to 1970-01-01


class Dates(NamedTuple):
    """Month (1 to 12), day of the month (1 to 31) and day of the year (1 to 366)."""

    month: Numbers
    day_of_month: Numbers
    day_of_year: Numbers


def dates(day: Days) -> Dates:
    """The dates of days."""
    march: Numbers = (day + MARCH_0000).astype(np.uint32)  # numpy divides whole columns at once,
    of_era = march - march // 146_097 * 146_097  # but takes remainders one by one
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    since_march = of_era - (365 * year + year // 4 - year // 100)
    months = (5 * since_march + 2) // 153
    leap = (year & 3 == 0) & ((year // 100 * 100 != year) | (year == 0))
    spring = months < 10  # March to December
    return Dates(
        month=np.where(spring, months + 3, months - 9),
        day_of_month=since_march - (153 * months + 2) // 5 + 1,
        day_of_year=np.where(spring, since_march + 60 + leap, since_march - 305),
    )


def weekday(day: Days) -> Numbers:
    """0 on Monday to 6 on Sunday."""
    numbers: Numbers = ((day + MARCH_0000).astype(np.uint32) + 2) % 7
    return numbers


def week_of_year(day: Days) -> Numbers:
    """1 to 53 as in ISO 8601: a week belongs to the year of its Thursday."""
    thursday = day + 3 - weekday(day).astype(np.int32)
    return (dates(thursday).day_of_year + 6) // 7
