"""Groups of forecasts that are judged by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.histories import Histories
from ordergap.survival.targets import Targets

LAPSED_AFTER = 3  # times the customer's mean gap, or everybody's at a first order


class StatusOutcome(NamedTuple):
    """What became of the customers who had a status at a cutoff.

    ordered  days -> share of them who ordered within; None where they were not followed so long
    """

    customers: int
    ordered: Mapping[int, float | None]


class SilenceGroup(NamedTuple):
    """Customers alike in orders and waiting at a cutoff: what was foreseen for them, and came.

    orders    how many so far, such as "2 to 4 orders"
    waited    days waited over the own mean gap, such as "3 to 10"; of one-order customers over the
              median gap of all
    days      ahead, for which `foreseen` and `came` hold
    foreseen  mean probability of an order within them
    came      share who ordered
    """

    orders: str
    waited: str
    customers: int
    days: int
    foreseen: float
    came: float


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
