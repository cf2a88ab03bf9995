"""Which customers to exclude from training, because nobody else buys as they do.

Serving does not import this: a customer who was excluded here gets a forecast like any other.

See docs/decisions/training.md#the-outlier-filter-looks-at-baskets-and-rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap import features
from ordergap.histories import Histories

LEAST_CUSTOMERS = 20
# Sizes of orders and spread of gaps. Order counts and totals are left out on purpose: with them the
# filter excludes the frequent buyers, the most predictable customers, and forecasts get worse.
FEATURES = ("amount_mean", "items_mean", "gap_std", "tenure")


@dataclass(frozen=True, eq=False)
class OutlierStudy:
    """Which customers stay in training, and how much is lost with the others.

    keep           (c,) true for the customers to train on
    revenue_share  of all revenue, the part of the customers set aside; None where amounts are
                   unknown, and where all are 0
    order_share    of all orders, the part of the customers set aside
    note           a sentence for the log
    """

    keep: NDArray[np.bool_]
    revenue_share: float | None
    order_share: float
    note: str

    @property
    def set_aside(self) -> int:
        """How many customers are excluded from training."""
        return int(np.count_nonzero(~self.keep))


def keep_mask(histories: Histories, contamination: float, seed: int) -> OutlierStudy:
    """Set aside the share `contamination` of customers that an isolation forest finds the oddest.

    Each of the c customers of `histories`, which end at the cutoff, is one point: logarithms of
    the features at the last order. What is unknown, such as the gaps of a single order, is the
    other customers' median, and what is unknown of all, such as amounts, tells nobody apart.
    Neither names nor the customers' sequence matter, and of customers who are equal all stay. With
    `contamination` 0, or fewer than 20 customers, everybody stays.

    Source: Liu, Ting & Zhou 2008, Isolation forest.
    """
    customers = len(histories.customer_ids)
    if contamination == 0:
        return no_outliers(histories)
    if customers < LEAST_CUSTOMERS:
        return no_outliers(histories, f": {customers} customers are too few for it")
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  (a second, where it is not used)

    points = _points(histories)
    same_for_any_sequence = np.lexsort(points.T)
    sorted_points = points[same_for_any_sequence]
    forest = IsolationForest(random_state=seed).fit(sorted_points)
    normality = np.empty(customers)
    normality[same_for_any_sequence] = forest.score_samples(sorted_points)
    return _study(histories, normality >= np.quantile(normality, contamination))


def no_outliers(histories: Histories, reason: str = "") -> OutlierStudy:
    """Everybody stays."""
    everybody = np.ones(len(histories.customer_ids), bool)
    return OutlierStudy(everybody, 0.0, 0.0, f"outlier filter off{reason}")


def _points(histories: Histories) -> NDArray[np.float64]:
    """(c, F) finite."""
    at_last_order = features.compute(histories, FEATURES, histories.last_row)
    points: NDArray[np.float64] = np.log1p(at_last_order.astype(np.float64))
    for column in points.T:
        missing = np.isnan(column)
        column[missing] = 0.0 if missing.all() else np.median(column[~missing])
    return points


def _study(histories: Histories, keep: NDArray[np.bool_]) -> OutlierStudy:
    excluded = np.repeat(~keep, histories.order_count)
    revenue, order_share = histories.amount.sum(), float(excluded.mean())
    revenue_share, of_revenue = None, ""
    if revenue > 0:  # and not NaN
        revenue_share = float(histories.amount[excluded].sum() / revenue)
        of_revenue = f"{revenue_share:.1%} of revenue and "
    note = (
        f"outlier filter: {np.count_nonzero(~keep):,} of {len(keep):,} customers are excluded from "
        f"training, with {of_revenue}{order_share:.1%} of orders"
    )
    return OutlierStudy(keep, revenue_share, order_share, note)
