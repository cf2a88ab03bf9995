"""Groups of forecasts that are judged by themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.evaluation.metrics import Outcomes, event_within
from ordergap.histories import Histories
from ordergap.survival.targets import Targets

LONG_WAIT = 3  # times the customer's mean gap, or everybody's at a first order
ORDERS = {"one order": 1, "2 to 4 orders": 2, "5 orders or more": 5}
"""Group of customers -> its least orders so far."""
STATUS_DAYS = (7, 30, 90)
SILENCE_DAYS = 90
WAITED_TIMES = (1, 3, 10)  # of the own mean gap: where groups of silences end
WAITED = ("up to 1", "1 to 3", "3 to 10", "more than 10")
LEAST_CUSTOMERS, TOLERANCE = 100, 0.05  # of a group that is judged, and beyond chance


class StatusOutcome(NamedTuple):
    """What became of the customers who had a status at a cutoff.

    ordered  days -> share of them who ordered within; None where they were not followed so long
    """

    customers: int
    ordered: Mapping[int, float | None]


class SilenceGroup(NamedTuple):
    """Customers alike in orders and waiting at a cutoff: what was foreseen for them, and came.

    orders    how many so far, such as "2 to 4 orders"
    waited    days waited over the own mean gap, such as "3 to 10"; of one-order customers over the
              median of all gaps that have ended
    days      ahead, for which `foreseen` and `came` hold
    foreseen  mean probability of an order within them
    came      share who ordered
    """

    orders: str
    waited: str
    customers: int
    days: int
    foreseen: float
    came: float

    def __str__(self) -> str:
        """Such as "2 to 4 orders, waited 3 to 10 gaps"."""
        return f"{self.orders}, waited {self.waited} gap{'' if self.waited == 'up to 1' else 's'}"


def segments(histories: Histories, targets: Targets) -> dict[str, NDArray[np.bool_]]:
    """Segment -> (n,) which rows of `targets` belong to it, by what was known when it was asked.

    There is no tenth by revenue where amounts are unknown.
    """
    names = ("order_count", "CumulativeTotalPrice", "RollingAvgGap")
    matrix = features.compute(histories, names, targets.row)
    count, revenue, mean_gap = matrix.T.astype(float)
    repeated = ~np.isnan(mean_gap)
    usual = np.where(repeated, mean_gap, mean_gap[repeated].mean() if repeated.any() else np.inf)
    found = {
        **_by_orders(count),
        "waited over 3 gaps": targets.left_truncation > LONG_WAIT * usual,
    }
    if (known := ~np.isnan(revenue)).any():
        found["top tenth by revenue"] = revenue >= np.quantile(revenue[known], 0.9)
    return found


def by_status(
    statuses: Sequence[str], outcomes: Outcomes, kinds: Sequence[str]
) -> dict[str, StatusOutcome]:
    """What became of the customers of each of `kinds`; `statuses` are those of the n rows."""
    status, result = np.array(statuses), {}
    for kind in kinds:
        rows = outcomes[status == kind]
        if count := len(rows.gap):
            result[kind] = StatusOutcome(count, {days: _share(rows, days) for days in STATUS_DAYS})
    return result


def _share(outcomes: Outcomes, days: int) -> float | None:
    """The share of the rows that ended within so many days; None where one was not followed so."""
    followed, event = event_within(outcomes.gap, outcomes.observed, outcomes.follow_up, days)
    return float(event.mean()) if followed.all() else None


def silences(
    histories: Histories,
    targets: Targets,
    typical: float,
    probability: NDArray[np.float64],
    outcomes: Outcomes,
    days: int,
) -> list[SilenceGroup]:
    """Groups of the n `targets` by orders so far and days waited; empty ones are left out.

    typical      days: the gap of customers with one order
    probability  (n,) foreseen of an order within `days` days, for which all rows are followed
    """
    count, mean_gap = features.compute(histories, ("order_count", "RollingAvgGap"), targets.row).T
    waited = targets.left_truncation / np.where(np.isnan(mean_gap), typical, mean_gap)
    came = event_within(outcomes.gap, outcomes.observed, outcomes.follow_up, days)[1]
    times = np.searchsorted(WAITED_TIMES, waited)  # the end belongs to the span before it
    return [
        SilenceGroup(
            orders, name, int(rows.sum()), days, float(probability[rows].mean()),
            float(came[rows].mean()),
        )
        for orders, of_orders in _by_orders(count).items()
        for i, name in enumerate(WAITED)
        if (rows := of_orders & (times == i)).any()
    ]  # fmt: skip


def miscalibrated(group: SilenceGroup) -> bool:
    """Whether the group is large, and what was foreseen off by more than chance and a tolerance.

    Chance is the 95 % interval (Wilson's) of the share that came.
    """
    if group.customers < LEAST_CUSTOMERS:
        return False
    low, high = wilson(round(group.came * group.customers), group.customers)
    return bool(group.foreseen < low - TOLERANCE or group.foreseen > high + TOLERANCE)


def wilson(events: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of the share of `events` among `rows`, by Wilson 1927.

    >>> [round(end, 3) for end in wilson(10, 100)]
    [0.055, 0.174]
    """
    z = 1.959964  # the normal distribution's 97.5 % quantile
    middle = (events + z**2 / 2) / (rows + z**2)
    half = z / (rows + z**2) * math.sqrt(events * (rows - events) / rows + z**2 / 4)
    return middle - half, middle + half


def _by_orders(count: NDArray[np.floating]) -> dict[str, NDArray[np.bool_]]:
    """Group -> (n,) which rows belong to it, by the number of orders (n,)."""
    group = np.searchsorted([*ORDERS.values()], count, side="right") - 1
    return {name: group == i for i, name in enumerate(ORDERS)}
