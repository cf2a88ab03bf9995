"""What a shop expects customers to spend without this model: rules, the field's own, textbooks.

Each sees the orders until a day alone and answers for every customer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ordergap.contract.metrics import BG_NBD
from ordergap.errors import AlgorithmError
from ordergap.evaluation.value import Guess, spent
from ordergap.histories import Histories
from ordergap.models import bg_nbd, gamma_gamma
from ordergap.models.xgboost import load_xgboost

Float = NDArray[np.float64]
LAST_DAYS, MEAN_RATE = "spend of the last days", "mean spend a day so far"
TEXTBOOK, BUYERS_ONLY = "regression on RFM", "buyers only, log value"
BG_NBD_GG = f"{BG_NBD} + Gamma-Gamma"
_LEAST_ROWS = 20  # customers that something is learnt from


def last_days(past: Histories, as_of: int, horizon: int, seed: int) -> Guess:  # noqa: ARG001
    """As much as in as many days until now."""
    value, orders = spent(past, past, as_of - horizon, as_of)
    return Guess(value, (orders == 0).astype(float))


def mean_rate(past: Histories, as_of: int, horizon: int, seed: int) -> Guess:  # noqa: ARG001
    """As much a day as since the first order, which counts as at least one window ago."""
    return Guess(past.revenue / np.maximum(_age(past, as_of) / horizon, 1))


def bg_nbd_gamma_gamma(past: Histories, as_of: int, horizon: int, seed: int) -> Guess | None:  # noqa: ARG001
    """The field's own: BG/NBD's expected orders times Gamma-Gamma's expected amount.

    Amounts are those of all orders: with the first left out, as is published, the customers with
    one order are all alike, and the ranking is worse. None where there is no fit.
    """
    last = (past.day[past.last_row] - _first(past)).astype(np.float64)
    repeats, age = past.order_count.astype(np.float64) - 1, _age(past, as_of)
    mean = past.revenue / past.order_count
    some = repeats > 0
    try:
        orders = bg_nbd.fit(repeats, last, age)
        amounts = gamma_gamma.fit(repeats[some] + 1, mean[some])
    except (AlgorithmError, ValueError):
        return None
    known = repeats, last, age
    count = orders.expected_orders(*known, float(horizon))
    none = np.exp(orders.log_survival(*known, np.array([float(horizon)]))[:, 0])
    return Guess(count * amounts.expected_amount(repeats + 1, mean), none)


def textbook(past: Histories, as_of: int, horizon: int, seed: int) -> Guess | None:
    """Boosted trees with squared error on recency, frequency, monetary value and age.

    They learn from everybody as they stood one window ago; None where few had ordered by then.
    """
    learnt = _as_they_stood(past, as_of, horizon)
    if learnt is None:
        return None
    value = _boosted({"max_depth": 4, "eta": 0.05}, 100, *learnt, _rfm(past, as_of), seed)
    return Guess(np.maximum(value, 0))


def buyers_only(past: Histories, as_of: int, horizon: int, seed: int) -> Guess | None:
    """A forest on the logarithm of value that learns from those who bought alone.

    A common recipe, and a wrong one: joining what came with how="inner" keeps the buyers, and
    the exponential of a mean of logarithms is a median.
    """
    learnt = _as_they_stood(past, as_of, horizon)
    if learnt is None or np.count_nonzero(learnt[1]) < _LEAST_ROWS:
        return None
    features, came = learnt
    bought = came > 0
    forest = {"num_parallel_tree": 100, "eta": 1, "subsample": 0.63, "colsample_bynode": 0.5}
    trees = forest | {"max_depth": 8, "min_child_weight": 5, "lambda": 0}
    value = _boosted(trees, 1, features[bought], np.log(came[bought]), _rfm(past, as_of), seed)
    return Guess(np.exp(value))


def _as_they_stood(past: Histories, as_of: int, horizon: int) -> tuple[Float, Float] | None:
    """`_rfm` of the customers one window ago, and what they spent since; None: they are few."""
    day = as_of - horizon
    if np.count_nonzero(past.day[past.offsets[:-1]] <= day) < _LEAST_ROWS:
        return None
    before = past.until(day)
    return _rfm(before, day), spent(past, before, day, as_of)[0]


def _boosted(
    parameters: Mapping[str, float], rounds: int, features: Float, label: Float, asked: Float,
    seed: int,
) -> Float:  # fmt: skip
    xgb = load_xgboost()
    rows = xgb.DMatrix(features, label=label)
    booster = xgb.train({**parameters, "seed": seed}, rows, num_boost_round=rounds)
    return np.asarray(booster.predict(xgb.DMatrix(asked)), float)


def _first(past: Histories) -> NDArray[np.int32]:
    return past.day[past.offsets[:-1]]


def _age(past: Histories, as_of: int) -> Float:
    return np.asarray(as_of - _first(past), float)


def _rfm(past: Histories, as_of: int) -> Float:
    """(c, 4) days since the last order, orders, mean amount, days since the first order."""
    return np.column_stack([
        as_of - past.day[past.last_row],
        past.order_count,
        past.revenue / past.order_count,
        _age(past, as_of),
    ]).astype(float)  # fmt: skip


BASELINES: dict[str, Callable[[Histories, int, int, int], Guess | None]] = {
    LAST_DAYS: last_days,
    MEAN_RATE: mean_rate,
    BG_NBD_GG: bg_nbd_gamma_gamma,
    TEXTBOOK: textbook,
    BUYERS_ONLY: buyers_only,
}
"""Name -> what it expects, from the orders until a day, of the days ahead, with a seed."""


def baselines(past: Histories, as_of: int, horizon: int, seed: int) -> dict[str, Guess]:
    """Name -> what each baseline that can be had expects of every customer of `past`."""
    guesses = {name: each(past, as_of, horizon, seed) for name, each in BASELINES.items()}
    return {name: guess for name, guess in guesses.items() if guess is not None}
