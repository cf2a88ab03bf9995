"""Every feature: its name, its meaning and how a block of customers computes it.

See docs/decisions/features.md#the-mean-price-of-items-is-a-feature and
docs/decisions/features.md#calendar-features-must-earn-their-place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ordergap.features import attributes
from ordergap.features.block import Block, Floats, Ints

Column = Floats | Ints | NDArray[np.int32]
Compute = Callable[[Block], Column]

HALF_LIFE = 3  # gaps after which a gap's weight in gap_ewm has halved
MIN_ITEMS = 1e-6  # the price of one of fewer items is unknown: it would be out of all bounds
LOG_STEPS = 2.0**32  # logarithms are summed as whole numbers of this fraction


def _gap_std(b: Block) -> Floats:
    count = b.position
    squares = b.running_sum(b.gap * b.gap)
    variance = count * squares - b.tenure.astype(np.int64) ** 2  # times the count, squared
    deviation: Floats = np.sqrt(variance) / np.where(count > 1, count, np.nan)
    return deviation


def _gap_ewm(b: Block) -> Floats:
    decay = 0.5 ** (1 / HALF_LIFE)
    gap = b.gap.astype(np.float64)
    total = b.running(gap, lambda late, early, step: late + decay**step * early)
    mean: Floats = total * (1 - decay) / (1 - np.exp2(b.gap_count / -HALF_LIFE))
    return mean


def _gap_log_mean(b: Block) -> Floats:
    steps = np.rint(np.log(np.maximum(b.gap, 1)) * LOG_STEPS).astype(np.int64)
    return b.running_sum(steps) / LOG_STEPS / b.gap_count


def _items_mean(b: Block) -> Floats:
    present = ~np.isnan(b.items)
    total = b.running(np.where(present, b.items, 0.0), lambda late, early, _: late + early)
    count = b.running_sum(present.astype(np.int64))
    return total / np.where(count > 0, count, np.nan)


def _item_price(b: Block) -> Floats:
    price: Floats = b.amount / np.where(b.items > MIN_ITEMS, b.items, np.nan)
    return price


def _weekday(b: Block) -> NDArray[np.int32]:
    weekday: NDArray[np.int32] = (b.day + 3) % 7  # day 0, 1970-01-01, was a Thursday
    return weekday


def _month(b: Block) -> Ints:
    month: Ints = b.day.astype("M8[D]").astype("M8[M]").astype(np.int64) % 12 + 1
    return month


def _day_of(period: str, day: NDArray[np.int32]) -> Ints:
    """Day of the month (period "M") or of the year ("Y"), from 1."""
    date = day.astype("M8[D]")
    number: Ints = (date - date.astype(f"M8[{period}]")).astype(np.int64) + 1
    return number


def _week_of_year(b: Block) -> Ints:
    thursday = b.day + 3 - _weekday(b)  # a week belongs to the year of its Thursday
    return (_day_of("Y", thursday) + 6) // 7


TABULAR: dict[str, tuple[str, Compute]] = {
    "order_count": ("orders so far, this one included", lambda b: b.position + 1),
    "tenure": ("days since the first order", lambda b: b.tenure),
    "gap_last": ("days from the order before to this one", lambda b: b.gap_or_nan),
    "gap_lag_2": ("the gap before the last one", lambda b: b.lag(b.gap_or_nan, 1)),
    "gap_lag_3": ("the gap before those two", lambda b: b.lag(b.gap_or_nan, 2)),
    "RollingAvgGap": ("mean of the gaps so far, in days", lambda b: b.tenure / b.gap_count),
    "gap_median": ("median of the gaps so far", lambda b: b.running_median(b.gap)),
    "gap_std": ("population standard deviation of two gaps or more", _gap_std),
    "gap_min": (
        "shortest gap so far",
        lambda b: b.running(b.gap_or_nan, lambda late, early, _: np.fmin(late, early)),
    ),
    "gap_max": (
        "longest gap so far",
        lambda b: b.running(b.gap_or_nan, lambda late, early, _: np.fmax(late, early)),
    ),
    "gap_ewm": ("mean of the gaps, a weight halving with every third gap", _gap_ewm),
    "gap_log_mean": ("mean of the gaps' natural logarithms", _gap_log_mean),
    "orders_14d": ("orders in the last 14 days, this one included", lambda b: b.orders_within(14)),
    "orders_30d": ("orders in the last 30 days", lambda b: b.orders_within(30)),
    "orders_60d": ("orders in the last 60 days", lambda b: b.orders_within(60)),
    "orders_90d": ("orders in the last 90 days", lambda b: b.orders_within(90)),
    "CumulativeTotalPrice": ("sum of the amounts so far", lambda b: b.total_amount),
    "amount": ("this order's amount", lambda b: b.amount),
    "amount_mean": ("mean amount so far", lambda b: b.total_amount / (b.position + 1)),
    "items": ("this order's items", lambda b: b.items),
    "items_mean": ("mean items of the orders so far whose items are known", _items_mean),
    "item_price": ("mean price of this order's items", _item_price),
    "lines": ("order lines of this order", lambda b: b.lines),
}

CALENDAR: dict[str, tuple[str, Compute]] = {
    "weekday": ("0 on Monday to 6", _weekday),
    "day_of_month": ("1 to 31", lambda b: _day_of("M", b.day)),
    "day_of_year": ("1 to 366", lambda b: _day_of("Y", b.day)),
    "week_of_year": ("1 to 53, as in ISO 8601", _week_of_year),
    "month": ("1 to 12", _month),
    "quarter": ("1 to 4", lambda b: (_month(b) + 2) // 3),
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
    if name.startswith(attributes.PREFIX):
        return partial(attributes.compute, name)
    if part := re.fullmatch(r"hashed:(.+):(0|[1-9][0-9]{0,2})", name):
        column, bucket = part[1], int(part[2])
        return lambda block: block.lines_so_far(column, bucket)
    step = re.fullmatch(r"(gap|amount)_([1-9][0-9]{0,5})", name)
    if step is None:
        raise ValueError(
            f"{name} is not a feature; the features are in container/ordergap/features/table.py"
        )
    lag = int(step[2])
    compute = SEQUENCE[step[1]][1]
    return lambda block: compute(block, lag)
