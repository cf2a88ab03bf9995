"""The head of the task "value": what a customer will spend within the days ahead.

Expected orders (the curve of the next order, renewed, times a factor that trees have learnt from
how such forecasts came out on earlier days) times the expected amount of an order (Gamma-Gamma).

See docs/decisions/tasks.md#value-is-orders-times-amount.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.contract.manifest import TaskSection
from ordergap.errors import AlgorithmError, ModelMismatch
from ordergap.models.base import (
    Column,
    Days,
    ForecastOptions,
    Head,
    Snapshot,
    TaskForecast,
)
from ordergap.models.forecasts import amounts_or_null
from ordergap.models.gamma_gamma import GammaGamma
from ordergap.models.next_order import NextOrderForecast
from ordergap.models.xgboost import load_booster, predict
from ordergap.survival.curve import Survival
from ordergap.survival.renewal import expected_orders

Float = NDArray[np.float64]
FILE = "factor.ubj"
LEVELS = np.linspace(0, 1, 101)
"""Of the quantiles that an interval is read from."""
GROUPS = (1, 2, 5)
"""Least orders of the groups that have quantiles of their own."""
_LEAST = 1e-12  # probability of an order that is divided by


@dataclass(frozen=True, eq=False)
class ValueForecast(TaskForecast):
    """Orders and value of n customers, where they were asked.

    orders, value, low, high  days ahead -> (n,), the last two being the ends of value's interval
    buys                      days ahead -> (n,) probability of an order
    amount                    (n,) of an order

    Amounts are NaN where one of those so far is unknown.
    """

    orders: Mapping[int, Float]
    value: Mapping[int, Float]
    low: Mapping[int, Float]
    high: Mapping[int, Float]
    buys: Mapping[int, Float]
    amount: Float

    @override
    def columns(self) -> dict[str, Column]:
        if not self.value:
            return {}
        money = {"expected_value": self.value, "value_low": self.low, "value_high": self.high}
        return {
            "expected_orders": {
                str(days): np.round(each, 6).tolist() for days, each in self.orders.items()
            },
            **{
                field: {str(days): amounts_or_null(each) for days, each in by_horizon.items()}
                for field, by_horizon in money.items()
            },
            "expected_order_amount": amounts_or_null(self.amount),
        }

    @override
    def contradiction(self) -> str | None:
        if not self.value:
            return None
        horizons = sorted(self.value)
        orders, buys = (
            np.array([each[days] for days in horizons]).round(6)
            for each in (self.orders, self.buys)
        )
        low, value, high = (
            np.array([each[days] for days in horizons]).round(2)
            for each in (self.low, self.value, self.high)
        )
        if np.any(np.diff(orders, axis=0) < 0) or np.any(np.diff(value, axis=0) < 0):
            return "the expected orders or value fall with the days ahead"
        if np.any(orders < buys):
            return "fewer orders are expected than one is probable"
        if np.any(low < 0) or np.any(low > value) or np.any(value > high):
            return "the expected value is outside its interval"
        return None


class ValueHead(Head):
    """Gamma-Gamma, the factor's trees, and quantiles.

    booster    its margin is the logarithm of the factor; None: the factor is 1
    quantiles  (len(GROUPS), len(LEVELS)) value over that expected of who buys, among buyers
    """

    kind = "factor"

    def __init__(
        self,
        booster: Any | None,
        feature_names: tuple[str, ...],
        amounts: GammaGamma,
        quantiles: Float,
    ) -> None:
        self.booster, self.feature_names = booster, feature_names
        self.amounts, self.quantiles = amounts, quantiles

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        return {
            "gamma_gamma": cast("JsonValue", dict(vars(self.amounts))),
            "quantiles": self.quantiles.tolist(),
            "factor": self.booster is not None,
        }

    @override
    def forecast(
        self,
        customers: Snapshot,
        features: NDArray[np.float32],
        options: ForecastOptions,
        earlier: Mapping[str, TaskForecast],
    ) -> ValueForecast:
        """See `Head.forecast`. The horizons are at most `renewal.MOST_DAYS`."""
        horizons = [*options.value_horizons]
        amount = order_amount(self.amounts, customers.order_count, customers.revenue)
        if not horizons:
            return ValueForecast({}, {}, {}, {}, {}, amount)
        survival = cast("NextOrderForecast", earlier["next_order"]).survival
        elapsed, factor = customers.elapsed.astype(float), self.factor(features)
        if not np.isfinite(factor).all():
            raise AlgorithmError("the model expects a value that is not a number")
        orders, buys = orders_and_buys(survival, elapsed, horizons, factor)
        value = orders * amount
        low, high = self.interval(value, buys, customers.order_count, options.interval_level)

        def by_horizon(values: Float) -> dict[int, Float]:
            return dict(zip(horizons, values, strict=True))

        return ValueForecast(
            by_horizon(orders),
            by_horizon(value),
            by_horizon(low),
            by_horizon(high),
            by_horizon(buys),
            amount,
        )

    def factor(self, features: NDArray[np.float32]) -> Float:
        """(n,) by which the orders are multiplied."""
        if self.booster is None:
            return np.ones(len(features))
        return np.exp(predict(self.booster, features, "margin"))

    def interval(
        self, value: Float, buys: Float, order_count: Days, level: float
    ) -> tuple[Float, Float]:
        """(k, n) ends of the central interval of `value` (k, n), which they enclose.

        buys  (k, n) probability of an order

        Who does not buy spends 0. Where no order is likelier than the upper end's level, that
        quantile is 0 as well: then the value itself, which is above it, is the upper end.
        """
        group = np.searchsorted(GROUPS, order_count, side="right") - 1
        buys = np.maximum(buys, _LEAST)
        low, high = (
            value / buys * self._quantile(group, (u - (1 - buys)) / buys)
            for u in ((1 - level) / 2, (1 + level) / 2)
        )
        return np.minimum(low, value), np.maximum(high, value)

    def _quantile(self, group: Days, level: Float) -> Float:
        """(k, n) quantiles of those who buy; 0 at levels of at most 0, where nobody does."""
        answer = np.zeros(level.shape)
        for number, quantiles in enumerate(self.quantiles):
            own = level[:, group == number]
            answer[:, group == number] = np.where(own > 0, np.interp(own, LEVELS, quantiles), 0.0)
        return answer

    @override
    def files(self) -> dict[str, bytes]:
        return {FILE: bytes(self.booster.save_raw("ubj")) if self.booster else b""}

    @classmethod
    @override
    def load(cls, files: Mapping[str, bytes], section: TaskSection) -> Self:
        try:
            numbers = cast("dict[str, float]", section.parameters["gamma_gamma"])
            amounts = GammaGamma(*(float(numbers[name]) for name in ("p", "q", "v")))
            quantiles = np.asarray(section.parameters["quantiles"], float)
            has_factor = section.parameters["factor"]
        except KeyError as error:
            raise ModelMismatch(
                f"its manifest lacks the parameter {error} of value; train again"
            ) from error
        sizes = np.array([amounts.p, amounts.q - 1, amounts.v])
        if not np.all(np.isfinite(sizes) & (sizes > 0)):
            raise ModelMismatch("its Gamma-Gamma parameters are out of their range; train again")
        shape = (len(GROUPS), len(LEVELS))
        if quantiles.shape != shape or not np.isfinite(quantiles).all():
            raise ModelMismatch(f"its quantiles of value are not {shape} numbers; train again")
        if np.any(quantiles < 0) or np.any(np.diff(quantiles) < 0):
            raise ModelMismatch("its quantiles of value do not rise from 0; train again")
        columns = len(section.feature_names)
        booster = load_booster(FILE, files[FILE], columns) if has_factor else None
        return cls(booster, section.feature_names, amounts, quantiles)

    @classmethod
    @override
    def file_names(cls, kind: str) -> tuple[str, ...]:
        return (FILE,)


def order_amount(amounts: GammaGamma, order_count: Days, revenue: Float) -> Float:
    """(n,) what an order is expected to be worth; NaN where an amount so far is unknown."""
    count = order_count.astype(float)
    return amounts.expected_amount(count, revenue / count)


def orders_and_buys(
    survival: Survival, elapsed: Float, horizons: list[int], factor: Float | float
) -> tuple[Float, Float]:
    """(k, n) expected orders, and the probability of one, which they are never below.

    The factor multiplies the renewed curve's orders, and leaves the probability as it is.
    """
    buys = survival.probability_within(np.array(horizons)[:, None], elapsed)
    return np.maximum(expected_orders(survival, elapsed, horizons) * factor, buys), buys
