"""Fits the models of ordergap.models.xgboost.

See docs/decisions/trainers.md#aft-chooses-among-several-noise-scales and
docs/decisions/trainers.md#the-hazard-trainer-keeps-its-simple-defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue
from typing_extensions import override

from ordergap import features
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.trainers import TreeParameters
from ordergap.errors import UserError
from ordergap.models.base import Model
from ordergap.models.xgboost import (
    AftModel,
    SquaredErrorModel,
    load_xgboost,
    point_gap,
    predict,
    shap_values,
)
from ordergap.survival.kaplan_meier import ratio_curve
from ordergap.trainers.base import FitRequest, Fitted, Sample, Trainer
from ordergap.trainers.device import choose
from ordergap.trainers.noise import noise_by_orders
from ordergap.trainers.rounds import Loss, best_round, boost
from ordergap.trainers.rows import Rows, Source, matrices

if TYPE_CHECKING:
    import xgboost

_EXPLAINED = 500  # rows
DAYS_WAITED = "days waited"
_AFT_SCALES = (0.5, 0.8, 1.1, 1.5)
_AFT_USUAL_SCALE = 1.1  # where nothing is searched


class Boosting(Trainer):
    """What the objectives share: the trees' parameters, early stopping and progress."""

    def __init__(
        self, hyperparameters: Hyperparameters, *, calendar: bool, more: Sequence[str] = ()
    ) -> None:
        hashed = hyperparameters.columns.hashed_features
        super().__init__(hyperparameters, features.names(calendar, (*hashed, *more)))
        parameters = hyperparameters.trainer
        assert isinstance(parameters, TreeParameters)  # noqa: S101 - the factory sees to it
        self._parameters = parameters
        cuda = load_xgboost().build_info()["USE_CUDA"]
        self._device = choose(hyperparameters.device, "XGBoost", built_for_cuda=cuda)

    def boost(
        self,
        objective: Mapping[str, object],
        train: Source,
        validation: Source | None,
        rounds: int | None,
        request: FitRequest,
        second_loss: Loss | None = None,
    ) -> tuple[xgboost.Booster, float]:
        """A booster, cut back to its best round, and its validation loss (NaN without one).

        Resumes from where an earlier run left it.
        """
        if request.hosts.size > 1 and self._device == "cuda":
            raise UserError(
                "XGBoost boosts on one graphics card alone: give one host, or device = cpu"
            )
        patience = self._parameters.patience if validation and not rounds else 0
        with matrices(len(request.train), request.hosts.size, self._device) as matrix:
            booster, losses = boost(
                load_xgboost(),
                self._tree_parameters() | dict(objective),
                lambda: matrix(train, None),
                (lambda learnt: matrix(validation, learnt)) if validation else None,
                rounds or self._parameters.num_round,
                patience,
                request,
                second_loss,
            )
        best = best_round(losses) if patience else booster.num_boosted_rounds()
        booster = booster[:best]
        booster.set_param({"device": "cpu"})  # forecasts are made where the features are
        return booster, min((first for first, *_ in losses), default=np.nan)

    def fitted(
        self, model: Model, booster: xgboost.Booster, rows: Source, **chosen: float
    ) -> Fitted:
        """The model made of the booster, with what the fit on `rows` chose."""
        chosen = {"rounds": booster.num_boosted_rounds(), **chosen}
        return Fitted(model, chosen, self._drivers(booster, rows))

    def _drivers(self, booster: xgboost.Booster, rows: Source) -> dict[str, float]:
        """Feature -> mean absolute SHAP value, of some rows spread over all."""
        shares = shap_values(booster, rows.spread(_EXPLAINED))
        names = (*self.feature_names, DAYS_WAITED)
        means = np.abs(shares[:, :-1]).mean(axis=0)  # the last is the constant
        return {name: float(mean) for name, mean in zip(names, means, strict=False)}

    def _tree_parameters(self) -> dict[str, object]:
        p = self._parameters
        return {
            "tree_method": "hist",
            "device": self._device,
            "eta": p.eta,
            "max_depth": p.max_depth,
            "min_child_weight": p.min_child_weight,
            "subsample": p.subsample,
            "colsample_bytree": p.colsample_bytree,
            "lambda": p.lambda_,
            "alpha": p.alpha,
            "seed": self.hyperparameters.seed,
        }


class AftTrainer(Boosting):
    """Accelerated failure time: a row an order, censored rows as lower bounds."""

    @override
    def fit(self, request: FitRequest) -> Fitted:
        part, chosen = request.hosts.part, request.chosen
        rows = _aft_rows(request.train[part])
        searched = request.validation if not chosen else None
        check = _aft_rows(searched[part]) if searched else None
        if chosen:
            scales: tuple[float, ...] = (chosen["scale"],)
        else:
            scales = _AFT_SCALES if check else (_AFT_USUAL_SCALE,)
        fits: dict[float, tuple[xgboost.Booster, float]] = {}
        for scale in scales:
            if fits and request.stopping():
                break
            of_scale = request.part(f"scale {scale:g}")
            fits[scale] = self.boost(_aft_objective(scale), rows, check, request.rounds, of_scale)
        scale = min(fits, key=lambda scale: fits[scale][1])
        booster = fits[scale][0]
        whole = _without_left_truncation(request.train)
        location = predict(booster, whole.features, "margin")
        order_count = whole.features[:, self.feature_names.index("order_count")]
        noise = noise_by_orders(whole, location, order_count, scale)
        model = AftModel(booster, self.feature_names, {"days": request.days.tolist(), **noise})
        return self.fitted(model, booster, rows, scale=scale)


class SquaredErrorTrainer(Boosting):
    """The textbook way: least squares on the gaps that ended."""

    @override
    def fit(self, request: FitRequest) -> Fitted:
        part, train, validation = request.hosts.part, request.train, request.validation
        rows = _observed_rows(train[part])
        booster, _ = self.boost(
            {"objective": "reg:squarederror"},
            rows,
            _observed_rows(validation[part]) if validation else None,
            request.rounds,
            request,
        )
        point = point_gap(booster, train.features)
        ratio, log_s = ratio_curve(train.gap, train.observed, point)
        parameters: dict[str, JsonValue] = {
            "days": request.days.tolist(),
            "ratio": ratio.tolist(),
            "ratio_log_s": log_s.tolist(),
        }
        model = SquaredErrorModel(booster, self.feature_names, parameters)
        return self.fitted(model, booster, rows)


def _aft_objective(scale: float) -> dict[str, object]:
    return {
        "objective": "survival:aft",
        "eval_metric": "aft-nloglik",
        "aft_loss_distribution": "normal",
        "aft_loss_distribution_scale": scale,
    }


def _without_left_truncation(sample: Sample) -> Sample:
    """Gaps observed from their first day on; XGBoost's AFT has no left truncation."""
    return sample[(sample.left_truncation == 0) & (sample.gap > 0)]


def _aft_rows(sample: Sample) -> Rows:
    some = _without_left_truncation(sample)
    return Rows(some.features, lower=some.gap, upper=np.where(some.observed, some.gap, np.inf))


def _observed_rows(sample: Sample) -> Rows:
    some = sample.observed & (sample.left_truncation == 0)
    return Rows(sample.features[some], sample.gap[some])
