"""Curves judged under both protocols."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from ordergap.evaluation.gaps import (
    CAP_SHARE_AT_ORDER,
    forecasts,
    outcomes,
    window_caps,
)
from ordergap.evaluation.metrics import Outcomes, Predicted, evaluate
from ordergap.survival.curve import Survival
from ordergap.survival.targets import Targets

CAP = 60.0


def exponential(n: int, mean: float) -> Survival:
    days = np.arange(1.0, 200)
    return Survival(days, np.broadcast_to(-days / mean, (n, len(days))))


def judge(
    survival: Survival,
    targets: Targets,
    level: float,
    cap: float,
    horizons: list[int] | None = None,
) -> dict[str, float]:
    answers = forecasts(survival, targets, level, cap, horizons or [30])
    return evaluate(answers, outcomes(targets), cap)


def observed_gaps(
    gap: NDArray[np.float64], follow_up: float, left_truncation: float = 0.0
) -> Targets:
    observed = gap <= follow_up
    n = len(gap)
    return Targets(
        np.arange(n),
        np.minimum(gap, follow_up),
        observed,
        np.full(n, follow_up),
        np.full(n, left_truncation),
    )


def test_the_days_still_to_wait_are_judged() -> None:
    targets = Targets(
        row=np.arange(3),
        gap=np.array([25.0, 95.0, 100.0]),
        observed=np.array([True, True, False]),
        follow_up=np.array([100.0, 95.0, 100.0]),
        left_truncation=np.array([10.0, 5.0, 10.0]),
    )
    survival = exponential(3, mean=40)
    left = 40 * np.log(2)  # an exponential gap has no memory
    errors = [abs(left - 15), abs(left - CAP), abs(left - CAP)]
    judged = judge(survival, targets, 0.8, CAP)
    assert judged["capped_mae"] == pytest.approx(np.mean(errors))
    assert judged["rows"] == 3
    p = 1 - np.exp(-30 / 40)
    assert judged["brier_30"] == pytest.approx(((1 - p) ** 2 + 2 * p**2) / 3)
    assert judged["coverage"] == 1  # the upper end lies beyond the cap
    assert judged["width"] == pytest.approx(CAP + 40 * np.log(0.9))


def test_judging_is_evaluating_what_the_curves_say() -> None:
    random = np.random.default_rng(1)
    targets = observed_gaps(
        random.exponential(30, 50).round() + 21, follow_up=90, left_truncation=20
    )
    survival = exponential(50, mean=30)
    predicted = Predicted(
        median=survival.quantile(0.5, 20) - 20,
        low=survival.quantile(0.2, 20) - 20,
        high=survival.quantile(0.8, 20) - 20,
        probability={14: survival.probability_within(14, 20)},
        risk_score=survival.probability_within(CAP, 20),
    )
    seen = Outcomes(targets.gap - 20, targets.observed, targets.follow_up - 20)
    expected = evaluate(predicted, seen, CAP)
    assert judge(survival, targets, 0.6, CAP, horizons=[14]) == pytest.approx(expected)


def test_outcomes_count_from_the_beginning_of_observation() -> None:
    targets = observed_gaps(np.array([15.0, 99.0]), follow_up=50, left_truncation=10)
    seen = outcomes(targets)
    assert seen.gap.tolist() == [5, 40]
    assert seen.observed.tolist() == [True, False]
    assert seen.follow_up.tolist() == [40, 40]


def test_a_window_caps_waits_at_its_length_and_orders_earlier() -> None:
    # 94 days of Online Retail: 60 leave a third of the window's orders to be judged.
    assert [*window_caps(100, 194).values()] == [94, 60]
    assert [*window_caps(0, 136).values()] == [136, int(136 * CAP_SHARE_AT_ORDER)]


@pytest.mark.parametrize("size", [1, 7, 500])
def test_forecasts_made_in_parts_are_those_made_at_once(size: int) -> None:
    random = np.random.default_rng(0)
    gaps = observed_gaps(random.exponential(30, 50).round(), 60, left_truncation=3.0)
    fall = -random.random((50, 20)).cumsum(axis=1)
    days = np.arange(1.0, 21) * 5

    def made(some: slice) -> Predicted:
        return forecasts(Survival(days, fall[some]), gaps[some], 0.8, CAP, [7, 30])

    whole = made(slice(None))
    joined = Predicted.joined([made(slice(i, i + size)) for i in range(0, 50, size)])
    for name in ("median", "low", "high", "risk_score"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.probability.keys() == whole.probability.keys()
    for horizon, chance in whole.probability.items():
        np.testing.assert_array_equal(joined.probability[horizon], chance)
