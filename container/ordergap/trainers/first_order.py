"""Fits the hazard of a lead's first order: rows are leads as of several days.

See docs/decisions/leads.md#a-row-is-a-lead-as-of-a-day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from typing_extensions import override

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.trainers import TreeParameters, XGBoostParameters
from ordergap.models import bg_nbd
from ordergap.models.xgboost import predict
from ordergap.trainers.base import FitRequest, Sample
from ordergap.trainers.hazard import HazardTrainer
from ordergap.trainers.hazard_rows import HazardRows
from ordergap.trainers.rows import Rows

_STEPS = 25
_NO_GRID = np.ones(1)


class FirstOrderTrainer(HazardTrainer):
    """The hazard trainer on columns of leads. Trainers without trees leave it to the default's."""

    def __init__(self, hyperparameters: Hyperparameters, feature_names: tuple[str, ...]) -> None:
        if not isinstance(hyperparameters.trainer, TreeParameters):
            hyperparameters = hyperparameters.model_copy(update={"trainer": XGBoostParameters()})
        super().__init__(hyperparameters, calendar=False)
        self.feature_names = feature_names

    @override
    def _half_of_bg_nbd(self, data: HazardRows, request: FitRequest) -> bg_nbd.Start | None:
        """None: who has no order has no rate of orders."""
        return None


def ranked(
    count: NDArray[np.float32], label: NDArray[np.bool_], asked: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(k,) probability by a logistic regression on the logarithm of a count alone: a baseline.

    count, label  (n,) to learn from
    asked         (k,) counts
    """
    x = np.column_stack([np.ones(len(count)), np.log1p(count.astype(float))])
    coefficients = np.zeros(2)
    for _ in range(_STEPS):
        p = expit(x @ coefficients)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        coefficients += np.linalg.solve(hessian, x.T @ (label - p))
    return np.asarray(expit(coefficients[0] + coefficients[1] * np.log1p(asked.astype(float))))


def classified(
    trainer: FirstOrderTrainer,
    features: NDArray[np.float32],
    label: NDArray[np.bool_],
    asked: NDArray[np.float32],
    rounds: int,
) -> NDArray[np.float64]:
    """(k,) probability by trees that learn one horizon alone: a baseline."""
    objective, y = {"objective": "binary:logistic"}, label.astype(float)
    request = FitRequest(Sample(features, y, label, y), _NO_GRID)
    booster, _ = trainer.boost(objective, Rows(features, y), None, rounds, request)
    return predict(booster, asked)
