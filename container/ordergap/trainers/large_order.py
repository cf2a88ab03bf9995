"""Fits the share of orders above an amount: orders, the amount of the next, and thresholds.

See docs/decisions/tasks.md#a-large-order-is-a-thinned-curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.histories import Histories
from ordergap.models.large_order import MONOTONE, exceedance_matrix
from ordergap.models.xgboost import load_xgboost
from ordergap.trainers.rows import Rows

LEVELS = (0.02, 0.5, 0.8, 0.95, 0.998)
"""Quantiles of amounts between which thresholds lie: every order has one between each two."""
MOST_ORDERS = 50_000
"""Orders that are learnt from, evenly spread over all: more were not better."""
MOST_ROUNDS, USUAL_ROUNDS, _PATIENCE = 200, 100, 15
_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, without their whole part, are spread evenly
_TREES = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "eta": 0.05,
    "max_depth": 4,
    "min_child_weight": 5,
}


def followed(histories: Histories) -> NDArray[np.int64]:
    """(k,) rows of the orders whose next order is there and has a known amount."""
    last = np.zeros(len(histories), bool)
    last[histories.last_row] = True
    known = ~np.isnan(np.append(histories.amount[1:], np.nan))
    return np.flatnonzero(~last & known)


def positive_amounts(histories: Histories) -> NDArray[np.float64]:
    """The known amounts above 0, rising."""
    return np.sort(histories.amount[histories.amount > 0])


def exceedance_rows(
    histories: Histories,
    names: Sequence[str],
    opened: NDArray[np.int64],
    amounts: NDArray[np.float64],
) -> Rows:
    """Each order with a threshold of each part of `LEVELS`; label: the next order is above it.

    opened   rows of `followed`
    amounts  rising, of which the thresholds are quantiles
    """
    opened = opened[:: math.ceil(len(opened) / MOST_ORDERS)]
    spread = np.arange(len(opened)) * _GOLDEN % 1
    levels = np.array(LEVELS)
    parts = levels[:-1, None] + np.diff(levels)[:, None] * spread
    thresholds = np.quantile(amounts, parts)
    matrix, following = features.compute(histories, names, opened), histories.amount[opened + 1]
    return Rows(
        np.vstack([exceedance_matrix(matrix, names, each) for each in thresholds]),
        (following > thresholds).ravel().astype(float),
    )


def fit(rows: Rows, later: Rows | None, rounds: int, seed: int) -> Any:
    """A booster of at most so many rounds; those that foresee the `later` rows best, if given."""
    xgb = load_xgboost()
    free = rows.matrix.shape[1] - len(MONOTONE)
    constraints = (0,) * free + MONOTONE
    booster = xgb.train(
        _TREES | {"monotone_constraints": constraints, "seed": seed},
        rows.dmatrix(),
        num_boost_round=rounds,
        evals=[(later.dmatrix(), "later")] if later else [],
        early_stopping_rounds=_PATIENCE if later else None,
        verbose_eval=False,
    )
    return booster[: booster.best_iteration + 1] if later else booster
