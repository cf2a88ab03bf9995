"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ordergap.contract.metrics import Metric, Value

NOTHING = "–"
_MINUS = "−"


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
