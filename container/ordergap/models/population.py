"""All customers together: whom one of them is compared with, and how many will order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from ordergap.contract.prediction import DUE_WITHIN, LAPSED_WITHIN
from ordergap.models.base import Model
from ordergap.survival.curve import Survival

_BATCH = 65_536  # customers whose curves are held at once


@dataclass(frozen=True)
class Population:
    """What holds of all customers together, as of the last day that was learnt from.

    average       days ahead -> mean probability of an order within them, of 7 and 90 days
    weekly_error  relative standard deviation of the customers who came in a week of the validation
                  from those foreseen, beyond what chance explains
    """

    average: Mapping[int, float]
    weekly_error: float = 0.0

    def content(self) -> dict[str, JsonValue]:
        """As JSON."""
        average: JsonValue = {str(days): mean for days, mean in self.average.items()}
        return {"average": average, "weekly_error": self.weekly_error}

    @classmethod
    def parse(cls, content: JsonValue) -> Self:
        """What `content` wrote; KeyError or ValueError where it is another thing."""
        fields = cast("dict[str, Any]", content)
        average = {int(days): float(mean) for days, mean in fields["average"].items()}
        error = float(fields["weekly_error"])
        if not all(0 <= mean <= 1 for mean in average.values()) or not 0 <= error < math.inf:
            raise ValueError("population is not of shares and an error")
        return cls(average, error)


class Expected(NamedTuple):
    """How many customers order in a span of days, with an interval."""

    mean: float
    low: float
    high: float


def expected(probability: NDArray[np.float64], level: float, error: float) -> list[Expected]:
    """The customers whose next order falls between the ends of k spans of days, span by span.

    probability  (k, n) of an order until the end of each span, rising along k
    level        how often the interval should hold
    error        relative standard deviation of the sums, beyond chance: `Population.weekly_error`

    A customer counts once, in the span of the next order. Customers are independent of one another,
    but for the `error` that all have in common.
    """
    each = np.diff(probability, axis=0, prepend=0.0)
    mean, variance = each.sum(axis=1), (each * (1 - each)).sum(axis=1)
    pairs = zip(mean.tolist(), variance.tolist(), strict=True)
    return [sum_interval(*pair, level, error) for pair in pairs]


def sum_interval(mean: float, variance: float, level: float, error: float) -> Expected:
    """A sum over customers, whose `variance` is by chance, with an interval; see `expected`."""
    deviation = math.sqrt(variance + (error * mean) ** 2)
    margin = NormalDist().inv_cdf((1 + level) / 2) * deviation
    return Expected(mean, max(mean - margin, 0.0), mean + margin)


def averages(parts: Iterable[tuple[Survival, NDArray[np.floating]]]) -> dict[int, float]:
    """Days ahead -> mean probability of the customers of all parts: curves, and days waited."""
    ahead = np.array([DUE_WITHIN, LAPSED_WITHIN])
    total, count = np.zeros(len(ahead)), 0
    for curves, elapsed in parts:
        total += curves.probability_within(ahead[:, None], elapsed).sum(axis=1)
        count += len(curves)
    return dict(zip(ahead.tolist(), (total / count).tolist(), strict=True))


def in_parts(
    model: Model, features: NDArray[np.float32], elapsed: NDArray[np.floating]
) -> Iterator[tuple[Survival, NDArray[np.floating]]]:
    """The curves of n customers, with their days waited, so many at once as memory holds well.

    features  (n, F) of each customer's last order
    """
    for start in range(0, len(features), _BATCH):
        some = slice(start, start + _BATCH)
        yield model.survival(features[some]), elapsed[some]
