"""Every feature: its name, its meaning and how a block of customers computes it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ordergap.features import calendar
from ordergap.features.block import Block

Column = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.int32] | NDArray[np.uint32]
Compute = Callable[[Block], Column]

TABULAR: dict[str, tuple[str, Compute]] = {
    "order_count": ("orders so far, this one included", lambda b: b.position + 1),
    "tenure": ("days since the first order", lambda b: b.tenure),
    "gap_last": ("days from the order before to this one", lambda b: b.gap_or_nan),
    "gap_lag_2": ("the gap before that", lambda b: b.lag(b.gap_or_nan, 1)),
    "gap_lag_3": ("and the gap before", lambda b: b.lag(b.gap_or_nan, 2)),
    "RollingAvgGap": ("mean of the gaps so far, in days", lambda b: b.tenure / b.gap_count),
    "gap_median": ("median of the gaps so far", Block.gap_median),
    "gap_std": ("population standard deviation of two gaps or more", Block.gap_std),
    "gap_min": ("shortest gap so far", Block.gap_min),
    "gap_max": ("longest gap so far", Block.gap_max),
    "gap_ewm": ("mean of the gaps, a weight halving with every third gap", Block.gap_ewm),
    "gap_log_mean": ("mean of the gaps' natural logarithms", Block.gap_log_mean),
    "orders_14d": ("orders in the last 14 days, this one included", lambda b: b.orders_within(14)),
    "orders_30d": ("orders in the last 30 days", lambda b: b.orders_within(30)),
    "orders_60d": ("orders in the last 60 days", lambda b: b.orders_within(60)),
    "orders_90d": ("orders in the last 90 days", lambda b: b.orders_within(90)),
    "CumulativeTotalPrice": ("sum of the amounts so far", lambda b: b.total_amount),
    "amount": ("this order's amount", lambda b: b.amount),
    "amount_mean": ("mean amount so far", lambda b: b.total_amount / (b.position + 1)),
    "items": ("this order's items", lambda b: b.items),
    "items_mean": ("mean items of the orders so far whose items are known", Block.items_mean),
    "item_price": ("mean price of this order's items", Block.item_price),
    "lines": ("this order's lines", lambda b: b.lines),
}

CALENDAR: dict[str, tuple[str, Compute]] = {
    "weekday": ("0 on Monday to 6", lambda b: calendar.weekday(b.day)),
    "day_of_month": ("1 to 31", lambda b: b.dates.day_of_month),
    "day_of_year": ("1 to 366", lambda b: b.dates.day_of_year),
    "week_of_year": ("1 to 53, as in ISO 8601", lambda b: calendar.week_of_year(b.day)),
    "month": ("1 to 12", lambda b: b.dates.month),
    "quarter": ("1 to 4", lambda b: (b.dates.month + 2) // 3),
}

SEQUENCE: dict[str, tuple[str, Callable[[Block, int], Column]]] = {
    "gap": ("gap_1 ended with this order, gap_2 before", lambda b, k: b.lag(b.gap_or_nan, k - 1)),
    "amount": ("amount_1 is this order's", lambda b, k: b.lag(b.amount, k - 1)),
}


def computation(name: str) -> Compute:
    """How a block computes the feature `name`; ValueError where there is none."""
    for table in (TABULAR, CALENDAR):
        if name in table:
            return table[name][1]
    step = re.fullmatch(r"(gap|amount)_([1-9][0-9]{0,5})", name)
    if step is None:
        raise ValueError(
            f"{name} is not a feature; the features are in container/ordergap/features/table.py"
        )
    lag = int(step[2])
    compute = SEQUENCE[step[1]][1]
    return lambda block: compute(block, lag)
