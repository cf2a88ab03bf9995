"""What answers promise one another, counted over every customer at a cutoff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray
from ordergap.models.base import ForecastOptions

from benchmarks.cutoff import Cutoff

HORIZONS = (1, 7, 30, 60, 90)
LEVELS = (0.01, 0.5, 0.8, 0.9, 0.99)
"""Quantiles of the amounts so far that orders are above."""
Float = NDArray[np.float64]


def broken(made: Cutoff, horizon: int) -> dict[str, int]:
    """Promise -> customers for whom it does not hold in the fields as they are answered."""
    horizons = sorted({*HORIZONS, horizon})
    known = made.split.past.amount
    amounts = np.unique(np.quantile(known[known > 0], LEVELS).round(2)) if known.any() else ()
    fields: dict[str, object] = {}
    options = ForecastOptions(
        horizons, made.hyperparameters.interval_level, made.hyperparameters.max_horizon_days,
        value_horizons=horizons, large_thresholds=[float(each) for each in amounts],
    )  # fmt: skip
    for forecast in made.forecasts(options).values():
        fields |= forecast.columns()
    buys = _table(fields["buy_probability"])
    counts = {"P(buy) rises with the days": _falls(buys)}
    if "expected_value" in fields:
        orders, value, low, high = (
            _table(fields[name])
            for name in ("expected_orders", "expected_value", "value_low", "value_high")
        )
        money = np.concatenate([value, low, high, _row(fields["expected_order_amount"])[None]])
        cents = np.abs(money * 100 - np.round(money * 100)) > 1e-6 * np.maximum(1, money)
        counts |= {
            "expected orders rise with the days": _falls(orders),
            "the expected value rises with the days": _falls(value),
            "expected orders >= P(buy)": _some(orders < buys),
            "0 <= low <= value <= high": _some((low < 0) | (low > value) | (value > high)),
            "money has two decimals": _some(cents),
        }
    if "large_order_probability" in fields:
        by_amount = cast("Mapping[str, object]", fields["large_order_probability"])
        large = np.array([_table(each) for each in by_amount.values()])
        counts |= {
            "P(large) rises with the days": int((np.diff(large, axis=1) < 0).any((0, 1)).sum()),
            "P(large) falls with the amount": int((np.diff(large, axis=0) > 0).any((0, 1)).sum()),
            "P(large) <= P(buy)": int((large > buys).any((0, 1)).sum()),
        }
    return counts


def _table(field: object) -> Float:
    """(k, n) of a field by k horizons."""
    return np.array([_row(each) for each in cast("Mapping[str, object]", field).values()])


def _row(values: object) -> Float:
    """(n,); NaN for null."""
    return np.array(values, dtype=float)


def _falls(table: Float) -> int:
    return _some(np.diff(table, axis=0) < 0)


def _some(wrong: NDArray[np.bool_]) -> int:
    return int(wrong.any(axis=0).sum())
