"""Gamma-Gamma: what an order of a customer is worth, given the mean of those so far.

The amounts of a customer's orders are Gamma(p, nu), and nu, which is the customer's own, is
Gamma(q, v) over customers. The mean of many orders is believed, that of few is drawn towards
everybody's. Amounts are taken to be independent of how often a customer orders.

Source: Fader & Hardie 2013, The Gamma-Gamma model of monetary value; Fader, Hardie & Lee 2005,
RFM and CLV: using iso-value curves for customer base analysis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordergap.errors import AlgorithmError

Float = NDArray[np.float64]
_LOG_BOUND = 8.0  # amounts within 2 % of one another; beyond it digits of gammaln cancel
_FLAT = 1e-4  # log-likelihood of a customer per unit of a log parameter


@dataclass(frozen=True)
class GammaGamma:
    """The three parameters: p and v above 0, q above 1; v is in the unit of the amounts."""

    p: float
    q: float
    v: float

    def expected_amount(self, order_count: Float, mean_amount: Float) -> Float:
        """(n,) amount expected of one further order (2005, equation 5).

        order_count  (n,) orders so far; 0 or more
        mean_amount  (n,) their mean amount; not looked at where there is no order
        """
        total = np.where(order_count > 0, order_count * mean_amount, 0.0)
        return self.p * (self.v + total) / (self.p * order_count + self.q - 1)

    def log_likelihood(self, order_count: Float, mean_amount: Float) -> Float:
        """(n,) log density of each mean (2013, equation 1a); both (n,) and above 0."""
        from scipy.special import gammaln  # noqa: PLC0415 - slow to import; servers do without

        shape, total = self.p * order_count, order_count * mean_amount
        return np.asarray(
            gammaln(shape + self.q)
            - gammaln(shape)
            - gammaln(self.q)
            + self.q * np.log(self.v)
            + shape * np.log(total)
            - np.log(mean_amount)
            - (shape + self.q) * np.log(self.v + total)
        )

    def gradient(self, order_count: Float, mean_amount: Float) -> Float:
        """(3, n) derivatives of `log_likelihood` by p, q and v."""
        from scipy.special import digamma  # noqa: PLC0415

        shape, total = self.p * order_count, order_count * mean_amount
        sums = digamma(shape + self.q) - np.log(self.v + total)
        return np.stack(
            [
                order_count * (sums - digamma(shape) + np.log(total)),
                sums - digamma(self.q) + np.log(self.v),
                self.q / self.v - (shape + self.q) / (self.v + total),
            ]
        )


def fit(order_count: Float, mean_amount: Float, penalty: float = 0.01) -> GammaGamma:
    """The parameters that maximise the sum of `log_likelihood` - penalty * sum of squared logs.

    order_count  (n,) orders that the mean is of
    mean_amount  (n,) their mean amount

    Customers without an order, and those whose mean is not above 0 or not known, are not learnt
    from. The logs are those of p, q - 1 and v in units of the mean of `mean_amount`: with them a
    single customer, or many who all pay the same, have a fit too.

    Raises:
        ValueError: nobody is left to learn from.
        AlgorithmError: no maximum was found.
    """
    usable = (order_count > 0) & (mean_amount > 0) & np.isfinite(mean_amount)
    if not usable.any():
        raise ValueError("give customers with an order and a mean amount above 0")
    from scipy.optimize import minimize  # noqa: PLC0415

    count = order_count[usable].astype(float)
    unit = float(mean_amount[usable].mean())
    mean = mean_amount[usable] / unit

    def loss(logs: Float) -> tuple[float, Float]:
        parameters = np.exp(logs)
        p, less, v = parameters.tolist()
        model = GammaGamma(p, 1 + less, v)
        value = model.log_likelihood(count, mean).sum() - penalty * logs @ logs
        slope = model.gradient(count, mean).sum(axis=1) * parameters - 2 * penalty * logs
        return -value / len(count), -slope / len(count)

    def without_slope(logs: Float) -> float:
        return loss(logs)[0]

    bounds = [(-_LOG_BOUND, _LOG_BOUND)] * 3
    result = minimize(
        loss,
        np.zeros(3),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-12, "gtol": 1e-6, "maxiter": 500},
    )
    inside = np.abs(result.x) < _LOG_BOUND
    if not result.success and np.abs(result.jac[inside]).max(initial=0) > _FLAT:
        # Where all pay nearly the same, rounding makes the slope too rough for a line search.
        result = minimize(
            without_slope,
            result.x,
            method="Nelder-Mead",
            bounds=bounds,
            options={"maxiter": 5000},
        )
        if not result.success:
            raise AlgorithmError(f"Gamma-Gamma found no maximum ({result.message})")
    p, less, v = np.exp(result.x).tolist()
    return GammaGamma(p, 1 + less, v * unit)
