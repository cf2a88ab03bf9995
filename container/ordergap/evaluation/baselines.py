"""Honest opponents: rules that a shop has without a trained model, as curves like any model's.

Each learns from the past alone: `histories` until the end of day `as_of`, and the gaps their orders
had opened by then. `targets` of later questions count rows of whichever histories come with them.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ordergap import features
from ordergap.contract.metrics import BG_NBD
from ordergap.errors import AlgorithmError
from ordergap.histories import Histories
from ordergap.models.bg_nbd import BgNbd, fit
from ordergap.models.curves import scaled_survival
from ordergap.survival.curve import Survival
from ordergap.survival.kaplan_meier import median_gap, ratio_curve
from ordergap.survival.targets import Targets, waits_at_cutoff

log = logging.getLogger("ordergap")

Float = NDArray[np.float64]
_POINTS = 150
MEAN_GAP = "customer mean gap"
_RECENT = 0.25  # of the past: how customers went on waiting then tells how they will now


class Baseline(ABC):
    """What learnt from the past when orders come."""

    @abstractmethod
    def survival(self, histories: Histories, targets: Targets) -> Survival:
        """The curves of the gaps that the orders `targets.row` of `histories` opened.

        What came after an order is not looked at, but for the days waited: the curve holds for a
        gap longer than `targets.left_truncation`.
        """


@dataclass(frozen=True, eq=False)
class OwnGap(Baseline):
    """The customer's own typical gap, with one Kaplan-Meier curve of gap / own gap around it.

    feature       which feature is the own gap; None: one curve of the gaps themselves for everybody
    typical       days: what takes the own gap's place at a first order
    days          (m,) the day grid
    ratio, log_s  (k,) the curve
    """

    feature: str | None
    typical: float
    days: Float
    ratio: Float
    log_s: Float

    @override
    def survival(self, histories: Histories, targets: Targets) -> Survival:
        point = _own_gap(self.feature, self.typical, histories, targets)
        return scaled_survival(self.days, point, self.ratio, self.log_s)


@dataclass(frozen=True, eq=False)
class RecencyOnly(Baseline):
    """Who bought last buys first: the longer the wait so far, the longer the wait to come.

    The days still to wait have one Kaplan-Meier curve, stretched by the days waited plus those of a
    typical gap; it is learnt from all customers as they stood on one day of the past. So stretched
    are the waits of customers who order at constant rates, Gamma distributed over customers
    (Ehrenberg 1959, The pattern of consumer purchases). At an order nobody has waited, and
    everybody has the curve of all gaps, `at_order`.
    """

    at_order: OwnGap
    ratio: Float
    log_s: Float

    @override
    def survival(self, histories: Histories, targets: Targets) -> Survival:
        fresh = self.at_order.survival(histories, targets)
        waited = targets.left_truncation[:, None]
        point = waited + self.at_order.typical
        # Days already waited lie below 0 here, where the curve's first line goes on: nobody asks
        # about them, but S starts at 1 and must not rise.
        curve = Survival(self.ratio, self.log_s[None])
        log_s, start = (
            curve.log_at(((t - waited) / point).reshape(-1, 1)).reshape(len(targets), -1)
            for t in (fresh.days, np.zeros(1))
        )
        return Survival(fresh.days, np.where(waited > 0, log_s - start, fresh.log_s))


@dataclass(frozen=True, eq=False)
class BuyTillYouDie(Baseline):
    """BG/NBD as each customer stands at the order.

    Waiting needs no curve of its own: by Bayes' rule S(e + t) / S(e) of the curve at the order is
    what the model says of a customer who has waited e days.
    """

    model: BgNbd
    days: Float

    @override
    def survival(self, histories: Histories, targets: Targets) -> Survival:
        frequency, recency = _frequency_and_recency(histories, targets.row)
        log_s = self.model.log_survival(frequency, recency, recency, self.days)
        return Survival(self.days, log_s)


def _learn_own_gap(
    feature: str | None, histories: Histories, targets: Targets, _as_of: int
) -> OwnGap:
    typical = median_gap(targets.gap, targets.observed)
    point = _own_gap(feature, typical, histories, targets)
    curve = ratio_curve(targets.gap, targets.observed, point)
    return OwnGap(feature, typical, _grid(targets), *curve)


def _learn_recency(histories: Histories, targets: Targets, as_of: int) -> RecencyOnly:
    at_order = _learn_own_gap(None, histories, targets, as_of)
    then = as_of - int(_RECENT * (as_of - int(histories.day.min())))
    waits = waits_at_cutoff(histories, then, as_of)
    if not waits.observed.any():
        return RecencyOnly(at_order, at_order.ratio / at_order.typical, at_order.log_s)
    point = waits.left_truncation + at_order.typical
    return RecencyOnly(
        at_order, *ratio_curve(waits.gap - waits.left_truncation, waits.observed, point)
    )


def _learn_bg_nbd(histories: Histories, targets: Targets, as_of: int) -> BuyTillYouDie:
    last = histories.last_row
    frequency, recency = _frequency_and_recency(histories, last)
    age = recency + (as_of - histories.day[last])
    return BuyTillYouDie(fit(frequency, recency, age), _grid(targets))


def _own_gap(feature: str | None, typical: float, histories: Histories, targets: Targets) -> Float:
    if feature is None:
        return np.ones(len(targets))
    own = features.compute(histories, (feature,), targets.row)[:, 0].astype(float)
    return np.where(np.isnan(own), typical, own)


def _frequency_and_recency(histories: Histories, rows: NDArray[np.int64]) -> tuple[Float, Float]:
    matrix = features.compute(histories, ("order_count", "tenure"), rows).astype(float)
    return matrix[:, 0] - 1, matrix[:, 1]


def _grid(targets: Targets) -> Float:
    """Whole days, ever further apart, to twice the longest gap: later questions ask for more."""
    return np.unique(np.geomspace(1, 2 * max(targets.gap.max(), 1.0), _POINTS).round())


BASELINES: dict[str, Callable[[Histories, Targets, int], Baseline]] = {
    MEAN_GAP: partial(_learn_own_gap, "RollingAvgGap"),
    "customer median gap": partial(_learn_own_gap, "gap_median"),
    "recency only": _learn_recency,
    "Kaplan-Meier": partial(_learn_own_gap, None),
    BG_NBD: _learn_bg_nbd,
}
"""Name -> what learns it from (histories, gaps of their orders as of a day, the day).

At least one gap must have ended.
"""


def learnt(names: Iterable[str], past: Histories, gaps: Targets, as_of: int) -> dict[str, Baseline]:
    """Those of BASELINES that are named; one that finds no fit is left out with a warning."""
    baselines: dict[str, Baseline] = {}
    for name in names:
        try:
            baselines[name] = BASELINES[name](past, gaps, as_of)
        except AlgorithmError as error:
            log.warning("the baseline %s is left out: %s", name, error)
    return baselines
