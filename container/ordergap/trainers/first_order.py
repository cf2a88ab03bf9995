"""Fits the hazard of a lead's first order: rows are leads as of several days.

See docs/decisions/leads.md#a-row-is-a-lead-as-of-a-day.
"""

from __future__ import annotations

from typing_extensions import override

from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.trainers import TreeParameters, XGBoostParameters
from ordergap.models import bg_nbd
from ordergap.trainers.base import FitRequest
from ordergap.trainers.hazard import HazardRows, HazardTrainer


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
