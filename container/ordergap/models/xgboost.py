"""The models that XGBoost fits: discrete-time hazard, accelerated failure time, squared error.

See docs/decisions/packaging.md#no-pandas-in-the-image.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.errors import ModelMismatch
from ordergap.models import contributions, recalibration, trees
from ordergap.models.base import Days, Model
from ordergap.models.bg_nbd import Start
from ordergap.models.curves import floats, in_blocks, log_normal_survival, scaled_survival
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
    def contributions(
        self, features: NDArray[np.float32], elapsed: Days, horizon: int
    ) -> NDArray[np.float64]:
        """SHAP values of the gap that the trees foresee, negative: a shorter one is sooner.

        Neither days waited nor horizon change them.
        """
        shares = -shap_values(self.booster, features)
        shares[:, -1] = 0.0  # the constant's place becomes that of the days waited
        return shares

    @override
    def files(self) -> dict[str, bytes]:
        return {self.file_name: bytes(self.booster.save_raw("ubj"))}

    @classmethod
    @override
    def load(
        cls,
        files: Mapping[str, bytes],
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> Self:
        return cls(cls._booster(files, len(feature_names)), feature_names, parameters)

    @classmethod
    def _booster(
        cls, files: Mapping[str, bytes], columns: int, targets: int = 1
    ) -> xgboost.Booster:
        return load_booster(cls.file_name, files[cls.file_name], columns, targets)


class HazardModel(BoosterModel):
    """P(order in time bin j | none before): one target of the booster for each bin.

    Bin j is the days in (days[j - 1], days[j]]. The trees add to the parameter "start", where there
    is one, and "recalibration" corrects the sum. What contributions are compared with: "at_risk",
    the share of each bin in the rows learnt from, and "start_mean", the start of the mean gap.

    scalar  the trees as they were fitted, which read the bin as their last column, in XGBoost's
            format; read only where contributions are asked for

    Source: Singer & Willett 1993, "It's about time: using discrete-time survival analysis".

    See docs/decisions/trainers.md#the-trees-as-fitted-are-kept-for-explanations.
    """

    kind: ClassVar[str] = "hazard"
    side_files: ClassVar[tuple[str, ...]] = ("scalar.ubj",)

    def __init__(
        self,
        booster: xgboost.Booster,
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
        scalar: bytes,
    ) -> None:
        super().__init__(booster, feature_names, parameters)
        self._recalibration = recalibration.Recalibration.parse(parameters["recalibration"])
        self._start = Start.parse(parameters["start"]) if parameters["start"] else None
        self._at_risk = floats(parameters, "at_risk")
        self._start_mean = floats(parameters, "start_mean") if self._start else None
        for bins in (self._at_risk, self._start_mean):
            if bins is not None and not (bins.shape == self.days.shape and np.isfinite(bins).all()):
                raise ValueError("at_risk and start_mean are not a number for each day of the grid")
        self._scalar = scalar

    @override
    def survival(self, features: NDArray[np.float32]) -> Survival:
        # log(1 - hazard) from the margin stays finite where the hazard itself rounds to 1.
        margin = in_blocks(self.log_odds, features)
        return Survival(self.days, -np.logaddexp(0.0, margin).cumsum(axis=1))

    def log_odds(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, m) log odds of an order in each bin, given that none came before."""
        margin = predict(self.booster, features, "margin").reshape(-1, len(self.days))
        order_count, tenure = recalibration.orders(self.feature_names, features)
        if self._start:
            margin += self._start(order_count, tenure, self.days)
        return margin + self._recalibration(order_count, tenure, recalibration.middles(self.days))

    @override
    def contributions(
        self, features: NDArray[np.float32], elapsed: Days, horizon: int
    ) -> NDArray[np.float64]:
        """SHAP values of the logarithm of the window's odds of an order, by the day.

        Those of a bin weigh as its share of the odds, and how long bins are belongs to the waiting.
        """
        log_odds = self.log_odds(features)
        weight, total = contributions.window(self.days, log_odds, elapsed, horizon)
        customer, bins = np.nonzero(weight)
        shares = np.zeros((len(features), features.shape[1] + 1))
        of_bins = self.shares(features[customer], bins)[:, :-1]
        np.add.at(shares, customer, of_bins * weight[customer, bins][:, None])
        mean_log_bin = self._at_risk @ np.log(np.diff(self.days, prepend=0.0))
        shares[:, -1] += total - (weight * log_odds).sum(axis=1) + mean_log_bin
        return shares

    def shares(
        self, features: NDArray[np.float32], bins: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """SHAP values of the log odds of n customers in one bin each: rows sum to `log_odds`.

        (n, F + 2) of the features, of the days waited (the bin, and the recalibration by it), and
        what is alike for all. What the start says at an order belongs to the orders so far.
        """
        shares = shap_values(self._fitted, np.column_stack([features, bins.astype(np.float32)]))
        order_count, tenure = recalibration.orders(self.feature_names, features)
        correction = self._recalibration(order_count, tenure, recalibration.middles(self.days))
        shares[:, -2] += correction[np.arange(len(bins)), bins]
        if self._start and self._start_mean is not None:
            start = self._start(order_count, tenure, self.days)
            parts = contributions.of_customer_and_waiting(
                start, bins, self._start_mean, self._at_risk
            )
            columns = [self.feature_names.index("order_count"), -2, -1]
            shares[:, columns] += np.column_stack(parts)
        return shares

    @cached_property
    def _fitted(self) -> xgboost.Booster:
        fitted: xgboost.Booster = _XGBOOST.Booster(model_file=bytearray(self._scalar))
        return fitted

    @override
    def files(self) -> dict[str, bytes]:
        return {**super().files(), self.side_files[0]: self._scalar}

    @classmethod
    @override
    def load(
        cls,
        files: Mapping[str, bytes],
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> Self:
        columns, (side_file,) = len(feature_names), cls.side_files
        booster = cls._booster(files, columns, floats(parameters, "days").size)
        scalar = files[side_file]
        _check(side_file, scalar, columns + 1, 1)
        return cls(booster, feature_names, parameters, scalar)


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


def load_booster(name: str, content: bytes, columns: int, targets: int = 1) -> xgboost.Booster:
    """The booster of a file, checked as `trees.check` does; ModelMismatch where it is none."""
    _check(name, content, columns, targets)
    try:
        booster: xgboost.Booster = _XGBOOST.Booster(model_file=bytearray(content))
    except _XGBOOST.core.XGBoostError as error:
        raise ModelMismatch(f"{name} is not a model that XGBoost can read") from error
    booster.set_param({"nthread": 1})
    return booster


def _check(name: str, content: bytes, columns: int, targets: int) -> None:
    try:
        trees.check(content, columns, targets)
    except ValueError as error:
        raise ModelMismatch(
            f"{name} is not a model that XGBoost can read: {error}; copy the whole model again"
        ) from error


def point_gap(booster: xgboost.Booster, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) days that a squared-error booster predicts, at least one."""
    return np.maximum(predict(booster, features), 1.0)


def predict(
    booster: xgboost.Booster, matrix: NDArray[np.float32], kind: str = "value"
) -> NDArray[np.float64]:
    """(n,) the booster's answer to an (n, c) matrix; `kind` "margin" for before the link."""
    answer = booster.inplace_predict(matrix, predict_type=kind, validate_features=False)
    return np.asarray(answer, float)


def shap_values(booster: xgboost.Booster, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, c + 1) by how much each column of an (n, c) matrix moves the margin, and the constant.

    Source: Lundberg et al. 2020, "From local explanations to global understanding with explainable
    AI for trees".
    """
    shares = booster.predict(_XGBOOST.DMatrix(matrix), pred_contribs=True)
    return np.asarray(shares, float).reshape(len(matrix), matrix.shape[1] + 1)
