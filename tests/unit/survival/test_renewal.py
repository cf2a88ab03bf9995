"""Orders after the next one, beside a sum over whole sequences of gaps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ordergap.survival.curve import Survival
from ordergap.survival.renewal import expected_orders, kind_probability

DAYS = np.array([1.0, 2.0, 4.0, 9.0])
LOG_S = -np.cumsum([[0.3, 0.2, 0.5, 0.1], [0.05, 0.9, 0.2, 0.4], [0.0, 0.1, 0.1, 0.1]], axis=1)
CURVES = Survival(DAYS, LOG_S)
ELAPSED = np.array([0.0, 3.0, 12.0])
HORIZONS = [1, 4, 6]
SHARE = np.array([0.2, 0.7, 1.0])


def gap(customer: int, day: int, elapsed: float = 0.0) -> float:
    """Probability that a gap which is longer than `elapsed` ends on that day after it."""
    one = Survival(DAYS, LOG_S[customer : customer + 1])
    ends = [float(np.exp(one.log_at(elapsed + each))[0]) for each in (0, day - 1, day)]
    return (ends[1] - ends[2]) / ends[0]


def by_sequences(customer: int, horizon: int, share: float) -> tuple[float, float]:
    """Orders, and the probability of one of a kind, summed over the days that have an order."""
    orders = kind = 0.0
    for count in range(1, horizon + 1):
        for days in itertools.combinations(range(1, horizon + 1), count):
            p = gap(customer, days[0], ELAPSED[customer])
            for one, other in itertools.pairwise(days):
                p *= gap(customer, other - one)
            orders += p  # that its last day has an order, and those before it are these
            kind += p * share * (1 - share) ** (count - 1)
    return orders, kind


def test_they_are_sums_over_sequences_of_gaps() -> None:
    orders = expected_orders(CURVES, ELAPSED, HORIZONS)
    kinds = kind_probability(CURVES, ELAPSED, HORIZONS, SHARE)
    for k, horizon in enumerate(HORIZONS):
        for customer, share in enumerate(SHARE):
            expected = by_sequences(customer, horizon, float(share))
            assert (orders[k, customer], kinds[k, customer]) == pytest.approx(expected)


def test_several_kinds_at_once_are_each_as_alone() -> None:
    shares = np.array([SHARE, SHARE / 3, np.zeros(3)])
    together = kind_probability(CURVES, ELAPSED, HORIZONS, shares)
    assert together.shape == (3, 3, 3)
    for one, share in zip(together, shares, strict=True):
        assert np.array_equal(one, kind_probability(CURVES, ELAPSED, HORIZONS, share))
    assert not together[2].any()


@pytest.mark.parametrize("horizons", [[], [0], [30, 366]])
def test_days_that_nobody_may_ask_for_are_refused(horizons: list[int]) -> None:
    with pytest.raises(ValueError, match="horizons must be 1 to 365 days"):
        expected_orders(CURVES, ELAPSED, horizons)
