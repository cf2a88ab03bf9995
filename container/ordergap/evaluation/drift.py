"""Whether the latest orders are as those before them: a stability index less what chance makes it.

Both periods come from one extraction, so no reference has to be kept. Only what is of an order
itself, or of a short past, is compared: counts, tenure and longest gaps grow with any shop.

See docs/decisions/evaluation.md#inputs-are-compared-with-the-shops-own-past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ordergap import features
from ordergap.contract.reference import BINS
from ordergap.features.bins import bin_of, edges_of
from ordergap.histories import Histories

COUNTS = ("orders_14d", "orders_30d")
FEATURES = ("amount", "items", "item_price", "lines", *COUNTS)
DAYS, WINDOWS = 28, 3
"""The latest days, and how many times as many before them they are compared with."""
LEAST_ORDERS = 100
_PAST = 30  # days that the features look back
_LARGE, _TIMES, _SURE = 0.1, 1.5, 1e-4
_SEASON = 0.5 / _TIMES
"""The least `usual` of counts of orders, which vary with the season: their limit is .5."""
_HALF = 0.5  # of an order, which every bin has besides its own: a share of 0 has no logarithm


class FeatureDrift(NamedTuple):
    """How far one feature is from its past.

    excess   the stability index less what chance alone makes it
    usual    the largest excess of a third of the past against the rest of it; of counts of orders
             a season's at least
    p        probability of an index as large by chance alone
    """

    excess: float
    usual: float
    p: float

    @property
    def limit(self) -> float:
        """An excess above it is large, and larger than usual."""
        return max(_LARGE, _TIMES * self.usual)

    @property
    def drifted(self) -> bool:
        """Whether it is large, larger than usual, and no chance."""
        return self.excess > self.limit and self.p < _SURE


@dataclass(frozen=True)
class Drift:
    """The orders of the last `DAYS` days against those before.

    recent, earlier  how many there are
    features         feature -> its drift; empty where there are too few to tell
    """

    recent: int
    earlier: int
    features: Mapping[str, FeatureDrift] = field(default_factory=dict)


def drift(histories: Histories, as_of: int) -> Drift:
    """The drift of orders until day `as_of`; a feature that is unknown throughout is left out."""
    age = as_of - histories.day.astype(np.int64)
    rows = np.flatnonzero((age >= 0) & (age < DAYS * (1 + WINDOWS)))
    window = age[rows] // DAYS  # 0 is the latest
    sizes = np.bincount(window, minlength=1 + WINDOWS)
    found = Drift(int(sizes[0]), int(sizes[1:].sum()))
    if too_few(histories, as_of, window):
        return found
    values = features.compute(histories, FEATURES, rows).astype(float)
    return Drift(
        found.recent,
        found.earlier,
        {
            name: feature_drift(column, window, season_of(name))
            for name, column in zip(FEATURES, values.T, strict=True)
            if not np.isnan(column).all()
        },
    )


def too_few(histories: Histories, as_of: int, window: NDArray[np.int64]) -> bool:
    """Whether a window has too few of the orders, or there are too few days before the first.

    window  of each order that is compared, 0 to `WINDOWS`
    """
    days = as_of - int(histories.day.min())
    sizes = np.bincount(window, minlength=1 + WINDOWS)
    return days < DAYS * (1 + WINDOWS) + _PAST or int(sizes.min()) < LEAST_ORDERS


def season_of(feature: str) -> float:
    """The least excess of a feature that is usual."""
    return _SEASON if feature in COUNTS else -np.inf


def feature_drift(
    values: NDArray[np.float64], window: NDArray[np.int64], season: float = -np.inf
) -> FeatureDrift:
    """The drift of the values (n,) in window 0 from those in 1 to `WINDOWS`; NaN is unknown.

    season  the least excess that is usual
    """
    place = bin_of(values, edges_of(values[window > 0], BINS))
    counts = np.array([
        np.bincount(place[window == i], minlength=int(place.max()) + 1)
        for i in range(1 + WINDOWS)
    ])  # fmt: skip
    past = counts[1:].sum(axis=0)
    excess, p = _excess(counts[0], past)
    usual = max(season, *(_excess(each, past - each)[0] for each in counts[1:]))
    return FeatureDrift(excess, usual, p)


def _excess(counts: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[float, float]:
    """The index less its mean by chance, and the p of the chi-square test that it is."""
    used = counts + others > 0
    counts, others = counts[used], others[used]
    n, m, freedom = counts.sum(), others.sum(), max(len(counts) - 1, 1)
    share, usual = ((c + _HALF) / (c + _HALF).sum() for c in (counts, others))
    index = float(((share - usual) * np.log(share / usual)).sum())
    p = float(chdtrc(freedom, index * n * m / (n + m)))
    return float(index - freedom * (1 / n + 1 / m)), p
