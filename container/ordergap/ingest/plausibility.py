"""Dates that cannot be, and customers who have too large a share.

See docs/decisions/data.md#dates-that-cannot-be.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ordergap.clock import today
from ordergap.histories import Histories, date_of, day_of

EMPTY_DAYS = 365
FEW = 500  # of so many rows one may be far from all others
# Beyond so many days without any row it is one of fewer, so that small data have odd rows too.
FAR_DAYS, FEWER = 3652, 50
# What programs write where they have no date.
PLACEHOLDERS = tuple(
    datetime.date(*each) for each in ((1900, 1, 1), (1901, 1, 1), (1970, 1, 1), (2099, 12, 31))
)
SHARE, TIMES_MEAN, CUSTOMERS = 0.05, 10, 20


def by_day(codes: pl.Series, moments: pl.Series) -> Counter[int]:
    """Day since 1970-01-01 -> number of rows, whose moments `codes` and `moments` give."""
    counts = pl.Series(np.bincount(codes.to_numpy(), minlength=len(moments)))
    rows = pl.DataFrame({"day": moments.dt.date().to_physical(), "rows": counts}).drop_nulls()
    return Counter(dict(rows.group_by("day").agg(pl.col("rows").sum()).iter_rows()))


def impossible(
    codes: pl.Series,
    moments: pl.Series,
    as_of: datetime.date | None,
    *,
    few: bool,
    strict: bool = False,
    whole: Mapping[int, int] | None = None,
) -> tuple[pl.Series, tuple[str, ...]]:
    """Which of the distinct `moments` cannot be, and sentences for the user.

    Those are the ones after today (or after `as_of`, where that is later), and with `few` also
    those that lie beyond a year without any row, if they are at most one row in `FEW` (beyond ten
    years one in `FEWER`) or the placeholder of a program. With `strict` every placeholder is.

    codes  the place of every row's moment in `moments`
    whole  the rows by day of all transactions, of which these are a part; None: these are all
    """
    last = max(today(), as_of or datetime.date.min)
    days = moments.dt.date()
    after = (days > last).fill_null(value=False)
    until = min(last, as_of or last)
    timely = (days <= until).fill_null(value=False)
    present = np.unique(days.filter(timely).to_physical().to_numpy())
    if whole is not None:
        present = np.array(sorted(day for day in whole if day <= day_of(until)), np.int32)
    if strict:
        return after | days.is_in(PLACEHOLDERS).fill_null(value=False), ()
    if not few or not (np.diff(present) > EMPTY_DAYS).any():
        return after, ()
    counted = by_day(codes, moments) if whole is None else whole
    rows = np.array([counted[int(day)] for day in present], np.int64)
    first, end = _bulk(present, rows)
    far = days.is_between(date_of(first), date_of(end)).not_() & ~after
    far &= timely
    count = int(rows[(present < first) | (present > end)].sum())
    rejected = (
        f"{count:,} rows are dated over {EMPTY_DAYS} days before or after all others, which are of "
        f"{date_of(first)} to {date_of(end)}: at most one row in {FEW} is (in {FEWER}, beyond ten "
        "years), or a placeholder such as 1900-01-01, and such rows are rejected"
    )
    notes = [rejected] if count else []
    within = (present >= first) & (present <= end)
    days_left, rows_left = present[within], rows[within]
    notes += [
        f"no row is dated between {date_of(days_left[gap])} and {date_of(days_left[gap + 1])}; the "
        f"{int(rows_left[: gap + 1].sum()):,} rows before and the "
        f"{int(rows_left[gap + 1 :].sum()):,} after are used: correct them if they cannot be"
        for gap in np.flatnonzero(np.diff(days_left) > EMPTY_DAYS)
    ]
    return after | far.fill_null(value=False), tuple(notes)


def _bulk(days: NDArray[np.int32], rows: NDArray[np.int64]) -> tuple[int, int]:
    """First and last of the days that are not far from the others."""
    placeholders = {day_of(each) for each in PLACEHOLDERS}
    begin, end = 0, len(days)
    for gap in np.flatnonzero(np.diff(days) > EMPTY_DAYS) + 1:
        empty = days[gap] - days[gap - 1]
        allowed = int(rows.sum()) // (FEWER if empty > FAR_DAYS else FEW)
        before, behind = slice(begin, gap), slice(gap, end)
        if rows[before].sum() <= allowed or {*days[before].tolist()} <= placeholders:
            begin = int(gap)
        elif rows[behind].sum() <= allowed or {*days[behind].tolist()} <= placeholders:
            end = int(gap)
            break
    return int(days[begin]), int(days[end - 1])


def absurd_share(histories: Histories) -> tuple[str, ...]:
    """A sentence for the user about a customer who may stand for many."""
    if not len(histories):
        return ()
    lines = np.add.reduceat(histories.lines, histories.offsets[:-1])
    most, customers = int(lines.argmax()), len(lines)
    share = lines[most] / lines.sum()
    if customers < CUSTOMERS or share < max(SHARE, TIMES_MEAN / customers):
        return ()
    sentence = (
        f'the customer "{histories.customer_ids[most][:40]}" has {share:.0%} of all lines: if that '
        "stands for nobody, add it to no_customer_words"
    )
    return (sentence,)
