"""The forecast to beat: the customer's mean gap, with one curve for everybody around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from typing_extensions import override

from ordergap.errors import ModelMismatch
from ordergap.models.base import Model
from ordergap.models.curves import floats, scaled_survival
from ordergap.survival.curve import Survival

FEATURES = ("order_count", "RollingAvgGap")


class NaiveModel(Model):
    """The customer's mean gap so far, or the median gap of all at a first order.

    days                (m,) the day grid of its curves
    typical             days: what takes the place of the mean gap at a first order
    ratio, ratio_log_s  (k,) Kaplan-Meier curve of gap / mean gap over the training rows
    """

    kind: ClassVar[str] = "naive"
    file_name: ClassVar[str] = "model.json"
    feature_names = FEATURES

    def __init__(
        self,
        days: NDArray[np.float64],
        typical: float,
        ratio: NDArray[np.float64],
        ratio_log_s: NDArray[np.float64],
    ) -> None:
        self.days = days
        self.typical = typical
        self.ratio = ratio
        self.ratio_log_s = ratio_log_s

    @property
    @override
    def parameters(self) -> dict[str, JsonValue]:
        return {}

    @override
    def survival(self, features: NDArray[np.float32]) -> Survival:
        point = mean_gap(features, self.typical)
        return scaled_survival(self.days, point, self.ratio, self.ratio_log_s)

    @override
    def files(self) -> dict[str, bytes]:
        content = {
            "days": self.days.tolist(),
            "typical": self.typical,
            "ratio": self.ratio.tolist(),
            "ratio_log_s": self.ratio_log_s.tolist(),
        }
        return {self.file_name: f"{json.dumps(content)}\n".encode()}

    @classmethod
    @override
    def load(
        cls,
        files: Mapping[str, bytes],
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> Self:
        try:
            content = json.loads(files[cls.file_name])
            days, ratio, ratio_log_s = (
                floats(content, name) for name in ("days", "ratio", "ratio_log_s")
            )
            return cls(days, float(content["typical"]), ratio, ratio_log_s)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelMismatch(
                f"{cls.file_name} is not a naive model; copy the whole model again"
            ) from error


def mean_gap(features: NDArray[np.float32], typical: float) -> NDArray[np.float64]:
    """(n,) the mean gap in days from the naive model's features, `typical` at a first order."""
    mean = features[:, FEATURES.index("RollingAvgGap")].astype(float)
    return np.where(np.isnan(mean), typical, np.maximum(mean, 1.0))
