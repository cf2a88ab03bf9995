"""Survival curves of many customers on one day grid: what every model answers with.

S(t) is the probability that a gap lasts longer than t days. Between the grid's days the hazard is
constant, so log S is a line; beyond the last day it falls as 1 / t.

See docs/decisions/survival.md#beyond-the-grid-the-hazard-falls-as-1--t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]


def central_levels(level: float | Float, n: int) -> Float:
    """(3, n) the levels of the median and of both ends of the central interval of `level`.

    level  one for all n curves or (n,)
    """
    tail = np.broadcast_to((1 - np.asarray(level)) / 2, n)
    return np.stack([np.full(n, 0.5), tail, 1 - tail])


@dataclass(frozen=True, eq=False)
class Survival:
    """The curves of n customers.

    days   (m,) days since the last order, rising, all above 0; S(0) = 1 is understood
    log_s  (n, m) log S at those days, never rising along a row
    """

    days: Float
    log_s: Float

    def __len__(self) -> int:
        """The number of curves, n."""
        return len(self.log_s)

    @cached_property
    def _knots(self) -> tuple[Float, Float]:
        """Days (m + 1,) and log S (n, m + 1) with the start, where S(0) = 1."""
        days, curve = np.zeros(len(self.days) + 1), np.zeros((len(self), len(self.days) + 1))
        days[1:], curve[:, 1:] = self.days, self.log_s
        return days, curve

    @cached_property
    def _slopes(self) -> Float:
        """(n, m) of log S between the knots."""
        knots, curve = self._knots
        return np.asarray(np.diff(curve, axis=1) / np.diff(knots))

    @cached_property
    def _tail_exponent(self) -> Float:
        """(n,) p of the tail: beyond the last day the hazard is p / t, and S(t) falls as t ** -p.

        It goes on from the mean hazard of the last third of days, taken at their geometric middle.
        """
        last = self.days[-1]
        start = min(np.searchsorted(self.days, last * 2 / 3), len(self.days) - 2)
        if start < 0:  # a single day
            return np.asarray(0 - self.log_s[:, 0])  # a flat curve's is 0, never -0
        fall = self.log_s[:, start] - self.log_s[:, -1]
        return np.asarray(fall * np.sqrt(self.days[start] * last) / (last - self.days[start]))

    def log_at(self, t: ArrayLike) -> Float:
        """Log S at `t` days: (n,) for one t or (n,) of them, (k, n) for (k, 1) or (k, n)."""
        t = np.asarray(t, float)
        knots, curve = self._knots
        last, steps = self.days[-1], len(self.days)
        step = np.minimum(self.days.searchsorted(t, side="right"), steps - 1)
        row = np.arange(len(self))
        left = curve.ravel().take(step + row * (steps + 1))
        slope = self._slopes.ravel().take(step + row * steps)
        log_s = left + slope * (np.minimum(t, last) - knots[step])
        if np.any(t > last):
            beyond = np.log(np.maximum(t, last) / last)
            log_s -= np.where(beyond > 0, self._tail_exponent * beyond, 0.0)
        return np.asarray(log_s)

    def quantile(self, level: ArrayLike, elapsed: ArrayLike = 0.0) -> Float:
        """Days t since the last order by which the gap has ended with probability `level`.

        Given that `elapsed` days have passed without an order: S(t) / S(elapsed) = 1 - level, so t
        is never below `elapsed`. Infinite where the curve never falls so low. 0 < level < 1.
        (n,), or (k, n) for k levels given as (k, 1); `elapsed` may have k rows too.
        """
        target = self.log_at(elapsed) + np.log1p(-np.asarray(level, float))
        knots, curve = self._knots
        step = (self.log_s[:, :-1] > target[..., None]).sum(axis=-1)
        row = np.arange(len(self))
        start, left, last = knots[step], curve[row, step], curve[:, -1]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            share = (left - target) / (left - curve[row, step + 1])
            inside = start + share * (knots[step + 1] - start)
            beyond = self.days[-1] * np.exp((last - target) / self._tail_exponent)
        t = np.where(target >= last, inside, beyond)
        return np.asarray(np.maximum(t, elapsed))

    def probability_within(self, horizon: ArrayLike, elapsed: ArrayLike = 0.0) -> Float:
        """Probability of an order within `horizon` days after `elapsed` days without one.

        (n,), or (k, n) for k horizons given as (k, 1).
        """
        elapsed = np.asarray(elapsed, float)
        log_ratio = self.log_at(elapsed + np.asarray(horizon, float)) - self.log_at(elapsed)
        return np.asarray(np.maximum(-np.expm1(log_ratio), 0.0))
