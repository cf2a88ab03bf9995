"""Fits the naive model: one Kaplan-Meier curve around every customer's mean gap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from typing_extensions import override

from container.contract.hyperparameters import Hyperparameters
from container.kaplan_meier import kaplan_meier
from container.models.naive import FEATURES, NaiveModel, mean_gap
from container.trainers.base import Fitted, Float, Sample, Trainer

_POINTS = 200


class NaiveTrainer(Trainer):
    """Nothing is searched: `validation` and `found` have no effect."""

    def __init__(self, hyperparameters: Hyperparameters, *, calendar: bool) -> None:  # noqa: ARG002
        super().__init__(hyperparameters, FEATURES)

    @override
    def fit(
        self,
        train: Sample,
        days: Float,
        validation: Sample | None = None,
        found: Mapping[str, float] | None = None,
    ) -> Fitted:
        typical = median_gap(train)
        ratio, log_s = ratio_curve(train, mean_gap(train.features, typical))
        return Fitted(NaiveModel(days, typical, ratio, log_s), {})


def median_gap(train: Sample) -> float:
    """Days by which half of all gaps have ended (Kaplan-Meier); the longest where fewer have."""
    days, survival = kaplan_meier(train.gap, train.observed)
    return float(days[np.minimum((survival > 0.5).sum(), len(days) - 1)])


def ratio_curve(train: Sample, point: Float) -> tuple[Float, Float]:
    """Kaplan-Meier curve of gap / point: ratios (k,), and log S there, thinned to a few points."""
    ratio, survival = kaplan_meier(train.gap / point, train.observed)
    # Where the longest gap was observed the estimate ends at 0: half a row keeps its log finite.
    log_s = np.log(np.maximum(survival, 0.5 / len(train)))
    some = np.unique(np.linspace(0, len(ratio) - 1, _POINTS).astype(int))
    return ratio[some], log_s[some]
