"""What a feature's value says of a customer, in words, and which features say nearly the same.

See docs/decisions/features.md#a-reason-is-a-group-of-features.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable
from typing import NamedTuple

from ordergap.features.attributes import PREFIX, parts

_ONE_ORDER = "only one order so far, so no gap yet"
_NO_AMOUNTS = "amounts not known"
_VAST = 1e12  # from here on numbers are written with an exponent


class Words(NamedTuple):
    """How to speak of a feature.

    group    what it is about; features of one group are given as one reason
    said     value -> what it says
    unknown  what is said where the value is NaN
    """

    group: str
    said: Callable[[float], str]
    unknown: str = "unknown"


def _number(value: float) -> str:
    """With separators; with two decimals, such as an amount has, where it is not whole."""
    if abs(value) >= _VAST:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"


def _counted(value: float, noun: str) -> str:
    """The number and what it counts, with one decimal.

    >>> _counted(1.0, "order"), _counted(13.04, "day"), _counted(1234.56, "day")
    ('1 order', '13 days', '1,234.6 days')
    """
    shown = f"{value:.3g}" if abs(value) >= _VAST else f"{value:,.1f}".removesuffix(".0")
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"


def _with(before: str, noun: str = "", after: str = "") -> Callable[[float], str]:
    """The value between two texts, counted where there is a noun."""
    return lambda value: f"{before}{_counted(value, noun) if noun else _number(value)}{after}"


def _named(names: dict[int, str], before: str, noun: str) -> Callable[[float], str]:
    """The name that a number stands for; feature vectors may have any number."""
    return lambda value: before + names.get(int(value), f"{noun} {_number(value)}")


def _typical(value: float) -> str:
    """Of the mean logarithm of the gaps."""
    return f"around {_counted(math.exp(min(value, 50.0)), 'day')} between orders"


_WEEKDAYS = dict(enumerate(calendar.day_name))
_MONTHS = {n: name for n, name in enumerate(calendar.month_name) if name}

DAYS_WAITED = "days_since_last_order"
"""What forecasts depend on besides the features."""

WORDS: dict[str, Words] = {
    DAYS_WAITED: Words("waiting", _with("", "day", " since the last order")),
    "order_count": Words("orders", _with("", "order", " so far")),
    "tenure": Words(
        "orders", _with("", "day", " from the first order to the last"), "first order not known"
    ),
    "gap_last": Words("gaps", _with("", "day", " between the last two orders"), _ONE_ORDER),
    "gap_lag_2": Words(
        "gaps", _with("", "day", " for the gap before the last"), "fewer than three orders so far"
    ),
    "gap_lag_3": Words(
        "gaps", _with("", "day", " for the third last gap"), "fewer than four orders so far"
    ),
    "RollingAvgGap": Words("gaps", _with("", "day", " between orders on average"), _ONE_ORDER),
    "gap_median": Words("gaps", _with("a median of ", "day", " between orders"), _ONE_ORDER),
    "gap_std": Words("gaps", _with("gaps that vary by ", "day"), "fewer than three orders so far"),
    "gap_min": Words("gaps", _with("", "day", " between orders at the shortest"), _ONE_ORDER),
    "gap_max": Words("gaps", _with("", "day", " between orders at the longest"), _ONE_ORDER),
    "gap_ewm": Words("gaps", _with("lately ", "day", " between orders on average"), _ONE_ORDER),
    "gap_log_mean": Words("gaps", _typical, _ONE_ORDER),
    **{
        f"orders_{days}d": Words(
            "recent orders",
            _with("", "order", f" in the {days} days up to the last order"),
            "recent orders not known",
        )
        for days in (14, 30, 60, 90)
    },
    "CumulativeTotalPrice": Words("amounts", _with("", after=" spent so far"), _NO_AMOUNTS),
    "amount": Words("amounts", _with("a last order of "), _NO_AMOUNTS),
    "amount_mean": Words("amounts", _with("", after=" per order on average"), _NO_AMOUNTS),
    "items": Words("items", _with("", "item", " in the last order"), "items not known"),
    "items_mean": Words("items", _with("", "item", " per order on average"), "items not known"),
    "item_price": Words(
        "items", _with("", after=" per item in the last order"), "price per item not known"
    ),
    "lines": Words("items", _with("", "order line", " in the last order"), "lines not known"),
    "weekday": Words("calendar", _named(_WEEKDAYS, "last order on a ", "weekday")),
    "day_of_month": Words("calendar", _with("last order on day ", after=" of the month")),
    "day_of_year": Words("calendar", _with("last order on day ", after=" of the year")),
    "week_of_year": Words("calendar", _with("last order in week ", after=" of the year")),
    "month": Words("calendar", _named(_MONTHS, "last order in ", "month")),
    "quarter": Words("calendar", _with("last order in quarter ", after=" of the year")),
}
"""Feature, or the days waited -> how to speak of it, for every feature that trees read."""


def words_of(feature: str) -> Words:
    """How to speak of a feature.

    Those of one attribute are one group, and so are the buckets of one hashed column.
    """
    if feature.startswith("hashed:"):
        column, bucket = feature.removeprefix("hashed:").rsplit(":", 1)
        of = f" so far in bucket {bucket} of {column}"
        return Words(column, _with("", "order line", of), f"{column} not known")
    if not feature.startswith(PREFIX):
        return WORDS[feature]
    name, category = parts(feature)
    if category is None:
        return Words(f"{PREFIX}{name}", lambda value: f"{name} {value:.7g}", f"{name} not known")
    return Words(
        f"{PREFIX}{name}",
        lambda value: f"{name} is {'' if value else 'not '}{category}",
        f"{name} not known",
    )


def said(feature: str, value: float) -> str:
    """What the value says of the customer.

    >>> said("orders_90d", 4.0), said("gap_last", float("nan"))
    ('4 orders in the 90 days up to the last order', 'only one order so far, so no gap yet')
    """
    words = words_of(feature)
    return words.unknown if math.isnan(value) else words.said(value)
