"""Sums by day of a part of the customers."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
from ordergap.histories import Histories, date_of

from lambdas.shared.feed import Day


def by_day(dated: pl.DataFrame, histories: Histories) -> dict[datetime.date, Day]:
    """The sums of the days of rows and orders.

    dated      `day` and `rows`, how many have it; a day may come twice, rows without one are null
    histories  the orders made of the rows
    """
    dated = dated.drop_nulls().cast(pl.Int32)
    days, rows = dated["day"].to_numpy(), dated["rows"].to_numpy()
    day, amount = histories.day, np.nan_to_num(histories.amount)
    first = histories.offsets[:-1][np.diff(histories.offsets) > 0]
    every = np.unique(np.concatenate([days, day]))
    place, size = np.searchsorted(every, day), len(every)
    columns = (
        np.bincount(np.searchsorted(every, days), rows, size).astype(int),
        np.bincount(place, minlength=size),
        np.bincount(place[first], minlength=size),
        np.bincount(place, amount, size),
    )
    sums = zip(*(column.tolist() for column in columns), strict=True)
    return {date_of(day): Day(*each) for day, each in zip(every, sums, strict=True)}
