"""Stored forecasts against what came: level, rank, and two models on the same customers.

A cohort is the forecasts of all customers made on one day. Everybody is judged, also who did not
come.

See docs/decisions/evaluation.md#the-level-has-an-allowance-for-the-season.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ordergap.evaluation.metrics import auc, brier

Float = NDArray[np.float64]
SEASON = {7: 0.20, 30: 0.15}
"""Days ahead -> relative standard deviation of what came from what was foreseen, by the season."""
_LEAST = 1e-6  # forecasts are stored to six decimals
_FAR = 60.0  # log odds
_NONE = float("nan")


class Level(NamedTuple):
    """How many customers were foreseen to order, how many came, and how far off that is.

    z  of the logarithm of their ratio, chance and season allowed for; NaN: nobody was foreseen
    """

    foreseen: float
    came: int
    z: float


class Rank(NamedTuple):
    """The AUC, and how much higher it is than another, such as of the model's own validation.

    error  the standard error: of the AUC, or of the difference where the other's is known too
    """

    auc: float
    error: float
    difference: float

    @property
    def z(self) -> float:
        """The difference in standard errors."""
        return self.difference / self.error if self.error > 0 else _NONE

    def beside(self, others: Sequence[Rank]) -> Rank:
        """The same AUC less the mean of at least one other cohort's.

        Others may share outcomes, so the error of their mean is taken to be that of one.
        """
        mean, error = np.mean([(each.auc, each.error) for each in others], axis=0)
        return Rank(self.auc, float(np.hypot(self.error, error)), float(self.auc - mean))


class Ageing(NamedTuple):
    """The Brier score of the champion less that of the challenger, both at the observed level.

    z  the difference in standard errors over the `customers`; NaN where none differ
    """

    difference: float
    z: float
    customers: int


def allowance(days: int) -> float:
    """The season's allowance so many days ahead: between those of `SEASON`, or the nearest."""
    return float(np.interp(days, [*SEASON], [*SEASON.values()]))


def level(probability: Float, event: NDArray[np.bool_], days: int) -> Level:
    """The level of forecasts (n,) of orders within `days` days, where `event` (n,) says who came.

    z = ln(O / E) / sqrt(sum p (1 - p) / E^2 + allowance^2). Where nobody came, O is half a
    customer.
    """
    foreseen, came = float(probability.sum()), int(np.count_nonzero(event))
    if foreseen <= 0:
        return Level(foreseen, came, _NONE)
    chance = float((probability * (1 - probability)).sum()) / foreseen**2
    ratio = np.log(max(came, 0.5) / foreseen)
    return Level(foreseen, came, float(ratio / np.sqrt(chance + allowance(days) ** 2)))


def rank(probability: Float, event: NDArray[np.bool_], validated: float) -> Rank:
    """How well forecasts (n,) rank who came, beside the AUC of the validation (NaN: unknown)."""
    found = auc(probability, event)
    events = int(np.count_nonzero(event))
    return Rank(found, auc_error(found, events, len(event) - events), found - validated)


def auc_error(found: float, events: int, others: int) -> float:
    """The standard error of an AUC; NaN where there are no events, or nothing else.

    Source: Hanley & McNeil 1982, The meaning and use of the area under a ROC curve.
    """
    if not events or not others:
        return _NONE
    both, neither = found / (2 - found), 2 * found**2 / (1 + found)
    variance = found * (1 - found)
    variance += (events - 1) * (both - found**2) + (others - 1) * (neither - found**2)
    return float(np.sqrt(variance / (events * others)))


def ageing(champion: Float, challenger: Float, event: NDArray[np.bool_]) -> Ageing:
    """Two models' forecasts (n,) of the same customers, without the level of either."""
    share = float(event.mean()) if len(event) else _NONE
    if not 0 < share < 1:
        return Ageing(_NONE, _NONE, len(event))
    old, new = (at_level(each, share) for each in (champion, challenger))
    difference = (old - event) ** 2 - (new - event) ** 2
    error = float(difference.std()) / np.sqrt(len(event))
    z = float(difference.mean()) / error if error > 0 else _NONE
    return Ageing(brier(old, event) - brier(new, event), float(z), len(event))


def at_level(probability: Float, share: float) -> Float:
    """Forecasts (n,) shifted in log odds so that their mean is `share`, between 0 and 1."""
    p = np.clip(probability, _LEAST, 1 - _LEAST)
    odds = np.log(p / (1 - p))

    def shifted(by: float) -> Float:
        return np.asarray(1 / (1 + np.exp(-(odds + by))))

    return shifted(brentq(lambda by: float(shifted(by).mean()) - share, -_FAR, _FAR))
