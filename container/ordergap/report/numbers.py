"""Numbers as people read them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence

from ordergap.contract.metrics import Metric, Value

NOTHING = "–"
_MINUS = "−"
_WHOLE_FROM = 1_000  # of the largest amount in a column: cents are noise beside it
# Not strftime's, which are in the language of the process.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def fixed(value: Value, decimals: int = 0, *, sign: bool = False) -> str:
    """A number for people, a dash where there is none.

    >>> fixed(12345.678, 1), fixed(-0.04, 1), fixed(-2, sign=True), fixed(float("nan"))
    ('12,345.7', '0.0', '−2', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    value = round(value, decimals) + 0.0  # no minus before a zero
    return f"{value:{'+' if sign else ''},.{decimals}f}".replace("-", _MINUS)


def percent(share: float, decimals: int = 0, *, sign: bool = False) -> str:
    r"""A share from 0 to 1 in percent.

    >>> percent(0.756)
    '76\xa0%'
    """
    if not math.isfinite(share):
        return NOTHING
    return f"{fixed(100 * share, decimals, sign=sign)}\u00a0%"


def chance(probability: float) -> str:
    r"""A probability in percent, never 0 or 100 for what may or may not happen.

    >>> chance(0.994), chance(0.9996), chance(0.001), chance(0)
    ('99\xa0%', 'over 99\xa0%', 'under 1\xa0%', '0\xa0%')
    """
    if percent(probability) == percent(1) and probability < 1:
        return f"over {percent(0.99)}"
    if percent(probability) == percent(0) and probability > 0:
        return f"under {percent(0.01)}"
    return percent(probability)


def rough(value: float) -> str:
    """A number to three figures, for what is not known better.

    >>> rough(187432.1), rough(43.219), rough(0.4321)
    ('187,000', '43.2', '0.43')
    """
    if not (math.isfinite(value) and value > 0):
        return fixed(value)
    decimals = 2 - math.floor(math.log10(value))
    return fixed(round(value, decimals), min(max(decimals, 0), 2))


def count_text(number: float) -> str:
    """A number of customers, which may be expected and no whole one.

    >>> count_text(435.3), count_text(2.31), count_text(3)
    ('435', '2.3', '3')
    """
    return fixed(number, int(number < 10 and round(number, 1) != round(number)))


def money(amounts: Sequence[Value]) -> list[str]:
    """Amounts of a column, all with cents or, where one is large, none.

    >>> money([12.5, 3, None]), money([1200.5, 3])
    (['12.50', '3.00', '–'], ['1,200', '3'])
    """
    cents = max((each for each in amounts if each is not None), default=0) < _WHOLE_FROM
    return [fixed(each, 2 * cents) for each in amounts]


def day_and_month(date: datetime.date) -> str:
    """A day without its year.

    >>> day_and_month(datetime.date(2011, 12, 9))
    '9 Dec'
    """
    return f"{date.day} {_MONTHS[date.month - 1][:3]}"


def days_from_to(first: datetime.date, last: datetime.date) -> str:
    """A span of days, both ends among them.

    >>> days_from_to(datetime.date(2011, 12, 10), datetime.date(2011, 12, 16))
    '10 to 16 December 2011'
    >>> days_from_to(datetime.date(2011, 12, 29), datetime.date(2012, 1, 4))
    '29 December 2011 to 4 January 2012'
    """
    month, year = (f" {_MONTHS[first.month - 1]}", f" {first.year}")
    if first.year == last.year:
        year = ""
        if first.month == last.month:
            month = ""
    return f"{first.day}{month}{year} to {last.day} {_MONTHS[last.month - 1]} {last.year}"


def written(metric: Metric, value: Value, *, sign: bool = False) -> str:
    """A metric's value by its definition, without its unit of days; a dash for None and NaN."""
    if metric.unit == "share" and value is not None:
        return percent(value, max(metric.digits - 2, 0), sign=sign)
    return fixed(value, metric.digits, sign=sign)


def upper(text: str) -> str:
    """The text with a capital in front, and the rest as it is."""
    return text[:1].upper() + text[1:]


def described(chosen: Mapping[str, float | bool]) -> str:
    """What was chosen, in words: "156 rounds, no calendar features".

    >>> described({"calendar": False, "rounds": 156, "scale": 0.8})
    '156 rounds, scale 0.8, no calendar features'
    """
    parts = [
        f"{value:g} {name}" if name == "rounds" else f"{name} {value:g}"
        for name, value in chosen.items()
        if not isinstance(value, bool)
    ]
    parts += [
        f"{'' if value else 'no '}{name} features"
        for name, value in chosen.items()
        if isinstance(value, bool)
    ]
    return ", ".join(parts) or "nothing"


def plain(value: Value, decimals: int = 0, *, sign: bool = False) -> str:
    """A number for a console, in ASCII; a hyphen where there is none.

    >>> plain(12345.678, 1), plain(-0.004, 2, sign=True), plain(float("nan"))
    ('12,345.7', '+0.00', '-')
    """
    return fixed(value, decimals, sign=sign).replace(_MINUS, "-").replace(NOTHING, "-")
