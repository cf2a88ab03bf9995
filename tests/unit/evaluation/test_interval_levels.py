"""Interval levels that cover what they promise, over twice the window they were checked on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from ordergap.evaluation.interval_levels import (
    GROUPS,
    NOMINAL_LEVELS,
    Check,
    coverage,
    uncalibrated_levels,
)
from ordergap.survival.curve import Survival

from tests.unit.evaluation.test_gaps import exponential, observed_gaps


def check(
    survival: Survival,
    gap: NDArray[np.float64],
    follow_up: float,
    cap: float,
    waited: float = 0.0,
    orders: int | NDArray[np.int64] = 1,
) -> Check:
    targets = observed_gaps(gap, follow_up, waited)
    return Check(survival, targets, cap, np.broadcast_to(np.asarray(orders, np.int64), len(gap)))


def carried(each: Check, level: float) -> list[float]:
    """What a row counts for, row by row: held, plus what is foreseen for twice the cap, less so."""
    targets, cap = each.targets, each.cap
    shares = []
    for row in range(len(targets)):
        left = targets.left_truncation[row]
        if targets.follow_up[row] - left < cap:
            continue
        curve = Survival(each.survival.days, each.survival.log_s[row : row + 1])
        low = curve.quantile((1 - level) / 2, left)[0] - left
        high = curve.quantile((1 + level) / 2, left)[0] - left
        gap = min(targets.gap[row] - left, cap)
        share = float(min(low, cap) <= gap <= min(high, cap))
        for window, sign in ((2 * cap, 1), (cap, -1)):
            foreseen = 1.0 if low >= window else (1 + level) / 2 if high >= window else level
            share += sign * foreseen
        shares.append(share)
    return shares


def test_curves_that_are_right_keep_the_nominal_levels() -> None:
    gap = np.random.default_rng(2).exponential(40, 20_000)
    for levels in uncalibrated_levels([check(exponential(len(gap), 40), gap, 1000, 500)]).values():
        for nominal, own in levels.items():
            assert own == pytest.approx(float(nominal), abs=0.03)


def test_right_curves_keep_their_levels_where_most_intervals_reach_the_cap() -> None:
    gap = np.random.default_rng(5).exponential(150, 20_000)
    days = np.arange(1.0, 2000)
    right = Survival(days, np.broadcast_to(-days / 150, (len(gap), len(days))))
    levels = uncalibrated_levels([check(right, gap, 1000, cap=250)])["1"]
    for nominal, own in levels.items():
        assert own == pytest.approx(float(nominal), abs=0.05)


def test_curves_that_are_too_sure_get_wider_levels_and_too_unsure_narrower() -> None:
    gap = np.random.default_rng(3).lognormal(3, 0.3, 2_000)
    unsure = check(exponential(len(gap), mean=gap.mean()), gap, 1000, 500)
    assert all(own < float(n) for n, own in uncalibrated_levels([unsure])["1"].items())
    days = np.arange(1.0, 200)
    steep = Survival(days, np.broadcast_to(-((days / 24) ** 8.0), (len(gap), len(days))))
    sure = unsure._replace(survival=steep)
    assert all(own > float(n) for n, own in uncalibrated_levels([sure])["1"].items())


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=20),
    st.lists(st.integers(1, 90), min_size=1, max_size=20),
)
def test_each_level_is_the_narrowest_whose_coverage_averaged_over_the_checks_is_enough(
    first: list[int], second: list[int]
) -> None:
    checks = [
        check(exponential(len(gap), 30), np.array(gap, float), 70, cap, waited)
        for gap, waited, cap in ((first, 0.0, 40.0), ([day + 10 for day in second], 10.0, 60.0))
    ]
    found = uncalibrated_levels(checks)["1"]
    assert list(found) == [str(level) for level in NOMINAL_LEVELS]
    for nominal in NOMINAL_LEVELS:
        own = found[str(nominal)]

        def covered(level: float) -> float:
            return float(np.mean([np.mean(carried(each, level)) for each in checks]))

        assert covered(own) >= nominal - 1e-9 or own == 0.98
        assert own == 0.02 or covered(round(own - 0.02, 4)) < nominal + 1e-9


def test_a_group_that_needs_a_higher_level_than_all_gets_it_and_none_gets_a_lower() -> None:
    gap = np.random.default_rng(6).exponential(40, 3000)
    orders = np.repeat([1, 3, 9], 1000)
    mean = np.repeat([100, 40, 25], 1000)  # right for those with three orders alone
    days = np.arange(1.0, 400)
    each = check(Survival(days, -days / mean[:, None]), gap, 1000, 300, orders=orders)
    levels = uncalibrated_levels([each])
    every = uncalibrated_levels([each._replace(order_count=np.ones(3000, np.int64))])["1"]
    assert list(levels) == [str(group) for group in GROUPS]
    assert all(levels[group][n] >= every[n] for group in levels for n in every)
    assert levels["5"]["0.8"] > every["0.8"]
    assert levels["1"] == every


def test_a_small_group_has_the_level_of_all() -> None:
    gap = np.random.default_rng(7).exponential(40, 1000)
    orders = np.where(np.arange(1000) < 49, 9, 1)
    each = check(exponential(1000, mean=60), gap, 1000, 300, orders=orders)
    levels = uncalibrated_levels([each])
    assert levels["5"] == levels["2"]
    assert levels["2"] == uncalibrated_levels([each._replace(order_count=orders * 0 + 1)])["1"]


def test_levels_stop_at_the_widest() -> None:
    never_inside = check(exponential(60, mean=1000), np.ones(60), 90, 60)
    assert set(uncalibrated_levels([never_inside])["1"].values()) == {0.98}


def test_a_check_without_a_row_to_judge_is_left_out() -> None:
    gap = np.random.default_rng(4).exponential(10, 300)
    enough = check(exponential(300, mean=40), gap, 100, 60)
    too_short = check(exponential(300, mean=40), gap, 50, 60)
    assert uncalibrated_levels([enough, too_short]) == uncalibrated_levels([enough])
    assert np.isnan(coverage(too_short, 0.8))


def test_where_nothing_can_be_judged_the_nominal_levels_stand() -> None:
    too_short = check(exponential(2, mean=40), np.array([5.0, 9.0]), 50, 60)
    expected = {str(level): level for level in NOMINAL_LEVELS}
    levels = uncalibrated_levels([too_short, too_short])
    assert levels == {str(group): expected for group in GROUPS}


def test_coverage_counts_the_capped_gaps_inside() -> None:
    each = check(exponential(4, mean=40), np.array([1.0, 30, 70, 500]), 600, 60)
    low, high = 40 * -np.log(0.9), 60
    assert coverage(each, 0.8) == np.mean([low <= min(g, 60) <= high for g in (1, 30, 70, 500)])
