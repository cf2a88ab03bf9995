"""Fits the naive model: one Kaplan-Meier curve around every customer's mean gap."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from ordergap.checkpoints import ALONE, Progress
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.models.naive import FEATURES, NaiveModel, mean_gap
from ordergap.survival.kaplan_meier import median_gap, ratio_curve
from ordergap.trainers.base import Fitted, Float, Sample, Trainer


class NaiveTrainer(Trainer):
    """Nothing is searched, and all is one step: only `train` and `days` have an effect."""

    def __init__(self, hyperparameters: Hyperparameters, *, calendar: bool) -> None:  # noqa: ARG002
        super().__init__(hyperparameters, FEATURES)

    @override
    def fit(
        self,
        train: Sample,
        days: Float,
        validation: Sample | None = None,
        found: Mapping[str, float] | None = None,
        progress: Progress = ALONE,
    ) -> Fitted:
        typical = median_gap(train.gap, train.observed)
        point = mean_gap(train.features, typical)
        ratio, log_s = ratio_curve(train.gap, train.observed, point)
        return Fitted(NaiveModel(days, typical, ratio, log_s), {})
