"""Orders after the next one: the curve of a gap, renewed at every order.

Days are whole. The first order comes on day j after those waited with probability f0_j, every
further one j days after the order before it with f_j. Where each order is of a kind with
probability q, the first of that kind is the (i + 1)-th order with probability q (1 - q)^i, so its
day has the distribution q f0 * (1 + (1 - q) f + ((1 - q) f)^2 + ...), products being convolutions.
The expected orders of a day are the same sum with q and 1 - q both taken as 1.

Source: Feller 1968, "An introduction to probability theory and its applications", volume 1, XIII.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordergap.survival.curve import Survival

Float = NDArray[np.float64]
MOST_DAYS = 365
"""Days ahead that can be asked for: the work grows with their square."""
_BATCH = 256  # customers whose days fit in a processor's cache together


def expected_orders(survival: Survival, elapsed: Float, horizons: Sequence[int]) -> Float:
    """(k, n) orders expected within each of k horizons, after `elapsed` (n,) days without one.

    They rise with the horizon and are never below the probability of an order. Raises ValueError
    for a horizon that is not from 1 to MOST_DAYS.
    """
    return np.asarray(_renewed(survival, elapsed, horizons, np.ones((1, len(survival))))[0])


def kind_probability(
    survival: Survival, elapsed: Float, horizons: Sequence[int], share: Float
) -> Float:
    """(k, n) probability that an order of a kind comes within each of k horizons.

    share  (n,) probability that one order is of that kind; (t, n) of t kinds: then (t, k, n)

    It rises with the horizon and with the share, and is never above the probability of an order.
    Raises ValueError as `expected_orders`.
    """
    several = np.atleast_2d(share)
    p = several[:, None] * _renewed(survival, elapsed, horizons, 1 - several)
    return p if share.ndim > 1 else p[0]


def _renewed(survival: Survival, elapsed: Float, horizons: Sequence[int], keep: Float) -> Float:
    """(t, k, n) sums until each horizon of f0 * (1 + keep f + (keep f)^2 + ...); keep: (t, n)."""
    if not horizons or min(horizons) < 1 or max(horizons) > MOST_DAYS:
        raise ValueError(f"horizons must be 1 to {MOST_DAYS} days")
    days = np.arange(max(horizons) + 1.0)[:, None]
    ends = sorted({*horizons})
    parts = [0, *ends[:-1]]
    row = np.searchsorted(ends, horizons)
    sums = np.empty((len(keep), len(horizons), len(survival)))
    for start in range(0, len(survival), _BATCH):
        some = slice(start, start + _BATCH)
        curves = Survival(survival.days, survival.log_s[some])
        once, again = _by_day(curves, days + elapsed[some]), _by_day(curves, days)
        for kind, kept in enumerate(keep):
            first, later = once.copy(), again * kept[some]
            for day in range(1, len(first)):
                first[day] += np.einsum("jn,jn->n", later[:day], first[day - 1 :: -1])
            sums[kind, :, some] = np.cumsum(np.add.reduceat(first, parts, axis=0), axis=0)[row]
    return sums


def _by_day(curves: Survival, days: Float) -> Float:
    """Probability that the gap ends on each day after the first of `days`, given it is longer.

    days  (k, n), or (k, 1) where they are everybody's
    """
    log_s = curves.log_at(days)
    return np.asarray(-np.diff(np.exp(log_s - log_s[0]), axis=0))
