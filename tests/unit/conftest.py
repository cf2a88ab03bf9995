"""A small model whose forecasts depend on a customer's whole history."""

import datetime
from collections.abc import Mapping
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import Manifest, TaskSection
from ordergap.contract.orders import DataReport
from ordergap.models.base import Model
from ordergap.models.next_order import NextOrderHead
from ordergap.models.population import Population
from ordergap.survival.curve import Survival
from pydantic import JsonValue


class Checksum(Model):
    """A mean gap that is a sum over all features: two vectors alike are answered alike."""

    kind = "checksum"
    file_name = "model.json"
    parameters: dict[str, JsonValue] = {}  # noqa: RUF012 - the base class's property, as a constant

    def __init__(self, feature_names: tuple[str, ...]) -> None:
        self.feature_names = feature_names
        self.days = np.array([3.0, 7, 14, 30, 60, 120, 240])

    def survival(self, matrix: NDArray[np.float32]) -> Survival:
        values = np.nan_to_num(matrix.astype(float), nan=1.0)
        mean = 10 + 50 * np.abs(np.sin(values @ np.arange(1, values.shape[1] + 1) * 0.001))
        return Survival(self.days, -self.days / mean[:, None])

    def contributions(
        self, features: NDArray[np.float32], elapsed: NDArray[np.int64], horizon: int
    ) -> NDArray[np.float64]:
        values = np.column_stack([np.nan_to_num(features.astype(float), nan=-1.0), elapsed])
        return np.asarray(np.arctan(values) * horizon)

    def files(self) -> dict[str, bytes]:
        raise NotImplementedError

    @classmethod
    def load(
        cls,
        files: Mapping[str, bytes],
        feature_names: tuple[str, ...],
        parameters: Mapping[str, JsonValue],
    ) -> Self:
        raise NotImplementedError


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    names = features.names(calendar=False)
    head = NextOrderHead(Checksum(names), {"1": {"0.8": 0.85}}, Population({7: 0.05, 90: 0.3}))
    day = datetime.date(2011, 12, 1)
    manifest = Manifest(
        model_version="0123456789ab",
        tasks={
            "next_order": TaskSection(
                kind=head.kind,
                parameters=head.parameters,
                feature_names=head.feature_names,
                files={},
            )
        },
        hyperparameters=Hyperparameters(),
        first_day=datetime.date(2010, 12, 1),
        as_of=day,
        data_digest="",
        data=DataReport(
            rows_read=0, rows_used=0, rejected={}, customers=0, orders=0, revenue=0,
            first_day=day, last_day=day,
        ),
        libraries={},
    )  # fmt: skip
    return Bundle(manifest, {"next_order": head})
