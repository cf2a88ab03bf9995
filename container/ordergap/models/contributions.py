"""From log odds in time bins to those of a window of days, and to whom and what they belong.

See docs/decisions/trainers.md#a-reasons-weight-is-of-the-windows-odds-by-the-day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordergap.models.base import Days
from ordergap.survival.curve import Survival

Float = NDArray[np.float64]


def window(days: Float, log_odds: Float, elapsed: Days, horizon: int) -> tuple[Float, Float]:
    """Each bin's share (n, m) of a window's odds of an order, and their logarithm by the day (n,).

    days      (m,) where the bins end; the hazard goes on beyond them as that of `Survival`
    log_odds  (n, m) in each bin
    elapsed   (n,) days before the window, which has `horizon` days

    The window's odds are the sum of the bins', each times the part of the bin that is in it.
    """
    ones = Survival(days, -np.tri(len(days)).T)  # curve j: the cumulative hazard is 1, of bin j
    part = ones.log_at(elapsed[:, None]) - ones.log_at(elapsed[:, None] + horizon)
    with np.errstate(divide="ignore"):
        odds = np.log(part) + log_odds
    whole = np.logaddexp.reduce(odds, axis=1)
    return np.exp(odds - whole[:, None]), whole - np.log(horizon)


def of_customer_and_waiting(
    values: Float, bins: NDArray[np.integer], mean: Float, at_risk: Float
) -> tuple[Float, Float, Float]:
    """What of `values` (n, m) at `bins` (n,) is of the customer, of the waiting and of all: (n,).

    The customer's is what holds in the first bin, right after an order, beside the mean of all
    customers; how it changes from there on is the waiting's, beside the mean of all bins.

    mean     (m,) of the values of all customers
    at_risk  (m,) share of each bin in a mean over bins
    """
    at_order, now, whole = values[:, 0], values[np.arange(len(bins)), bins], mean @ at_risk
    changed = now - at_order - (whole - mean[0])
    return at_order - mean[0], changed, np.full(len(bins), whole)
