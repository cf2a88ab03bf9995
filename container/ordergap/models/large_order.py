"""The head of the task "large order": whether an order above an amount comes in the days ahead.

Trees say how likely one order, given that it comes, is above an amount. Thinned by that share, the
curve of the next order becomes that of the next large one, for any amount and any day.

See docs/decisions/tasks.md#a-large-order-is-a-thinned-curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.contract.manifest import TaskSection
from ordergap.errors import AlgorithmError, ModelMismatch
from ordergap.models.base import Column, ForecastOptions, Head, Snapshot, TaskForecast
from ordergap.models.next_order import NextOrderForecast
from ordergap.models.text import amount_text
from ordergap.models.xgboost import load_booster, predict
from ordergap.survival.renewal import MOST_DAYS, kind_probability

Float = NDArray[np.float64]
FILE = "exceedance.ubj"
LAST, MEAN = "amount", "amount_mean"
MONOTONE = (1, 1, -1)
"""How the share above an amount moves with each column that holds the amount: 1 rises, -1 falls."""
_LEAST = 0.01  # amounts are taken as at least: a free order has a logarithm too


def exceedance_matrix(
    features: NDArray[np.float32], names: Sequence[str], threshold: Float | float
) -> NDArray[np.float32]:
    """(n, F + 3) features, then the columns that hold the threshold, in the order of `MONOTONE`.

    features   (n, F) called `names`
    threshold  an amount above 0, one for all or (n,)

    The three: logarithm of the mean amount and of the last, both less the threshold's, and that.
    """
    log_threshold = np.broadcast_to(np.log(threshold), len(features))
    columns = [features[:, names.index(name)].astype(float) for name in (MEAN, LAST)]
    logs = [np.log(np.maximum(column, _LEAST)) - log_threshold for column in columns]
    return np.column_stack([features, *logs, log_threshold]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class LargeOrderForecast(TaskForecast):
    """Probabilities of a large order; empty where they were not asked.

    probability  amount, rising -> days ahead, rising -> (n,)
    buys         days ahead -> (n,) probability of any order
    unknown      (n,) whether an amount so far is unknown, without which nothing is answered
    """

    probability: Mapping[float, Mapping[int, Float]]
    buys: Mapping[int, Float]
    unknown: NDArray[np.bool_] | bool = False

    @override
    def columns(self) -> dict[str, Column]:
        if not self.probability:
            return {}
        by_amount = {
            amount_text(threshold): {str(days): self._answered(p) for days, p in each.items()}
            for threshold, each in self.probability.items()
        }
        return {"large_order_probability": by_amount}

    def _answered(self, probability: Float) -> list[float | None]:
        answered = probability.round(6).astype(object)
        answered[self.unknown] = None
        return cast("list[float | None]", answered.tolist())

    @override
    def contradiction(self) -> str | None:
        if not self.probability:
            return None
        values = np.array([[*each.values()] for each in self.probability.values()]).round(6)
        any_order = np.array([self.buys[days] for days in next(iter(self.probability.values()))])
        if np.any(np.diff(values, axis=1) < 0):
            return "the probability of a large order falls with the days ahead"
        if np.any(np.diff(values, axis=0) > 0):
            return "the probability of a large order rises with its amount"
        if np.any(values > any_order.round(6)):
            return "a large order is more probable than any order"
        return None


class LargeOrderHead(Head):
    """The trees, and which orders are large where a request does not say.

    booster     how likely an order is above an amount, of an `exceedance_matrix`
    thresholds  the model's own, rising
    amounts     least and largest amount learnt from: every order is above less than the least, and
                beyond the largest the share falls as 1 / amount
    """

    kind = "exceedance"

    def __init__(
        self,
        booster: Any,
        feature_names: tuple[str, ...],
        thresholds: Sequence[float],
        amounts: tuple[float, float],
    ) -> None:
        self.booster, self.feature_names = booster, feature_names
        self.thresholds, self.amounts = tuple(thresholds), amounts

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        return {"thresholds": [*self.thresholds], "amounts": [*self.amounts]}

    @override
    def forecast(
        self,
        customers: Snapshot,
        features: NDArray[np.float32],
        options: ForecastOptions,
        earlier: Mapping[str, TaskForecast],
    ) -> LargeOrderForecast:
        """See `Head.forecast`. Horizons of more than `MOST_DAYS` days are left out."""
        asked = options.large_thresholds
        thresholds = self.thresholds if asked is None else sorted(set(asked))
        horizons = [days for days in options.horizons if days <= MOST_DAYS]
        if not thresholds or not horizons:
            return LargeOrderForecast({}, {})
        next_order = cast("NextOrderForecast", earlier["next_order"])
        buys = {days: next_order.probability[days] for days in horizons}
        elapsed = customers.elapsed.astype(float)
        share = np.array([self.share(features, threshold) for threshold in thresholds])
        if not np.all((share >= 0) & (share <= 1)):
            raise AlgorithmError("the model gives a share of large orders that is not 0 to 1")
        p = kind_probability(next_order.survival, elapsed, horizons, share)
        # Where every order is large both are the same but for rounding.
        answer = {
            threshold: {
                days: np.minimum(each, buys[days]) for days, each in zip(horizons, own, strict=True)
            }
            for threshold, own in zip(thresholds, p, strict=True)
        }
        columns = [self.feature_names.index(name) for name in (LAST, MEAN)]
        unknown = np.isnan(features[:, columns]).any(axis=1) | np.isnan(customers.revenue)
        return LargeOrderForecast(answer, buys, unknown)

    def share(self, features: NDArray[np.float32], threshold: float) -> Float:
        """(n,) probability that an order, given that it comes, is above the threshold."""
        least, largest = self.amounts
        if threshold < least:
            return np.ones(len(features))
        matrix = exceedance_matrix(features, self.feature_names, threshold)
        return predict(self.booster, matrix) * min(1.0, largest / threshold)

    @override
    def files(self) -> dict[str, bytes]:
        return {FILE: bytes(self.booster.save_raw("ubj"))}

    @classmethod
    @override
    def load(cls, files: Mapping[str, bytes], section: TaskSection) -> Self:
        names = section.feature_names
        try:
            thresholds, amounts = (
                np.asarray(section.parameters[name], float) for name in ("thresholds", "amounts")
            )
        except KeyError as error:
            raise ModelMismatch(
                f"its manifest lacks the parameter {error} of large orders; train again"
            ) from error
        if missing := {LAST, MEAN} - {*names}:
            raise ModelMismatch(f"its large orders lack the feature {missing.pop()}; train again")
        for each in (thresholds, amounts):
            good = each.ndim == 1 and len(each) and np.isfinite(each).all() and np.all(each > 0)
            if not good or np.any(np.diff(each) < 0):
                raise ModelMismatch("its amounts of large orders are not rising numbers above 0")
        if len(amounts) != 2:
            raise ModelMismatch("it has not two amounts that large orders were learnt between")
        booster = load_booster(FILE, files[FILE], len(names) + len(MONOTONE))
        least, largest = amounts.tolist()
        return cls(booster, names, thresholds.tolist(), (least, largest))

    @classmethod
    @override
    def file_names(cls, kind: str) -> tuple[str, ...]:
        return (FILE,)
