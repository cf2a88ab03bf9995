"""Forecasts of what customers spend within a window against what they spent.

Everybody who ever bought is judged, most of whom may buy nothing: a forecast of 0 for all has a
lower mean error than any model, so errors are shown and decide nothing.

See docs/decisions/evaluation.md#value-is-judged-as-a-mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap.contract.metrics import EvaluationProtocol, Metric
from ordergap.evaluation.compare import Evaluation, Metrics
from ordergap.evaluation.metrics import Rows
from ordergap.histories import Histories

Float = NDArray[np.float64]
_COMPARED = (EvaluationProtocol.AT_CUTOFF,)
METRICS: dict[str, Metric] = {
    "d2": Metric(
        title="D²", better="higher", compared=_COMPARED,
        meaning="Share of the Tweedie deviance that the forecast explains, against the mean of all "
        "that came: 1 is perfect, 0 knows nobody from another, below 0 is worse.",
    ),
    "gini": Metric(
        title="Gini", better="higher", compared=_COMPARED,
        meaning="How well the forecast ranks customers by what they spent: 1 as their own order "
        "would, 0 as chance.",
    ),
    "top_decile": Metric(
        title="top tenth", unit="share", digits=3, better="higher",
        meaning="Share of the revenue of the tenth of customers forecast highest.",
    ),
    "total": Metric(
        title="total", digits=2,
        meaning="Sum of the forecasts over the sum of what came. It moves with the season.",
    ),
    "decile_error": Metric(
        title="deciles", unit="share", digits=3, better="lower",
        meaning="Distance of forecast and come in ten groups by forecast, of all that came, after "
        "scaling to the true total.",
    ),
    "coverage": Metric(
        title="interval holds", unit="share", digits=2,
        meaning="Share of customers whose value is inside the interval. Where most buy nothing it "
        "lies above its level.",
    ),
    "pinball": Metric(
        title="pinball loss", digits=2, better="lower",
        meaning="Mean pinball loss of both ends of the interval at their levels. "
        "It is lower for an interval that is narrower and holds as often.",
    ),
    "brier_none": Metric(
        title="Brier, none", better="lower",
        meaning="Mean squared distance of the probability of no order from what came.",
    ),
    "rmse": Metric(
        title="RMSE", digits=1, better="lower",
        meaning="Root of the mean squared distance, in the data's currency.",
    ),
    "mae": Metric(
        title="MAE", digits=2,
        meaning="Mean distance. 0 for all often has the least: it is no measure of a mean.",
    ),
}  # fmt: skip
_LEAST = 1e-3  # of the window's mean, that forecasts are taken as at least
_NONE = float("nan")


@dataclass(frozen=True, eq=False)
class Guess:
    """What one model expects of n customers: value, and P(no order) and an interval where known."""

    value: Float
    none: Float | None = None
    low: Float | None = None
    high: Float | None = None


@dataclass(frozen=True, eq=False)
class ValueEvaluation(Evaluation):
    """What n customers spent within a window after one day, beside what was expected.

    came      (n,) sum of the amounts of their orders in the window
    ordered   (n,) whether there was one
    guesses   model or baseline -> what it expects
    power     of the Tweedie deviance
    level     of intervals
    horizon   days of the window
    earlier   what all spent in a window as long before that day
    """

    customer: NDArray[np.str_] | NDArray[np.int64]
    segments: Mapping[str, NDArray[np.bool_]]
    came: Float
    ordered: NDArray[np.bool_]
    guesses: Mapping[str, Guess]
    power: float
    level: float
    horizon: int
    earlier: float
    cap: float = _NONE

    @property
    @override
    def names(self) -> Sequence[str]:
        return [*self.guesses]

    @override
    def metrics(self, name: str, rows: Rows | None = None) -> Metrics:
        some = slice(None) if rows is None else rows
        guess, came = self.guesses[name], self.came[some]
        if not len(came) or came.sum() <= 0:
            return dict.fromkeys(METRICS, _NONE)
        value = guess.value[some]
        holds = loss = brier = _NONE
        if guess.low is not None and guess.high is not None:
            inside = (guess.low[some] <= came) & (came <= guess.high[some])
            holds = float(inside.mean())
            tail = (1 - self.level) / 2
            ends = pinball(guess.low[some], came, tail), pinball(guess.high[some], came, 1 - tail)
            loss = sum(ends) / 2
        if guess.none is not None:
            brier = float(((guess.none[some] - ~self.ordered[some]) ** 2).mean())
        return {
            "d2": deviance_explained(value, came, self.power),
            "gini": gini(value, came),
            "top_decile": top_decile(value, came),
            "total": float(value.sum() / came.sum()),
            "decile_error": decile_error(value, came),
            "coverage": holds,
            "pinball": loss,
            "brier_none": brier,
            "rmse": float(np.sqrt(((value - came) ** 2).mean())),
            "mae": float(np.abs(value - came).mean()),
        }


def spent(histories: Histories, customers: Histories, day: int, until: int) -> tuple[Float, Float]:
    """(c,) amounts and orders after `day` until `until` of each of the c of `customers`.

    histories  with the orders of all of them
    """
    place = {customer: i for i, customer in enumerate(customers.customer_ids)}
    owner = np.array([place.get(customer, -1) for customer in histories.customer_ids], np.int64)
    return spent_by(histories, owner, len(place), day, until)


def spent_by(
    histories: Histories, owner: NDArray[np.int64], count: int, day: int, until: int
) -> tuple[Float, Float]:
    """As `spent`, of `count` customers; `owner` has the position of each of `histories`, or -1."""
    owner = owner[histories.customer]
    rows = (histories.day > day) & (histories.day <= until) & (owner >= 0)
    amount = np.bincount(owner[rows], histories.amount[rows], minlength=count)
    orders = np.bincount(owner[rows], minlength=count).astype(float)
    return np.asarray(amount, float), orders


def deviance(value: Float, came: Float, power: float) -> Float:
    """(n,) half the Tweedie deviance of each `value`, 1 < power < 2.

    Values are taken as at least a thousandth of the mean of `came`.

    Source: Jørgensen 1987, Exponential dispersion models.
    """
    mu = np.maximum(value, _LEAST * came.mean())
    parts = mu ** (2 - power) / (2 - power) - came * mu ** (1 - power) / (1 - power)
    return np.asarray(parts + came ** (2 - power) / ((1 - power) * (2 - power)))


def deviance_explained(value: Float, came: Float, power: float) -> float:
    """D²: 1 less the deviance of `value` over that of the mean of `came`."""
    of_mean = deviance(np.full(len(came), came.mean()), came, power).sum()
    return float(1 - deviance(value, came, power).sum() / of_mean) if of_mean else _NONE


def pinball(quantile: Float, came: Float, level: float) -> float:
    """Mean loss of a quantile of this level: `level` of each unit below, the rest of each above.

    Source: Koenker & Bassett 1978, Regression quantiles.
    """
    less = came - quantile
    return float(np.maximum(level * less, (level - 1) * less).mean())


def gini(value: Float, came: Float) -> float:
    """Area under the gain chart of `value` over that of the perfect one; of equals the mean."""
    perfect = _gain_area(came, came)
    return _gain_area(value, came) / perfect if perfect else _NONE


def _gain_area(value: Float, came: Float) -> float:
    _, group = np.unique(-value, return_inverse=True)
    size = np.bincount(group)
    sums = np.bincount(group, came)
    before = np.cumsum(sums) - sums
    return float((size * (before + sums / 2)).sum() / came.sum() / len(came) - 0.5)


def top_decile(value: Float, came: Float) -> float:
    """Share of the revenue of the tenth forecast highest."""
    best = np.argsort(-value, kind="stable")[: max(1, round(len(value) / 10))]
    return float(came[best].sum() / came.sum())


def decile_error(value: Float, came: Float) -> float:
    """Sum over ten groups by forecast of |forecast - come| / all, scaled to the true total."""
    forecast, actual = deciles(value, came)
    if forecast.sum() <= 0:
        return _NONE
    return float(np.abs(forecast * actual.sum() / forecast.sum() - actual).sum() / actual.sum())


def deciles(value: Float, came: Float) -> tuple[Float, Float]:
    """(10,) sums of forecast and come of ten groups of customers, those forecast least first."""
    parts = np.array_split(np.argsort(value, kind="stable"), 10)
    return (
        np.array([value[part].sum() for part in parts]),
        np.array([came[part].sum() for part in parts]),
    )
