"""Fits the recalibration of a hazard model: a logistic regression with the trees as offset."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ordergap.hosts import Hosts
from ordergap.models.recalibration import Recalibration, terms
from ordergap.trainers.base import Float

_PENALTY = np.repeat([150.0, 5.0], 7)
"""Of squared coefficients: those of all repeat customers have to earn their place; the frequent
who fell silent are few."""
_STEPS = 25
_BLOCK = 1 << 17  # rows whose columns are held at once


def recalibrate(
    rows: Callable[[slice], tuple[Float, Float, Float]],
    margin: Float,
    label: NDArray[np.bool_],
    weight: NDArray[np.float64],
    typical: float,
    hosts: Hosts,
) -> Recalibration:
    """The coefficients that make the rows of all hosts likeliest, less the penalty.

    rows     order count, tenure and days waited of some of the n rows, (k,) each
    margin   (n,) the trees' log odds
    label    (n,) whether an order came, with its weight (n,)
    typical  days: the median gap of all customers

    By Newton's method; the loss is convex.
    """
    coefficients = np.zeros(len(_PENALTY))
    for _ in range(_STEPS):
        sums = np.zeros((len(_PENALTY), len(_PENALTY) + 1))
        for start in range(0, len(margin), _BLOCK):
            some = slice(start, start + _BLOCK)
            x = np.stack(terms(*rows(some), typical))
            p = expit(margin[some] + coefficients @ x)
            sums[:, 0] += x @ (weight[some] * (label[some] - p))
            sums[:, 1:] += (x * (weight[some] * p * (1 - p))) @ x.T
        sums = hosts.sum(sums)
        gradient, hessian = sums[:, 0] - _PENALTY * coefficients, sums[:, 1:] + np.diag(_PENALTY)
        step = np.linalg.solve(hessian, gradient)
        coefficients += step
        if np.abs(step).max() < 1e-6:
            break
    return Recalibration(typical, coefficients)
