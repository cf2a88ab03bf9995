"""Rows to learn from: leads as they stood at the end of several days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.leads.features import LeadFeatures
from ordergap.leads.table import Days, LeadTable, at_risk


@dataclass(frozen=True, eq=False)
class LeadRows:
    """n rows, each a lead that had not ordered at the end of a day.

    lead      (n,) which of the leads
    as_of     (n,) the day
    features  (n, F) what was known then
    wait      (n,) days from then to the first order; where none has come, to the end
    ordered   (n,) whether it came
    """

    lead: Days
    as_of: Days
    features: NDArray[np.float32]
    wait: NDArray[np.float64]
    ordered: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of rows, n."""
        return len(self.lead)


def days_until(end: int, first: int, step: int, most: int) -> list[int]:
    """At most so many days before `end`, `step` apart, the last `step` before it, from `first` on.

    >>> days_until(100, 70, 10, 5)
    [70, 80, 90]
    """
    return [*range(end - step, first - 1, -step)][:most][::-1]


def rows_of(
    leads: LeadTable,
    first_order: Days,
    columns: LeadFeatures,
    days: list[int],
    end: int,
) -> LeadRows:
    """Those at risk at the end of each of `days`, followed up until the end of day `end`.

    first_order  (c,) as `first_orders`; what is after `end` is not looked at
    """
    lead = [np.flatnonzero(at_risk(leads, first_order, day)) for day in days]
    who = np.concatenate([np.empty(0, np.int64), *lead])
    as_of = np.repeat(np.array(days, np.int64), [len(each) for each in lead])
    matrices = [
        columns.matrix(leads.pick(some), np.full(len(some), day))
        for day, some in zip(days, lead, strict=True)
    ]
    features = np.concatenate([np.empty((0, len(columns.names)), np.float32), *matrices])
    until = np.minimum(first_order[who], end)
    ordered = first_order[who] <= end
    return LeadRows(who, as_of, features, (until - as_of).astype(float), ordered)
