"""Fits the factor of expected orders: customers as they stood on several earlier days.

See docs/decisions/trainers.md#the-factor-of-value-is-small-and-its-rounds-are-fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.histories import Histories
from ordergap.models import gamma_gamma
from ordergap.models.base import Days, Model
from ordergap.models.gamma_gamma import GammaGamma
from ordergap.models.value import GROUPS, LEVELS, order_amount, orders_and_buys
from ordergap.models.xgboost import load_xgboost
from ordergap.survival.curve import Survival
from ordergap.trainers.rows import Rows

Float = NDArray[np.float64]
Matrix = NDArray[np.float32]
ROUNDS = 60
LEAST_HISTORY = 30  # days before the first day as of which customers are learnt from
MOST_ROWS = 150_000
"""Customers as of a day that are learnt from: more were not better."""
LEAST_BUYERS = 30
"""Of a group that has quantiles of its own; a smaller one has those of all buyers."""
_DIGITS = 6  # of quantiles
_TREES = {
    "objective": "reg:tweedie",
    "tree_method": "hist",
    "eta": 0.05,
    "max_depth": 3,
    "base_score": 1.0,  # whose logarithm is 0: the margin is the logarithm of the factor
}


@dataclass(frozen=True, eq=False)
class ValueRows:
    """n customers as they stood at the end of a day, and what came within the days after it.

    customer     (n,) position in the histories
    features     (n, F) of their last orders
    order_count  (n,) orders so far
    orders       (n,) expected by the renewed curve
    buys         (n,) probability of an order
    amount       (n,) expected of an order
    came         (n,) sum of the amounts that came
    came_orders  (n,) how many
    """

    customer: NDArray[np.int64]
    features: NDArray[np.float32]
    order_count: Days
    orders: Float
    buys: Float
    amount: Float
    came: Float
    came_orders: Float


def with_amounts(histories: Histories) -> Histories:
    """The customers all of whose amounts are known."""
    return histories.of(~np.isnan(histories.revenue))


def fit_amounts(histories: Histories) -> GammaGamma:
    """Gamma-Gamma of the customers with two orders or more; of all where none has.

    All their orders count, the first as well. Raises AlgorithmError where no maximum is found, and
    ValueError where nobody has paid.
    """
    count = histories.order_count.astype(float)
    mean = histories.revenue / count
    repeated = (count > 1) & (mean > 0)
    some = repeated if repeated.any() else mean > 0
    return gamma_gamma.fit(count[some], mean[some])


def days_to_learn_from(
    histories: Histories, as_of: int, horizon: int, step: int, most: int
) -> Days:
    """The days whose `horizon` days after have passed, the latest first; empty: history is short.

    step  days between two of them
    """
    latest, first = as_of - horizon, int(histories.day.min()) + LEAST_HISTORY
    return np.arange(latest, first - 1, -step)[:most]


def value_rows(
    histories: Histories,
    days: Sequence[int] | Days,
    horizon: int,
    model: Model,
    amounts: GammaGamma,
    names: Sequence[str],
    seed: int | None = None,
) -> ValueRows:
    """The customers as they stood on each of `days`, by what was known then.

    histories  every amount is known, and all orders until `horizon` days after the last of `days`
    model      of the next order
    names      of the features
    seed       of a draw of `MOST_ROWS` where there are more; None: all are taken
    """
    owner, offsets = histories.customer, histories.offsets[:-1]
    customers, counts, elapsed, came, came_orders = [], [], [], [], []
    for day in days:
        count = np.add.reduceat(histories.day <= day, offsets)
        known = np.flatnonzero(count)
        within = (histories.day > day) & (histories.day <= day + horizon)
        who, most_customers = owner[within], len(count)
        customers.append(known)
        counts.append(count[known])
        elapsed.append(day - histories.day[(offsets + count - 1)[known]])
        spent = np.bincount(who, histories.amount[within], minlength=most_customers)
        came.append(spent[known])
        came_orders.append(np.bincount(who, minlength=most_customers)[known])
    some = np.arange(sum(map(len, customers)))
    if seed is not None and len(some) > MOST_ROWS:
        some = np.sort(np.random.default_rng(seed).choice(some, MOST_ROWS, replace=False))
    customer, order_count, waited, value, number = (
        np.concatenate(each)[some] for each in (customers, counts, elapsed, came, came_orders)
    )
    row = offsets[customer] + order_count - 1
    known = np.repeat(days, [*map(len, customers)])[some]
    # Without attributes an order's features are the same on every day.
    which = row if histories.attributes is None else row * (int(known.max(initial=0)) + 1) + known
    _, first, place = np.unique(which, return_index=True, return_inverse=True)
    curves = model.survival(_features(histories, model.feature_names, row[first], known[first]))
    survival = Survival(curves.days, curves.log_s[place])
    orders, buys = orders_and_buys(survival, waited.astype(float), [horizon], 1.0)
    running = np.concatenate([[0.0], np.cumsum(histories.amount)])
    revenue = running[row + 1] - running[offsets[customer]]
    return ValueRows(
        customer,
        _features(histories, names, row[first], known[first])[place],
        order_count,
        orders[0],
        buys[0],
        order_amount(amounts, order_count, revenue),
        value,
        number.astype(float),
    )


def _features(histories: Histories, names: Sequence[str], row: Days, known: Days) -> Matrix:
    """(n, F) features of orders, with attributes as of the days `known` (n,)."""
    if histories.attributes is None:
        return features.compute(histories, names, row)
    matrix = np.empty((len(row), len(names)), np.float32)
    for day in np.unique(known):
        some = known == day
        matrix[some] = features.compute(histories.as_known(day), names, row[some])
    return matrix


def fit_factor(rows: ValueRows, power: float, seed: int) -> Any | None:
    """A booster whose margin is the logarithm of the factor; None where nobody has spent.

    power  of the Tweedie deviance, whose unit is the mean of what came
    """
    expected, unit = rows.orders * rows.amount, float(rows.came.mean())
    some = expected > 0
    if not unit or not some.any():
        return None
    xgb = load_xgboost()
    parameters = _TREES | {"tweedie_variance_power": power, "seed": seed}
    learnt = Rows(rows.features[some], rows.came[some] / unit, base=np.log(expected[some] / unit))
    booster = xgb.train(parameters, learnt.dmatrix(), num_boost_round=ROUNDS)
    booster.set_param({"nthread": 1})
    return booster


def quantiles(rows: ValueRows, expected: Float) -> Float:
    """(len(GROUPS), len(LEVELS)) of value over that `expected` (n,) of who buys, among buyers."""
    bought = (rows.came_orders > 0) & (expected > 0)
    ratio = rows.came[bought] * rows.buys[bought] / expected[bought]
    group = np.searchsorted(GROUPS, rows.order_count[bought], side="right") - 1
    if not len(ratio):
        return np.ones((len(GROUPS), len(LEVELS)))
    table = []
    for number in range(len(GROUPS)):
        own = ratio[group == number]
        own = own if len(own) >= LEAST_BUYERS else ratio
        table.append(np.quantile(own, LEVELS))
    return np.round(table, _DIGITS)
