"""From survival curves and days waited to the forecasts that a shop reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.prediction import Status
from ordergap.histories import date_of
from ordergap.survival.curve import Survival

Days = NDArray[np.int64]

DUE_WITHIN = 7
LAPSED_HORIZON = 90
LAPSED_BELOW = 0.10
_FAR = 1e6  # days; a quantile beyond it is as good as never
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of n customers at the end of their `as_of` day.

    as_of, last_day  (n,) days since 1970-01-01; last_day <= as_of
    order_count      (n,) orders until as_of
    """

    customer_ids: Sequence[str]
    as_of: Days
    last_day: Days
    order_count: Days

    @property
    def elapsed(self) -> Days:
        """(n,) days waited since the last order."""
        return self.as_of - self.last_day


@dataclass(frozen=True, eq=False)
class Forecasts:
    """The next order of n customers; days since the last order, -1 where beyond the horizon."""

    known: Known
    gap: Days
    low: Days
    high: Days
    typical: Days
    probability: dict[int, NDArray[np.float64]]
    status: list[Status]
    interval_level: float
    model_version: str

    def __len__(self) -> int:
        """The number of forecasts, n."""
        return len(self.gap)

    def records(self) -> list[dict[str, object]]:
        """JSON-ready records, fields as in `contract.scoring.Prediction`, in the order asked."""
        known = self.known
        dates = _Dates()
        names = [str(horizon) for horizon in self.probability]
        probabilities = np.round(np.column_stack(list(self.probability.values())), 6)
        days = (known.as_of, known.last_day, self.gap, self.low, self.high, self.typical)
        columns = (known.order_count.tolist(), probabilities.tolist(), self.status)
        records: list[dict[str, object]] = []
        for customer, as_of, last, gap, low, high, typical, count, probability, status in zip(
            known.customer_ids, *(column.tolist() for column in days), *columns, strict=True
        ):
            records.append({
                "customer_id": customer,
                "as_of": dates[as_of],
                "last_order_date": dates[last],
                "days_since_last_order": as_of - last,
                "order_count": count,
                "order_gap_days": None if gap < 0 else gap,
                "next_order_date": None if gap < 0 else dates[last + gap],
                "next_order_date_low": None if low < 0 else dates[last + low],
                "next_order_date_high": None if high < 0 else dates[last + high],
                "interval_level": self.interval_level,
                "typical_gap_days": None if typical < 0 else typical,
                "buy_probability": dict(zip(names, probability, strict=True)),
                "status": status,
                "model_version": self.model_version,
            })  # fmt: skip
        return records


class _Dates(dict[int, str]):
    """Day number -> ISO date, each formatted once."""

    def __missing__(self, day: int) -> str:
        text = self[day] = date_of(day).isoformat()
        return text


def forecast(
    survival: Survival,
    known: Known,
    *,
    horizons: Sequence[int],
    interval_level: float,
    inner_level: float,
    max_horizon_days: int,
    model_version: str,
) -> Forecasts:
    """Read date, interval, probabilities and status off the curves, given the days waited.

    survival          n curves, one for each customer of `known`, from the last order on
    interval_level    the level that the interval is said to have
    inner_level       the curve's own central level that has that coverage on later data
    max_horizon_days  a forecast more than so many days after as_of is left open

    A gap is a whole number of days, and the days up to as_of have passed without an order: the
    earliest next order is the day after. So low <= gap <= high, and no date lies before as_of.
    """
    elapsed = known.elapsed
    waited = np.array([elapsed, np.zeros_like(elapsed)])  # given the days waited, and typically
    tail = (1 - inner_level) / 2
    levels = np.array([0.5, tail, 1 - tail])
    days = _whole_days(survival.quantile(levels[:, None, None], waited), waited)
    (gap, typical), (low, _), (high, _) = np.where(days <= waited + max_horizon_days, days, -1)
    asked = np.array([*horizons, LAPSED_HORIZON])
    *probabilities, within_lapsed = survival.probability_within(asked[:, None], elapsed)
    return Forecasts(
        known=known,
        gap=gap,
        low=low,
        high=high,
        typical=typical,
        probability=dict(zip(horizons, probabilities, strict=True)),
        status=_status(within_lapsed, elapsed > days[2, 1], days[0, 0] - elapsed),
        interval_level=interval_level,
        model_version=model_version,
    )


def _whole_days(t: NDArray[np.float64], elapsed: Days) -> Days:
    """Quantiles as whole days, at least a day after those elapsed."""
    finite = t < _FAR
    whole = np.rint(np.where(finite, t, 0.0)).astype(np.int64)
    return np.where(finite, np.maximum(whole, elapsed + 1), _NEVER)


def _status(
    within_lapsed: NDArray[np.float64], overdue: NDArray[np.bool_], days_left: Days
) -> list[Status]:
    waiting = np.where(overdue, 1, np.where(days_left <= DUE_WITHIN, 2, 3))
    choice = np.where(within_lapsed < LAPSED_BELOW, 0, waiting)
    words = [Status.LAPSED, Status.OVERDUE, Status.DUE, Status.ACTIVE]
    return [words[i] for i in choice.tolist()]
