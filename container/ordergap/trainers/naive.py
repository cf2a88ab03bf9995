"""Fits the naive model: one Kaplan-Meier curve around every customer's mean gap."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.models.naive import FEATURES, NaiveModel, mean_gap
from ordergap.survival.kaplan_meier import median_gap, ratio_curve
from ordergap.trainers.base import FitRequest, Fitted, Trainer


class NaiveTrainer(Trainer):
    """Nothing is searched, and all is one step: only `train` and `days` have an effect."""

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        *,
        calendar: bool,  # noqa: ARG002
        more: Sequence[str] = (),  # noqa: ARG002
    ) -> None:
        super().__init__(hyperparameters, FEATURES)

    @override
    def fit(self, request: FitRequest) -> Fitted:
        train = request.train
        typical = median_gap(train.gap, train.observed)
        point = mean_gap(train.features, typical)
        ratio, log_s = ratio_curve(train.gap, train.observed, point)
        return Fitted(NaiveModel(request.days, typical, ratio, log_s), {})
