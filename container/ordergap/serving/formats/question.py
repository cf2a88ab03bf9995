"""What can be asked of a model, whatever form the request came in, and the asking."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.artifacts import Bundle
from ordergap.errors import Problem
from ordergap.histories import Histories
from ordergap.models.base import Snapshot
from ordergap.scoring.answer import Answer, Placeholder, Placeholders
from ordergap.serving.formats.context import Options
from ordergap.serving.formats.problems import summary


@dataclass(frozen=True, eq=False)
class Orders:
    """Customers to be forecast from their orders; each has one, and none after its as_of (c,)."""

    histories: Histories
    as_of: NDArray[np.int64]
    options: Options
    placeholders: Placeholders = None

    def __len__(self) -> int:
        """Customers asked about."""
        return len(self.as_of) + len(self.placeholders or ())


@dataclass(frozen=True, eq=False)
class Vectors:
    """Customers to be forecast from ready feature vectors (c, F)."""

    customers: Snapshot
    features: NDArray[np.float32]
    options: Options
    placeholders: Placeholders = None

    def __len__(self) -> int:
        """Customers asked about."""
        return len(self.features) + len(self.placeholders or ())


def predict(bundle: Bundle, asked: Orders | Vectors) -> Answer:
    """The forecasts, one for each customer asked about, in the order asked."""
    told = asked.options
    if isinstance(asked, Orders):
        forecasts = bundle.forecast(
            asked.histories, asked.as_of, told.horizons, told.interval_level
        )
    else:
        forecasts = bundle.forecast_features(
            asked.customers, asked.features, told.horizons, told.interval_level
        )
    return Answer(forecasts, asked.placeholders)


def placeholder(customer_id: str | None, problems: Sequence[Problem]) -> Placeholder:
    """Says nothing of the record's position: the row is the same however a file is split."""
    return Placeholder(customer_id, re.sub(r"^(?:line|record) \d+:? ", "", summary(problems)))
