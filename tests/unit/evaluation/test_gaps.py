"""Curves judged under both protocols, and interval levels that cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.evaluation.gaps import (
    CAP_SHARE_AT_ORDER,
    NOMINAL_LEVELS,
    forecasts,
    outcomes,
    uncalibrated_levels,
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


def cover(survival: Survival, targets: Targets, level: float, cap: float) -> float:
    """The share of rows followed to the cap whose capped gap is inside, counted one by one."""
    held = []
    for row in range(len(targets)):
        left = targets.left_truncation[row]
        if targets.follow_up[row] - left >= cap:
            curve = Survival(survival.days, survival.log_s[row : row + 1])
            low = curve.quantile((1 - level) / 2, left)[0] - left
            high = curve.quantile((1 + level) / 2, left)[0] - left
            gap = min(targets.gap[row] - left, cap)
            held.append(min(low, cap) <= gap <= min(high, cap))
    return float(np.mean(held)) if held else float("nan")


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


def test_curves_that_are_right_keep_the_nominal_levels() -> None:
    gap = np.random.default_rng(2).exponential(40, 20_000)
    check = exponential(len(gap), mean=40), observed_gaps(gap, follow_up=1000), 500.0
    for nominal, inner in uncalibrated_levels([check]).items():
        assert inner == pytest.approx(float(nominal), abs=0.03)


def test_curves_that_are_too_sure_get_wider_levels_and_too_unsure_narrower() -> None:
    gap = np.random.default_rng(3).lognormal(3, 0.3, 2_000)
    unsure = exponential(len(gap), mean=gap.mean()), observed_gaps(gap, follow_up=1000), 500.0
    assert all(inner < float(nominal) for nominal, inner in uncalibrated_levels([unsure]).items())
    days = np.arange(1.0, 200)
    steep = np.broadcast_to(-((days / 24) ** 8.0), (len(gap), len(days)))
    sure = Survival(days, steep), unsure[1], 500.0
    assert all(inner > float(nominal) for nominal, inner in uncalibrated_levels([sure]).items())


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=20),
    st.lists(st.integers(1, 90), min_size=1, max_size=20),
)
def test_each_level_is_the_narrowest_whose_coverage_averaged_over_the_checks_is_enough(
    first: list[int], second: list[int]
) -> None:
    checks = [
        (exponential(len(gap), 30), observed_gaps(np.array(gap, float), 70, entry), cap)
        for gap, entry, cap in ((first, 0.0, 40.0), ([day + 10 for day in second], 10.0, 60.0))
    ]
    found = uncalibrated_levels(checks)
    assert list(found) == [str(level) for level in NOMINAL_LEVELS]
    for nominal in NOMINAL_LEVELS:
        own = found[str(nominal)]

        def covered(level: float) -> float:
            return float(np.mean([cover(curves, gaps, level, cap) for curves, gaps, cap in checks]))

        assert covered(own) >= nominal or own == 0.98
        assert own == 0.02 or covered(round(own - 0.02, 4)) < nominal


def test_levels_rise_with_the_nominal_and_stop_at_the_widest() -> None:
    never_inside = exponential(9, mean=1000), observed_gaps(np.ones(9), follow_up=90), 60.0
    assert set(uncalibrated_levels([never_inside]).values()) == {0.98}


def test_a_check_without_a_row_to_judge_is_left_out() -> None:
    gap = np.random.default_rng(4).exponential(10, 300)
    enough = exponential(300, mean=40), observed_gaps(gap, follow_up=100), 60.0
    too_short = exponential(300, mean=40), observed_gaps(gap, follow_up=50), 60.0
    assert uncalibrated_levels([enough, too_short]) == uncalibrated_levels([enough])


def test_where_nothing_can_be_judged_the_nominal_levels_stand() -> None:
    too_short = exponential(2, mean=40), observed_gaps(np.array([5.0, 9.0]), follow_up=50), 60.0
    expected = {str(level): level for level in NOMINAL_LEVELS}
    assert uncalibrated_levels([too_short, too_short]) == expected


def test_a_window_caps_waits_at_its_length_and_orders_earlier() -> None:
    # 94 days of Online Retail: 60 leave a third of the window's orders to be judged.
    assert [*window_caps(100, 194).values()] == [94, 60]
    assert [*window_caps(0, 136).values()] == [136, int(136 * CAP_SHARE_AT_ORDER)]
