"""How far gaps lie from what was foreseen: less for customers who have ordered often.

See docs/decisions/trainers.md#the-noise-of-aft-follows-the-orders-so-far.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.trainers.base import Float, Sample

GROUPS = (2, 3, 5, 10)
"""Orders so far from which customers have a noise of their own."""

_ENOUGH = 20  # gaps that ended, for a group to have one
_BOUNDS = (math.log(0.05), math.log(20))


def noise_by_orders(
    sample: Sample, location: Float, order_count: NDArray[np.floating], usual: float
) -> dict[str, JsonValue]:
    """The parameters "orders" and "scales" of an AFT model: GROUPS, and the likeliest normal noise.

    sample       gaps followed from their first day on
    location     (n,) log gap as foreseen
    order_count  (n,) orders of the customer so far, the one that began the gap included
    usual        the scale for a group of which too few gaps ended
    """
    missed = np.log(sample.gap) - location
    group = np.searchsorted(GROUPS, order_count, side="right")
    scales: list[JsonValue] = []
    for i in range(len(GROUPS) + 1):
        ended = sample.observed[some := group == i]
        scales.append(_likeliest(missed[some], ended) if ended.sum() >= _ENOUGH else usual)
    return {"orders": list(GROUPS), "scales": scales}


def _likeliest(missed: Float, ended: NDArray[np.bool_]) -> float:
    """The scale of normal noise (n,) of which some is, until its gap has `ended`, only at least."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - slow to import
    from scipy.special import log_ndtr  # noqa: PLC0415

    def loss(log_scale: float) -> float:
        z = missed / math.exp(log_scale)
        return -float(np.where(ended, -z * z / 2 - log_scale, log_ndtr(-z)).sum())

    return math.exp(minimize_scalar(loss, bounds=_BOUNDS, method="bounded").x)
