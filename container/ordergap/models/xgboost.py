"""The models that XGBoost fits: discrete-time hazard, accelerated failure time, squared error.

See docs/decisions/packaging.md#no-pandas-in-the-image.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.errors import ModelMismatch
from ordergap.models import recalibration
from ordergap.models.base import Model
from ordergap.models.bg_nbd import Start
from ordergap.models.curves import floats, log_normal_survival, scaled_survival
from ordergap.settings import waiting_threads_sleep
from ordergap.survival.curve import Survival

if TYPE_CHECKING:
    import xgboost


def load_xgboost() -> Any:
    """The package xgboost, without the packages it would import only because they are there.

    Scikit-learn, pandas and pyarrow take four fifths of its import time and none is used here. Its
    threads sleep while they wait.
    """
    blocked = [name for name in ("sklearn", "pandas", "pyarrow") if name not in sys.modules]
    if "xgboost" not in sys.modules:
        for name in blocked:
            sys.modules[name] = None  # type: ignore[assignment]
        try:
            with waiting_threads_sleep():
                import xgboost  # noqa: PLC0415
        finally:
            for name in blocked:
                del sys.modules[name]
    import xgboost  # noqa: PLC0415

    return xgboost


_XGBOOST = load_xgboost()


class BoosterModel(Model):
    """A model whose file is an XGBoost booster in Universal Binary JSON.

    parameters  with "days", the time grid of its curves
    """

    file_name: ClassVar[str] = "model.ubj"

    def __init__(
        self,
        booster: xgboost.Booster,
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> None:
        self.booster = booster
        self.feature_names = feature_names
        self.days = floats(parameters, "days")
        self._parameters = dict(parameters)

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        return self._parameters

    @override
    def save(self, path: Path) -> None:
        self.booster.save_model(path)

    @classmethod
    @override
    def load(
        cls, path: Path, feature_names: tuple[str, ...], parameters: Mapping[str, JsonValue]
    ) -> Self:
        try:
            booster = _XGBOOST.Booster(model_file=path)
        except _XGBOOST.core.XGBoostError as error:
            raise ModelMismatch(f"{path} is not a model that XGBoost can read") from error
        booster.set_param({"nthread": 1})
        if booster.num_features() != len(feature_names):
            raise ModelMismatch(
                f"{path} reads {booster.num_features()} columns, its manifest describes "
                f"{len(feature_names)}; copy the whole model again"
            )
        return cls(booster, feature_names, parameters)


class HazardModel(BoosterModel):
    """P(order in time bin j | none before): one target of the booster for each bin.

    Bin j is the days in (days[j - 1], days[j]]. The trees add to the parameter "start", where there
    is one, and "recalibration" corrects the sum.

    Source: Singer & Willett 1993, "It's about time: using discrete-time survival analysis".
    """

    kind: ClassVar[str] = "hazard"

    def __init__(
        self,
        booster: xgboost.Booster,
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> None:
        super().__init__(booster, feature_names, parameters)
        self._recalibration = recalibration.Recalibration.parse(parameters["recalibration"])
        self._start = Start.parse(parameters["start"]) if parameters["start"] else None

    @override
    def survival(self, features: NDArray[np.float32]) -> Survival:
        # log(1 - hazard) from the margin stays finite where the hazard itself rounds to 1.
        margin = predict(self.booster, features, "margin").reshape(-1, len(self.days))
        columns = [self.feature_names.index(name) for name in recalibration.FEATURES]
        order_count, tenure = features[:, columns].T.astype(float)
        if self._start:
            margin += self._start(order_count, tenure, self.days)
        margin += self._recalibration(order_count, tenure, recalibration.middles(self.days))
        return Survival(self.days, -np.logaddexp(0.0, margin).cumsum(axis=1))


class AftModel(BoosterModel):
    """log gap = trees(features) + normal noise, narrower for customers with more orders.

    The parameters "orders" (k,), rising, cut the customers by their orders so far: `scales`
    (k + 1,) has the noise of those below the first, of those from the first on, and so on.

    Source: Barnwal, Cho & Hocking 2022, "Survival regression with accelerated failure time model
    in XGBoost", whose noise is the same for all.
    """

    kind: ClassVar[str] = "aft"

    @override
    def survival(self, features: NDArray[np.float32]) -> Survival:
        location = predict(self.booster, features, "margin")
        orders = features[:, self.feature_names.index("order_count")]
        group = floats(self.parameters, "orders").searchsorted(orders, side="right")
        return log_normal_survival(self.days, location, floats(self.parameters, "scales")[group])


class SquaredErrorModel(BoosterModel):
    """The textbook way: the mean of the gaps that ended; kept to be compared.

    Its curve is the training rows' Kaplan-Meier curve of gap / prediction, stretched by the
    prediction: the parameters "ratio" and "ratio_log_s" are log S at multiples of it.
    """

    kind: ClassVar[str] = "squared-error"

    @override
    def survival(self, features: NDArray[np.float32]) -> Survival:
        curve = (floats(self.parameters, name) for name in ("ratio", "ratio_log_s"))
        return scaled_survival(self.days, point_gap(self.booster, features), *curve)


def point_gap(booster: xgboost.Booster, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) days that a squared-error booster predicts, at least one."""
    return np.maximum(predict(booster, features), 1.0)


def predict(
    booster: xgboost.Booster, matrix: NDArray[np.float32], kind: str = "value"
) -> NDArray[np.float64]:
    """(n,) the booster's answer to an (n, c) matrix; `kind` "margin" for before the link."""
    answer = booster.inplace_predict(matrix, predict_type=kind, validate_features=False)
    return np.asarray(answer, float)
