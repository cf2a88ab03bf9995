"""Sums of a market's orders by day: days.json of a run, and the sums that were accepted last.

See docs/decisions/pipeline.md#the-feed-is-judged-before-anything-is-paid-for.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ordergap.contract.orders import Rejection
from pydantic import BaseModel, ConfigDict


class Day(NamedTuple):
    """The sums of one day; those of two parts of the customers add up."""

    rows: int = 0
    """Rows with this date, used or not."""
    orders: int = 0
    """Customer-days: customers who ordered."""
    customers: int = 0
    """Of these, the customers whose first order it is."""
    amount: float = 0
    """Net value of the orders; orders without an amount count as 0."""

    def plus(self, other: Day) -> Day:
        """The sums of both."""
        return Day(*map(operator.add, self, other))


class Feed(BaseModel):
    """What an extraction found, in sums; no customer is in it."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    as_of: datetime.date
    watermark: datetime.date
    """The last day until as_of that has a row."""
    overlap_days: int
    """Days up to the watermark that may still change."""
    full: bool
    """Whether every row was read from the source, none reused from an earlier run."""
    rows_read: int
    rejected: dict[Rejection, int]
    days: dict[datetime.date, Day]
    """The days with rows, in their sequence."""


def total(parts: Iterable[Mapping[datetime.date, Day]]) -> dict[datetime.date, Day]:
    """The sums of all parts, by day."""
    sums: dict[datetime.date, Day] = {}
    for part in parts:
        for day, more in part.items():
            sums[day] = sums.get(day, Day()).plus(more)
    return dict(sorted(sums.items()))
