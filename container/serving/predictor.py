"""What can be asked of a model, whatever form the request came in, and the asking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from container.artifacts import Bundle
from container.forecast import Forecasts, Known
from container.histories import Histories
from container.serving.options import Options


@dataclass(frozen=True, eq=False)
class Orders:
    """Customers to be forecast from their orders; each has one, and none after its as_of (c,)."""

    histories: Histories
    as_of: NDArray[np.int64]
    options: Options


@dataclass(frozen=True, eq=False)
class Vectors:
    """Customers to be forecast from ready feature vectors (c, F)."""

    known: Known
    features: NDArray[np.float32]
    options: Options


def predict(bundle: Bundle, asked: Orders | Vectors) -> Forecasts:
    """The forecasts, one for each customer asked about, in the order asked."""
    told = asked.options
    if isinstance(asked, Orders):
        return bundle.forecast(asked.histories, asked.as_of, told.horizons, told.interval_level)
    return bundle.forecast_features(asked.known, asked.features, told.horizons, told.interval_level)
