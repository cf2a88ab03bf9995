"""BG/NBD: buy-till-you-die, the field's own model of who comes back, and when.

While alive a customer orders at a constant rate, Gamma(r, alpha) over customers. After every repeat
order a coin decides whether the customer leaves for good; its probability is Beta(a, b) over
customers. A customer is three numbers: repeat orders (frequency), days from the first order to the
last (recency, 0 where there is no repeat) and days from the first order to today (age).

Source: Fader, Hardie & Lee 2005, "Counting your customers" the easy way: an alternative to the
Pareto/NBD model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.errors import AlgorithmError

Float = NDArray[np.float64]
_LOG_BOUND = 8.0  # r = e ** 8: rates within 2 % of one another; beyond it digits of gammaln cancel
_LEAST = 1e-7  # probability whose log odds are taken
_FLAT = 1e-4  # log-likelihood of a customer per unit of a log parameter


@dataclass(frozen=True)
class BgNbd:
    """The four parameters, all above 0; alpha is in the unit of recency and age."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, frequency: Float, recency: Float, age: Float) -> Float:
        """(n,) log-likelihood of each customer (equation 6)."""
        from scipy.special import betaln, gammaln  # noqa: PLC0415 - slow to import; servers do without

        orders = self.r + frequency
        return np.asarray(
            gammaln(orders)
            - gammaln(self.r)
            + self.r * np.log(self.alpha)
            - orders * np.log(self.alpha + age)
            + betaln(self.a, self.b + frequency)
            - betaln(self.a, self.b)
            + np.logaddexp(0, self._log_odds_gone(frequency, recency, age))
        )

    def log_survival(self, frequency: Float, recency: Float, age: Float, days: Float) -> Float:
        """(n, m) log probability that no order comes within `days` (m,) after `age`.

        The likelihood of being alive is (1 - p)^x lambda^x e^(-lambda T), so an alive customer's
        rate is Gamma(r + x, alpha + T), and no order comes within t with probability
        E e^(-lambda t) = ((alpha + T) / (alpha + T + t))^(r + x). Who has left never orders.
        """
        gone = self._log_odds_gone(frequency, recency, age)[:, None]
        wait = np.log1p(days / (self.alpha + age[:, None])) * -(self.r + frequency[:, None])
        return np.asarray(np.logaddexp(wait, gone) - np.logaddexp(0, gone))

    def expected_orders(self, frequency: Float, recency: Float, age: Float, days: float) -> Float:
        """(n,) orders expected within `days` after `age` (equation 10)."""
        from scipy.special import hyp2f1  # noqa: PLC0415 - slow to import; servers do without

        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, total = frequency, alpha + age
        series = hyp2f1(r + x, b + x, a + b + x - 1, days / (total + days))
        fall = np.exp((r + x) * (np.log(total) - np.log(total + days)))
        alive = 1 + np.exp(self._log_odds_gone(frequency, recency, age))
        return np.asarray((a + b + x - 1) / (a - 1) * (1 - fall * series) / alive)

    def log_odds(self, order_count: Float, tenure: Float, days: Float) -> Float:
        """(n, m) log odds, at an order, of the next in each time bin if in none before.

        order_count  (n,) orders so far, that one included
        tenure       (n,) days from the first of them to it
        days         (m,) ends of the bins
        """
        log_s = self.log_survival(order_count - 1, tenure, tenure, days)
        within = -np.expm1(np.diff(log_s, axis=1, prepend=0.0))
        within = np.clip(within, _LEAST, 1 - _LEAST)
        return np.asarray(np.log(within / (1 - within)))

    def gradient(self, frequency: Float, recency: Float, age: Float) -> Float:
        """(4, n) derivatives of `log_likelihood` by r, alpha, a and b."""
        from scipy.special import digamma, expit  # noqa: PLC0415

        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        gone = expit(self._log_odds_gone(frequency, recency, age))
        rate = (1 - gone) / (alpha + age) + gone / (alpha + recency)
        log_time = (1 - gone) * np.log(alpha + age) + gone * np.log(alpha + recency)
        coins = digamma(a + b) - digamma(a + b + frequency)
        # Where there is no repeat order nobody is gone: any divisor above 0 does.
        return np.stack(
            [
                digamma(r + frequency) - digamma(r) + np.log(alpha) - log_time,
                r / alpha - (r + frequency) * rate,
                coins + gone / a,
                coins
                + digamma(b + frequency)
                - digamma(b)
                - gone / (b + np.maximum(frequency - 1, 0)),
            ]
        )

    def _log_odds_gone(self, frequency: Float, recency: Float, age: Float) -> Float:
        """(n,) log of P(left) / P(alive); -inf without a repeat order, since no coin was tossed."""
        odds = (self.r + frequency) * np.log((self.alpha + age) / (self.alpha + recency))
        odds += np.log(self.a / (self.b + np.maximum(frequency - 1, 0)))
        return np.where(frequency > 0, odds, -np.inf)


@dataclass(frozen=True)
class Start:
    """Log odds that trees begin from: halfway from one level for all to what BG/NBD says.

    See docs/decisions/trainers.md#trees-may-begin-from-half-of-bgnbd.
    """

    model: BgNbd
    level: float

    def __call__(self, order_count: Float, tenure: Float, days: Float) -> Float:
        """(n, m) as of `BgNbd.log_odds`; the level where the tenure is unknown."""
        known = ~np.isnan(tenure)
        log_odds = np.full((len(tenure), len(days)), self.level)
        log_odds[known] += self.model.log_odds(order_count[known], tenure[known], days)
        log_odds[known] /= 2
        return log_odds

    def content(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {**vars(self.model), "level": self.level}

    @classmethod
    def parse(cls, content: JsonValue) -> Self:
        """What `content` wrote; KeyError where it is another thing."""
        fields = cast("dict[str, float]", content)
        parameters = (float(fields[name]) for name in ("r", "alpha", "a", "b"))
        return cls(BgNbd(*parameters), float(fields["level"]))


def fit(frequency: Float, recency: Float, age: Float, penalty: float = 0.01) -> BgNbd:
    """The parameters that maximise the sum of `log_likelihood` - penalty * sum of squared logs.

    frequency, recency and age are (n,). The logs are those of r, alpha in units of the mean age, a
    and b: where all customers' coins are alike the likelihood alone would send a and b to infinity.

    Raises:
        ValueError: no customer, a negative frequency, or one not 0 <= recency <= age.
        AlgorithmError: no maximum was found.
    """
    ordered = (frequency >= 0) & (recency >= 0) & (recency <= age)
    if not len(ordered) or not ordered.all():
        raise ValueError("give customers, each with frequency >= 0 and 0 <= recency <= age")
    from scipy.optimize import minimize  # noqa: PLC0415

    unit = float(age.mean()) or 1.0
    customers = frequency, recency / unit, age / unit

    def loss(log_parameters: Float) -> tuple[float, Float]:
        parameters = np.exp(log_parameters)
        model = BgNbd(*parameters.tolist())
        value = model.log_likelihood(*customers).sum() - penalty * log_parameters @ log_parameters
        slope = model.gradient(*customers).sum(axis=1) * parameters - 2 * penalty * log_parameters
        return -value / len(frequency), -slope / len(frequency)

    result = minimize(
        loss,
        np.zeros(4),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 4,
        options={"ftol": 1e-12, "gtol": 1e-6, "maxiter": 500},
    )
    # Rounding may end the search a little early, where the slope is flat all the same.
    inside = np.abs(result.x) < _LOG_BOUND
    if not result.success and np.abs(result.jac[inside]).max(initial=0) > _FLAT:
        raise AlgorithmError(f"BG/NBD found no maximum ({result.message})")
    r, alpha, a, b = np.exp(result.x).tolist()
    return BgNbd(r, alpha * unit, a, b)
