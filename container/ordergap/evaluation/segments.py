"""Groups of forecasts that are judged by themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.histories import Histories
from ordergap.survival.targets import Targets

LAPSED_AFTER = 3  # times the customer's mean gap, or everybody's at a first order


def segments(histories: Histories, targets: Targets) -> dict[str, NDArray[np.bool_]]:
    """Segment -> (n,) which rows of `targets` belong to it, by what was known when it was asked."""
    names = ("order_count", "CumulativeTotalPrice", "RollingAvgGap")
    matrix = features.compute(histories, names)[targets.row]
    count, revenue, mean_gap = matrix.T.astype(float)
    usual = np.where(np.isnan(mean_gap), np.nanmean(mean_gap), mean_gap)
    return {
        "one order": count == 1,
        "2 to 4 orders": (count >= 2) & (count <= 4),
        "5 orders or more": count >= 5,
        "lapsed": targets.left_truncation > LAPSED_AFTER * usual,
        "top tenth by revenue": revenue >= np.quantile(revenue, 0.9),
    }
