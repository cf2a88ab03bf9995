"""XGBoost's quantile regression of value: an interval to hold the model's own against."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from ordergap.contract.metrics import MODEL
from ordergap.evaluation.value import Guess, ValueEvaluation
from ordergap.models.next_order import NextOrderHead
from ordergap.models.value import ValueHead
from ordergap.trainers.value import ValueRows, days_to_learn_from, value_rows, with_amounts

from benchmarks.cutoff import Cutoff

NAME = "quantile heads"
_ROUNDS = 80


def beside_quantile_heads(value: ValueEvaluation, made: Cutoff) -> ValueEvaluation | None:
    """The model's interval beside one whose ends are learnt; None: there is nothing to learn from.

    The rows are those that the factor of value is learnt from, the columns its features, and the
    orders, amount and probability that are expected without it.
    """
    h, past, cutoff = made.hyperparameters, with_amounts(made.split.past), made.split.cutoff
    days = days_to_learn_from(past, cutoff, value.horizon, h.value_step_days, h.value_cutoffs)
    if not len(days):
        return None
    curves = cast("NextOrderHead", made.heads["next_order"]).model
    head = cast("ValueHead", made.heads["value"])
    known = value.horizon, curves, head.amounts, head.feature_names, h.seed
    learnt, now = (value_rows(past, each, *known) for each in (days, [cutoff]))
    tail = (1 - h.interval_level) / 2
    parameters = {
        "objective": "reg:quantileerror", "quantile_alpha": [tail, 1 - tail], "eta": 0.05,
        "max_depth": 4, "seed": h.seed,
    }  # fmt: skip
    unit = float(learnt.came.mean()) or 1.0
    rows = xgb.DMatrix(_columns(learnt), learnt.came / unit)
    booster = xgb.train(parameters, rows, _ROUNDS)
    low, high = np.sort(np.maximum(booster.predict(xgb.DMatrix(_columns(now))), 0).T * unit, axis=0)
    own = value.guesses[MODEL]
    return replace(value, guesses={MODEL: own, NAME: Guess(own.value, low=low, high=high)})


def _columns(rows: ValueRows) -> NDArray[np.float64]:
    return np.column_stack([rows.features, rows.orders, rows.amount, rows.buys])
